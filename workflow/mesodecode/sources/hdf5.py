"""Datasets of HDF5 files, by path."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from mesodecode.files import UserError
from mesodecode.sources.axes import Axes, axes_of
from mesodecode.sources.movie import ArrayMovie, Movie, check_opens, words

SUFFIXES = (".h5", ".hdf5", ".hdf")


@contextmanager
def open_file(path: str | Path) -> Iterator[h5py.File]:
    """Open an HDF5 file. Raises UserError if it is none or cut short, OSError if it is missing."""
    check_opens(path)
    try:
        file = h5py.File(path, "r")
    except Exception as error:  # h5py raises an OSError without a number, and others
        raise UserError(f"{path}: not a readable HDF5 file ({words(error)})") from error
    with file:
        yield file


def datasets(file: h5py.File, path: str | Path) -> dict[str, h5py.Dataset]:
    """Return the datasets of numbers in a file by their path in it, without a leading slash."""
    found = {}

    def note(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("#"):  # MATLAB's own
            found[name] = item

    try:
        file.visititems(note)
        return {name: item for name, item in found.items() if item.dtype.kind in "buif"}
    except Exception as error:  # of a damaged file, whatever HDF5 meets
        raise UserError(f"{path}: a damaged HDF5 file ({words(error)}); truncated?") from error


def choose(
    shapes: dict[str, tuple[int, ...]], name: str | None, path: str | Path, option: str
) -> str:
    """Return which array of a file is meant: `name`, or the only one with three long axes.

    Raises UserError, listing what is inside, if there is none such or the choice is open.
    """
    if name is not None:
        if name.strip("/") in shapes:
            return name.strip("/")
        raise UserError(f"{path}: no dataset '{name}' in it; it holds: {listed(shapes)}")
    stacks = [key for key, shape in shapes.items() if len(shape) >= 3]
    movies = [key for key in stacks if sum(n > 1 for n in shapes[key]) >= 3] or stacks
    if len(movies) != 1:
        some = "several that could be the movie" if movies else "no array of three axes"
        raise UserError(f"{path}: {some}; it holds: {listed(shapes)}; name one in {option}")
    return movies[0]


def listed(shapes: dict[str, tuple[int, ...]]) -> str:
    """Return names and shapes for a message, the first twelve of them."""
    names = [
        f"{name} {' x '.join(map(str, shape))}".strip() for name, shape in sorted(shapes.items())
    ]
    more = [f"and {len(names) - 12} more"] if len(names) > 12 else []
    return ", ".join(names[:12] + more) or "no array of numbers"


def check_filters(dataset: h5py.Dataset, path: str | Path) -> None:
    """Raise UserError if the dataset is compressed by a filter that this HDF5 library lacks."""
    created = dataset.id.get_create_plist()
    for i in range(created.get_nfilters()):
        number, _, _, name = created.get_filter(i)
        if not h5py.h5z.filter_avail(number):
            raise UserError(
                f"{path}: {dataset.name} is compressed by filter {number} "
                f"({name.decode(errors='replace') or 'without a name'}), which is not installed "
                "here; write it anew with gzip, where the filter is: `h5repack -f GZIP=1 IN OUT`"
            )


def check_whole(dataset: h5py.Dataset, path: str | Path) -> None:
    """Raise UserError if parts of the dataset were never written: they would read as zeros."""
    if dataset.chunks:
        wanted = math.prod(map(math.ceil, np.divide(dataset.shape, dataset.chunks)))
        part = dataset.id.get_num_chunks() / max(1, wanted)
    else:
        part = dataset.id.get_space_status() == h5py.h5d.SPACE_STATUS_ALLOCATED
    if dataset.size and part < 1 and not (dataset.external or dataset.is_virtual):
        raise UserError(
            f"{path}: {dataset.name} is {part:.0%} written; is the recording unfinished?"
        )


@contextmanager
def open_hdf5(
    path: Path, names: Sequence[str], axes: str | None, usual: str = "TYX", *, turned: bool = False
) -> Iterator[Movie]:
    """Open a dataset of an HDF5 file as a movie, the only one of three axes if `names` is empty.

    Two names are U and SVT (see `mesodecode.sources.svd`). `axes`, `usual` where they are None, are
    of the array as the user sees it: `turned` from how it is stored, in a file of MATLAB.
    """
    with open_file(path) as file:
        found = datasets(file, path)
        shapes = {name: item.shape[:: -1 if turned else 1] for name, item in found.items()}
        chosen = [choose(shapes, name, path, "movie_dataset") for name in names or [None]]
        if len(chosen) == 1:
            taken = axes_of(shapes[chosen[0]], axes, usual, path)
            yield dataset_movie(found[chosen[0]], path, taken, turned=turned)
            return
        from mesodecode.sources.svd import SvdMovie

        yield SvdMovie(path, *(read_array(found[name], path) for name in chosen))


def dataset_movie(
    item: h5py.Dataset, path: Path, axes: Axes, *, turned: bool = False
) -> ArrayMovie:
    """Return a movie of an open HDF5 dataset (see `open_hdf5`)."""
    check_filters(item, path)
    check_whole(item, path)
    letters = axes.letters[:: -1 if turned else 1]
    depth = item.chunks[letters.index("T")] if item.chunks else None
    return ArrayMovie(path, item.dtype, axes, item.__getitem__, depth, turned=turned)


def read_array(item: h5py.Dataset, path: str | Path) -> np.ndarray:
    """Return the whole of a dataset."""
    check_filters(item, path)
    try:
        return item[()]
    except Exception as error:
        raise UserError(
            f"{path}: {item.name} cannot be read ({words(error)}); truncated?"
        ) from error
