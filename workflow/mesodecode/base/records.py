"""Results of one job as one HDF5 file: arrays as datasets, everything else as attributes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np

from mesodecode.base.files import NO_FILE, UserError, atomic_path, one_line

Record = TypeVar("Record")


@contextmanager
def creating(path: str | Path) -> Iterator[h5py.File]:
    """Yield a new file (HDF5), which is there whole when the block ends, or not at all."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        yield file


@contextmanager
def reading(path: str | Path, what: str, verb: str) -> Iterator[h5py.File]:
    """Yield a file (HDF5) that `mesodecode VERB` wrote.

    Raises UserError if it is not `what` it should be: no HDF5 file, or without what is read of it.
    """
    try:
        with h5py.File(path) as file:
            yield file
    except NO_FILE:
        raise
    except (OSError, KeyError) as error:
        raise UserError(
            f"{path}: not {what} ({one_line(error)}); make it with `mesodecode {verb}`"
        ) from error


def put(group: h5py.Group, record: Any, *, single: bool = False) -> None:
    """Write a dataclass to a group; if `single`, real numbers of arrays as float32."""
    for field in fields(record):
        value = getattr(record, field.name)
        if not isinstance(value, np.ndarray):
            group.attrs[field.name] = value
        else:
            short = single and value.dtype.kind == "f"
            group[field.name] = value.astype("f4") if short else stored(value)


def take(group: h5py.Group, record: type[Record]) -> Record:
    """Read what `put` wrote. Raises KeyError for a field that is not there."""
    content = {
        f.name: restored(group[f.name][()]) if f.name in group else _plain(group.attrs[f.name])
        for f in fields(record)
    }
    return record(**content)


def write(record: Any, path: str | Path, *, single: bool = False) -> None:
    """Write a dataclass to a file of its own (see `put`)."""
    with creating(path) as file:
        put(file, record, single=single)


def read(path: str | Path, record: type[Record], verb: str) -> Record:
    """Read a `record` that `mesodecode VERB` wrote. Raises UserError if the file is none."""
    with reading(path, f"a file of `mesodecode {verb}`", verb) as file:
        return take(file, record)


def stored(value: np.ndarray) -> np.ndarray:
    """Return an array as HDF5 can hold it: words as bytes."""
    return np.char.encode(value, "utf-8") if value.dtype.kind == "U" else value


def restored(value: np.ndarray) -> np.ndarray:
    """Return an array as it was before `stored`."""
    return np.char.decode(value, "utf-8") if value.dtype.kind == "S" else value


def _plain(value: Any) -> Any:
    """Return an attribute as it was before: HDF5 makes arrays of tuples, numpy's of numbers."""
    if isinstance(value, np.ndarray):
        return tuple(map(str, value))
    return value.item() if isinstance(value, np.generic) else value
