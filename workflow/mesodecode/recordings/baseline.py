"""What frames are normalised by for image decoders: a running baseline, or what came before."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mesodecode.base.files import UserError

if TYPE_CHECKING:
    from mesodecode.recordings.recording import Recording

STEPS = 10  # exact means in a window; between them the baseline goes linearly
AT_ONCE = 256  # frames in memory
BLOCK = 1.0  # s for which frames are normalised by the same frames before them
SETTINGS = ("baseline", "causal", "normalise_from", "warm_up")  # of `prepared`


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
        for at in range(start, stop, AT_ONCE):
            frames = recording.read_frames(at, min(at + AT_ONCE, stop))
            sums[i + 1] += (frames - recording.pixel_mean).sum(axis=0, dtype=np.float64)
        sums[i + 1] += sums[i]
    lower, upper = inverse[: len(starts)], inverse[len(starts) :]
    counts = (where[upper] - where[lower])[:, None, None]
    images = ((sums[upper] - sums[lower]) / counts + recording.pixel_mean).astype(np.float32)
    return Baseline(
        images, *map(np.concatenate, (before, after)), np.concatenate(share).astype(np.float32)
    )


def normalising(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a decoder's settings that say how its images are normalised (`prepared`)."""
    return {"baseline": None} | {key: settings[key] for key in SETTINGS if key in settings}


def prepared(recordings: Iterable[Recording], settings: Mapping[str, Any]) -> Iterator[Recording]:
    """Yield recordings as the images of a decoder are normalised, by its `settings`.

    Who applies a decoder of images prepares its recordings here, with the settings in its weights:

    baseline
        Frames of a moving mean that is subtracted; None: each pixel's mean over the recording.
    causal
        Nothing is of a later frame: see `by_past`. Weights of older versions lack it: they are not.
    normalise_from, warm_up
        Of causal decoders, see `by_past` and `by_reference`.

    Raises UserError if a reference is asked for and no recording has one.
    """
    recordings = list(recordings)
    if of_reference(settings) and all(one.reference is None for one in recordings):
        raise UserError(lone(recordings[0]))
    return (ready(one, settings) for one in recordings)


def ready(recording: Recording, settings: Mapping[str, Any]) -> Recording:
    """Return one recording as of `prepared`; as it is if it has been there."""
    window = settings.get("baseline")
    if recording.baseline is not None or recording.causal:
        return recording
    if of_reference(settings):
        return by_reference(recording, window, settings["warm_up"])
    if settings.get("causal"):
        return by_past(recording, window, settings["warm_up"])
    return recording if window is None else replace(recording, baseline=running(recording, window))


def of_reference(settings: Mapping[str, Any]) -> bool:
    """Whether a decoder is normalised by a reference recording of the mouse."""
    return bool(settings.get("causal")) and settings["normalise_from"] == "reference"


def lone(recording: Recording) -> str:
    """Return the error of a mouse that has no recording beside its reference."""
    return (
        f"{recording.path}: normalise_from: reference, but mouse {recording.mouse} has this "
        "recording alone, which would be it; give another of its recordings too, or take "
        "normalise_from: past"
    )


def by_past(recording: Recording, window: int | None, warm_up: float) -> Recording:
    """Return a causal recording whose frames are normalised by frames before them.

    Time goes in blocks of a second (or `warm_up` s, if that is less). What is subtracted from the
    frames of a block is the mean of all frames before it or, with a `window`, of the whole blocks
    that make up about so many frames; they are divided by the SD of all frames before the block.
    Frames are counted as stored, across segments. The first `warm_up` s are the recording's `skip`.
    """
    of, means, sds = past_statistics(recording, window, warm_up)
    skip = min(len(recording), not_decoded(recording.frame_rate, window, warm_up))
    return replace(recording, baseline=replace(fixed(means, of), sd=sds), causal=True, skip=skip)


def by_reference(recording: Recording, window: int | None, warm_up: float) -> Recording:
    """Return a causal recording whose frames are normalised by the reference of its mouse.

    By mean image and SD of all of that; with a `window` by its SD, and by the moving mean of
    `by_past`, which needs the warm-up. The reference itself is all skipped.
    """
    known = recording.reference
    if known is None:
        return replace(recording, causal=True, skip=len(recording))
    if window is None:
        base = fixed(known.pixel_mean[None], np.zeros(len(recording), np.int64))
        made = replace(recording, causal=True)
    else:
        made = by_past(recording, window, warm_up)
        base = made.baseline
    return replace(
        made, baseline=replace(base, sd=np.full(len(base.images), known.stack_sd, np.float32))
    )


def past_statistics(
    recording: Recording, window: int | None = None, warm_up: float = BLOCK
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what normalises each frame: block (T,), mean (B, H, W) and SD (B,) of the blocks.

    As of `by_past`. The first block, before which there is nothing, has its own frames' and is to
    be left out by a warm-up. The movie is read once.
    """
    length = block_length(recording.frame_rate, window, warm_up)
    past = Past(length, window)
    known = []
    for start in range(0, len(recording), length):
        past.add(recording.read_frames(start, min(start + length, len(recording))))
        known.append((past.mean, past.sd))
    means, sds = zip(known[0], *known[:-1], strict=True)
    return np.arange(len(recording)) // length, np.stack(means), np.array(sds, np.float32)


def block_length(frame_rate: float, window: int | None, warm_up: float) -> int:
    """Return how many frames a block has: a tenth of a moving mean's window at most."""
    length = max(1, round(min(BLOCK, warm_up) * frame_rate))
    return length if window is None else min(length, max(1, window // STEPS))


def not_decoded(frame_rate: float, window: int | None, warm_up: float) -> int:
    """Return how many frames at the start are not decoded: the warm-up, a block at least."""
    return max(block_length(frame_rate, window, warm_up), round(warm_up * frame_rate))


class Past:
    """Mean image and SD of frames as they come, in blocks of `length` frames.

    `mean` (H, W) float32 is that of all frames added or, with a `window`, of the last
    round(window / length) blocks; `sd` that of all pixels of all frames. Both are float64 sums, so
    that frames may be added one by one or many at a time; a block is full after `length` of them.
    """

    def __init__(self, length: int, window: int | None = None) -> None:
        self.length = length
        n_blocks = None if window is None else max(1, round(window / length))
        self._blocks: deque[np.ndarray] = deque(maxlen=n_blocks)  # sums (H, W); all in the first
        self._windowed = n_blocks is not None
        self.count, self._first, self._second = 0, 0.0, 0.0

    def add(self, frames: np.ndarray) -> None:
        """Take in frames (n, H, W), none of which is of another block than the first."""
        if not (self._blocks and (self.count % self.length or not self._windowed)):
            self._blocks.append(np.zeros(frames.shape[1:]))
        frames = frames.astype(np.float64)
        self._blocks[-1] += frames.sum(axis=0)
        self._first += frames.mean(axis=(1, 2)).sum()
        self._second += (frames**2).mean(axis=(1, 2)).sum()
        self.count += len(frames)

    @property
    def mean(self) -> np.ndarray:
        """Mean image (H, W) float32."""
        full = len(self._blocks) - (self.count % self.length > 0)
        n = full * self.length + self.count % self.length if self._windowed else self.count
        return (sum(self._blocks) / n).astype(np.float32)

    @property
    def sd(self) -> float:
        """SD of all pixels of all frames; never 0."""
        variance = self._second / self.count - (self._first / self.count) ** 2
        return max(float(np.sqrt(max(variance, 0.0))), 1e-12)


@dataclass(frozen=True)
class Baseline:
    """What is subtracted from each frame: it lies between two of a few images.

    images (K, H, W) float32; of frame t, images `before[t]` and `after[t]`, the latter with the
    weight `share[t]`, all (T,). sd (K,): what frames that lie at an image are divided by, None: the
    SD of the recording.
    """

    images: np.ndarray
    before: np.ndarray
    after: np.ndarray
    share: np.ndarray
    sd: np.ndarray | None = None

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
