"""Variables of MAT files: v7.3, which is HDF5 and read block by block, and v5, read whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mesodecode.files import UserError
from mesodecode.sources import hdf5
from mesodecode.sources.axes import axes_of
from mesodecode.sources.movie import ArrayMovie, Movie, words

USUAL = "YXT"  # height x width x frames: how MATLAB keeps a movie


def is_v73(path: str | Path) -> bool:
    """Return whether a MAT file is HDF5."""
    with open(path, "rb") as file:
        return file.read(10) == b"MATLAB 7.3"


def read_mat(path: str | Path, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Return the numeric variables of a MAT file (v5 or v7.3), as MATLAB shows their shape.

    `names`: only these, if they are there. A field of a struct is named STRUCT/FIELD.
    """
    if is_v73(path):
        with hdf5.open_file(path) as file:  # MATLAB's columns come first: transpose back
            items = hdf5.datasets(file, path)
            asked = items if names is None else [name for name in names if name in items]
            return {name: hdf5.read_array(items[name], path).T for name in asked}
    return {k: v for k, v in _read_v5(path).items() if names is None or k in names}


def held(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the numeric variables of a MAT file."""
    if is_v73(path):
        with hdf5.open_file(path) as file:
            return {name: item.shape[::-1] for name, item in hdf5.datasets(file, path).items()}
    return {name: value.shape for name, value in read_mat(path).items()}


def _read_v5(path: str | Path) -> dict[str, np.ndarray]:
    import scipy.io

    found: dict[str, np.ndarray] = {}

    def add(name: str, value: object) -> None:
        if not isinstance(value, np.ndarray):
            return
        if value.dtype.kind in "buif":
            found[name] = value
        elif value.dtype.names and value.size == 1:
            for field in value.dtype.names:
                add(f"{name}/{field}", value[field].item())

    try:
        variables = scipy.io.loadmat(path, squeeze_me=False)
    except MemoryError:
        raise
    except Exception as error:  # scipy raises many kinds on a damaged file
        raise UserError(f"{path}: not a readable MAT file ({words(error)})") from error
    for name, value in variables.items():
        add(name, value)
    return found


def times_of(arrays: dict[str, np.ndarray], name: str) -> np.ndarray | None:
    """Return the time stamps (n,) s of a channel that Spike2 exported, or None if it is none.

    Such a channel is a struct: `values` or `level`, beside `times` of each or `start` and
    `interval` (CED, "Exporting as MATLAB data").
    """
    channel, _, field = name.rpartition("/")
    if not channel or field not in ("values", "level"):
        return None
    times, start, interval = (
        arrays.get(f"{channel}/{key}") for key in ("times", "start", "interval")
    )
    n_values = arrays[name].size
    if times is not None and times.size == n_values:
        return times.ravel().astype(np.float64)
    if start is None or interval is None or not start.size == interval.size == 1:
        return None
    return float(start.item()) + float(interval.item()) * np.arange(n_values)


@contextmanager
def open_mat(path: Path, names: Sequence[str], axes: str | None) -> Iterator[Movie]:
    """Open a variable of a MAT file as a movie, the only one of three axes if `names` is empty.

    Two names are U and SVT (see `mesodecode.sources.svd`). `axes` are those that MATLAB shows.
    """
    if len(names) < 2 and is_v73(path):
        with hdf5.open_hdf5(path, names, axes, USUAL, turned=True) as movie:
            yield movie
        return
    shapes = held(path)
    chosen = [hdf5.choose(shapes, name, path, "movie_dataset") for name in names or [None]]
    arrays = read_mat(path, chosen)
    if len(chosen) == 2:
        from mesodecode.sources.svd import SvdMovie

        yield SvdMovie(path, *(arrays[name] for name in chosen))
        return
    array = arrays[chosen[0]]
    taken = axes_of(array.shape, axes, USUAL, path)
    yield ArrayMovie(path, array.dtype, taken, array.__getitem__, 1)  # it is in memory
