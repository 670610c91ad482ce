"""What is measured of a movie while it is read for something else; `mesodecode qc` judges it.

Kept apart from the judging: this code is part of what makes a recording, so that an edit here
makes every recording, and all that follows, again.
"""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import h5py
import numpy as np

from mesodecode.base import records

N_PARTS = 20  # of a movie, each with a mean image, for its drift
PIECE = 1 << 21  # pixels of the frames that are summed as float32
TILE = 1 << 19  # of them, pixels that are summed at a time: they stay in the processor's cache
# Bits of cameras, and of signed numbers of 16. Fewer are kept in 16 as the camera counts, up to
# 2^bits - 1, or shifted to the top (MSB-aligned, left-justified, of GenICam and of frame grabbers),
# where 12 bits end at 4095 * 16 = 65520.
BITS = (8, 10, 12, 14, 15, 16)
SHIFTED = (8, 10, 12, 14)
BRIGHT = 0.5  # share of the brightest pixels' mean from which a pixel counts as one
# SDs over time that bright pixels lie above 0, at least, if they count light: shot noise alone has
# a tenth of 100 electrons, and ΔF/F over its 10th percentile a mean of 1.3 SD.
ABOVE = 3.0
MIDDLE = 8  # px, rows and columns in the middle of a frame by which it is known again


def ceilings(dtype: np.dtype | type) -> set[int]:
    """Return the values of a type of whole numbers at which a camera may be full."""
    dtype = np.dtype(dtype)
    largest = int(np.iinfo(dtype).max)
    plain = {2**n - 1 for n in BITS if 2**n - 1 <= largest} | {largest}
    return plain | ({(2**n - 1) << (16 - n) for n in SHIFTED} if dtype == np.uint16 else set())


def full_scale(top: int, dtype: np.dtype | type) -> int:
    """Return the value at which a camera is full whose largest value is `top`.

    `top` itself where a camera may end there, else where the smallest camera ends whose counts
    reach as far.
    """
    if top in ceilings(dtype):
        return top
    largest = int(np.iinfo(dtype).max)
    return min((2**n - 1 for n in BITS if top < 2**n <= largest), default=largest)


def bright_pixels(mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Return which pixels (H, W) bool are bright and vary: mean and SD over time (H, W).

    Bright is the size of the mean, whatever its sign.
    """
    varies = np.isfinite(mean) & (sd > 0)
    if not varies.any():
        return varies
    return varies & (np.abs(mean) >= BRIGHT * np.percentile(np.abs(mean[varies]), 99))


def of_light(mean: np.ndarray, sd: np.ndarray, lowest: float) -> bool:
    """Say whether pixels with these mean and SD over time (H, W) count light.

    `lowest` of their values. Light is never below 0, but for noise about the dark: where values
    are, and bright pixels do not lie `ABOVE` SDs above 0, they are changes (ΔF/F) already.
    """
    bright = bright_pixels(mean, sd)
    if not lowest < 0 or not bright.any():
        return True
    return bool(np.median(mean[bright] / sd[bright]) >= ABOVE)


def frame_codes(block: np.ndarray) -> np.ndarray:
    """Return a number (n,) uint64 for each of some frames (n, H, W), by which it is known again.

    Of the `MIDDLE` x `MIDDLE` pixels in its middle (one more where a side is odd), whatever the
    type of their values: frames that were mirrored or turned by right angles, or saved as other
    numbers, keep it. 0 where these are all one value.
    """
    size = block.shape[1:]
    margins = (max(0, (n - MIDDLE) // 2) for n in size)
    rows, columns = (slice(low, n - low) for low, n in zip(margins, size, strict=True))
    middle = block[:, rows, columns].astype(np.float32) + 0  # no -0
    flat = middle.reshape(len(block), -1)
    bits = _mixed(flat.view(np.uint32).astype(np.uint64)) @ _weights(middle.shape[1:])
    codes = _mixed(bits).sum(axis=1, dtype=np.uint64)
    return np.where(np.ptp(flat, axis=1) > 0, codes, np.uint64(0))


def _mixed(bits: np.ndarray) -> np.ndarray:
    """Return bits (…) uint64 that all hang on all (SplitMix64: Steele et al. 2014, OOPSLA)."""
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    return bits ^ (bits >> np.uint64(31))


@functools.cache
def _weights(shape: tuple[int, int]) -> np.ndarray:
    """Return weights of pixels (P, 4 or 8) uint64, a column for each way to turn a frame."""
    grid = _mixed(np.arange(np.prod(shape), dtype=np.uint64)).reshape(sorted(shape)) | np.uint64(1)
    turned = [grid, grid.T] if shape[0] == shape[1] else [grid if shape == grid.shape else grid.T]
    ways = [one[::up, ::left] for one in turned for up in (1, -1) for left in (1, -1)]
    return np.stack([way.ravel() for way in ways], axis=1)


@dataclass(frozen=True)
class Measures:
    """What `Measured` found in a movie of T frames of height H and width W.

    brightness (T,) mean over pixels; mean and sd (H, W) over time; parts (P, H, W) mean images of
    consecutive parts of the movie that begin at part_start (P,); repeated (T,) bool, frames equal
    to the one before (of their channel); full_scale, the counts at which pixels are taken for
    saturated (NaN where unknown, of movies of real numbers); saturated (T,) number of such pixels.
    """

    brightness: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    parts: np.ndarray
    part_start: np.ndarray
    repeated: np.ndarray
    full_scale: float
    saturated: np.ndarray

    def write(self, group: h5py.Group) -> None:
        """Write every field as a dataset."""
        for field in fields(self):
            value = np.asarray(getattr(self, field.name))
            group[field.name] = value.astype(np.float32) if value.dtype == np.float64 else value


def read_measures(path: str | Path) -> dict[str, Measures]:
    """Read what `mesodecode preprocess --measures` wrote: recorded and, if it is there, corrected.

    Raises UserError if it is no such file.
    """
    with records.reading(path, "the measures of a movie", "preprocess --measures") as file:
        file["recorded"]
        return {stage: records.take(group, Measures) for stage, group in file.items()}


class Measured:
    """A movie that is measured the first time its frames are read, and passed on unchanged.

    Attributes: path, shape (T, H, W), dtype, as those of the movie it wraps. `channels` that its
    frames cycle through; `codes` (T,) of the frames (`frame_codes`), once these are read.
    """

    def __init__(self, source, channels: int = 1) -> None:
        self.source, self.path, self.channels = source, source.path, channels
        self.shape, self.dtype = source.shape, source.dtype
        n_frames, height, width = source.shape
        self.codes = np.zeros(n_frames, np.uint64)
        self._seen = 0
        self._last: np.ndarray | None = None  # frames, one of each channel
        self._offset: np.ndarray | None = None  # near the mean: keeps the sums of squares exact
        self._total, self._squares, self._before = np.zeros((3, height * width))
        self._brightness = np.zeros(n_frames)
        self._repeated = np.zeros(n_frames, bool)
        self._saturated = np.zeros(n_frames, np.int64)
        self._full_scale, self._top = 0, 0
        self._lowest = 0.0 if np.dtype(self.dtype).kind == "u" else np.inf
        self._edges = np.linspace(0, n_frames, min(N_PARTS, n_frames) + 1).astype(int)
        self._parts = np.zeros((len(self._edges) - 1, height * width), np.float32)

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        for start, block in self.source.blocks(size):
            if start <= self._seen < start + len(block):
                with np.errstate(invalid="ignore"):  # whoever reads the frames refuses NaN
                    self._measure(self._seen, block[self._seen - start :])
            yield start, block

    def _measure(self, start: int, block: np.ndarray) -> None:
        if self._offset is None:
            self._offset = block[0].astype(np.float32).ravel()
        top = self._add(start, block.reshape(len(block), -1))
        self._find_repeated(start, block)
        self.codes[start : start + len(block)] = frame_codes(block)
        if self.dtype.kind in "ui":
            self._count_saturated(start, block, top)
        if self.dtype.kind != "u":
            self._lowest = float(np.fmin(self._lowest, np.fmin.reduce(block, axis=None)))
        self._seen = start + len(block)

    def _add(self, start: int, frames: np.ndarray) -> int:
        """Add frames (n, P) to the sums over time of each of their P pixels, and over pixels.

        Returns the largest value, 0 of real numbers. Tile by tile: most of the time would go into
        fetching frames from memory again for each sum.
        """
        n_pixels, brightness, top = self._offset.size, np.zeros(len(frames)), 0
        step = min(len(frames), max(1, PIECE // n_pixels))
        width = min(n_pixels, max(1, TILE // step))
        memory = np.empty(step * width, np.float32)
        pieces = [frames[first : first + step] for first in range(0, len(frames), step)]
        parts = [self._parts_of(start + i * step, len(piece)) for i, piece in enumerate(pieces)]
        for left in range(0, n_pixels, width):
            pixels = slice(left, left + width)
            for i, piece in enumerate(pieces):
                some = piece[:, pixels]
                shifted = memory[: some.size].reshape(some.shape)
                np.copyto(shifted, some, casting="same_kind")
                shifted -= self._offset[pixels]
                brightness[i * step : i * step + len(piece)] += np.einsum("tp->t", shifted)
                self._add_tile(start + i * step, pixels, shifted, parts[i])
                if self.dtype.kind in "ui":
                    top = max(top, int(some.max()))
        self._brightness[start : start + len(frames)] = brightness / n_pixels + self._offset.mean()
        return top

    def _parts_of(self, start: int, count: int) -> list[tuple[int, int, int]]:
        """Return the parts that some frames are of: number, first frame of these, and last + 1."""
        cut = np.clip(self._edges - start, 0, count).tolist()
        pairs = enumerate(itertools.pairwise(cut))
        return [(part, first, stop) for part, (first, stop) in pairs if first < stop]

    def _add_tile(
        self, start: int, pixels: slice, shifted: np.ndarray, parts: list[tuple[int, int, int]]
    ) -> None:
        """Add some pixels of frames (n, p), less the offset, which are of some `parts`."""
        total = self._total[pixels]
        self._squares[pixels] += np.einsum("tp,tp->p", shifted, shifted)
        for part, first, stop in parts:
            total += np.einsum("tp->p", shifted[first:stop])
            if start + stop == self._edges[part + 1]:  # the part is whole
                count = self._edges[part + 1] - self._edges[part]
                self._parts[part, pixels] = (total - self._before[pixels]) / count
                self._before[pixels] = total

    def _find_repeated(self, start: int, block: np.ndarray) -> None:
        n, middle = self.channels, block.shape[1] // 2
        before = block[:0] if self._last is None else self._last
        new = len(before)
        rows = np.concatenate([before[:, middle], block[:, middle]])
        # Most frames differ in one row already.
        for i in np.flatnonzero((rows[n:] == rows[:-n]).all(axis=1)) + n:
            if i >= new:
                other = before[i - n] if i - n < new else block[i - n - new]
                self._repeated[start + i - new] = np.array_equal(block[i - new], other)
        self._last = np.concatenate([before, block[-n:]])[-n:]

    def _count_saturated(self, start: int, block: np.ndarray, top: int) -> None:
        if top > self._top:  # a camera of more bits: nothing so far was at its full scale
            self._top, self._full_scale = top, full_scale(top, self.dtype)
            self._saturated[:start] = 0
        if top == self._full_scale:
            self._saturated[start : start + len(block)] = (block == top).sum(axis=(1, 2))

    @property
    def unit(self) -> str:
        """Of a pixel, once every frame has been read: counts (of light), or dff (changes of it)."""
        found = self.result()
        return "counts" if of_light(found.mean, found.sd, self._lowest) else "dff"

    def result(self) -> Measures:
        """Return what was measured. Call it when every frame has been read."""
        assert self._seen == self.shape[0], "the movie has not been read to its end"
        size = self.shape[1:]
        mean = self._total / self.shape[0]
        variance = np.maximum(self._squares / self.shape[0] - mean**2, 0)
        whole = self.dtype.kind in "ui"
        return Measures(
            brightness=self._brightness,
            mean=(mean + self._offset).reshape(size),
            sd=np.sqrt(variance).reshape(size),
            parts=(self._parts + self._offset).reshape(-1, *size),
            part_start=self._edges[:-1],
            repeated=self._repeated,
            full_scale=float(self._full_scale) if whole else float("nan"),
            saturated=self._saturated,
        )
