"""Arrays that lie in a file as they are in memory: NPY, and pixels without a header."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mesodecode.recordings.movie import SLAB


def reader(
    path: Path, dtype: np.dtype, shape: tuple[int, ...], offset: int = 0
) -> Callable[[tuple[slice, ...]], np.ndarray]:
    """Return what reads a part of an array, by a slice for each axis; nothing stays mapped."""

    def read(index: tuple[slice, ...]) -> np.ndarray:
        rows = range(shape[0])[index[0]]
        n_row = math.prod(shape[1:])
        if all(part == slice(None) for part in index[1:]):  # one stretch of the file
            start = offset + rows.start * n_row * dtype.itemsize
            values = np.fromfile(path, dtype, count=len(rows) * n_row, offset=start)
            return values.reshape(len(rows), *shape[1:])
        # Each map is closed after its part is copied: what is mapped counts as resident memory
        # until then, and all of the file would be in the end.
        parts = []
        step = max(1, SLAB // 4 // max(1, n_row * dtype.itemsize))
        for start in range(rows.start, rows.stop, step):
            part = slice(start, min(start + step, rows.stop))
            mapped = np.memmap(path, dtype, mode="r", offset=offset, shape=shape)
            parts.append(np.array(mapped[part, *index[1:]]))
        return np.concatenate(parts)

    return read
