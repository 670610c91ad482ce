"""From a wheel or a speed trace to run and rest in every frame: arrays in, arrays out."""

import itertools
import math

import numpy as np

COUNTERS = 2.0**16, 2.0**32  # at which counters of encoders begin anew


def frame_ends(frames: np.ndarray) -> np.ndarray:
    """Return when each frame ends (T,) s: when the next begins.

    The last frame, and one that a gap follows (1.5 median frames or more), lasts a median frame.
    """
    lasts = np.diff(frames)
    median = np.median(lasts)
    following = np.where(lasts < 1.5 * median, frames[1:], frames[:-1] + median)
    return np.append(following, frames[-1] + median)


def at_frames(values: np.ndarray, time: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Resample a trace (n,) taken at `time` (n,) s onto frames that begin at `frames` (T,) s.

    A trace of more than 4/3 of the frames' rate: the mean of the samples within each frame, from
    its beginning to that of the next. Any other, and frames without a sample: linear interpolation
    at the frame's time stamp, so that a trace with the frames' own time stamps stays as it is.
    """
    between = np.interp(frames, time, values)
    if np.median(np.diff(time)) > 0.75 * np.median(np.diff(frames)):
        return between
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    first, last = np.searchsorted(time, [frames, frame_ends(frames)])
    count = last - first
    return np.where(count > 0, (total[last] - total[first]) / np.maximum(count, 1), between)


def held_at(values: np.ndarray, time: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Return for each frame the last sample of a state (n,) before the frame's middle."""
    middle = (frames + frame_ends(frames)) / 2
    return values[np.maximum(np.searchsorted(time, middle, side="right") - 1, 0)]


def within(start: np.ndarray, stop: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Return 1 for the frames whose middle lies in an interval from `start` to `stop`, else 0."""
    middle = (frames + frame_ends(frames)) / 2
    begun = np.searchsorted(np.sort(start), middle, side="right")
    return (begun > np.searchsorted(np.sort(stop), middle, side="right")).astype(np.uint8)


def turning_back(velocity: np.ndarray, above: float) -> int:
    """Return in how many frames a velocity (T,) is above `above`, but the other way just before.

    Only noise is: a mouse needs tenths of a second to turn round.
    """
    fast = np.abs(velocity) > above
    return int((fast[1:] & fast[:-1] & (np.sign(velocity[1:]) != np.sign(velocity[:-1]))).sum())


def are_ways(counts: np.ndarray, cm: float) -> bool:
    """Return whether counts (n,) are ways since the last sample: 0 at rest, time and again.

    A position is another at each rest; one that creeps stays at each of its counts for a while,
    and one that rocks at 0 goes less far than 1 mm (`cm` is a way of 1 cm).
    """
    starts = np.flatnonzero(np.append(True, np.diff(counts) != 0))
    lasts = np.diff(np.append(starts, len(counts)))
    starts, lasts = starts[lasts >= 5], lasts[lasts >= 5]
    zero, farthest = counts[starts] == 0, int(np.abs(counts).argmax())
    if abs(counts[farthest]) < 0.1 * cm or 3 * lasts[zero].sum() < lasts.sum() or not zero.any():
        return False
    first, last = starts[zero][[0, -1]]
    return bool(first < farthest < last)


def run_on(position: np.ndarray, turn: float, cm: float) -> tuple[np.ndarray, float | None]:
    """Return a wheel's position (n,) without its returns, and the range after which it begins anew.

    `turn` is one turn of the wheel in the unit of the position, `cm` a way of 1 cm. Where positions
    stay within a turn, or whole numbers within 16 or 32 bits, and step by more than half of that,
    the wheel went the other way; the range is None where they run on. Raises ValueError if a
    position begins anew in a way that leaves open how far the wheel turned.
    """
    position = position.astype(np.float64)
    steps, span, unclear = np.diff(position), float(np.ptp(position)), None
    size = np.abs(steps)
    whole = (position == np.rint(position)).all()
    for full in (turn, *COUNTERS) if whole else (turn,):
        over = size > full / 2
        if span > 1.005 * full or not over.any():
            continue
        anew = steps - full * np.rint(steps / full)
        usual = max(1.5 * size[~over].max(initial=0), 0.02 * full)
        if np.abs(anew).max() <= full / 4 and np.abs(anew[over]).max() <= usual:
            return position[0] + np.append(0.0, np.cumsum(anew)), full
        unclear = unclear or (full, int(np.abs(anew).argmax()) + 1)
    jumps = size > span / 2
    one_way = abs(np.sign(steps[jumps]).sum()) == jumps.sum() > 1
    if one_way and size[jumps].min() > 3 * size[~jumps].max(initial=0):
        raise ValueError(
            f"begins anew {jumps.sum()} times, every {span:,.6g} counts or a little more, but a "
            f"turn (counts_per_turn) has {turn:,.6g}; correct it, or write counts that run on"
        )
    if unclear:
        raise ValueError(
            f"stays within {unclear[0]:,.6g} counts and moves far at sample {unclear[1]}: whether "
            "it begins anew there, is reset, or which way it turned is unknown; write it more "
            "often, or counts that run on"
        )
    second, at = (np.sort(size)[-2], int(size.argmax())) if len(size) > 1 else (np.inf, -1)
    if position[at + 1] == 0 and size.max(initial=0) > max(cm, 4 * second):
        raise ValueError(
            f"is reset from {position[at]:,.6g} to 0 at sample {at + 1}; cut movie and behaviour "
            "there, or write counts that run on"
        )
    return position, None


def velocity_of_encoder(
    counts: np.ndarray,
    time: np.ndarray,
    frames: np.ndarray,
    *,
    counts_per_turn: float,
    wheel_circumference: float,
) -> np.ndarray:
    """Return the velocity (T,) in cm/s, below 0 where counts fall, of a wheel's position.

    `counts` (n,) run on, turn after turn, at `time` (n,) s; that of a frame is the way between
    its beginning and its end, both interpolated linearly, by its duration. The part of a frame that
    lies outside `time` is left out.
    """
    start, stop = (np.clip(t, time[0], time[-1]) for t in (frames, frame_ends(frames)))
    way = np.interp(stop, time, counts) - np.interp(start, time, counts)
    lasts = stop - start
    known = lasts > 1e-9
    velocity = way[known] / lasts[known] * wheel_circumference / counts_per_turn
    return np.interp(frames, frames[known], velocity)


def states_of_speed(
    speed: np.ndarray,
    *,
    frame_rate: float,
    above: float,
    below: float | None = None,
    min_bout: float = 0.0,
    segment: np.ndarray | None = None,
) -> np.ndarray:
    """Return run (1) or rest (0) in every frame (T,) from its speed.

    Run begins above `above` and ends at `below` (None: `above`) or less, all in the unit of the
    speed; the first frames are rest until one is above. Then bouts shorter than `min_bout` s go:
    first rest between two runs becomes run, then run between two rests becomes rest. A bout at an
    end of the recording may have been longer and stays. Each segment is a recording of its own.
    """
    below = above if below is None else below
    shortest = math.ceil(min_bout * frame_rate - 1e-6)
    states = np.zeros(len(speed), np.uint8)
    cuts = [] if segment is None else np.flatnonzero(np.diff(segment)) + 1
    for part in np.split(np.arange(len(speed)), cuts):
        clear = (speed[part] > above) | (speed[part] <= below)
        last = np.maximum.accumulate(np.where(clear, np.arange(len(part)), -1))
        here = ((last >= 0) & (speed[part][last] > above)).astype(np.uint8)
        for state in (0, 1):
            edges = np.flatnonzero(np.diff(here)) + 1
            for start, stop in itertools.pairwise(edges):
                if here[start] == state and stop - start < shortest:
                    here[start:stop] = 1 - state
        states[part] = here
    return states


def bouts(states: np.ndarray, segment: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return state (B,) and length in frames (B,) of each bout of states (T,).

    A bout ends where the state changes, and where a segment (T,) does.
    """
    ends = (np.diff(states.astype(np.int8)) != 0) | (np.diff(segment) != 0)
    starts = np.append(0, np.flatnonzero(ends) + 1)
    return states[starts], np.diff([*starts, len(states)])
