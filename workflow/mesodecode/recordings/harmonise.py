"""Recordings of unlike rate and unlike ROIs, brought to one frame rate and to areas by name.

A new frame is the mean over its time of the frames that were taken then, each weighted by how much
of it lies in there: light is gathered as a slower camera would have done. Traces (speed, ROI
signals, what corrections kept, a trace that is decoded) are averaged alike; a new frame is run if
the mouse ran in half of it or more, and of named states that which lasts longest. New frames begin
anew with each segment, and what is left at its end is left out.
"""

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from mesodecode.base.files import UserError, atomic_path, first_few, say
from mesodecode.recordings import chunks
from mesodecode.recordings.preprocess import round_to, write_frames
from mesodecode.recordings.recording import Recording, read_recording
from mesodecode.study.cohort_table import FASTER
from mesodecode.study.targets import RUN

MADE = ("frames", "labels", "pixel_mean", "stack_sd", "segment", "time", "speed", "rois")
MADE += ("target",)
KEPT = ("shifts", "reference")  # of each frame, by corrections
SHOWN = 10  # names in an error
SIDES = {"left": "l", "lh": "l", "right": "r", "rh": "r"}  # as names of areas have hemispheres


class Resampled:
    """The frames of a recording at another rate: a movie, read in blocks.

    path, shape (T, H, W), dtype. `starts` (T,): where each new frame begins, in recorded frames;
    `ratio`: how many of those it lasts.
    """

    def __init__(self, recording: Recording, starts: np.ndarray, ratio: float) -> None:
        self.path, self.starts, self.ratio = recording.path, starts, ratio
        self.shape = len(starts), *recording.shape[1:]
        self.dtype = recording.read_frames(0, 1).dtype

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        step = max(1, int(size / max(1.0, self.ratio)))
        for first in range(0, len(self.starts), step):
            starts = self.starts[first : first + step]
            low, high = math.floor(starts[0]), math.ceil(starts[-1] + self.ratio - 1e-6)
            read = chunks.read_frames(self.path, low, high)
            if self.ratio != 1:
                flat = read.reshape(len(read), -1).astype(np.float32, copy=False)
                weights = overlaps(starts - low, self.ratio, len(read)).astype(np.float32)
                read = round_to((weights @ flat).reshape(-1, *self.shape[1:]), self.dtype)
            yield first, read[: len(starts)]

    def means(self, values: np.ndarray) -> np.ndarray:
        """Return the means of values (T recorded, …) over each new frame, float64."""
        if self.ratio == 1:
            return np.asarray(values, float)[self.starts.astype(int)]
        step, parts = 1024, []
        for first in range(0, len(self.starts), step):
            starts = self.starts[first : first + step]
            low = math.floor(starts[0])
            some = np.asarray(values[low : math.ceil(starts[-1] + self.ratio - 1e-6)], float)
            weights = overlaps(starts - low, self.ratio, len(some))
            parts.append(np.stack([w[w > 0] @ some[w > 0] for w in weights]))  # NaN stays local
        return np.concatenate(parts)


def overlaps(starts: np.ndarray, ratio: float, n: int) -> np.ndarray:
    """Return the share (N, n) of each new frame that lies in each of n recorded ones; sums are 1.

    A new frame is from `starts` to `starts` + `ratio`, recorded frame i from i to i + 1.
    """
    begin, frame = starts[:, None], np.arange(n)
    inside = np.minimum(begin + ratio, frame + 1) - np.maximum(begin, frame)
    inside = np.where(inside > 1e-6, inside, 0)  # of rounding
    return inside / inside.sum(axis=1, keepdims=True)


def new_starts(n_frames: int, segment: np.ndarray | None, ratio: float) -> np.ndarray:
    """Return where new frames of `ratio` recorded ones begin (N,), anew with each segment."""
    cuts = [] if segment is None else (np.flatnonzero(np.diff(segment)) + 1).tolist()
    return np.concatenate(
        [
            first + ratio * np.arange(math.floor((last - first) / ratio + 1e-6))
            for first, last in itertools.pairwise([0, *cuts, n_frames])
        ]
    )


def harmonise(
    path: str | Path,
    out: str | Path,
    *,
    frame_rate: float | None = None,
    areas: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
) -> None:
    """Write a recording at another rate (frames/s), with the ROIs `areas`, in their order.

    `names`: what areas of this recording are called in `areas`. An area that it lacks is NaN
    throughout, which is said. Raises UserError if the rate is above that of the recording, if one
    state alone is left, or if it has none of the areas.
    """
    recording = read_recording(path)
    rate = frame_rate or recording.frame_rate
    if rate > FASTER * recording.frame_rate:
        raise UserError(
            f"{path}: recorded at {recording.frame_rate:g} frames/s, below frame_rate: {rate:g}; "
            "frames that were never taken cannot be made: give a lower one"
        )
    ratio = recording.frame_rate / rate
    movie = Resampled(recording, new_starts(len(recording), recording.segment, ratio), ratio)
    if not movie.shape[0]:
        raise UserError(f"{path}: no segment is as long as a frame of {1 / rate:g} s")
    labels = (movie.means(recording.labels) >= 0.5 - 1e-9).astype(np.uint8)
    if np.ptp(labels) == 0 and recording.target == RUN:
        state = "run" if labels[0] else "rest"
        raise UserError(
            f"{path}: all {len(labels)} frames are {state} at {rate:g} frames/s; a session needs "
            "both states: give a higher frame_rate, or exclude the session"
        )
    with h5py.File(path) as source, atomic_path(out) as part, h5py.File(part, "w") as file:
        file.attrs.update(source.attrs)
        file.attrs.update(frame_rate=rate, recorded_rate=recording.frame_rate)
        for name in source.keys() - {*MADE, "corrections"}:
            source.copy(name, file)
        pixel_mean, stack_sd = write_frames(file, movie, None)
        file["pixel_mean"], file["stack_sd"] = pixel_mean.astype(np.float32), np.float32(stack_sd)
        file["labels"] = labels
        _write_traces(file, recording, movie)
        if recording.decoded is not None:
            file["target"] = _target(recording, movie)
            file["target"].attrs.update(source["target"].attrs)
        if recording.rois is not None:
            _write_rois(file, recording, movie, areas, names or {})
        if "corrections" in source:
            _write_corrections(file.create_group("corrections"), source["corrections"], movie)


def _write_traces(file: h5py.File, recording: Recording, movie: Resampled) -> None:
    """Write speed, segment and time, as far as they are known."""
    first = np.floor(movie.starts + 1e-6).astype(int)
    if recording.speed is not None:
        file["speed"] = movie.means(recording.speed).astype(np.float32)
    if recording.segment is not None:
        file["segment"] = recording.segment[first]
    if recording.time is not None:  # as far into the frame as the new one begins
        late = np.maximum(movie.starts - first, 0) / recording.frame_rate
        file["time"] = recording.time[first] + late


def _target(recording: Recording, movie: Resampled) -> np.ndarray:
    """Return the trace (N,) of a target, or the state that lasts longest in each new frame."""
    if not recording.target.states:
        return movie.means(recording.decoded).astype(np.float32)
    codes = np.arange(recording.target.outputs)
    shares = movie.means(recording.decoded[:, None] == codes)
    return (shares >= shares.max(1, keepdims=True) - 1e-9).argmax(1).astype(np.uint8)


def _write_rois(
    file: h5py.File,
    recording: Recording,
    movie: Resampled,
    areas: Sequence[str] | None,
    names: Mapping[str, str],
) -> None:
    signals = movie.means(recording.rois).astype(np.float32)
    own = recording.roi_names
    if areas is not None:
        here = own_areas(recording, names)
        columns = [here.index(area) if area in here else None for area in areas]
        missing = [area for area, column in zip(areas, columns, strict=True) if column is None]
        if len(missing) == len(areas):
            raise UserError(
                f"{recording.path}: none of areas {_shown(areas)} in it; it has {_shown(here)}; "
                "mend areas, or name them alike in by_cohort: area_names"
            )
        if missing:
            say(f"{recording.path}: area {', '.join(missing)} is not in it: missing in all frames")
        empty = np.full(len(signals), np.nan, np.float32)
        signals = np.stack([empty if c is None else signals[:, c] for c in columns], axis=1)
        own = areas
    file["rois"] = signals
    if own is not None:
        file["rois"].attrs["names"] = list(own)


def _write_corrections(group: h5py.Group, source: h5py.Group, movie: Resampled) -> None:
    group.attrs.update(source.attrs)
    for name in source.keys() - {*KEPT, "signal_frames"}:  # numbers of frames of another movie
        source.copy(name, group)
    for name in source.keys() & {*KEPT}:
        group[name] = movie.means(source[name][:]).astype(np.float32)


def own_areas(recording: Recording, names: Mapping[str, str]) -> list[str]:
    """Return what the ROIs of a recording are called (R,), once `names` are given to them.

    ROIs without names are called by their numbers. Raises UserError if it has no ROIs, lacks one
    that `names` speaks of, or if two end up with one name.
    """
    if recording.rois is None:
        raise UserError(
            f"{recording.path}: no ROI signals in it, so no areas; give recordings.rois or "
            "recordings.roi_masks"
        )
    own = list(recording.roi_names or map(str, range(1, recording.rois.shape[1] + 1)))
    unknown = [name for name in names if name not in own]
    if unknown:
        raise UserError(
            f"{recording.path}: no area '{unknown[0]}' in it to call '{names[unknown[0]]}' "
            f"(area_names); it has {_shown(own)}"
        )
    found = [names.get(name, name) for name in own]
    twice = [name for name in found if found.count(name) > 1]
    if twice:
        raise UserError(
            f"{recording.path}: two areas are called '{twice[0]}'; name them apart in area_names"
        )
    return found


def common_areas(paths: Iterable[str | Path], names: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the areas that all recordings have, in the order of the first.

    `names`: session -> what areas of it are called by all. A line says which others there are, and
    which of them look like one under two names. Raises UserError if there are none.
    """
    common: list[str] | None = None
    seen: dict[str, None] = {}
    for path in paths:
        recording = read_recording(path)
        here = own_areas(recording, names.get(recording.session, {}))
        left = here if common is None else [area for area in common if area in here]
        if not left:
            raise UserError(
                f"{path}: no area in common with the recordings before it: it has {_shown(here)}, "
                f"they {_shown(common or [])}; name areas alike in by_cohort: area_names"
            )
        common = left
        seen |= dict.fromkeys(here)
    others = [area for area in seen if area not in (common or [])]
    if others:
        alike = defaultdict(list)
        for area in seen:
            alike[_plain(area)].append(f"'{area}'")
        several = "; ".join(" and ".join(one) for one in alike.values() if len(one) > 1)
        more = f"; {several} look like one area: name them alike in by_cohort: area_names"
        say(
            f"areas of all recordings: {len(common or [])}; left out, since not in all: "
            f"{_shown(others)}{more if several else ''}"
        )
    return common or []


def _plain(area: str) -> str:
    """Return an area's name without case, marks and ways to write a hemisphere: M1_L, m1 left."""
    words = re.findall(r"[a-z]+|\d+", area.lower())
    return "".join(SIDES.get(word, word) for word in words)


def _shown(names: Sequence[str]) -> str:
    return first_few(names, SHOWN)
