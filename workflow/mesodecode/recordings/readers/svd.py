"""SVD components: spatial U (H, W, K) and temporal SVT (K, T), how widefield labs keep a movie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError
from mesodecode.recordings.axes import Axes
from mesodecode.recordings.movie import Movie


class SvdMovie(Movie):
    """The movie U x SVT (mostly ΔF/F), float32, put together block by block.

    U may also be (K, H, W) and SVT (T, K): K tells; `axes` are those of U where the user names
    them, such as KXY. A pixel with a component that is NaN, outside the brain, is NaN.
    """

    def __init__(self, path: Path, u: np.ndarray, svt: np.ndarray, axes: str | None = None) -> None:
        self.path, self.dtype = Path(path), np.dtype(np.float32)
        if u.ndim != 3 or svt.ndim != 2 or {u.dtype.kind, svt.dtype.kind} - set("iuf"):
            raise UserError(
                f"{path}: SVD components of shape {u.shape} and {svt.shape}; needs U (height x "
                "width x K) and SVT (K x frames), in this order"
            )
        first = u.shape[-1] not in svt.shape and u.shape[0] in svt.shape
        letters = axes or ("KYX" if first else "YXK")
        if sorted(letters) != ["K", "X", "Y"]:
            raise UserError(
                f"{path}: axes {letters} of U {u.shape}; movie_axes of SVD components needs Y, X "
                "and K (the components) once each"
            )
        self.axes = Axes(letters, "movie_axes" if axes else None)
        u = u.transpose([letters.index(letter) for letter in "YXK"])
        n_components = u.shape[-1]
        if n_components not in svt.shape:
            raise UserError(
                f"{path}: U {u.shape} and SVT {svt.shape} have no number of components in common; "
                "were they made together?"
            )
        svt = svt if svt.shape[0] == n_components else svt.T
        self._pixels, self._svt = u.reshape(-1, n_components).astype(np.float32), svt
        self.shape = (svt.shape[1], *u.shape[:2])

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        for start in range(0, self.shape[0], size):
            weights = np.ascontiguousarray(self._svt[:, start : start + size].T, np.float32)
            yield start, (weights @ self._pixels.T).reshape(-1, *self.shape[1:])
