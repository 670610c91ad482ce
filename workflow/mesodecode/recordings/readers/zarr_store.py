"""Zarr arrays, versions 2 and 3: a folder, by the path of an array in it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mesodecode.base.files import UserError, check_memory, refused
from mesodecode.recordings.axes import Asked, axes_of
from mesodecode.recordings.movie import ArrayMovie, Movie
from mesodecode.recordings.readers import nwb_zarr, pixels
from mesodecode.recordings.readers.hdf5 import choose, slices_of

if TYPE_CHECKING:
    import zarr


@contextmanager
def open_movie(path: Path, asked: Asked) -> Iterator[Movie]:
    """Open an array of a Zarr folder as a movie; of an NWB file in Zarr, a series by its name."""
    import zarr

    series = nwb_zarr.series(path)
    with refused(path, "not a readable Zarr folder"):
        with warnings.catch_warnings(action="ignore"):  # of files in it that are not Zarr's
            arrays = {n: zarr.open_array(at / "data", mode="r") for n, at in series.items()}
            arrays = arrays or _arrays(zarr.open(str(path), mode="r"))
        shapes = {name: item.shape for name, item in arrays.items() if item.dtype.kind in "buif"}
    places = pixels.asked_for(asked, "X", path)
    name = choose(
        shapes, asked.dataset, path, "movie_dataset", len(places.where) if places else None
    )
    array = arrays[name]
    dtype, read = slices_of(array)
    if places:
        letters = pixels.letters_of(path, array.shape, places, asked.axes)
        check_whole(path, array, letters.index("T"))
        yield pixels.PixelsMovie(path, dtype, array.shape, places, asked.axes, read)
        return
    if series:
        taken = nwb_zarr.axes(path, series[name], shapes[name], asked.axes)
    else:
        taken = axes_of(shapes[name], asked.axes, "TYX", path)
    time = taken.letters.index("T")
    check_whole(path, array, time)
    depth = (array.shards or array.chunks)[time]
    movie = ArrayMovie(path, dtype, taken, read, depth)
    if series:
        movie.time = nwb_zarr.times(series[name], movie.shape[0])
    yield movie


def check_whole(path: Path, array: zarr.Array, time: int) -> None:
    """Raise UserError if an array has no chunks, lacks some, or they are too large for the memory.

    What is missing reads as zeros. Zarr writes no chunk of zeros either, so that a part of the
    image may lack all its chunks (outside a mask), but not those of some moments only; moments
    without any chunk are left to the check of frames. `time`: which axis that is.
    """
    stored = array.shards or array.chunks
    check_memory(math.prod(array.chunks) * array.dtype.itemsize, path, "one of its chunks")
    folder = array.store.root / array.path
    grid = [math.ceil(n / size) for n, size in zip(array.shape, stored, strict=True)]
    there = np.zeros(grid, bool)
    for at in np.ndindex(there.shape):
        there[at] = (folder / array.metadata.encode_chunk_key(at)).is_file()
    if not there.any():
        raise UserError(f"{path}: no frames were written; is the recording unfinished?")
    others = tuple(axis for axis in range(there.ndim) if axis != time)
    gone = ~there & there.any(time, keepdims=True) & there.any(others, keepdims=True)
    if gone.any():
        first = array.metadata.encode_chunk_key(tuple(np.argwhere(gone)[0]))
        raise UserError(
            f"{path}: {gone.sum()} of {there.sum() + gone.sum()} chunks are not there, the first "
            f"{first}: they would read as 0; copy the folder whole"
        )


def _arrays(found: zarr.Array | zarr.Group) -> dict[str, zarr.Array]:
    """Return the arrays of a Zarr folder by their path in it."""
    import zarr

    if isinstance(found, zarr.Array):
        return {"": found}
    inside = found.members(max_depth=None)
    return {name: item for name, item in inside if isinstance(item, zarr.Array)}
