"""A few frames of a recording that every stage takes for a recording: shift needs no more."""

from dataclasses import dataclass, fields
from typing import Any

import h5py
import numpy as np

from mesodecode.base.windows import centres
from mesodecode.recordings import chunks
from mesodecode.recordings.recording import Recording


@dataclass(frozen=True)
class Sample(Recording):
    """Frames of a recording in memory, `frames` (M, H, W); each run of them is a segment.

    Mean image and SD are those of the whole recording, so that frames are normalised as there.
    """

    frames: np.ndarray | None = None

    def read_frames(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return frames start…stop as (n, H, W) in their own type."""
        return self.frames[start:stop]

    def planes(self) -> None:
        """Return None: its frames are in memory."""


def runs(
    n_frames: int,
    n: int,
    reach: int,
    segment: np.ndarray | None = None,
    run_length: int = 1,
    skip: int = 0,
) -> list[tuple[int, int]]:
    """Return first and last + 1 frame of runs, evenly spread, that make about `n` frames decodable.

    A run is `run_length` decodable frames with `reach` more on each side; no run crosses a segment,
    or reaches into the first `skip` frames. Of causal decoders, which decode the last of the frames
    that others decode the middle of, it is the same frames.
    """
    decodable = centres(n_frames, reach, segment, skip=skip)
    of = np.zeros(n_frames) if segment is None else np.asarray(segment)
    breaks = (np.diff(decodable) != 1) | (np.diff(of[decodable]) != 0)
    stretches = np.split(decodable, np.flatnonzero(breaks) + 1)
    parts = [s[i : i + run_length] for s in stretches for i in range(0, len(s), run_length)]
    wanted = min(len(parts), max(1, round(n / run_length)))
    chosen = np.linspace(0, len(parts) - 1, wanted).round().astype(int)
    return [(int(parts[i][0]) - reach, int(parts[i][-1]) + reach + 1) for i in chosen]


def sample(recording: Recording, n: int, reach: int, run_length: int = 1) -> Sample:
    """Return about `n` decodable frames of a recording, evenly spread, with their neighbours.

    `reach` and `run_length` as in `runs`: an image reaches 1 frame, a window w + 1. A recording
    without a decodable frame gives a sample without frames. Of a sample all frames are in memory:
    it is returned itself.
    """
    if isinstance(recording, Sample):
        return recording
    spans = runs(len(recording), n, reach, recording.segment, run_length, recording.skip)
    at = np.concatenate([np.arange(*span) for span in spans] or [np.empty(0, int)])
    lengths = [stop - start for start, stop in spans]
    with chunks.readable(recording.path), h5py.File(recording.path) as file:
        data = file["frames"]
        shape, kind = data.shape[1:], data.dtype
        frames = [data[start:stop] for start, stop in spans] or [np.empty((0, *shape), kind)]
    return of_frames(
        recording,
        np.concatenate(frames),
        labels=recording.labels[at],
        baseline=recording.baseline and recording.baseline.take(at),
        segment=np.repeat(np.arange(len(spans)), lengths),
        skip=0,
    )


def of_frames(recording: Recording, frames: np.ndarray, **changed: Any) -> Sample:
    """Return the recording as a sample with frames (M, H, W), and fields `changed`."""
    about = {field.name: getattr(recording, field.name) for field in fields(Recording)}
    about |= {"speed": None, "rois": None, "time": None, "shape": frames.shape}
    return Sample(**about | changed, frames=frames)
