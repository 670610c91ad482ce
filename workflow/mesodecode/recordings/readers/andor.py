"""Andor's files: .sif, and folders that Solis spools to, through sif-parser."""

import re
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mesodecode.base.files import UserError, refused
from mesodecode.recordings.axes import Asked, Axes
from mesodecode.recordings.movie import ArrayMovie
from mesodecode.recordings.readers import mapped
from mesodecode.study import file_formats

# What spooled pixels are called, and their type.
_ENCODINGS = {"Mono16": np.dtype("<u2"), "Mono32": np.dtype("<u4")}


def open_movie(path: Path, asked: Asked) -> AbstractContextManager[ArrayMovie]:
    """Open a .sif file or, by its .sifx file, a folder of spooled files as a movie."""
    if path.suffix.lower() == ".sifx":
        path = path.parent
    return _spooled(path) if path.is_dir() else _sif(path)


@contextmanager
def _sif(path: Path) -> Iterator[ArrayMovie]:
    """Open a .sif file as a movie, float32 as it holds them, with its time stamps."""
    import sif_parser

    with (
        refused(path, "not a readable file of Andor", "; truncated?"),
        warnings.catch_warnings(action="ignore"),
    ):
        array, about = sif_parser.np_open(str(path), lazy="memmap")
    shape, offset = array.shape, array.offset
    del array
    read = mapped.reader(path, np.dtype("<f4"), shape, offset)
    movie = ArrayMovie(path, np.dtype("<f4"), Axes("TYX", "the file", shape), read)
    movie.time = _times(about, shape[0])
    yield movie


def _times(about: dict[str, Any], n_frames: int) -> np.ndarray | None:
    """Return the time of each frame in s, None where the file has none.

    They are microseconds of 32 bits, which begin again after 71 minutes.
    """
    ticks = np.array([about[f"timestamp_of_{i}"] for i in range(n_frames)], np.int64)
    ticks = ticks + (np.cumsum(np.diff(ticks, prepend=ticks[:1]) < 0) << 32)
    return ticks / 1e6 if (np.diff(ticks) > 0).all() and n_frames > 1 else None


@contextmanager
def _spooled(folder: Path) -> Iterator[ArrayMovie]:
    """Open a folder of spooled files as a movie.

    The .ini file has the size of an image and of its lines, which may be padded; the .sifx file,
    how many frames were taken: the last file may have room for more. Files are numbered by digits
    in reverse, 1000000000spool.dat is the second.
    """
    files = sorted(folder.glob("*spool.dat"), key=_number)
    about = _ini(folder)
    if not files:
        raise UserError(f"{folder}: spooled by Andor's Solis, but without a file …spool.dat")
    n_frames = _count(folder)
    encoding = about.get("PixelEncoding", "none")
    if encoding not in _ENCODINGS:
        raise UserError(
            f"{folder}: spooled pixels of type {encoding}; read are {' and '.join(_ENCODINGS)}; "
            "let Solis write .sif or TIFF files of them"
        )
    dtype = _ENCODINGS[encoding]
    height, width, stride, size = (
        int(about[key]) for key in ("AOIHeight", "AOIWidth", "AOIStride", "ImageSizeBytes")
    )
    held = [file.stat().st_size // size for file in files]
    if sum(held) < n_frames:
        raise UserError(
            f"{folder}: {n_frames} frames were spooled, but {len(files)} files hold {sum(held)}; "
            "is one not there?"
        )
    starts = np.cumsum([0, *held])
    images = [
        mapped.reader(file, np.dtype("u1"), (n, size)) for file, n in zip(files, held, strict=True)
    ]

    def read(index: tuple[slice, ...]) -> np.ndarray:
        numbers, parts = range(n_frames)[index[0]], []
        for first, n, image in zip(starts, held, images, strict=False):
            low, high = max(numbers.start - first, 0), min(numbers.stop - first, n)
            if low < high:
                lines = image((slice(low, high), slice(None)))[:, : height * stride]
                lines = lines.reshape(high - low, height, stride)[..., : width * dtype.itemsize]
                parts.append(np.ascontiguousarray(lines).view(dtype))
        return np.concatenate(parts)

    yield ArrayMovie(folder, dtype, Axes("TYX", "the file", (n_frames, height, width)), read)


def _number(file: Path) -> int:
    return int(re.sub(r"\D", "", file.stem)[::-1] or 0)


def _ini(folder: Path) -> dict[str, str]:
    found = sorted(folder.glob("*.ini"))
    text = found[0].read_text(encoding="utf-8-sig", errors="replace") if found else ""
    about = dict(re.findall(r"^\s*(\w+)\s*=\s*(\S+)\s*$", text, re.MULTILINE))
    missing = {"AOIHeight", "AOIWidth", "AOIStride", "ImageSizeBytes"} - about.keys()
    if missing:
        raise UserError(
            f"{folder}: spooled by Andor's Solis, but without {', '.join(sorted(missing))} in an "
            ".ini file (acquisitionmetadata.ini); copy the whole folder"
        )
    return about


def _count(folder: Path) -> int:
    """Return how many frames the .sifx file of a folder says."""
    import sif_parser

    (file, *_) = sorted(folder.glob(file_formats.SPOOLED))
    with (
        refused(file, "not a readable file of Andor"),
        warnings.catch_warnings(action="ignore"),  # it has no frames itself
    ):
        return int(sif_parser.np_open(str(file), ignore_corrupt=True)[1]["NumberOfFrames"])
