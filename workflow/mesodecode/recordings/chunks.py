"""Frames of a recording, chunk by chunk beside HDF5: several threads, and a faster deflate.

HDF5 inflates one chunk after the other, under one lock, by zlib. The files are the same: shuffled
bytes and a zlib stream a chunk, which every HDF5 library reads. libdeflate, of imagecodecs, makes
and reads them (benchmarks/compression.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import imagecodecs
import numpy as np

from mesodecode.base.files import UserError, one_line

CHUNK = 512 << 10  # bytes of a chunk, about
FILTERS = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
_PIECE = 1024  # bytes, of the pieces by which it is told whether a plane can be compressed
_STORED = 65535  # bytes of a stored block of deflate, at most
_SHIFTED = 2, 4  # bytes of values whose bytes are set apart faster by shifts than one by one
UNREADABLE = imagecodecs.DeflateError, ValueError, OSError  # what a damaged chunk raises


def threads() -> int:
    """Return how many threads this job may use: as it was told, else one a core."""
    told = os.environ.get("OMP_NUM_THREADS", "")  # set by Snakemake, too
    return int(told) if told.isdigit() and int(told) else _cores()


def _cores() -> int:
    """Return the cores that this process may run on: all, where a system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def readable(path: str | Path, which: str = "its frames") -> Iterator[None]:
    """Turn HDF5's refusal of damaged frames, which names no file, into a UserError."""
    try:
        yield
    except OSError as error:
        if error.errno:  # a disk's or a path's, which name themselves
            raise
        raise _damaged(path, which, one_line(error)) from error


def _damaged(path: str | Path, which: str, why: str) -> UserError:
    return UserError(
        f"{path}: {which} cannot be read ({why}): damaged on the disk, or by a copy; delete it, "
        "and the workflow makes it again"
    )


def read_frames(path: str | Path, start: int = 0, stop: int | None = None) -> np.ndarray:
    """Return frames start…stop of a recording (n, H, W) in their own type, as h5py's slice does.

    What is chunked or filtered in another way than `Writer` does is left to HDF5. Raises UserError
    if they are damaged.
    """
    with readable(path), h5py.File(path) as file:
        data = file["frames"]
        start, stop, _ = slice(start, stop).indices(len(data))
        found = _planes_of(path, data, start, stop)
        if found is None:
            return data[start:stop]
        out = np.empty((stop - start, *data.shape[1:]), data.dtype)

    def put(i: int, planes: np.ndarray) -> None:
        frames, at = _frames(planes, found), found.first + i * found.step
        begin, end = max(at, start), min(at + found.step, stop)
        out[begin - start : end - start] = frames[begin - at : end - at]

    try:
        found.read(put)
    except UNREADABLE:
        with readable(path), h5py.File(path) as file:
            return file["frames"][start:stop]
    return out


@dataclass(frozen=True)
class Planes:
    """The chunks of a movie as they are stored: inflated, not yet put together.

    A chunk of `step` frames is the first bytes of all its values, then the second ones, and so on:
    uint8 (bytes of a value, step * H * W). `shape`: of a frame; `first`: frame of the first chunk.
    """

    path: str | Path
    places: Sequence[tuple[int, int]]  # offset and size of each chunk in the file, bytes
    first: int
    step: int
    shape: tuple[int, int]
    dtype: np.dtype

    def __len__(self) -> int:
        return len(self.places)

    @property
    def chunk(self) -> tuple[int, int]:
        """Bytes of a value, and values of a chunk."""
        return self.dtype.itemsize, self.step * int(np.prod(self.shape))

    def read(self, put: Callable[[int, np.ndarray], None]) -> None:
        """Give each chunk's number and planes to `put`, from several threads, in any order.

        Raises UNREADABLE, and UserError if a chunk is too short.
        """
        self._each(range(len(self)), lambda i: np.empty(self.chunk, np.uint8), put)

    def fill(self, out: np.ndarray, start: int) -> None:
        """Put the chunks from number `start` on into `out` (n, *chunk) uint8. Raises UNREADABLE."""
        which = range(start, start + len(out))
        self._each(which, lambda i: out[i - start], lambda *_: None)

    def _each(
        self,
        which: Sequence[int],
        place: Callable[[int], np.ndarray],
        put: Callable[[int, np.ndarray], None],
    ) -> None:
        handle = os.open(self.path, os.O_RDONLY)

        def read(i: int) -> None:
            planes, (offset, size) = place(i), self.places[i]
            chunk = os.pread(handle, size, offset)
            if len(imagecodecs.deflate_decode(chunk, out=planes.reshape(-1))) != planes.size:
                # of which HDF5 would make frames of whatever was in memory
                raise _damaged(self.path, "its frames", "a chunk of fewer bytes")
            put(i, planes)

        try:
            for _ in each(read, which):
                pass
        finally:
            os.close(handle)


def planes_of(path: str | Path) -> Planes | None:
    """Return the chunks of a movie; None if they are not as `Writer` makes them."""
    with readable(path), h5py.File(path) as file:
        data = file["frames"]
        return _planes_of(path, data, 0, len(data))


class Writer:
    """Writes a movie (T, H, W) to the dataset `frames` of a file, a block of frames after another.

    Use as a context manager: the last chunk is written at its end.
    """

    def __init__(self, file: h5py.File, shape: tuple[int, int, int], dtype: np.dtype) -> None:
        dtype = np.dtype(dtype).newbyteorder("=")
        step = min(shape[0], max(1, CHUNK // (shape[1] * shape[2] * dtype.itemsize)))
        chunks = (step, *shape[1:])
        self._data = file.create_dataset("frames", shape, dtype, chunks=chunks, **FILTERS)
        self._rest, self._written = np.empty((0, *shape[1:]), dtype), 0

    def write(self, block: np.ndarray) -> None:
        """Add frames (n, H, W) at the end."""
        frames, step = block.astype(self._rest.dtype, copy=False), self._data.chunks[0]
        if len(self._rest):
            missing = step - len(self._rest)
            self._rest = np.concatenate((self._rest, frames[:missing]))
            frames = frames[missing:]
            if len(self._rest) < step:
                return
            self._store(self._rest)
        whole = len(frames) - len(frames) % step
        self._store(frames[:whole])
        self._rest = frames[whole:].copy()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type | None, *_: Any) -> None:
        if kind is None and len(self._rest):
            last = np.zeros(self._data.chunks, self._rest.dtype)
            last[: len(self._rest)] = self._rest
            self._store(last)

    def _store(self, frames: np.ndarray) -> None:
        step = self._data.chunks[0]
        starts = range(0, len(frames), step)
        made = each(lambda i: _deflated(frames[i : i + step]), starts)
        for start, chunk in zip(starts, made, strict=True):
            self._data.id.write_direct_chunk((self._written + start, 0, 0), chunk)
        self._written += len(frames)


def each(work: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
    """Yield what `work` makes of each item, made by several threads, in order."""
    n = min(threads(), len(items))
    if n < 2:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(n) as pool:
        yield from pool.map(work, items)


def ahead(items: Iterator[Any]) -> Iterator[Any]:
    """Yield items, of which the next is made by another thread while one is looked at.

    Where this job has one thread, all is done in turn.
    """
    if threads() < 2:
        yield from items
        return
    done = object()
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, items, done)
        while (item := following.result()) is not done:
            following = pool.submit(next, items, done)
            yield item


def _planes_of(path: str | Path, data: h5py.Dataset, start: int, stop: int) -> Planes | None:
    """Return the chunks with frames start…stop; None if they are not as `Writer` makes them."""
    dtype, plist = data.dtype, data.id.get_create_plist()
    filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    plain = dtype.kind in "buif" and dtype.isnative
    if filters != [h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE] or not plain:
        return None
    if data.chunks[1:] != data.shape[1:] or data.file.userblock_size or stop <= start:
        return None
    step = data.chunks[0]
    first = start - start % step
    infos = [data.id.get_chunk_info_by_coord((at, 0, 0)) for at in range(first, stop, step)]
    if any(info.byte_offset is None or info.filter_mask for info in infos):
        return None
    places = [(info.byte_offset, info.size) for info in infos]
    return Planes(path, places, first, step, data.shape[1:], dtype)


def _frames(planes: np.ndarray, of: Planes) -> np.ndarray:
    """Return the frames (step, H, W) of a chunk's planes."""
    values = np.empty((of.step, *of.shape), of.dtype)
    if of.dtype.itemsize in _SHIFTED:
        whole = values.reshape(-1).view(f"<u{of.dtype.itemsize}")
        whole[:] = planes[-1]
        for plane in planes[-2::-1]:
            whole <<= 8
            whole |= plane
        return values
    by_byte = values.reshape(-1).view(np.uint8).reshape(-1, of.dtype.itemsize)
    for i, plane in enumerate(planes):
        by_byte[:, i] = plane
    return values


def _deflated(frames: np.ndarray) -> bytes:
    """Return a chunk's shuffled bytes as a zlib stream.

    The lower bytes of a camera's counts are noise, which no deflate makes much smaller: such planes
    are stored as they are, which saves most of the time, here and when they are read.
    """
    values = np.ascontiguousarray(frames)
    planes = _planes(values.reshape(-1))
    n_stored = 0
    while n_stored < len(planes) - 1 and _is_noise(planes[n_stored]):
        n_stored += 1
    stream = [b"\x78\x01"]
    for start in range(0, n_stored * planes.shape[1], _STORED):
        part = planes[:n_stored].reshape(-1)[start : start + _STORED]
        size = len(part)
        stream += [b"\0", size.to_bytes(2, "little"), (_STORED - size).to_bytes(2, "little"), part]
    stream.append(imagecodecs.deflate_encode(planes[n_stored:], level=1, raw=True))
    stream.append(imagecodecs.deflate_adler32(planes).to_bytes(4, "big"))
    return b"".join(stream)


def _planes(values: np.ndarray) -> np.ndarray:
    """Return the first bytes of all values (n,), then the second ones, and so on (bytes, n)."""
    size = values.dtype.itemsize
    if size not in _SHIFTED:
        return np.ascontiguousarray(values.view(np.uint8).reshape(-1, size).T)
    planes, whole = np.empty((size, len(values)), np.uint8), values.view(f"<u{size}")
    for i, plane in enumerate(planes):
        np.right_shift(whole, 8 * i, out=plane, casting="unsafe")
    return planes


def _is_noise(plane: np.ndarray) -> bool:
    """Whether deflate would save less than a tenth of a plane, told by pieces all over it."""
    starts = np.linspace(0, max(0, len(plane) - _PIECE), 8, dtype=int)  # other rows of each frame
    part = np.concatenate([plane[start : start + _PIECE] for start in starts])
    return len(imagecodecs.deflate_encode(part, level=1, raw=True)) > 0.9 * len(part)
