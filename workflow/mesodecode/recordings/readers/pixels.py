"""Arrays of pixels x frames, of the brain only or of the whole image, as images again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError
from mesodecode.recordings.axes import Asked, Axes
from mesodecode.recordings.movie import ArrayMovie, Movie


@dataclass(frozen=True)
class Places:
    """Where pixels are: `where` (P,) indices into the rows of an image of `size` (H, W).

    `by` is what said so; `told` whether anything said their order, in rows or in columns.
    """

    size: tuple[int, int]
    where: np.ndarray
    by: str
    told: bool = True

    def axes(self, letters: str) -> Axes:
        """Return the axes of an array of such pixels, YX one of them: `letters` if none is told."""
        return replace(Axes(), by=self.by) if self.told else Axes(letters, None, flat=True)

    def placed(self, values: np.ndarray) -> np.ndarray:
        """Return values (n, P) as images (n, H, W): NaN elsewhere, 0 of whole numbers."""
        height, width = self.size
        empty = np.nan if values.dtype.kind == "f" else 0
        images = np.full((len(values), height * width), empty, values.dtype)
        images[:, self.where] = values
        return images.reshape(-1, height, width)


def asked_for(asked: Asked, fastest: str, path: Path) -> Places | None:
    """Return the pixels that movie_mask or movie_shape say, None where neither is given.

    `fastest`: the axis along which they follow each other, X in rows or Y in columns; `asked.axes`
    goes before it.
    """
    if (image := asked.image) is not None:
        if image.ndim != 2 or image.dtype.kind not in "buif" or not (image > 0).any():
            raise UserError(
                f"{asked.mask}: movie_mask needs an image of height x width, above 0 where the "
                "movie has pixels"
            )
        if asked.shape is not None and image.shape != tuple(asked.shape):
            raise UserError(f"{asked.mask}: of {image.shape}, but movie_shape is {asked.shape}")
        shown, by = image > 0, str(asked.mask)
    elif asked.shape is not None:
        if len(asked.shape) != 2:
            raise UserError(f"{path}: movie_shape of pixels x frames is height and width")
        shown, by = np.ones(asked.shape, bool), "movie_shape"
    else:
        return None
    places = placed_in(shown, fastest_of(asked.axes, fastest), by)
    return replace(places, told={*"YX"} <= {*(asked.axes or "")} or 1 in shown.shape)


def fastest_of(axes: str | None, fastest: str) -> str:
    """Return the axis that changes fastest in pixels one after the other: `axes` say, or usual."""
    pixels = [letter for letter in axes or "" if letter in "YX"]
    if sorted(pixels) != ["X", "Y"]:
        return fastest
    return pixels[0 if fastest == "Y" else 1]  # MATLAB's first axis is the fastest


def placed_in(shown: np.ndarray, fastest: str, by: str) -> Places:
    """Return the places of the pixels that an image (H, W) bool shows."""
    height, width = shown.shape
    if fastest == "X":
        where = np.flatnonzero(shown)
    else:
        column, row = np.divmod(np.flatnonzero(shown.T), height)
        where = row * width + column
    return Places((height, width), where, by)


class PixelsMovie(Movie):
    """A movie of an array of pixels x frames, or frames x pixels.

    `read` takes a slice for each axis as it is stored: `turned` from how the user sees `shape`.
    `depth` as for `ArrayMovie`. Raises UserError if no axis, or none in particular, has as many
    pixels as there are places.
    """

    def __init__(
        self,
        path: Path,
        dtype: np.dtype,
        shape: tuple[int, int],
        places: Places,
        axes: str | None,
        read: Callable[[tuple[slice, ...]], np.ndarray],
        depth: int | None = None,
        *,
        turned: bool = False,
    ) -> None:
        self.path, self._places = Path(path), places
        letters = seen = letters_of(path, shape, places, axes)
        if turned:
            letters, shape = letters[::-1], shape[::-1]
        flat = Axes(f"{letters}Y", "the file", (*shape, 1))  # a row of pixels is an image

        def part(index: tuple[slice, ...]) -> np.ndarray:
            return np.asarray(read(index[:2]))[..., None]

        self._flat = ArrayMovie(path, dtype, flat, part, depth)
        self.dtype = self._flat.dtype
        self.shape = (self._flat.shape[0], *places.size)
        self.axes = places.axes(seen.replace("X", "YX"))

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        for start, block in self._flat.blocks(size):
            yield start, self._places.placed(block.reshape(len(block), -1))


def letters_of(path: Path, shape: tuple[int, ...], places: Places, axes: str | None) -> str:
    """Return which axis is time, T, and which are pixels, X."""
    n_pixels, (height, width) = len(places.where), places.size
    fits = [at for at, length in enumerate(shape) if length == n_pixels]
    if len(shape) != 2 or not fits:
        raise UserError(
            f"{path}: an array of {' x '.join(map(str, shape))}, but {places.by} shows {n_pixels} "
            f"pixels of {height} x {width}; needs pixels x frames of the same pixels"
        )
    first = (axes or "").find("T")
    if len(fits) == 2 and first < 0:
        raise UserError(
            f"{path}: {n_pixels} pixels and as many frames: which axis is time? set movie_axes: "
            "YXT or TYX"
        )
    time = (0 if first == 0 else 1) if first >= 0 else 1 - fits[0]
    if 1 - time not in fits:
        raise UserError(f"{path}: axes {axes}, but its axis of {n_pixels} pixels is another")
    return "TX" if time == 0 else "XT"
