"""Samples of behaviour, and the frames in which they were taken."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError, doubt, say
from mesodecode.recordings import locomotion
from mesodecode.recordings.axes import ask, other
from mesodecode.recordings.readers.arrays import Bouts, Variable
from mesodecode.recordings.readers.clocks import (
    UNITS,
    Frames,
    fitting,
    in_turn,
    increasing,
    is_text,
    seconds,
)
from mesodecode.recordings.readers.traces import finite

# Time stamps whose unit is not said are in s, unless they last LONG times the movie, or MANY times
# with a sample every SLOW s.
LONG, MANY, SLOW = 50.0, 5.0, 1.0
# Samples are a gap apart (s) if by more than USUAL median intervals, and more than LEAST; those of
# a speed by more than MOST are one in any case.
USUAL, LEAST, MOST = 5.0, 0.25, 1.5
STOPS = 1.0  # s that a wheel which is logged while it turns is logged at 0 when it stops
# A movie of a smaller share of its behaviour's time is taken for misread: the sides of images are
# tens to hundreds of frames long, sessions thousands. Recorders do run on before and after a movie.
SMALL_PART = 0.1
TURNS = 1.5  # times its behaviour a movie lasts at least whose channels were taken for one
NEAR = 0.05  # share by which two lengths of one session may differ
PART = 0.5  # that by which one of another order of axes may, where that of this order cannot be
WHAT = "what it was is unknown"
DATES = 1e8, 4.1e9  # s since 1970: 1973 to 2099


@dataclass
class Trace:
    """What a file has under a name, and the frames and time stamps (n,) s that it belongs to."""

    path: str | Path
    name: str
    data: Variable | Bouts
    time: np.ndarray | None = None
    frames: Frames | None = None

    def place(
        self,
        time: Trace | None,
        rate: float | None,
        frames: Frames | None,
        unit: str | float | None = None,
        *,
        rests: bool = False,
    ) -> None:
        """Find its time stamps: those of the file's own, of variable `time`, or from `rate`.

        What has another length than `time`, but a value a frame, has none; of a value for each
        frame of all channels, those of the signal's frames are taken. `unit` is that of `time`.
        `rests`: it is a place, which is the same before its first sample and after its last.
        """
        self.frames = frames
        if isinstance(self.data, Bouts):
            if frames is not None and len(self.data.stop):
                lasts = float(np.max(self.data.stop) - np.min(self.data.start))
                check_axes(lasts, frames, self.name, self.path)
                check_part(lasts, frames, self.name, self.path)
            return
        if self is time:
            return
        n_values, guessed = len(self.data.values), False
        self.time = self.data.time
        if self.time is not None:
            self.time = increasing(self.time, f"the time of {self.name}", self.path)
        elif time is not None:
            stamps = seconds(time.values(), unit, time.name, self.path)
            if len(stamps) == n_values:
                self.time = stamps
                guessed = unit is None and not is_text(time.values())
            elif frames is None or not (n_values == frames.count or frames.among(n_values)):
                raise UserError(
                    f"{self.path}: {self.name} has {n_values} values, but {time.name} has "
                    f"{len(stamps)} time stamps; one belongs to each"
                )
        elif rate is not None and frames is not None:
            if n_values < 2:
                raise UserError(f"{self.path}: {self.name} has one value; behavior_rate is of more")
            self.time = frames.starts[0] + np.arange(n_values) / rate
        if self.time is not None and frames is not None:
            if rests:
                self._hold_at_ends(frames)
            check_spans(self.time, frames, self.name, self.path, guessed=guessed)
        elif frames is not None and (among := frames.among(n_values)):
            at, each = among
            say(f"{self.path}: of {n_values} values of {self.name}, one for each frame {each}, "
                f"those of the signal's {frames.count} frames are taken")  # fmt: skip
            self.data = replace(self.data, values=self.data.values[at])

    def _hold_at_ends(self, frames: Frames) -> None:
        """Add a sample at the frames' first and last time where a place is logged as it changes.

        Only as far as pauses go in which nothing was logged: what ends long before the movie may
        have been stopped.
        """
        steps = np.diff(self.time)
        pause = steps.max()
        before, after = self.time[0] - frames.starts[0], frames.starts[-1] - self.time[-1]
        spare = max(float(np.median(steps)), frames.lasts)
        if pause <= max(USUAL * np.median(steps), LEAST) or max(before, after) > pause:
            return
        for missing, end, where in ((after, -1, "ends"), (before, 0, "begins")):
            if missing > spare:
                doubt(
                    self.path,
                    f"{self.name} {where} {missing:.4g} s from where the movie does, "
                    f"and pauses for up to {pause:.4g} s: it is taken to stand still there",
                )
                at = len(self.time) if end else 0
                values = np.insert(self.data.values, at, self.data.values[end])
                self.time = np.insert(self.time, at, frames.starts[end])
                self.data = replace(self.data, values=values)

    def values(self) -> np.ndarray:
        """Return its values. Raises UserError if it is intervals."""
        if isinstance(self.data, Bouts):
            raise UserError(f"{self.path}: {self.name} holds intervals; needs a value a sample")
        return self.data.values

    def numbers(self) -> np.ndarray:
        """Return its values. Raises UserError if they are not finite numbers."""
        return finite(self.values(), self.name, self.path)

    def speed_at_frames(self, speed: np.ndarray) -> np.ndarray:
        """Return a speed (n,) of this trace as one a frame; in gaps after a 0 it stays 0."""
        if self.time is None or self.frames is None:
            return speed
        _, gaps = self._gaps(MOST)
        if not gaps.size:
            return locomotion.at_frames(speed, self.time, self.frames.starts)
        self._check_rest(speed, gaps)
        ends = np.nextafter(self.time[gaps + 1], -np.inf)
        time = np.insert(self.time, gaps + 1, ends)
        speed = np.insert(np.asarray(speed, np.float64), gaps + 1, 0.0)
        return locomotion.at_frames(speed, time, self.frames.starts)

    def states_at_frames(self, states: np.ndarray) -> np.ndarray:
        """Return states (n,) of this trace as one a frame, each held until the next is logged.

        Before a list of changes that begins with run (1), the mouse rests. Raises UserError if
        run or rest (0), logged time and again, lasts into a gap, or if such a list begins late.
        """
        if self.time is None or self.frames is None:
            return states
        if not self._changes(states):
            _, gaps = self._gaps()
            if gaps.size:
                self._check_rest(states, gaps)
        held = locomotion.held_at(states, self.time, self.frames.starts)
        late = self.time[0] - self.frames.starts[0]
        if late > LEAST and (states[1:] != states[:-1]).all():
            self._begin(held, states[0], late)
        return held

    def _changes(self, states: np.ndarray) -> bool:
        """Return whether states (n,) are logged as they change, not time and again."""
        lasts = np.diff(self.time)
        steady = np.quantile(lasts, 0.9) < 2 * np.median(lasts)
        return not (steady and (states[1:] == states[:-1]).mean() > 0.5)

    def trace_at_frames(self, values: np.ndarray) -> np.ndarray:
        """Return the values (n,) of this trace as one a frame. Raises UserError if it has gaps."""
        if self.time is None or self.frames is None:
            return values
        _, gaps = self._gaps()
        if gaps.size:
            self._refuse_gaps(gaps, f"{values[gaps[0]]:g} before", WHAT, "add them")
        return locomotion.at_frames(values, self.time, self.frames.starts)

    def codes_at_frames(self, codes: np.ndarray) -> np.ndarray:
        """Return codes (n,) of named states as one a frame, each held until the next is logged.

        Raises UserError if states that are not logged as they change have gaps, or if those that
        are begin after the movie.
        """
        if self.time is None or self.frames is None:
            return codes
        _, gaps = self._gaps()
        if gaps.size and not self._changes(codes):
            self._refuse_gaps(gaps, "states are logged between changes too", WHAT, "add them")
        late = self.time[0] - self.frames.starts[0]
        if late > LEAST:
            raise UserError(
                f"{self.path}: the first state in {self.name} comes {late:.4g} s after the movie "
                f"begins: write the one before it, at {self.frames.starts[0]:.10g} s"
            )
        return locomotion.held_at(codes, self.time, self.frames.starts)

    def _begin(self, held: np.ndarray, first: int, late: float) -> None:
        """Write rest before the first change of states, if that is to run, into `held` (T,)."""
        begins = f"{self.path}: the first change in {self.name} comes {late:.4g} s after the movie"
        if not first and late > STOPS:
            raise UserError(
                f"{begins} begins: write the state before it, at {self.frames.starts[0]:.10g} s"
            )
        if first:
            held[self.frames.starts + self.frames.lasts / 2 < self.time[0]] = 0
            say(f"{begins} begins and is to run: rest is taken before")

    def segment_at_frames(self, segment: np.ndarray) -> np.ndarray:
        """Return numbers (n,) of segments as one a frame, each held until the next is logged."""
        if self.time is None or self.frames is None:
            return segment
        return locomotion.held_at(segment, self.time, self.frames.starts)

    def check_way(self, counts: np.ndarray, unit: str = "counts") -> None:
        """Raise UserError if a wheel of counts (n,) turned in a gap, by more than between samples.

        A position that is logged as it changes has gaps in which it hardly does.
        """
        if self.time is None or self.frames is None:
            return
        longest, gaps = self._gaps(MOST)
        way = np.abs(np.diff(counts))
        usual = way[np.diff(self.time) <= longest].max(initial=0)
        turned = gaps[way[gaps] > 1.5 * usual + 1]
        if turned.size:
            went = "turned" if unit == "counts" else "moved"
            self._refuse_gaps(turned, f"it {went} by {way[turned[0]]:g} {unit} meanwhile")

    def _gaps(self, most: float = np.inf) -> tuple[float, np.ndarray]:
        """Return from what length (s) gaps count, and the samples (k,) before gaps with frames."""
        time, frames = self.time, self.frames
        longest = max(LEAST, USUAL * float(np.median(np.diff(time))))
        longest = max(2.01 * frames.lasts, min(longest, most))
        gaps = np.flatnonzero(np.diff(time) > longest)
        middle, spare = frames.starts + frames.lasts / 2, longest / 2
        begin, end = np.searchsorted(middle, [time[gaps] + spare, time[gaps + 1] - spare])
        return longest, gaps[end > begin]  # near a sample, it says enough

    def _check_rest(self, values: np.ndarray, gaps: np.ndarray) -> None:
        """Raise UserError unless a 0 is logged before each gap, and never for longer than `STOPS`.

        A wheel that is logged while it turns is logged once or for a moment at 0 when it stops; one
        that is logged at rest too may have turned in a gap.
        """
        at = np.arange(len(values))
        broken = np.where(values != 0, at, -1)
        broken[gaps + 1] = np.maximum(broken[gaps + 1], gaps)
        begun = np.maximum.accumulate(broken) + 1  # the first 0 of those up to here
        at_rest = (self.time - self.time[np.minimum(begun, at)]).max() > STOPS
        unknown = gaps if at_rest else gaps[values[gaps] != 0]
        if unknown.size:
            value = values[unknown[0]]
            why = f"it is {value:g} before" if value else "it is 0 before, but logged at rest too"
            self._refuse_gaps(unknown, why)
        lasts = (self.time[gaps + 1] - self.time[gaps]).sum()
        doubt(
            self.path,
            f"{self.name} is 0 before {len(gaps)} gaps without samples ({lasts:.4g} s "
            "in all), which are taken for rest",
        )

    def _refuse_gaps(
        self,
        gaps: np.ndarray,
        why: str,
        what: str = "whether the mouse ran is unknown",
        add: str = "add them (0 where the wheel stood still)",
    ) -> None:
        start, stop = self.time[gaps[0]], self.time[gaps[0] + 1]
        more = f" and in {len(gaps) - 1} more gaps" if len(gaps) > 1 else ""
        raise UserError(
            f"{self.path}: {self.name} has no samples from {shown(start, stop)}{more} "
            f"({why}): {what}; {add}, or cut those frames out of movie and behaviour"
        )


def shown(start: float, stop: float) -> str:
    """Return a span of time (s) for a message; as dates if it can be of them."""
    if DATES[0] < start <= stop < DATES[1]:
        first, last = (np.datetime64(round(time * 1000), "ms") for time in (start, stop))
        return f"{first} to {last}"
    return f"{round(float(start), 3):.14g} to {round(float(stop), 3):.14g} s"


def check_spans(
    time: np.ndarray, frames: Frames, name: str, path: str | Path, *, guessed: bool = False
) -> None:
    """Raise UserError unless samples taken at `time` (n,) s cover the frames, by one clock.

    `guessed`: that they are in s is not said; then what lasts much longer than the movie is not.
    """
    starts = frames.starts
    lasts, movie = time[-1] - time[0], starts[-1] - starts[0] + frames.lasts
    steps = np.diff(time)
    usual = float(np.median(steps))
    regular = (np.abs(steps - usual) <= 0.01 * usual).mean() > 0.9
    slow = regular and usual >= max(SLOW, 1.5 * frames.lasts)

    check_axes(lasts, frames, name, path)

    def fits(scale: float) -> bool:
        return 0.9 < lasts * scale / movie < MANY

    # In s, if frames of times of their own lie in it, and behind all of it in any finer unit
    finer = 1 / MANY if (time == np.rint(time)).all() else UNITS["ms"]
    shared = frames.time is not None and time[0] <= starts[0] and starts[-1] <= time[-1]
    guessed = guessed and not (shared and time[-1] * finer < starts[0])
    if guessed and lasts > (MANY if slow else LONG) * movie:
        counted = slow and usual == 1 and abs(len(time) - frames.count) <= 0.05 * frames.count
        hint = (
            "are they numbers of frames? leave behavior_time out"
            if counted
            else fitting(fits, "behavior_time_unit")
        )
        raise UserError(
            f"{path}: the time of {name}, if in s, lasts {lasts:g} s with a sample every {usual:g} "
            f"s, but the movie lasts {movie:.4g} s ({frames.count} frames); {hint} (s, if it is)"
        )
    check_part(lasts, frames, name, path)
    if fits(1.0) or not (guessed and any(map(fits, UNITS.values()))):
        _check_rate(time, frames, name, path)
    spare = max(usual, frames.lasts)
    if time[0] > starts[0] + spare or time[-1] < starts[-1] - spare:
        words = "both need one clock and one span"
        pauses = not regular or steps.max() > USUAL * usual
        if pauses and starts[0] - spare <= time[0] and time[-1] <= starts[-1] + spare:
            words += (
                "; if only changes, or only a wheel that turns, are logged, add what holds at the "
                "movie's beginning and end (0 where the wheel stands still)"
            )
        if frames.time is None and DATES[0] < time[0] < DATES[1]:
            words += "; name the frames' times, by that clock, in frame_times"
        elif (DATES[0] < starts[0] < DATES[1]) != (DATES[0] < time[0] < DATES[1]):
            words += ", but one is dates and the other numbers"
        elif guessed and not fits(1.0) and any(map(fits, UNITS.values())):
            words += f"; {fitting(fits, 'behavior_time_unit')}"
        elif frames.time is None:
            several = in_turn(0) if movie > TURNS * lasts else ""
            rate = "correct frame_rate, or " if time[0] < starts[-1] else ""
            words += f"; {several}{rate}say in frame_times when the movie's frames were taken"
        else:
            words += "; see behavior_time, frame_times, and their units"
        raise UserError(
            f"{path}: {name} covers {shown(time[0], time[-1])}, but the movie "
            f"{shown(starts[0], starts[-1])}; {words}"
        )
    if frames.time is None and time[-1] > (1 + 2 * NEAR) * movie:
        doubt(
            path,
            f"{name} goes on to {time[-1]:.4g} s, the movie by frame_rate "
            f"({frames.rate:g}/s), which alone says when its frames were taken, to {movie:.4g} s; "
            f"if both end together it is {frames.count / time[-1]:.4g}",
        )


def check_axes(lasts: float, frames: Frames, name: str, path: str | Path) -> None:
    """Raise UserError if samples last (s) as long as the movie would by another order of axes."""
    share = frames.count / frames.rate / lasts if lasts > 0 else 1
    letters = other(frames.orders, lasts * frames.rate, NEAR)
    if letters and not frames.sure and not 1 - 2 * NEAR < share < 1 + 2 * NEAR:
        _refuse_part(share, letters, lasts, frames, name, path)


def check_part(lasts: float, frames: Frames, name: str, path: str | Path) -> None:
    """Raise UserError if the movie is too small a part of the time (s) of samples to be whole.

    One that has time stamps is as long as they say.
    """
    share = frames.count / frames.rate / lasts if lasts > 0 else 1
    if frames.time is None and share < SMALL_PART:
        n_frames = lasts * frames.rate
        letters = other(frames.orders, n_frames, NEAR)
        if not frames.sure:  # the behaviour may have gone on before and after the movie
            letters = letters or other(frames.orders, n_frames, PART)
        _refuse_part(share, letters, lasts, frames, name, path)


def _check_rate(time: np.ndarray, frames: Frames, name: str, path: str | Path) -> None:
    """Raise UserError if samples are one a frame by their number, but not by `frame_rate`."""
    steps = np.diff(time)
    usual, mean = float(np.median(steps)), float(steps.mean())
    one_each = frames.time is None and len(time) == frames.count and abs(usual / mean - 1) < NEAR
    if one_each and min(abs(step * frames.rate - 1) for step in (usual, mean)) > NEAR:
        raise UserError(
            f"{path}: {name} has as many samples as the movie has frames, {frames.count}, but "
            f"{1 / mean:.4g} a second, not {frames.rate:g}: correct frame_rate, or say in "
            "frame_times when the frames were taken"
        )


def _refuse_part(
    share: float, letters: str, lasts: float, frames: Frames, name: str, path: str | Path
) -> None:
    raise UserError(
        f"{path}: {name} goes on for {lasts:.4g} s, but the movie's {frames.count} frames at "
        f"{frames.rate:g}/s for {share * lasts:.3g} s, {share:.1%} of it: misread? {ask(letters)}"
        "correct frame_rate, name all of the movie's files, or say in frame_times when its frames "
        "were taken"
    )
