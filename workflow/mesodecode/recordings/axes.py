"""Which axis of a movie's array is time, which are rows and columns, and who says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError


@dataclass(frozen=True)
class Axes:
    """The axes that were taken: a letter for each, as `movie_axes` has them.

    T time, Y rows, X columns, C channels that take turns, others for axes of length 1. `shape` is
    that of the array as its program shows it. `by` is what said so: the file, movie_axes, or None
    where nothing did and `letters` are what is usual. `movies`: of so many such arrays, frames take
    turns. `flat`: rows and columns are one axis, whose order no image of the same size tells.
    """

    letters: str = "TYX"
    by: str | None = "the file"
    shape: tuple[int, ...] = ()
    movies: int = 1
    flat: bool = False

    def others(self, channels: int = 1) -> dict[str, int]:
        """Return the orders with another axis as time, and how many frames a channel then has."""
        kept = self.letters.replace("T", "")
        found = {}
        for at, (letter, length) in enumerate(zip(self.letters, self.shape, strict=False)):
            if letter in "YX":
                found[kept[:at] + "T" + kept[at:]] = self._frames(length) // channels
        return found

    def _frames(self, length: int) -> int:
        """Return how many frames are in `length` times."""
        turns = self.shape[self.letters.index("C")] if "C" in self.letters else 1
        return length * turns * self.movies


@dataclass(frozen=True)
class Asked:
    """What the user says of a movie's array, None where nothing: `movie_…` of the config.

    axes; shape, its height and width and, with C among the axes, the number of channels; dtype, of
    pixels without a header; mask, a file with an image of the pixels that the array holds, and
    image, what it shows (H, W); datasets of the file that are one movie, by name. `alone`: only the
    file itself, whatever others its header says to be of one movie with it, as these are named too.
    """

    axes: str | None = None
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    mask: Path | None = None
    image: np.ndarray | None = None
    datasets: tuple[str, ...] = ()
    alone: bool = False

    @property
    def dataset(self) -> str | None:
        """The first dataset that is named."""
        return self.datasets[0] if self.datasets else None

    @property
    def named(self) -> str:
        """The settings that say more than axes, for a message."""
        said = {"movie_shape": self.shape, "movie_dtype": self.dtype, "movie_mask": self.mask}
        return ", ".join(key for key, value in said.items() if value is not None)


def other(orders: Mapping[str, int], n_frames: float, within: float = 0.0) -> str:
    """Return which of `Axes.others` has `n_frames`, give or take a share `within`; '' if none has.

    Of several the first.
    """
    fits = (letters for letters, n in orders.items() if abs(n - n_frames) <= within * n_frames)
    return next(fits, "")


def ask(letters: str) -> str:
    """Return the words that ask for an order of axes, '' if there is none to ask for."""
    return f"is another axis time? set movie_axes: {letters}; or " if letters else ""


def axes_of(shape: tuple[int, ...], axes: str | None, usual: str, path: str | Path) -> Axes:
    """Return a letter for each axis of an array: T, Y, X, and others for axes of length 1.

    `axes` are those that the user names, None where he names none: then `usual` are taken. Raises
    UserError if they do not fit the array.
    """
    long = [i for i, n in enumerate(shape) if n != 1]
    asked = axes or usual
    if len(asked) == len(shape):
        letters = asked
    elif len(asked) == len(long):
        found = dict(zip(long, asked, strict=True))
        letters = "".join(found.get(i, "1") for i in range(len(shape)))
    else:
        raise UserError(
            f"{path}: an array of shape {shape}; needs frames x height x width of one channel"
            + (f", not {len(axes)} axes" if axes else "; name its axes in movie_axes, such as TYX")
            + ("; of pixels x frames, set movie_mask or movie_shape" if len(long) == 2 else "")
        )
    spare = [n for n, letter in zip(shape, letters, strict=True) if letter not in "TCYX"]
    if (
        any(letters.count(axis) != 1 for axis in "TYX")
        or letters.count("C") > 1
        or any(n != 1 for n in spare)
    ):
        raise UserError(
            f"{path}: axes {letters} of an array of shape {shape}; movie_axes needs T, Y and X "
            "once each (and C for interleaved channels); other axes must have length 1"
        )
    return Axes(letters, "movie_axes" if axes else None, tuple(shape))
