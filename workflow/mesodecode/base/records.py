"""Results of one job as one HDF5 file: arrays as datasets, everything else as attributes."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np

from mesodecode.base.files import UserError, atomic_path

Record = TypeVar("Record")


def write(record: Any, path: str | Path) -> None:
    """Write a dataclass to `path` (HDF5), whole or not at all."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        for name, value in asdict(record).items():
            if isinstance(value, np.ndarray):
                file[name] = value
            else:
                file.attrs[name] = value


def read(path: str | Path, record: type[Record], verb: str) -> Record:
    """Read a `record` that `mesodecode VERB` wrote. Raises UserError if the file is none."""
    try:
        with h5py.File(path) as file:
            content = {
                f.name: file[f.name][()] if f.name in file else _plain(file.attrs[f.name])
                for f in fields(record)
            }
    except FileNotFoundError:
        raise
    except (OSError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path}: not a file of `mesodecode {verb}` ({reason}); make it again"
        ) from error
    return record(**content)


def _plain(value: Any) -> Any:
    """Return an attribute as it was before: HDF5 makes an array of a tuple of names."""
    return tuple(map(str, value)) if isinstance(value, np.ndarray) else value
