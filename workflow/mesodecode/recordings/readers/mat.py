"""Variables of MAT files: v7.3, which is HDF5 and read block by block, and v5, read whole."""

import math
import os
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from mesodecode.base.files import check_memory, refused
from mesodecode.recordings.axes import Asked, axes_of
from mesodecode.recordings.movie import ArrayMovie, Movie
from mesodecode.recordings.readers import hdf5, pixels
from mesodecode.recordings.readers.arrays import EMPTY, Held, Unreadable, note_of, unreadable

COMPRESSED = 15  # type of a variable of version 5
BYTES_V4 = dict(enumerate((8, 4, 4, 2, 2, 1)))  # of a number of each type of version 4
OBJECT = 0xDD000000  # with which the numbers that stand for an object begin
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
    return {
        k: v
        for k, v in _read_v5(path).items()
        if isinstance(v, np.ndarray) and v.dtype.kind in "buif" and (names is None or k in names)
    }


def held(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the numeric variables of a MAT file."""
    if is_v73(path):
        with hdf5.open_file(path) as file:
            return {name: item.shape[::-1] for name, item in hdf5.datasets(file, path).items()}
    return {name: value.shape for name, value in read_mat(path).items()}


@contextmanager
def holding(path: str | Path) -> Iterator[dict[str, Held]]:
    """Open a MAT file for its variables: numbers, words (char, cells of them), and all others.

    Arrays have the shape that MATLAB shows; a field of a struct is named STRUCT/FIELD. Objects of
    classes (categorical, string, table) are there as what cannot be read.
    """
    if is_v73(path):
        with hdf5.open_file(path) as file:
            items = hdf5.walk(file, path)
            yield _timed({name: _of_v73(name, item, file, path) for name, item in items.items()})
        return
    found = {}
    for name, value in _read_v5(path).items():
        if isinstance(value, Held):
            found[name] = value
        elif value.size == 0:
            found[name] = EMPTY
        else:
            note = note_of(value.shape) or ("" if value.dtype.kind in "buif" else "text")
            found[name] = Held(lambda value=value: value, note=note)
    yield _timed(found)


def _timed(held: dict[str, Held]) -> dict[str, Held]:
    """Give the channels that Spike2 exported their times and units.

    Such a channel is a struct: `values` or `level`, beside `units` and `times` of each or `start`
    and `interval` (CED, "Exporting as MATLAB data").
    """

    def times(channel: str, n_values: int) -> np.ndarray | None:
        beside = {
            key: held.get(f"{channel}/{key}", EMPTY) for key in ("times", "start", "interval")
        }
        each, start, interval = (item.read() for item in beside.values())
        if isinstance(each, np.ndarray) and each.size == n_values:
            return each.ravel().astype(np.float64)
        if isinstance(start, Unreadable) or isinstance(interval, Unreadable):
            return None
        if not start.size == interval.size == 1:
            return None
        return float(start.item()) + float(interval.item()) * np.arange(n_values)

    def unit(channel: str) -> str | None:
        word = held.get(f"{channel}/units", EMPTY).read()
        text = isinstance(word, np.ndarray) and word.size == 1 and word.dtype.kind in "UO"
        return (str(word.item()).strip() or None) if text else None

    found = dict(held)
    for name, item in held.items():
        channel, _, field = name.rpartition("/")
        if channel and field in ("values", "level"):
            found[name] = replace(item, times=partial(times, channel), unit=unit(channel))
    return found


def _object(name: str, kind: str) -> Held:
    """Return an object of a MATLAB class, with the line of MATLAB that saves it otherwise."""
    save = {
        "categorical": f'{name} = double({name} == "run")',
        "string": f'{name} = double({name} == "run")',
        "datetime": f"{name} = posixtime({name})",
        "duration": f"{name} = seconds({name})",
        "table": f"{name} = table2struct({name}, 'ToScalar', true)",
        "timetable": f"{name} = table2struct(timetable2table({name}), 'ToScalar', true)",
        "function_handle": None,
    }.get(kind, f"{name} as numbers")
    hint = f"; in MATLAB: {save}; and save again" if save else ""
    return unreadable(f"is an object of class {kind}, which only MATLAB can read{hint}", kind)


# --- version 5 ---------------------------------------------------------------------------------


def _read_v5(path: str | Path) -> dict[str, np.ndarray | Held]:
    """Return arrays of numbers or words, and as what is held what can be read as neither."""
    import scipy.io
    from scipy.io.matlab import MatlabOpaque, MatReadWarning

    with refused(path, "not a readable MAT file"):
        with warnings.catch_warnings(action="ignore", category=MatReadWarning):  # of objects, below
            check_memory(_bytes_v5(path), path, "all in it")
            variables = scipy.io.loadmat(path, squeeze_me=False)
        objects = [value for value in variables.values() if isinstance(value, MatlabOpaque)]
        if objects:  # all of them have one name in scipy, under which the last is found
            objects = _objects_v5(path)
    found: dict[str, np.ndarray | Held] = {}
    for name, value in variables.items():
        if not name.startswith("__") and not isinstance(value, MatlabOpaque):
            _add_v5(found, name, value)
    for item in objects:
        name, kind = (item[key].item().decode("latin-1") for key in ("s0", "s2"))
        found[name] = _object(name, kind)
    return found


def _bytes_v5(path: str | Path) -> int:
    """Return the bytes that a file takes as its variables say, with all that is in them.

    A variable begins with its size. A compressed one has the size that it unpacks to inside, as
    the first that is unpacked ("MAT-File Format", The MathWorks, tables 1-1 and 1-2).
    """
    with open(path, "rb") as file:
        order = {b"IM": "<II", b"MI": ">II"}.get(file.read(128)[126:])
        if order is None:
            return _bytes_v4(file)
        total, end = 0, os.fstat(file.fileno()).st_size
        while len(tag := file.read(8)) == 8:
            kind, size = struct.unpack(order, tag)
            following = min(file.tell() + size, end)
            if kind == COMPRESSED:
                start = zlib.decompressobj().decompress(file.read(min(size, 4096)), 8)
                total += struct.unpack(order, start)[1] if len(start) == 8 else 0
            else:
                total += following - file.tell()
            file.seek(following)
    return total


def _bytes_v4(file: BinaryIO) -> int:
    """Return the bytes that the variables of a file of version 4 take, as their heads say.

    A head is five numbers: MOPT, of whose digits the tens are the type, rows, columns, whether
    numbers are complex, and the length of the name ("MAT-File Format", The MathWorks, chapter 2).
    """
    file.seek(0)
    first = struct.unpack("<i", file.read(4).ljust(4, b"\0"))[0]
    order = "<5i" if 0 <= first <= 5000 else ">5i"
    total, end = 0, os.fstat(file.fileno()).st_size
    file.seek(0)
    while len(head := file.read(20)) == 20:
        kind, rows, columns, is_complex, name = struct.unpack(order, head)
        if not (0 <= kind <= 5000 and name > 0):  # no head: what it is, SciPy says
            break
        each = BYTES_V4.get(kind // 10 % 10, 0) * (1 + (is_complex == 1))
        takes = each * max(rows, 0) * max(columns, 0)
        total += takes
        file.seek(min(file.tell() + name + takes, end))
    return total


def _objects_v5(path: str | Path) -> list[np.ndarray]:
    import scipy.io
    from scipy.io.matlab import MatlabOpaque, varmats_from_mat

    found = []
    with open(path, "rb") as file:
        for _, part in varmats_from_mat(file):  # one at a time is unpacked
            found += [v for v in scipy.io.loadmat(part).values() if isinstance(v, MatlabOpaque)]
    return found


def _add_v5(found: dict[str, np.ndarray | Held], name: str, value: object) -> None:
    """Add a variable, and the fields of a struct, to what is found."""
    from scipy.io.matlab import MatlabFunction, MatlabOpaque

    if isinstance(value, MatlabOpaque):
        found[name] = _object(name, value["s2"].item().decode("latin-1"))
    elif isinstance(value, MatlabFunction):
        found[name] = _object(name, "function_handle")
    elif not isinstance(value, np.ndarray):
        found[name] = unreadable(f"is sparse; in MATLAB: {name} = full({name})", "sparse")
    elif value.dtype.kind in "buif":
        found[name] = value
    elif value.dtype.kind == "U":
        found[name] = np.char.rstrip(value)
    elif value.dtype.names and value.size != 1:
        found[name] = unreadable(f"is an array of {value.size} structs", f"{value.size} structs")
    elif value.dtype.names:
        found[name] = unreadable(f"is a struct; name a field of it, {name}/…", None)
        for field in value.dtype.names:
            _add_v5(found, f"{name}/{field}", value[field].item())
    elif value.dtype.kind == "O":
        found[name] = _of_cells([_cell_v5(cell) for cell in value.flat], value.shape)
    else:
        found[name] = unreadable(f"is of type {value.dtype}", str(value.dtype))


def _cell_v5(cell: np.ndarray) -> str | float | None:
    if cell.dtype.kind == "U" and cell.size <= 1:
        return "".join(cell.ravel())
    return cell.item() if cell.dtype.kind in "buif" and cell.size == 1 else None


def _of_cells(values: list[str | float | None], shape: tuple[int, ...]) -> np.ndarray | Held:
    """Return cells, a word or a number each, as an array; None stands for anything else."""
    if None in values:
        which = f"cell {values.index(None) + 1}"
        return unreadable(f"is a cell array, and {which} of it neither a word nor a number", "cell")
    texts = any(isinstance(value, str) for value in values)
    array = np.array([str(v) for v in values], object) if texts else np.array(values, np.float64)
    return array.reshape(shape)


# --- version 7.3 -------------------------------------------------------------------------------


def _of_v73(name: str, item: h5py.Dataset | h5py.Group, file: h5py.File, path: str | Path) -> Held:
    kind = hdf5.text_of(item, "MATLAB_class")
    if _is_object(item):
        return _object(name, kind)
    if "MATLAB_sparse" in item.attrs:
        return unreadable(f"is sparse; in MATLAB: {name} = full({name})", "sparse")
    if isinstance(item, h5py.Group):
        return unreadable(f"is a struct; name a field of it, {name}/…", None)
    if "MATLAB_empty" in item.attrs or not item.size:
        return EMPTY  # what is stored is its size, as numbers
    if kind == "char":
        return Held(lambda: _rows_of_char(hdf5.read_array(item, path)), note="text")
    if kind == "cell":
        return Held(lambda: _read_cells(item, file, path), note="cell")
    if item.dtype.kind in "buif":
        note = note_of(item.shape[::-1])
        return Held(lambda: hdf5.read_array(item, path).T, note=note)
    return unreadable("is a field of an array of structs", "structs")


def _is_object(item: h5py.Dataset | h5py.Group) -> bool:
    """Return whether numbers are those of an object: inside structs, only their first says so."""
    small = isinstance(item, h5py.Dataset) and item.dtype == "u4" and 5 < (item.size or 0) < 99
    return "MATLAB_object_decode" in item.attrs or bool(small and item[()].flat[0] == OBJECT)


def _rows_of_char(codes: np.ndarray) -> np.ndarray:
    """Return the rows (n,) of a char matrix, stored as its columns, without blanks at the end."""
    return np.array(["".join(map(chr, row)).rstrip() for row in np.atleast_2d(codes.T)], object)


def _read_cells(item: h5py.Dataset, file: h5py.File, path: str | Path) -> np.ndarray | Unreadable:
    def read(reference: h5py.Reference) -> str | float | None:
        cell = file[reference]
        if not isinstance(cell, h5py.Dataset) or _is_object(cell):
            return None
        empty = "MATLAB_empty" in cell.attrs
        if hdf5.text_of(cell, "MATLAB_class") == "char":
            rows = [""] if empty else _rows_of_char(hdf5.read_array(cell, path))
            return rows[0] if len(rows) == 1 else None
        one = cell.size == 1 and cell.dtype.kind in "buif" and not empty
        return hdf5.read_array(cell, path).item() if one else None

    cells = hdf5.read_array(item, path).T
    found = _of_cells([read(reference) for reference in cells.flat], cells.shape)
    return found.read() if isinstance(found, Held) else found


@contextmanager
def open_movie(path: Path, asked: Asked) -> Iterator[Movie]:
    """Open a variable of a MAT file as a movie, the only one of three axes if none is named.

    Two names are U and SVT (see `svd`). `asked.axes` are those that MATLAB shows. Of pixels x
    frames, the file may say the size in numbers R and C, rows and columns.
    """
    asked = _sized(path, asked)
    if is_v73(path):
        with hdf5.open_movie(path, asked, USUAL, turned=True) as movie:
            yield movie
        return
    places = pixels.asked_for(asked, "Y", path)
    arrays = read_mat(path)
    shapes = {name: array.shape for name, array in arrays.items()}
    n_pixels = len(places.where) if places else None
    chosen = [
        hdf5.choose(shapes, name, path, "movie_dataset", n_pixels)
        for name in asked.datasets or [None]
    ]
    if len(chosen) == 2:
        from mesodecode.recordings.readers.svd import SvdMovie

        yield SvdMovie(path, *(arrays[name] for name in chosen), asked.axes, places)
        return
    array = arrays[chosen[0]]
    arrays.clear()
    if places:
        read = array.__getitem__
        yield pixels.PixelsMovie(path, array.dtype, array.shape, places, asked.axes, read)
        return
    taken = axes_of(array.shape, asked.axes, USUAL, path)
    yield ArrayMovie(path, array.dtype, taken, array.__getitem__, 1)  # it is in memory


def _sized(path: Path, asked: Asked) -> Asked:
    """Return what is asked for, with the size of flat images that the file itself says."""
    if asked.shape is not None or asked.mask is not None or not asked.datasets:
        return asked
    shapes, name = held(path), asked.datasets[0].strip("/")
    if len(shapes.get(name, ())) != 2:
        return asked
    said = [value.ravel() for value in read_mat(path, ["R", "C"]).values()]
    if [value.size for value in said] != [1, 1]:
        return asked
    size = tuple(int(value[0]) for value in said)
    return replace(asked, shape=size) if math.prod(size) in shapes[name] else asked
