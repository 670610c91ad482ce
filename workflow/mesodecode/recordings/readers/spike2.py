"""Channels of Spike2 files (.smr), by neo; .smrx only as the MAT file that Spike2 exports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mesodecode.base.files import UserError, refused
from mesodecode.recordings.readers.arrays import EMPTY, Held, unreadable
from mesodecode.recordings.readers.by_name import library

if TYPE_CHECKING:
    from neo.rawio.spike2rawio import Spike2RawIO

EVER = 0.0, 1e9  # s


@contextmanager
def holding(path: Path) -> Iterator[dict[str, Held]]:
    """Hold the channels of a file by title: samples with their times in s, or times of events.

    TITLE/codes are the words of markers. Pauses of the recording are gaps in the times. Raises
    UserError if the file is none such.
    """
    if path.suffix.lower() == ".smrx":
        raise UserError(
            f"{path}: .smrx is read by CED's own library (sonpy) alone, which does not import on "
            "Linux; in Spike2: File > Export As > MATLAB data (.mat), and name that file"
        )
    reader = library("neo.rawio.spike2rawio", "neo", path).Spike2RawIO
    with refused(path, "not a readable Spike2 file"):
        # each channel by itself: those of a group may begin a few ticks later
        file = reader(str(path), try_signal_grouping=False)
        file.parse_header()
        events = [_events(file, index) for index in range(len(file.header["event_channels"]))]
    found: dict[str, Held] = {}
    for stream, channel in enumerate(file.header["signal_channels"]):
        times = partial(_clock, file, stream)
        unit = str(channel["units"]).strip() or None
        held = Held(partial(_samples, file, stream), unit, times=lambda _, times=times: times())
        _add(found, str(channel["name"]).strip(), held)
    for channel, (stamps, codes) in zip(file.header["event_channels"], events, strict=True):
        name = str(channel["name"]).strip()
        _add(found, name, Held(lambda stamps=stamps: stamps) if stamps.size else EMPTY)
        if any(codes):
            times = np.array(stamps)
            _add(found, f"{name}/codes", Held(lambda c=codes: c, times=lambda _, t=times: t))
    yield found


def _add(found: dict[str, Held], name: str, held: Held) -> None:
    again = unreadable("is the title of several channels; rename them in Spike2", "several")
    found[name] = again if name in found else held


def _pieces(file: Spike2RawIO) -> range:
    return range(file.segment_count(0))


def _samples(file: Spike2RawIO, stream: int) -> np.ndarray:
    parts = [file.get_analogsignal_chunk(0, piece, stream_index=stream) for piece in _pieces(file)]
    raw = np.concatenate(parts)
    return file.rescale_signal_raw_to_float(raw, "float64", stream_index=stream).ravel()


def _clock(file: Spike2RawIO, stream: int) -> np.ndarray:
    rate = float(file.header["signal_channels"][stream]["sampling_rate"])
    parts = [
        file.get_signal_t_start(0, piece, stream)
        + np.arange(file.get_signal_size(0, piece, stream)) / rate
        for piece in _pieces(file)
    ]
    return np.concatenate(parts)


def _events(file: Spike2RawIO, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the times (n,) s and words (n,) of a channel of events.

    Asked for by its pieces, neo leaves out what lies before, between and after those of samples.
    """
    ticks, _, labels = file.get_event_timestamps(0, 0, index, *EVER)
    return file.rescale_event_timestamp(ticks, "float64", index), np.asarray(labels, object)
