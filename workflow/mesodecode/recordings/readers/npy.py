"""NPY files, mapped into memory part by part; objects in them are never unpickled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError
from mesodecode.recordings.axes import axes_of
from mesodecode.recordings.movie import SLAB, ArrayMovie, check_opens, words
from mesodecode.recordings.readers.arrays import Held, note_of


@contextmanager
def open_npy(path: Path, axes: str | None) -> Iterator[ArrayMovie]:
    """Open the array of an NPY file as a movie."""
    mapped = load(path, mapped=True)
    taken = axes_of(mapped.shape, axes, "TYX", path)
    turned = not mapped.flags.c_contiguous  # columns first: the same as rows first, axes reversed
    shape = mapped.shape[::-1] if turned else mapped.shape
    layout = {"dtype": mapped.dtype, "offset": mapped.offset, "shape": shape}
    del mapped
    yield ArrayMovie(
        path, layout["dtype"], taken, lambda index: _read(path, layout, index), turned=turned
    )


def _read(path: Path, layout: dict, index: tuple[slice, ...]) -> np.ndarray:
    """Return a part of the array.

    Each map is closed after its part is copied: what is mapped counts as resident memory until
    then, and all of the file would be in the end.
    """
    shape, first = layout["shape"], index[0]
    row = math.prod(shape[1:]) * layout["dtype"].itemsize
    rows = range(shape[0])[first]
    parts = []
    step = max(1, SLAB // 4 // max(1, row))
    for start in range(rows.start, rows.stop, step):
        part = slice(start, min(start + step, rows.stop))
        parts.append(np.array(np.memmap(path, mode="r", **layout)[part, *index[1:]]))
    return np.concatenate(parts)


def load(path: str | Path, *, mapped: bool = False) -> np.ndarray:
    """Return the array of an NPY file. Raises UserError if it is none, or holds pickled objects."""
    check_opens(path)
    try:
        return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except MemoryError:
        raise
    except Exception as error:  # of damaged headers, numpy raises more than its own kind
        raise UserError(f"{path}: not a readable NPY file of numbers ({words(error)})") from error


def variables(path: Path) -> dict[str, Held]:
    """Return the arrays of a folder of NPY files by name, or of a file by its fields.

    A plain vector is `labels` if of whole numbers, logicals or words, else `speed`; a matrix is
    `data`.
    """
    if path.is_dir():
        return {file.stem: Held(partial(load, file)) for file in sorted(path.glob("*.npy"))}
    array = load(path)
    if array.dtype.names:
        return {name: Held(partial(array.__getitem__, name)) for name in array.dtype.names}
    note = note_of(array.shape)
    name = "data" if note else "labels" if array.dtype.kind in "buiUS" else "speed"
    return {name: Held(lambda: array, note=note)}
