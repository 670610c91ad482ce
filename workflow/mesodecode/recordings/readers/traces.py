"""One-dimensional data of a session by name: MAT, HDF5, NPY, CSV/TSV and NWB files."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError
from mesodecode.recordings.movie import check_opens
from mesodecode.recordings.readers import by_name
from mesodecode.recordings.readers.arrays import Bouts, Held, Unreadable, Variable
from mesodecode.study import file_formats

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.IGNORECASE)
DATE = r"\d{4}-\d{2}-\d{2}|\d{1,2}:\d{2}:\d{2}"


def read_variables(
    path: str | Path, names: Sequence[str], run_label: str | None = "run"
) -> tuple[dict[str, Variable | Bouts | Unreadable], list[str]]:
    """Return those of `names` that a file has, and what it holds, for a list.

    By suffix: .mat (variables; STRUCT/FIELD), .h5, .hdf5 (datasets by path; TABLE/FIELD), .csv,
    .tsv (columns), .nwb (see `nwb`), .npy (fields of a structured array; a plain
    vector is `labels` if of whole numbers, logicals or words, else `speed`; a matrix is `data`) or
    a folder of NPY files, by their names without .npy. NAME:2 is the second column of a matrix (or
    row: samples are along its longer axis).

    What is there and cannot be read as a value a sample is returned as such. Raises UserError if
    the file is none of these, OSError if it cannot be opened.
    """
    path = Path(path)
    known = _format(path)
    if known == "HDF5":
        from mesodecode.recordings.readers import wavesurfer as reader
    else:
        reader = by_name.reader(known)
    if "intervals" in file_formats.BY_NAME[known].gives:
        return reader.read_variables(path, names, run_label)
    with reader.holding(path) as held:
        found = {}
        for name in names:
            item, column = named(held, name)
            if item is not None:
                found[name] = vector(item, name, column)
        return found, _without_header(held, known) or listed(held)


def _format(path: Path) -> str:
    """Return the name of a format. Raises UserError if behaviour is not read from such a file."""
    if path.is_dir():
        if any((path / mark).is_file() for mark in ("zarr.json", ".zgroup")):
            raise UserError(
                f"{path}: behaviour is not read from Zarr; it is read from "
                f"{file_formats.listed('traces')}, or a folder of NPY files"
            )
        return "NPY"
    check_opens(path)
    if path.suffix.lower() in ("", ".smrx"):  # the reader says why not .smrx
        return "Spike2" if path.suffix else "MAT"
    known = file_formats.format_of(path, "traces")
    if known is None:
        raise file_formats.unknown(path, "traces", "behaviour is")
    return known


def named(held: dict[str, Held], name: str) -> tuple[Held | None, int | None]:
    """Return what `name` is that of, and the column (from 1) that NAME:2 asks for."""
    whole = name if name in held else name.strip("/")  # columns of LabVIEW begin with one
    match = re.fullmatch(r"(.+):([1-9]\d*)", whole)
    if whole not in held and match:
        return held.get(match[1]), int(match[2])
    return held.get(whole), None


def _without_header(held: dict[str, Held], known: str) -> list[str]:
    """Return what to say in place of a list, where the first line of a table names no columns."""
    data = all(NUMBER.fullmatch(name) or re.match(DATE, name) for name in held)
    if known != "table" or not held or not data:
        return []
    return [f"no header (its first line: {', '.join(held)}): write the columns' names above it"]


def listed(held: dict[str, Held]) -> list[str]:
    """Return the names of variables for a list, with a word on those that are no vectors."""
    shown = sorted((name, item.note) for name, item in held.items() if item.note is not None)
    return [f"{name} ({note})" if note else name for name, note in shown]


def vector(item: Held, name: str, column: int | None) -> Variable | Unreadable:
    """Read an array as one value a sample: whole if it is a vector, else its `column`."""
    value = item.read()
    if isinstance(value, Unreadable):
        return value
    if value.size == 0:
        return Unreadable("is empty", empty=True)
    if value.dtype.kind == "S":
        value = np.char.decode(value, "utf-8", "replace")
    if column is not None:
        value = _column(value, column)
        if isinstance(value, Unreadable):
            return value
    elif value.size != max(value.shape, default=1):
        words = f"needs one value a frame (of a matrix, {name}:2 is the second column)"
        if value.ndim == 2 and 2 in value.shape:
            words += f"; of intervals of run set behavior_time: {name}:1, behavior_stop: {name}:2"
        return Unreadable(f"has shape {value.shape}; {words}")
    times = None if item.times is None else item.times(value.size)
    return Variable(value.ravel(), times, item.unit)


def _column(value: np.ndarray, column: int) -> np.ndarray | Unreadable:
    """Return a column (from 1) of an array whose longer axis is that of samples."""
    matrix = value if value.ndim == 2 else np.squeeze(value)
    shape = " x ".join(map(str, value.shape))
    if matrix.ndim > 2 or (matrix.ndim == 2 and 1 < matrix.shape[0] == matrix.shape[1]):
        return Unreadable(f"cannot be told from {shape} values; save it as a vector")
    matrix = matrix.reshape(-1, 1) if matrix.ndim < 2 else matrix
    matrix = matrix.T if matrix.shape[0] < matrix.shape[1] else matrix
    if column > matrix.shape[1]:
        return Unreadable(f"is not there: {shape} values are {matrix.shape[1]} columns")
    return matrix[:, column - 1]


def bracketed(name: str) -> str:
    """Return the unit in a name of a column, "pupil (mm)" or "pupil [mm]"; "" if there is none."""
    found = re.search(r"[(\[]([^()\[\]]+)[)\]]$", name)
    return found[1].strip() if found else ""


def finite(variable: np.ndarray, name: str, path: str | Path) -> np.ndarray:
    """Return numbers as they are. Raises UserError if they are text, NaN or infinite."""
    if variable.dtype.kind not in "buif":
        text = [str(value) for value in variable[:100_000]]
        bad = next((i for i, value in enumerate(text) if not NUMBER.fullmatch(value)), 0)
        raise UserError(
            f"{path}: {name} holds text; needs numbers ('{text[bad][:40]}' at sample {bad})"
        )
    bad = np.flatnonzero(~np.isfinite(variable))
    if bad.size:
        raise UserError(
            f"{path}: {name} is not finite in {bad.size} of {len(variable)} samples, "
            f"the first {bad[0]}, from 0: write what it was there, or cut them out (of the movie "
            "too, where it has a value a frame)"
        )
    return variable
