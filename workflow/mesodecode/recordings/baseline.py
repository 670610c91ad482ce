"""The running baseline of a movie: what image decoders subtract instead of each pixel's mean."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mesodecode.recordings.recording import Recording

STEPS = 10  # exact means in a window; between them the baseline goes linearly
BLOCK = 256  # frames in memory at a time


def running(recording: Recording, window: int) -> Baseline:
    """Return the centred moving mean of each pixel over `window` frames of its segment.

    As that of ROI signals (`roi_signals.moving_mean`): at the edges of a recording or segment
    the window shrinks to the frames there are. It is exact at every tenth of a window and goes
    linearly between, so that it takes little memory. The movie is read once.
    """
    segment = np.zeros(len(recording)) if recording.segment is None else recording.segment
    edges = [0, *(np.flatnonzero(np.diff(segment)) + 1), len(recording)]
    before, after, share, starts, stops = [], [], [], [], []
    for first, last in itertools.pairwise(edges):
        knots = np.unique([*range(first, last, max(1, window // STEPS)), last - 1])
        frames = np.arange(first, last)
        here = np.searchsorted(knots, frames, side="right") - 1
        there = np.minimum(here + 1, len(knots) - 1)
        gap = np.maximum(knots[there] - knots[here], 1)
        before.append(here + len(starts))
        after.append(there + len(starts))
        share.append((frames - knots[here]) / gap)
        starts.extend(np.maximum(knots - window // 2, first))
        stops.extend(np.minimum(knots + (window - 1) // 2 + 1, last))
    where, inverse = np.unique([*starts, *stops], return_inverse=True)
    sums = np.zeros((len(where), *recording.shape[1:]))
    for i, (start, stop) in enumerate(itertools.pairwise(where)):
        for at in range(start, stop, BLOCK):
            frames = recording.read_frames(at, min(at + BLOCK, stop))
            sums[i + 1] += (frames - recording.pixel_mean).sum(axis=0, dtype=np.float64)
        sums[i + 1] += sums[i]
    lower, upper = inverse[: len(starts)], inverse[len(starts) :]
    counts = (where[upper] - where[lower])[:, None, None]
    images = ((sums[upper] - sums[lower]) / counts + recording.pixel_mean).astype(np.float32)
    return Baseline(
        images, *map(np.concatenate, (before, after)), np.concatenate(share).astype(np.float32)
    )


def with_baseline(recordings: Iterable[Recording], window: int | None) -> list[Recording]:
    """Return recordings whose frames are normalised about a moving mean over `window` frames.

    None leaves each pixel's mean over the recording, as published. `window` is the setting
    `baseline` of an image decoder, and of its weights: who applies these prepares recordings here.
    """
    if window is None:
        return list(recordings)
    return [replace(recording, baseline=running(recording, window)) for recording in recordings]


@dataclass(frozen=True)
class Baseline:
    """What is subtracted from each frame: it lies between two of a few images.

    images (K, H, W) float32; of frame t, images `before[t]` and `after[t]`, the latter with the
    weight `share[t]`, all (T,).
    """

    images: np.ndarray
    before: np.ndarray
    after: np.ndarray
    share: np.ndarray

    def at(self, frames: np.ndarray) -> np.ndarray:
        """Return the baselines of frames (N,) as (N, H, W) or, of all alike, (1, H, W)."""
        if len(self.images) == 1:
            return self.images
        before, after = self.images[self.before[frames]], self.images[self.after[frames]]
        return before + (after - before) * self.share[frames, None, None]

    def take(self, frames: np.ndarray) -> Baseline:
        """Return that of some frames (N,) of the recording, in their order."""
        return replace(
            self, before=self.before[frames], after=self.after[frames], share=self.share[frames]
        )


def fixed(images: np.ndarray, of: np.ndarray) -> Baseline:
    """Return the baseline that is `images[of[t]]` (K, H, W) at frame t; of (T,)."""
    return Baseline(images, of, of, np.zeros(len(of), np.float32))
