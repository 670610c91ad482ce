"""Movies made of other movies, block by block: what every correction is built of.

A movie is what a reader opens: `path`, `shape` (T, H, W), `dtype` and `blocks(size)`, which yields
(first frame, block of at most `size` frames (n, H, W)) in order, and can be called again. None is
ever whole in memory; a movie made of another computes its frames anew at every reading.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mesodecode.base.files import UserError
from mesodecode.recordings.movie import batched
from mesodecode.recordings.qc_measures import bright_pixels, of_light

BLOCK = 8 << 20  # bytes of float32 frames read at a time
SAMPLED = 512  # frames, evenly spaced, that a movie is judged by


class Movie(Protocol):
    """What a reader opens; see the module's words."""

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""


def signal_frames(
    n_raw: int, settings: dict[str, Any] | None, lights: np.ndarray | None = None
) -> np.ndarray:
    """Return which of the `n_raw` frames of a movie are the signal's, (T,) in order.

    `settings` are those of `tables/corrections.yaml`; None is a movie of one channel. `lights`
    (n_raw,): the light source of each frame, one of which signal_channel is; without it, channels
    take turns, and an incomplete last cycle is left out. Raises UserError if no frame is such.
    """
    if lights is not None:
        return _of_light(lights, 1 if settings is None else settings["signal_channel"], "signal")
    if settings is None:
        return np.arange(n_raw)
    return _in_turn(n_raw, settings["signal_channel"], settings["channels"])


def reference_frames(
    n_raw: int, settings: dict[str, Any], lights: np.ndarray | None = None
) -> np.ndarray:
    """Return the frame of the reference (T,) that goes with each of the signal.

    Without `lights` it is that of the same cycle; with them, the nearest one, and of two equally
    near that on the side on which the first frame of the signal has its own: the same, where
    nothing was dropped.
    """
    if lights is None:
        return _in_turn(n_raw, settings["reference_channel"], settings["channels"])
    signal = signal_frames(n_raw, settings, lights)
    reference = _of_light(lights, settings["reference_channel"], "reference")
    after = np.searchsorted(reference, signal)
    later = reference[np.minimum(after, len(reference) - 1)]
    earlier = reference[np.maximum(after - 1, 0)]
    further = np.abs(later - signal) - np.abs(earlier - signal)
    first_has_later = signal[0] < reference[0]
    return np.where((further < 0) | ((further == 0) & first_has_later), later, earlier)


def _in_turn(n_raw: int, channel: int, n: int) -> np.ndarray:
    """Return the frames of a channel, from 1, of `n` in turn; no incomplete last cycle."""
    return np.arange(n_raw // n) * n + channel - 1


def _of_light(lights: np.ndarray, value: int | str, role: str) -> np.ndarray:
    frames = np.flatnonzero(lights.astype(str) == str(value))
    if not len(frames):
        held, counts = np.unique(lights, return_counts=True)
        shown = ", ".join(f"{v} ({n} frames)" for v, n in zip(held[:8], counts[:8], strict=True))
        raise UserError(
            f"corrections: {role}_channel {value}: no frame has this light source; light_sources "
            f"holds {shown}"
        )
    return frames


def block_size(movie: Movie) -> int:
    """Return how many frames of a movie are read at a time."""
    return max(1, BLOCK // (movie.shape[1] * movie.shape[2] * 4))


def whole_blocks(movie: Movie, size: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield blocks of exactly `size` frames; the last may be shorter."""
    pieces = (block for _, block in movie.blocks(min(size, block_size(movie))))
    return batched(pieces, size)


def pairs(a: Movie, b: Movie, size: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield (first frame, block of `a`, block of `b`) of the same frames of two movies."""
    both = zip(whole_blocks(a, size), whole_blocks(b, size), strict=True)
    for (start, block_a), (_, block_b) in both:
        yield start, block_a, block_b


def mean_image(movie: Movie) -> np.ndarray:
    """Return the mean over time, (H, W) float64."""
    total = np.zeros(movie.shape[1:])
    for _, block in movie.blocks(block_size(movie)):
        total += block.sum(axis=0, dtype=np.float64)
    return total / movie.shape[0]


class Changed:
    """A movie whose frames are changed without regard to others.

    `change(start, block)` is given the number of the first frame and returns the changed block.
    """

    def __init__(
        self,
        source: Movie,
        change: Callable[[int, np.ndarray], np.ndarray],
        *,
        size: tuple[int, int] | None = None,
        dtype: np.dtype | type = np.float32,
    ) -> None:
        self.source, self.change, self.path = source, change, source.path
        self.shape = (source.shape[0], *(size or source.shape[1:]))
        self.dtype = np.dtype(dtype)

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        for start, block in self.source.blocks(min(size, block_size(self.source))):
            yield start, self.change(start, block).astype(self.dtype, copy=False)


class Channel:
    """Some frames of a movie, by their numbers in it: (T,), none smaller than the one before."""

    def __init__(self, source: Movie, frames: np.ndarray) -> None:
        self.source, self.frames, self.path = source, frames, source.path
        self.shape = (len(frames), *source.shape[1:])
        self.dtype = source.dtype

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        share = max(1, self.source.shape[0] // max(1, len(self.frames)))
        yield from batched(self._pieces(size * share), size)

    def _pieces(self, size: int) -> Iterator[np.ndarray]:
        for start, block in self.source.blocks(size):
            first, last = np.searchsorted(self.frames, [start, start + len(block)])
            yield block[self.frames[first:last] - start]


class Smoothed:
    """A movie smoothed in time by a Gaussian that passes `cutoff` (in cycles a frame) at -3 dB."""

    def __init__(self, source: Movie, cutoff: float) -> None:
        # The Gaussian's gain at f is exp(-2 π² σ² f²); 1/√2 of it at the cutoff.
        self.sigma = math.sqrt(math.log(2)) / (2 * math.pi * cutoff)
        self.radius = math.ceil(4 * self.sigma)
        self.source, self.path = source, source.path
        self.shape, self.dtype = source.shape, np.dtype(np.float32)

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        from scipy.ndimage import gaussian_filter1d

        n_frames, done, first = self.shape[0], 0, 0
        held = np.empty((0, *self.shape[1:]), np.float32)  # frames from `first`
        for _, block in self.source.blocks(min(size, block_size(self.source))):
            held = np.concatenate([held, block.astype(np.float32, copy=False)])
            end = first + len(held)
            ready = n_frames if end == n_frames else end - self.radius
            while done < ready:
                stop = min(done + size, ready)
                low, high = max(done - self.radius, first), min(stop + self.radius, end)
                smooth = gaussian_filter1d(
                    held[low - first : high - first],
                    self.sigma,
                    axis=0,
                    mode="nearest",
                    radius=self.radius,
                )
                yield done, smooth[done - low : stop - low]
                done = stop
            keep = max(done - self.radius, first)
            held, first = held[keep - first :], keep


class Judged:
    """A movie whose pixels are judged when it has been read to its end, and passed on unchanged.

    A ratio to F0 is one of light. Of a movie whose mean over time is about 0, as ΔF/F has it, or
    frames less their mean, or their SVD components, it is noise divided by nothing. `light` is then
    True or False (None before; see `qc_measures.of_light`). With `needs`, settings that need light,
    it raises UserError where there is none.
    """

    def __init__(self, source: Movie, needs: Sequence[str] = ()) -> None:
        self.source, self.path, self.needs = source, source.path, needs
        self.shape, self.dtype = source.shape, np.dtype(source.dtype)
        self.light: bool | None = True if self.dtype.kind == "u" else None

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        step = -(-self.shape[0] // SAMPLED)
        total, squares = np.zeros((2, *self.shape[1:]))
        lowest = np.inf
        for start, block in self.source.blocks(size):
            if self.light is None:
                sample = block[-start % step :: step].astype(np.float64)
                total += sample.sum(axis=0)
                squares += np.square(sample).sum(axis=0)
                lowest = np.fmin(lowest, np.fmin.reduce(block, axis=None))
            yield start, block
        if self.light is None:
            self._judge(total, squares, float(lowest))

    def _judge(self, total: np.ndarray, squares: np.ndarray, lowest: float) -> None:
        n = len(range(0, self.shape[0], -(-self.shape[0] // SAMPLED)))
        mean = total / n
        sd = np.sqrt(np.maximum(squares / n - mean**2, 0))
        self.light = of_light(mean, sd, lowest)
        if self.light or not self.needs:
            return
        bright = bright_pixels(mean, sd)
        level, change = float(np.median(mean[bright])), float(np.median(sd[bright]))
        below = level < -change
        why = (
            "less than no light: is too much subtracted as dark, or are counts read as signed?"
            if below
            else "no counts of light: ΔF/F already, or less their mean"
        )
        raise UserError(
            f"{self.path}: pixels are {'below' if below else 'around'} 0 (mean over time "
            f"{level:.3g}, SD {change:.3g}), {why}; leave out {', '.join(self.needs)}"
        )


def binned(block: np.ndarray, side: int) -> np.ndarray:
    """Return the means over squares of side x side pixels of frames (n, H, W), float32.

    Odd rows or columns at the end are cut.
    """
    height, width = block.shape[1] // side, block.shape[2] // side
    if block.dtype.kind in "ui" and block.itemsize <= 2 and side <= 16:  # sums below 2^24: exact
        cut = block[:, : height * side, : width * side]
        corners = itertools.product(range(side), repeat=2)
        parts = (cut[:, i::side, j::side] for i, j in corners)
        total = next(parts).astype(np.float32)
        for part in parts:
            total += part
        return total / np.float32(side**2)
    squares = block[:, : height * side, : width * side].reshape(
        len(block), height, side, width, side
    )
    return squares.mean(axis=(2, 4), dtype=np.float32)
