"""Does a movie show light, or changes of it (ΔF/F) already? Judged by its pixels, once it is read.

A ratio to F0 is one of light. Of a movie whose mean over time is about 0, as ΔF/F has it, or frames
less their mean, or their SVD components, it is noise divided by nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mesodecode.corrections.movies import Movie
from mesodecode.files import UserError
from mesodecode.measure import bright_pixels, of_light

SAMPLED = 512  # frames that are judged, evenly spaced


class Judged:
    """A movie that is judged when it has been read to its end, and passed on unchanged.

    `light` is then True or False (None before; see `measure.of_light`). With `needs`, settings that
    need light, it raises UserError where there is none.
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
