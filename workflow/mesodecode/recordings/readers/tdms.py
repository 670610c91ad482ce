"""Channels of LabVIEW's TDMS files, by nptdms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mesodecode.base.files import UserError
from mesodecode.recordings.movie import words
from mesodecode.recordings.readers.arrays import EMPTY, Held, Unreadable
from mesodecode.recordings.readers.extras import library

if TYPE_CHECKING:
    import nptdms

UNITS = ("unit_string", "NI_UnitDescription")


@contextmanager
def holding(path: Path) -> Iterator[dict[str, Held]]:
    """Open a file for its channels, GROUP/CHANNEL, with unit and, of waveforms, times in s.

    These begin with the channel's offset: when a piece of a waveform began is not known where it
    was written piece by piece, as the last piece's start is all that is kept. Raises UserError if
    the file is none such.
    """
    reader = library("nptdms", "tdms", path).TdmsFile
    try:
        file = reader.open(str(path))
    except (MemoryError, UserError):
        raise
    except Exception as error:  # nptdms raises whatever it meets
        raise UserError(f"{path}: not a readable TDMS file ({words(error)})") from error
    with file:
        yield {
            f"{group.name}/{channel.name}": _held(channel)
            for group in file.groups()
            for channel in group.channels()
        }


def _held(channel: nptdms.TdmsChannel) -> Held:
    if not len(channel):
        return EMPTY
    about = channel.properties
    unit = next((str(about[key]).strip() for key in UNITS if about.get(key)), None)
    return Held(partial(_read, channel), unit, times=partial(_times, about))


def _read(channel: nptdms.TdmsChannel) -> np.ndarray | Unreadable:
    try:
        return np.asarray(channel[:])
    except Exception as error:
        return Unreadable(f"cannot be read ({words(error)}); truncated?")


def _times(about: dict, n_values: int) -> np.ndarray | None:
    step = float(about.get("wf_increment") or 0)
    return float(about.get("wf_start_offset") or 0) + step * np.arange(n_values) if step else None
