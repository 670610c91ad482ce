"""Run and rest, speed and segments of a session, a value a frame, from the files that labs have."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesodecode import locomotion
from mesodecode.files import UserError
from mesodecode.sources import npy
from mesodecode.sources.traces import Bouts, Variable, finite, increasing, read_variables

# Looked for where the config names nothing; the first are the names of Ajioka et al. 2024.
USUAL = {"labels": ("runrest", "labels"), "speed": ("speed_rs", "speed"), "segment": ("segment",)}
IN_CM_S = {"c": 1.0, "centi": 1.0, "m": 0.1, "milli": 0.1, None: 100.0}  # prefix of m/s -> cm/s
FASTEST = 500.0  # cm/s; no mouse is as fast, so that the counts or their settings are wrong


@dataclass(frozen=True)
class Frames:
    """The frames of a movie: their number, rate in frames/s, and time stamps (T,) s or None."""

    count: int
    rate: float
    time: np.ndarray | None = None

    @property
    def starts(self) -> np.ndarray:
        """When each frame begins, in s: its time stamp, or from 0 on by the rate."""
        return np.arange(self.count) / self.rate if self.time is None else self.time


def read_behavior(
    path: str | Path,
    speed_threshold: float = 0.5,
    *,
    frames: Frames | None = None,
    behavior_labels: str | None = None,
    behavior_speed: str | None = None,
    behavior_segment: str | None = None,
    behavior_encoder: str | None = None,
    behavior_time: str | None = None,
    behavior_rate: float | None = None,
    run_label: str = "run",
    states: str = "auto",
    speed_unit: str | None = None,
    counts_per_turn: float | None = None,
    wheel_circumference: float | None = None,
    speed_threshold_low: float | None = None,
    min_bout: float = 0.0,
) -> dict[str, np.ndarray]:
    """Read the labels of a session, and its speed and segments where it has them.

    The arguments are keys of `recordings` in the config, whose schema explains them. `frames` is
    needed for what is not one value a frame, for an encoder and for `min_bout`.

    Returns a dict of vectors (T,): labels uint8 (1 run, 0 rest), and speed float32 (cm/s), segment
    int64 if there. Raises UserError if there are neither labels nor speed, or more than two states.
    """
    asked = {
        "labels": behavior_labels,
        "speed": behavior_speed,
        "segment": behavior_segment,
        "encoder": behavior_encoder,
        "time": behavior_time,
    }
    found = _find(path, asked, run_label)
    for trace in found.values():
        trace.place(found.get("time"), behavior_rate, frames)
    behavior = {}
    if "labels" in found and states != "speed":
        behavior["labels"] = _labels(found["labels"], run_label)
    if "encoder" in found:
        behavior["speed"] = _wheel_speed(found["encoder"], counts_per_turn, wheel_circumference)
    elif "speed" in found:
        behavior["speed"] = _speed(found["speed"], speed_unit)
    if "segment" in found:
        behavior["segment"] = _segment(found["segment"])
    if "labels" not in behavior:
        if states == "labels" or "speed" not in behavior:
            lacking = "labels" if states == "labels" else "speed"
            raise UserError(f"{path}: has no {lacking}, which 'states: {states}' needs")
        behavior["labels"] = locomotion.states_of_speed(
            behavior["speed"],
            frame_rate=frames.rate if frames else 1.0,
            above=speed_threshold,
            below=speed_threshold_low,
            min_bout=min_bout,
            segment=behavior.get("segment"),
        )
    elif speed_threshold_low is not None or min_bout:
        raise UserError(
            f"{path}: its labels '{found['labels'].name}' are taken, so speed_threshold_low and "
            "min_bout have no use; leave them out or set states: speed"
        )
    if "speed" in behavior:
        behavior["speed"] = behavior["speed"].astype(np.float32)
    return behavior


@dataclass
class _Trace:
    """What a file has under a name, and the frames and time stamps (n,) s that it belongs to."""

    path: str | Path
    name: str
    data: Variable | Bouts
    time: np.ndarray | None = None
    frames: Frames | None = None

    def place(self, time: _Trace | None, rate: float | None, frames: Frames | None) -> None:
        """Find its time stamps: those of the file's own, of variable `time`, or from `rate`.

        What has another length than `time`, but a value a frame, has none.
        """
        self.frames = frames
        if isinstance(self.data, Bouts) or self is time:
            return
        self.time = self.data.time
        if time is not None and self.time is None:
            self.time = increasing(time.values(), time.name, self.path)
            if len(self.time) != len(self.data.values):
                if frames is not None and len(self.data.values) == frames.count:
                    self.time = None
                    return
                raise UserError(
                    f"{self.path}: {self.name} has {len(self.data.values)} values, but "
                    f"{time.name} has {len(self.time)} time stamps; one belongs to each"
                )
        elif self.time is None and rate is not None and frames is not None:
            self.time = frames.starts[0] + np.arange(len(self.data.values)) / rate
        if self.time is not None and frames is not None:
            self._check_covers(frames.starts)

    def values(self) -> np.ndarray:
        """Return its values. Raises UserError if it is intervals."""
        if isinstance(self.data, Bouts):
            raise UserError(f"{self.path}: {self.name} holds intervals; needs a value a sample")
        return self.data.values

    def numbers(self) -> np.ndarray:
        """Return its values. Raises UserError if they are not finite numbers."""
        return finite(self.values(), self.name, self.path)

    def onto_frames(self, values: np.ndarray, resample: Callable[..., np.ndarray]) -> np.ndarray:
        """Return values (n,) of this trace as one a frame."""
        if self.time is None or self.frames is None:
            return values
        return resample(values, self.time, self.frames.starts)

    def _check_covers(self, starts: np.ndarray) -> None:
        increasing(self.time, f"the time of {self.name}", self.path)
        spare = max(np.median(np.diff(self.time)), np.median(np.diff(starts)))
        if self.time[0] > starts[0] + spare or self.time[-1] < starts[-1] - spare:
            raise UserError(
                f"{self.path}: {self.name} covers {self.time[0]:g} to {self.time[-1]:g} s, "
                f"but the movie {starts[0]:g} to {starts[-1]:g} s; both need one clock and one span"
            )


def _find(path: str | Path, asked: dict[str, str | None], run_label: str) -> dict[str, _Trace]:
    """Return what the file has for each role. Raises UserError if a name is not there."""
    known = {role: (name,) if name else USUAL.get(role, ()) for role, name in asked.items()}
    held, inside = read_variables(path, [n for names in known.values() for n in names], run_label)
    holds = f"it holds: {', '.join(inside) or 'no numeric variable'}"
    for name in filter(None, asked.values()):
        if name not in held:
            raise UserError(f"{path}: no '{name}' in it; {holds}")
    names = {role: next((n for n in names if n in held), None) for role, names in known.items()}
    if not (names["labels"] or names["speed"] or names["encoder"]):
        raise UserError(
            f"{path}: neither '{USUAL['labels'][0]}' nor '{USUAL['speed'][0]}' in it; {holds}; "
            "name what it has in behavior_labels or behavior_speed"
        )
    return {role: _Trace(path, name, held[name]) for role, name in names.items() if name}


def _labels(trace: _Trace, run_label: str) -> np.ndarray:
    if isinstance(trace.data, Bouts):
        return _of_bouts(trace)
    values = trace.values()
    if values.dtype.kind in "buif":
        numbers = trace.numbers()
        if np.setdiff1d(numbers, [0, 1]).size:
            _refuse_states(trace, [f"{value:g}" for value in np.unique(numbers)], "0", "1")
    else:
        states = sorted({str(value) for value in values})
        if len(states) > 2 or run_label not in states:
            _refuse_states(trace, states, "any other word", f"'{run_label}' (run_label)")
        numbers = np.array([str(value) == run_label for value in values])
    return trace.onto_frames(numbers.astype(np.uint8), locomotion.held_at)


def _refuse_states(trace: _Trace, states: list[str], rest: str, run: str) -> None:
    shown = ", ".join(states[:5]) + (", …" if len(states) > 5 else "")
    if len(states) > 2:
        shown = f"{len(states)} states ({shown}), and more than two are not decoded yet; join them"
    raise UserError(
        f"{trace.path}: {trace.name} holds {shown}: labels are {rest} (rest) and {run} (run)"
    )


def _of_bouts(trace: _Trace) -> np.ndarray:
    start, stop = (np.asarray(t, np.float64) for t in (trace.data.start, trace.data.stop))
    whole = len(start) == len(stop) and np.isfinite([*start, *stop]).all()
    if not whole or (start >= stop).any():
        raise UserError(
            f"{trace.path}: {trace.name}: an interval without an end after its start; mend it"
        )
    if trace.frames is None:
        raise UserError(f"{trace.path}: {trace.name}: intervals need the frames' times")
    return locomotion.within(start, stop, trace.frames.starts)


def _speed(trace: _Trace, unit: str | None) -> np.ndarray:
    given = unit or getattr(trace.data, "unit", None) or "cm/s"
    match = re.fullmatch(
        r"(c|centi|m|milli)?(?:m|met(?:er|re)s?)\s*(?:/|per|\*|·)?\s*s(?:ec(?:ond)?s?)?(?:\^?-1)?",
        given.strip().lower(),
    )
    if match is None:
        raise UserError(
            f"{trace.path}: {trace.name} is in '{given}', no speed that is known; say what it is "
            "in speed_unit: cm/s, m/s or mm/s"
        )
    return trace.onto_frames(trace.numbers() * IN_CM_S[match[1]], locomotion.at_frames)


def _wheel_speed(trace: _Trace, counts_per_turn: float | None, turn: float | None) -> np.ndarray:
    if counts_per_turn is None or turn is None:
        raise UserError(
            f"{trace.path}: encoder counts of {trace.name} need counts_per_turn and "
            "wheel_circumference (cm)"
        )
    counts, time = trace.numbers(), trace.time
    if time is None:
        time = trace.frames.starts
        if len(counts) != len(time):
            raise UserError(
                f"{trace.path}: {trace.name} of {len(counts)} samples, but the movie has "
                f"{len(time)} frames; name their time stamps in behavior_time or behavior_rate"
            )
    speed = locomotion.speed_of_encoder(
        counts, time, trace.frames.starts, counts_per_turn=counts_per_turn, wheel_circumference=turn
    )
    if speed.max() > FASTEST:
        raise UserError(
            f"{trace.path}: {trace.name} makes {speed.max():.0f} cm/s at frame {speed.argmax()}: "
            "the counter is reset there, or counts_per_turn or wheel_circumference (cm) are wrong"
        )
    return speed


def _segment(trace: _Trace) -> np.ndarray:
    values = trace.numbers()
    segment = values.astype(np.int64)
    if (segment != values).any():
        raise UserError(
            f"{trace.path}: {trace.name} holds fractions; needs whole numbers, one a segment"
        )
    return trace.onto_frames(segment, locomotion.held_at)


def read_times(path: str | Path, name: str | None, n_frames: int, rate: float) -> np.ndarray:
    """Read the time stamps (T,) s of a movie's frames from variable `name` of a file.

    None looks for frame_times or time; a plain NPY vector needs no name. Raises UserError unless
    there is one a frame, each later than the one before, at `rate` frames/s.
    """
    known = (name,) if name else ("frame_times", "time")
    if name is None and Path(path).suffix.lower() == ".npy":
        array = npy.load(path)
        if array.dtype.names is None:
            return check_times(array.squeeze(), "the file", path, n_frames, rate)
    held, inside = read_variables(path, known)
    found = next((n for n in known if n in held), None)
    if found is None:
        raise UserError(
            f"{path}: no '{known[0]}' in it; it holds: {', '.join(inside) or 'no numbers'}; name "
            "the frames' time stamps in frame_times_dataset"
        )
    return check_times(_Trace(path, found, held[found]).values(), found, path, n_frames, rate)


def check_times(
    time: np.ndarray, name: str, path: str | Path, n_frames: int, rate: float
) -> np.ndarray:
    """Return time stamps (T,) s of frames. Raises UserError if they cannot be those of a movie."""
    if time.shape != (n_frames,):
        raise UserError(
            f"{path}: {name} has {time.size} time stamps, but the movie has {n_frames} frames"
        )
    time = increasing(time, name, path)
    measured = 1 / np.median(np.diff(time))
    if not 0.95 < measured / rate < 1.05:
        raise UserError(
            f"{path}: {name} says {measured:.4g} frames/s, but frame_rate is {rate:g}; correct "
            "frame_rate, or are the time stamps not in s?"
        )
    return time
