"""A copy of a remote HDF5 file without some of its parts, of which only what is needed is fetched.

The record's digest is of the whole file: a copy of parts cannot be checked by it.
"""

import fnmatch
import io
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mesodecode.base.files import UserError, atomic_path, refused

BLOCK, KEPT = 1 << 20, 64  # bytes of a request, and how many of these are kept in memory
TIMEOUT = 60  # s without an answer
LEFT_OUT = "mesodecode_left_out"  # attribute of a copy: digest of the whole file, and patterns


class Ranges(io.RawIOBase):
    """A remote file, read block by block; `fetched` counts its bytes."""

    def __init__(self, url: str, size: int) -> None:
        import requests

        self._session, self._url, self._size, self._at = requests.Session(), url, size, 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self.fetched = 0

    def tell(self) -> int:
        """Return the place (bytes) that is read next."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place (bytes) and return it."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer from here on, and return how many bytes there were."""
        view, done = memoryview(buffer).cast("B"), 0
        while done < len(view) and self._at < self._size:
            block, start = divmod(self._at, BLOCK)
            part = self._block(block)[start : start + len(view) - done]
            view[done : done + len(part)] = part
            done += len(part)
            self._at += len(part)
        return done

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            self._blocks.move_to_end(number)
            return self._blocks[number]
        first, last = number * BLOCK, min((number + 1) * BLOCK, self._size) - 1
        headers = {"Range": f"bytes={first}-{last}", "Accept-Encoding": "identity"}
        answer = self._session.get(self._url, headers=headers, timeout=TIMEOUT)
        if answer.status_code != 206 or len(answer.content) != last - first + 1:
            raise OSError(f"{answer.status_code} for bytes {first} to {last}")
        self._blocks[number] = answer.content
        self.fetched += len(answer.content)
        if len(self._blocks) > KEPT:
            self._blocks.popitem(last=False)
        return answer.content


def copy(url: str, size: int, checksum: str, out: Path, without: Sequence[str]) -> int | None:
    """Copy a remote HDF5 file but for groups and datasets whose paths match patterns `without`.

    Returns how many bytes were fetched; None if that copy is there. `checksum` is that of the whole
    file. Raises UserError if it is no HDF5 file, nothing matches, something that stays refers to
    what is left out, the server gives no parts of files, or another file is there.
    """
    mark = " ".join([checksum, *sorted(without)])
    if out.exists():
        if _mark_of(out) == mark:
            return None
        raise UserError(f"{out}: is there, but is not this copy of the record's file; move it away")
    remote = Ranges(url, size)
    advice = "; is it HDF5, or NWB in HDF5? fetch it whole, without --without"
    with (
        refused(url, "cannot be read in parts", advice),
        atomic_path(out) as part,
        h5py.File(remote, "r") as source,
        h5py.File(part, "w") as target,
    ):
        left = list(_copy(source, target, [pattern.strip("/") for pattern in without]))
        if not left:
            raise UserError(
                f"{url}: nothing in it is called {' or '.join(without)}; it holds: "
                f"{', '.join(sorted(_paths(source)))}"
            )
        _refer(source, target, url)
        target.attrs[LEFT_OUT] = mark
    return remote.fetched


def _mark_of(path: Path) -> str | None:
    try:
        with h5py.File(path, "r") as file:
            return file.attrs.get(LEFT_OUT)
    except OSError:
        return None


def _paths(source: h5py.File) -> list[str]:
    """Return the paths of the upper two levels of a file."""
    groups = {key: item for key, item in source.items() if isinstance(item, h5py.Group)}
    return [f"{key}/{name}" for key, item in groups.items() for name in item] or list(source)


def _copy(source: h5py.Group, target: h5py.Group, without: Sequence[str]) -> Iterator[str]:
    """Copy what is in a group but for what matches; yield the paths of that."""
    for key in source.attrs:
        kind = source.attrs.get_id(key)
        if not h5py.check_ref_dtype(kind.dtype):
            target.attrs.create(key, source.attrs[key], shape=kind.shape, dtype=kind.dtype)
    for name in source:
        path = f"{source.name}/{name}".strip("/")
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in without):
            yield path
            continue
        link = source.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            target[name] = link
        elif isinstance(source[name], h5py.Group):
            yield from _copy(source[name], target.create_group(name), without)
        else:
            source.copy(name, target, name)


def _refer(source: h5py.File, target: h5py.File, url: str) -> None:
    """Make references of a copy, which HDF5 leaves empty, those to the copies of their objects."""

    def translated(value: Any, path: str) -> Any:
        if isinstance(value, np.ndarray):
            flat = [translated(one, path) for one in value.ravel()]
            made = np.empty(value.shape, h5py.ref_dtype)
            made.ravel()[:] = flat
            return made
        if not value:
            return value
        at = source[value].name
        if at not in target:
            raise UserError(f"{url}: {path} refers to {at}, which is left out; leave it out too")
        return target[at].ref

    def visit(path: str, item: h5py.Group | h5py.Dataset) -> None:
        origin = source[path]
        for key in origin.attrs:
            if h5py.check_ref_dtype(origin.attrs.get_id(key).dtype):
                item.attrs.create(key, translated(origin.attrs[key], path), dtype=h5py.ref_dtype)
        if not isinstance(item, h5py.Dataset):
            return
        if h5py.check_ref_dtype(item.dtype):
            item[()] = translated(origin[()], path)
        fields = item.dtype.names or ()
        fields = [field for field in fields if h5py.check_ref_dtype(item.dtype[field])]
        if fields:
            values = origin[()]
            for field in fields:
                values[field] = translated(values[field], path)
            item[()] = values

    target.visititems(visit)
