"""SVD components: spatial U (H, W, K) and temporal SVT (K, T), how widefield labs keep a movie."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError, say
from mesodecode.recordings.axes import Axes
from mesodecode.recordings.movie import Movie
from mesodecode.recordings.readers.pixels import Places


class SvdMovie(Movie):
    """The movie U x SVT (mostly ΔF/F), float32, put together block by block.

    U may also be (K, H, W), or (pixels, K) where `places` say of which pixels, and SVT (T, K): K
    tells; of U, and of SVT, the components that the other lacks are left out, which is said. `axes`
    are those of U where the user names them, such as KXY. A pixel with a component that is NaN,
    outside the brain, is NaN. SVT (K, frames, trials) are trials one after the other, each a
    segment; a frame whose components are all NaN is `blank`, and so is a last one of zeros.
    """

    def __init__(
        self,
        path: Path,
        u: np.ndarray,
        svt: np.ndarray,
        axes: str | None = None,
        places: Places | None = None,
    ) -> None:
        self.path, self.dtype = Path(path), np.dtype(np.float32)
        kinds = {u.dtype.kind, svt.dtype.kind} - set("iuf")
        turned = u.ndim == 2 and svt.ndim == 3 and places is None
        if {u.ndim, svt.ndim} - {2, 3} or turned or kinds:
            raise UserError(
                f"{path}: SVD components of shape {u.shape} and {svt.shape}; needs U (height x "
                "width x K) and SVT (K x frames), in this order"
            )
        if svt.ndim == 3:
            n_trials, length = svt.shape[2], svt.shape[1]
            svt = svt.transpose(0, 2, 1).reshape(len(svt), n_trials * length)
            self.segment = np.repeat(np.arange(n_trials), length)
        self._places = places
        pixels, size = self._of_image(u, svt, axes) if u.ndim == 3 else self._of_pixels(u, places)
        self._pixels, self._svt = self._of_one_rank(pixels, svt)
        self.shape = (self._svt.shape[1], *size)
        blank = self._blank()
        self.blank = blank if blank.any() else None

    def _blank(self) -> np.ndarray:
        """Return which frames (T,) have no values: all NaN, or a last one that wfield left at 0.

        `wfield.approximate_svd` stops before the last frame, of one wavelength or two.
        """
        blank = np.isnan(self._svt).all(axis=0)
        end = blank[-3:] | self._svt[:, -3:].any(axis=0)
        if end.any():  # else it was never written to its end, which is refused
            blank[len(blank) - end[::-1].argmax() :] = True
        return blank

    def _of_image(
        self, u: np.ndarray, svt: np.ndarray, axes: str | None
    ) -> tuple[np.ndarray, tuple[int, int]]:
        """Return U (pixels, K) of U with rows and columns, and height and width."""
        if self._places is not None:
            raise UserError(f"{self.path}: U {u.shape} has rows and columns; leave out movie_shape")
        common = [n for n in u.shape if n in svt.shape]
        square = not common and u.shape[1] == u.shape[2] != u.shape[0]
        first = (u.shape[-1] not in svt.shape and u.shape[0] in svt.shape) or square
        letters = axes or ("KYX" if first else "YXK")
        if sorted(letters) != ["K", "X", "Y"]:
            raise UserError(
                f"{self.path}: axes {letters} of U {u.shape}; movie_axes of SVD components needs "
                "Y, X and K (the components) once each"
            )
        self.axes = Axes(letters, "movie_axes" if axes else None)
        u = u.transpose([letters.index(letter) for letter in "YXK"])
        return u.reshape(-1, u.shape[-1]), u.shape[:2]

    def _of_pixels(
        self, u: np.ndarray, places: Places | None
    ) -> tuple[np.ndarray, tuple[int, int]]:
        """Return U (pixels, K), and height and width of the image that they are of."""
        if places is None:
            raise UserError(
                f"{self.path}: U {u.shape} has no rows and columns: set movie_shape (height and "
                "width), or movie_mask, an image of its pixels"
            )
        n_pixels = len(places.where)
        if n_pixels not in u.shape:
            raise UserError(f"{self.path}: U {u.shape}, but {places.by} shows {n_pixels} pixels")
        upright = u.shape[0] == n_pixels
        self.axes = places.axes("YXK" if upright else "KYX")
        return (u if upright else u.T), places.size

    def _of_one_rank(self, u: np.ndarray, svt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return U (pixels, K) and SVT (K, T) with the first components that both have."""
        rank = u.shape[1]
        if rank not in svt.shape:
            has = min(svt.shape)
            if has > rank:
                raise UserError(
                    f"{self.path}: U has {rank} components, SVT {svt.shape} more: were they made "
                    "together?"
                )
            say(f"{self.path}: U has {rank} components, SVT {has}: the first {has} are taken")
            u, rank = u[:, :has], has
        return u.astype(np.float32), svt if svt.shape[0] == rank else svt.T

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        for start in range(0, self.shape[0], size):
            weights = np.ascontiguousarray(self._svt[:, start : start + size].T, np.float32)
            values = weights @ self._pixels.T
            if self._places is None:
                yield start, values.reshape(-1, *self.shape[1:])
            else:
                yield start, self._places.placed(values)
