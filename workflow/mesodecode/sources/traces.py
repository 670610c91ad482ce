"""One-dimensional data of a session by name: MAT, HDF5, NPY, CSV/TSV and NWB files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mesodecode.files import UserError
from mesodecode.sources.arrays import Bouts, Variable
from mesodecode.sources.movie import check_opens

FORMATS = "MAT, HDF5 (.h5), CSV, TSV, NPY and NWB files, or a folder of NPY files"


def read_variables(
    path: str | Path, names: Sequence[str], run_label: str = "run"
) -> tuple[dict[str, Variable | Bouts], list[str]]:
    """Return those of `names` that a file has, and the names of all that it holds.

    By suffix: .mat (variables; STRUCT/FIELD), .h5, .hdf5 (datasets by path), .csv, .tsv (columns),
    .nwb (see `mesodecode.sources.nwb`), .npy (fields of a structured array; a plain vector is
    `labels` if of whole numbers or logicals, else `speed`) or a folder of NPY files, by their
    names without .npy. Raises UserError if it is none such, OSError if it cannot be opened.
    """
    path = Path(path)
    suffix, times = path.suffix.lower(), None
    if not path.is_dir():
        check_opens(path)
    if suffix == ".nwb":
        from mesodecode.sources import nwb

        return nwb.read_variables(path, names, run_label)
    if suffix in (".h5", ".hdf5", ".hdf"):
        from mesodecode.sources import hdf5

        with hdf5.open_file(path) as file:
            items = hdf5.datasets(file, path)
            asked = {name: items.get(name.strip("/")) for name in names}
            arrays = {k: hdf5.read_array(v, path) for k, v in asked.items() if v is not None}
            return _vectors(arrays, path), sorted(items)
    if suffix in (".csv", ".tsv"):
        from mesodecode.sources import table

        arrays = {name: item.read() for name, item in table.read_table(path).items()}
    elif path.is_dir():
        from mesodecode.sources import npy

        arrays = {file.stem: npy.load(file) for file in sorted(path.glob("*.npy"))}
    elif suffix == ".npy":
        from mesodecode.sources import npy

        array = npy.load(path)
        arrays = {"labels" if array.dtype.kind in "bui" else "speed": array}
        if array.dtype.names:
            arrays = {name: array[name] for name in array.dtype.names}
    elif suffix in (".mat", ""):
        from mesodecode.sources import mat

        arrays = mat.read_mat(path)
        times = {name: mat.times_of(arrays, name) for name in names if name in arrays}
    else:
        raise UserError(f"{path}: no known format; behaviour is read from {FORMATS}")
    asked = {name: arrays[name] for name in names if name in arrays}
    return _vectors(asked, path, times), sorted(arrays)


def _vectors(
    arrays: dict[str, np.ndarray], path: Path, times: dict[str, np.ndarray | None] | None = None
) -> dict[str, Variable | Bouts]:
    found: dict[str, Variable | Bouts] = {}
    for name, value in arrays.items():
        if value.size != max(value.shape, default=0):
            raise UserError(f"{path}: {name} has shape {value.shape}; needs one value a frame")
        found[name] = Variable(value.ravel(), (times or {}).get(name))
    return found


def finite(variable: np.ndarray, name: str, path: str | Path) -> np.ndarray:
    """Return numbers as they are. Raises UserError if they are text, NaN or infinite."""
    if variable.dtype.kind not in "buif":
        raise UserError(f"{path}: {name} holds text; needs numbers")
    bad = np.flatnonzero(~np.isfinite(variable))
    if bad.size:
        raise UserError(f"{path}: {name} is not finite in {bad.size} frames, the first {bad[0]}")
    return variable
