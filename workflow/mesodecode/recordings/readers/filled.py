"""Pixels that are no numbers: outside the brain they are 0, inside they are refused."""

from collections.abc import Iterator

import numpy as np

from mesodecode.base.files import UserError, say
from mesodecode.recordings.movie import Movie


class FilledMovie(Movie):
    """A movie whose pixels that are NaN or infinite in every frame, outside the brain, are 0.

    `outside` (H, W) bool says which those are, by the first frame; None where there are none. Where
    `brain` (H, W) bool is given, pixels outside it may be so in any frame, and become 0 there.
    Raises UserError, naming the frame, if any other pixel is no number.
    """

    def __init__(self, movie: Movie, brain: np.ndarray | None = None) -> None:
        self._movie, self._brain = movie, True if brain is None else brain
        self.path, self.shape, self.axes = movie.path, movie.shape, movie.axes
        self.dtype, self.time = movie.dtype, movie.time
        self.outside: np.ndarray | None = None
        if self.dtype.kind == "f":
            _, first = next(movie.blocks(1))
            wrong = ~np.isfinite(first[0])
            self.outside = wrong if wrong.any() else None
            if wrong.all():
                raise UserError(
                    f"{self.path}: frame 0 has NaN or infinite pixels only; cut such frames out of "
                    "movie and behaviour"
                )

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        if self.dtype.kind != "f":
            yield from self._movie.blocks(size)
            return
        expected = False if self.outside is None else self.outside
        for start, block in self._movie.blocks(size):
            wrong = ~np.isfinite(block)
            if wrong.any() or expected is not False:
                others = (wrong != expected) & self._brain
                if others.any():
                    self._refuse(start, wrong, others)
                block = np.where(wrong, block.dtype.type(0), block)
            yield start, block

    def _refuse(self, start: int, wrong: np.ndarray, others: np.ndarray) -> None:
        at, row, column = np.argwhere(others)[0]
        frame, other = start + at, 0
        if wrong[at].all():
            raise UserError(
                f"{self.path}: frame {frame} has NaN or infinite pixels only; cut such frames out "
                "of movie and behaviour"
            )
        if not wrong[at, row, column]:
            frame, other = 0, frame
        raise UserError(
            f"{self.path}: frame {frame} has NaN or infinite pixels (the first in row {row}, "
            f"column {column}) that frame {other} has not: only what is so in every frame is taken "
            "for outside the brain; name a brain_mask that leaves these pixels out, or cut the "
            "frame out of movie and behaviour"
        )


def say_outside(movie: FilledMovie, brain: np.ndarray | None) -> None:
    """Say which pixels were taken for outside the brain, unless brain_mask has said so."""
    known = np.zeros_like(movie.outside) if brain is None else ~brain
    more = (movie.outside & ~known).sum()
    if more:
        where = "" if brain is None else " inside brain_mask"
        say(
            f"{movie.path}: {more} of {known.size} pixels{where} are NaN or infinite in every "
            "frame; they are taken for outside the brain and are 0"
        )
