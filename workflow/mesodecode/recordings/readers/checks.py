"""What a movie shows of itself as it is read: dropped frames, a saturated camera."""

from collections.abc import Iterator

import numpy as np

from mesodecode.base.files import UserError
from mesodecode.recordings.movie import Movie
from mesodecode.recordings.qc_measures import ceilings

SATURATED = 0.5  # share of all pixel values at the camera's most that leaves nothing to decode


class CheckedMovie(Movie):
    """A movie that, once it is read to its end, raises UserError if frames are missing in it.

    That is where frames are 0 throughout (unless `keep_zero`, or not among `used` (T,) bool) or, of
    whole numbers, where more than `SATURATED` of all pixel values are the most that the camera
    gives.
    """

    def __init__(
        self, movie: Movie, *, keep_zero: bool = False, used: np.ndarray | None = None
    ) -> None:
        self._movie, self._keep_zero, self._used = movie, keep_zero, used
        self.path, self.shape = movie.path, movie.shape
        self.dtype, self.time = movie.dtype, movie.time

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        zero, at_top = [], {}
        top = self._ceilings()
        for start, block in self._movie.blocks(size):
            highest = block.max(axis=(1, 2))
            dark = highest == 0
            if self.dtype.kind != "u" and dark.any():
                dark &= ~block.any(axis=(1, 2))
            if self._used is not None:
                dark &= self._used[start : start + len(block)]
            zero.extend(start + np.flatnonzero(dark))
            for most in top & set(np.unique(highest).tolist()):
                at_top[most] = at_top.get(most, 0) + int((block == most).sum())
            top = {most for most in top if most >= highest.max()}  # it gives more than the others
            yield start, block
        self._check(zero, {most: n for most, n in at_top.items() if most in top})

    def _ceilings(self) -> set[int]:
        if self.dtype.kind not in "ui":
            return set()
        # a dim movie of more bits may end at 255 too: left to quality control
        own = int(np.iinfo(self.dtype).max)
        return {most for most in ceilings(self.dtype) if most > 255 or most == own}

    def _check(self, zero: list[int], at_top: dict[int, int]) -> None:
        n_frames = self.shape[0]
        if zero and len(zero) < n_frames and not self._keep_zero:
            raise UserError(
                f"{self.path}: {len(zero)} of {n_frames} frames are 0 throughout, the first "
                f"{zero[0]}: dropped or never written; cut them out of movie and behaviour, or set "
                "zero_frames: keep"
            )
        for most, count in at_top.items():
            share = count / np.prod(self.shape, dtype=float)
            if SATURATED < share < 1:
                raise UserError(
                    f"{self.path}: {share:.0%} of all pixel values are {most}, the most that the "
                    "camera gives: saturated; leave the session out of the config"
                )
