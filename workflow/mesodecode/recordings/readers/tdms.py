"""Channels of LabVIEW's TDMS files, by nptdms.

Of properties that a file says several times nptdms keeps the last. So when a waveform was recorded
in pieces, their starts are found by reading what stands before each piece.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mesodecode.base.files import one_line, refused
from mesodecode.recordings.readers.arrays import EMPTY, Held, Unreadable
from mesodecode.recordings.readers.by_name import library

if TYPE_CHECKING:
    import nptdms

UNITS = ("unit_string", "NI_UnitDescription")
START = "wf_start_time"
# "TDMS File Format Internal Structure" (NI): what a segment begins with, behind which are its
# metadata, then its values; and the bit by which these numbers begin with the high byte.
LEAD, HIGH_FIRST = struct.Struct("<4sII"), 1 << 6
_Pieces = list[tuple[int, np.datetime64]]  # of a channel: the first value of a piece, its start


@contextmanager
def holding(path: Path) -> Iterator[dict[str, Held]]:
    """Open a file for its channels, GROUP/CHANNEL, with unit and, of waveforms, times in s.

    These begin with the channel's offset; of a waveform that was recorded in pieces, they go on by
    the start of each. Raises UserError if the file is none such.
    """
    reader = library("nptdms", "tdms", path).TdmsFile
    with refused(path, "not a readable TDMS file"):
        file = reader.open(str(path))
    with file:
        pieces = _pieces(path, reader)
        yield {
            f"{group.name}/{channel.name}": _held(channel, pieces.get(channel.path, []))
            for group in file.groups()
            for channel in group.channels()
        }


def _held(channel: nptdms.TdmsChannel, pieces: _Pieces) -> Held:
    if not len(channel):
        return EMPTY
    about = channel.properties
    unit = next((str(about[key]).strip() for key in UNITS if about.get(key)), None)
    return Held(partial(_read, channel), unit, times=partial(_times, about, pieces))


def _read(channel: nptdms.TdmsChannel) -> np.ndarray | Unreadable:
    try:
        return np.asarray(channel[:])
    except Exception as error:
        return Unreadable(f"cannot be read ({one_line(error)}); truncated?")


def _times(about: dict, pieces: _Pieces, n_values: int) -> np.ndarray | None:
    step = float(about.get("wf_increment") or 0)
    if not step:
        return None
    time = float(about.get("wf_start_offset") or 0) + step * np.arange(n_values)
    for first, start in pieces[1:]:
        time[first:] += (start - pieces[0][1]) / np.timedelta64(1, "s") + time[0] - time[first]
    return time


# --- waveforms in pieces -----------------------------------------------------------------------


def _pieces(path: Path, reader: type[nptdms.TdmsFile]) -> dict[str, _Pieces]:
    """Return path of a channel -> its pieces, where a file says several starts."""
    stamped = [(at, starts) for at, starts in _segments(path) if starts]
    if len(set().union(*(starts for _, starts in stamped))) < 2:
        return {}
    found: dict[str, _Pieces] = {}
    ends = [at for at, _ in stamped[1:]] + [path.stat().st_size]
    n_before: dict[str, int] = {}
    for end in ends:
        with io.BufferedReader(_Beginning(path, end)) as beginning:
            channels = [c for g in reader.read_metadata(beginning).groups() for c in g.channels()]
        for channel in channels:
            n, start = n_before.get(channel.path, 0), channel.properties.get(START)
            known = found.setdefault(channel.path, [])
            if start is not None and len(channel) > n and (not known or known[-1][1] != start):
                known.append((n, np.datetime64(start)))
            n_before[channel.path] = len(channel)
    return found


def _segments(path: Path) -> Iterator[tuple[int, set[bytes]]]:
    """Yield where each segment begins, and the starts of waveforms that its metadata say."""
    with open(path, "rb") as file:
        size, at = path.stat().st_size, 0
        while len(lead := file.read(28)) == 28 and lead.startswith(b"TDSm"):
            _, flags, _ = LEAD.unpack_from(lead)
            following, values = struct.unpack(">QQ" if flags & HIGH_FIRST else "<QQ", lead[12:])
            about = file.read(min(values, size - file.tell()))
            said = about.split(START.encode())[1:]  # each before its type (4 bytes) and value (16)
            yield at, {text[4:20] for text in said}
            at = min(at + 28 + following, size)  # the last may not say its end
            file.seek(at)


class _Beginning(io.RawIOBase):
    """The first bytes of a file, as a file."""

    def __init__(self, path: Path, size: int) -> None:
        self._file, self._size = open(path, "rb", buffering=0), size  # noqa: SIM115

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            offset, whence = self._size + offset, io.SEEK_SET
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: memoryview) -> int:
        left = max(0, self._size - self._file.tell())
        return self._file.readinto(memoryview(buffer)[:left])

    def close(self) -> None:
        self._file.close()
        super().close()
