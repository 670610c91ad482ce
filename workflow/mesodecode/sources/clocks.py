"""When frames and samples of behaviour were taken, by one clock in s."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesodecode.files import UserError
from mesodecode.sources import npy
from mesodecode.sources.traces import Bouts, Variable, finite, read_variables


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


@dataclass
class Trace:
    """What a file has under a name, and the frames and time stamps (n,) s that it belongs to."""

    path: str | Path
    name: str
    data: Variable | Bouts
    time: np.ndarray | None = None
    frames: Frames | None = None

    def place(self, time: Trace | None, rate: float | None, frames: Frames | None) -> None:
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


def increasing(time: np.ndarray, name: str, path: str | Path) -> np.ndarray:
    """Return time stamps as float64. Raises UserError unless each is later than the one before."""
    time = finite(time, name, path).astype(np.float64)
    if len(time) < 2:
        raise UserError(f"{path}: {name} has {len(time)} time stamps; needs two or more")
    late = np.flatnonzero(np.diff(time) <= 0) + 1
    if late.size:
        fault = "repeats" if time[late[0]] == time[late[0] - 1] else "goes back"
        raise UserError(
            f"{path}: {name} {fault} at sample {late[0]} ({time[late[0]]:g} s), in {late.size} "
            "places in all; time stamps must increase"
        )
    return time


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
    return check_times(Trace(path, found, held[found]).values(), found, path, n_frames, rate)


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
