"""NPY files, mapped into memory part by part; objects in them are never unpickled."""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError, check_memory, one_line
from mesodecode.recordings.axes import Asked, axes_of
from mesodecode.recordings.movie import ArrayMovie, Movie, check_opens
from mesodecode.recordings.readers import mapped, pixels
from mesodecode.recordings.readers.arrays import Held, note_of

IDENTIFIER = r"\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


@contextmanager
def open_movie(path: Path, asked: Asked) -> Iterator[Movie]:
    """Open the array of an NPY file as a movie."""
    array = load(path, whole=False)
    turned = not array.flags.c_contiguous  # columns first: the same as rows first, axes reversed
    seen, stored = array.shape, array.shape[::-1] if turned else array.shape
    dtype, read = array.dtype, mapped.reader(path, array.dtype, stored, array.offset)
    del array
    if places := pixels.asked_for(asked, "X", path):
        yield pixels.PixelsMovie(path, dtype, seen, places, asked.axes, read, turned=turned)
        return
    yield ArrayMovie(path, dtype, axes_of(seen, asked.axes, "TYX", path), read, turned=turned)


@contextmanager
def open_components(files: Sequence[Path], asked: Asked) -> Iterator[Movie | None]:
    """Open two files as U and SVT (see `svd`); None if the second holds no SVT.

    The size of U (pixels, K) may be that of frames_average.npy beside it, as wfield has it.
    """
    u, svt = (load(file, whole=False) for file in files)
    if svt.ndim != 2:
        yield None
        return
    from mesodecode.recordings.readers.svd import SvdMovie

    places = pixels.asked_for(asked, "X", files[0])
    average = files[0].with_name("frames_average.npy")
    if u.ndim == 2 and places is None and average.is_file():
        size = load(average, whole=False).shape[-2:]
        if math.prod(size) in u.shape:
            places = pixels.placed_in(np.ones(size, bool), "X", average.name)
    yield SvdMovie(files[0], u, svt, asked.axes, places)


def load(path: str | Path, *, whole: bool = True) -> np.ndarray:
    """Return the array of an NPY file. Raises UserError if it is none, or holds pickled objects."""
    check_opens(path)
    try:
        # Mapped, a header that promises more than the file has is told before memory is taken.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        size = array.nbytes
    except MemoryError:
        raise
    except Exception as error:  # of damaged headers, numpy raises more than its own kind
        why = "Object arrays are not read" if "Python objects" in str(error) else one_line(error)
        raise UserError(f"{path}: not a readable NPY file of numbers ({why})") from error
    if not whole:
        return array
    check_memory(size, path, "its array")
    return np.array(array)


def _of_folder(file: Path) -> np.ndarray:
    array = load(file)
    return time_stamps(array) if ".times" in file.name else array


def time_stamps(array: np.ndarray) -> np.ndarray:
    """Return the time stamp of each sample, as ALF keeps those of regular ones in a few rows.

    Rows of sample and time, from sample 0 on, stand for what lies between them too; anything else
    is returned as it is (Rossant et al., "ALF", International Brain Laboratory).
    """
    if (
        array.ndim != 2
        or array.shape[1] != 2
        or array.shape[0] < 2
        or array.dtype.kind not in "uif"
    ):
        return array
    at = array[:, 0].astype(np.float64)
    if at[0] != 0 or (at != np.rint(at)).any() or (np.diff(at) <= 0).any():
        return array
    return np.interp(np.arange(at[-1] + 1), at, array[:, 1])


@contextmanager
def holding(path: Path) -> Iterator[dict[str, Held]]:
    """Hold the arrays of a folder of NPY files by name, or of a file by its fields.

    A plain vector is `labels` if of whole numbers, logicals or words, else `speed`; a matrix is
    `data`. In a folder, time stamps are as ALF keeps them (see `time_stamps`), and the identifiers
    of ONE at the ends of names are left out.
    """
    if path.is_dir():
        files = {re.sub(IDENTIFIER, "", file.stem): file for file in sorted(path.glob("*.npy"))}
        yield {name: Held(partial(_of_folder, file)) for name, file in files.items()}
        return
    array = load(path)
    if array.dtype.names:
        yield {name: Held(partial(array.__getitem__, name)) for name in array.dtype.names}
        return
    note = note_of(array.shape)
    name = "data" if note else "labels" if array.dtype.kind in "buiUS" else "speed"
    yield {name: Held(lambda: array, note=note)}
