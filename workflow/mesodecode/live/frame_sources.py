"""Where frames come from, one at a time: growing files, replays, standard input; and their queue.

A source is an iterator of `Frame`, or None where nothing has come for a while, so that whoever asks
can stop. It runs in a thread of its own (`Feed`), and says when a frame arrived.
"""

from __future__ import annotations

import os
import queue
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from mesodecode.base.files import UserError
from mesodecode.live import growing, zeromq
from mesodecode.recordings.axes import Asked
from mesodecode.recordings.readers import open_movie
from mesodecode.recordings.recording import Recording, read_recording
from mesodecode.study.file_formats import format_of

PATIENCE = 0.1  # s after which a source yields None
HELD = 64  # frames that wait for the decoder
FULL = 1e-3  # s after which the source looks again whether there is room
BLOCK = 8 << 20  # bytes of a movie that are read ahead in a replay


@dataclass(frozen=True)
class Frame:
    """A frame of the camera, or ROI signals.

    number: by the camera, from 0, of all wavelengths; pixels (H, W), or signals (R,); time: s by
    the source's clock, or None; arrived: s of `time.monotonic`, 0 of what waits; light: light
    source, or None; begins: another segment begins, though no number is missing; waiting: frames
    that had come after it when it was taken to be decoded.
    """

    number: int
    pixels: np.ndarray
    time: float | None = None
    arrived: float = 0.0
    light: str | None = None
    begins: bool = False
    waiting: int = 0


@dataclass(frozen=True)
class Opened:
    """A source: its `name`, and `frames`.

    `endless`: only its user knows where it ends, so that silence is an end and no fault; `rest`
    says what of a frame has come when it ends, "" for nothing. `recording`: of a replay, whose
    frames are corrected already.
    """

    name: str
    frames: Iterator[Frame | None]
    endless: bool = False
    rest: Callable[[], str] = str
    recording: Recording | None = None


def open_source(
    text: str,
    *,
    signals: bool = False,
    rate: float | str | None = None,
    frame_rate: float | None = None,
    channels: int = 1,
    shape: Sequence[int] | None = None,
    dtype: str | None = None,
    max_message: int = 64,
    timeout: float = 10.0,
) -> Opened:
    """Open the source that `text` names.

    "-" is standard input: frames of `shape` (height, width) and `dtype` one after the other. A port
    or an address such as "tcp://127.0.0.1:5555" is ZeroMQ, of messages of `max_message` MB at most.
    Else it is a file: TIFF and flat binary are followed as they grow; any other format, and with
    `rate` (frames/s of all wavelengths, or "own": `frame_rate` × `channels`) any at all, is
    replayed. A followed file that was not written for `timeout` s is over: its frames do not wait,
    but arrive when they are asked for. `signals`: ROI signals of a recording, not its frames.
    Raises UserError if it is none.
    """
    if text == "-":
        if shape is None or dtype is None:
            raise UserError(
                "--source -: frames on standard input have no header; give --shape HEIGHT WIDTH "
                "and --dtype, such as uint16"
            )
        if sys.stdin is None:
            raise UserError("--source -: standard input is closed")
        stdin = _Stdin(sys.stdin.fileno(), tuple(shape), np.dtype(dtype))
        return Opened("standard input", stdin.frames(), rest=stdin.rest)
    if zeromq.is_address(text):
        address = zeromq.local(text)
        return Opened(address, _of_messages(address, max_message))
    path = Path(text)
    if _is_recording(path):
        recording = read_recording(path)
        pace = recording.frame_rate if rate == "own" else rate
        return Opened(text, _paced(_of_recording(recording, signals), pace), recording=recording)
    if signals and format_of(path, "movie") is None:
        raise UserError(f"{path}: neither a recording with ROI signals nor a movie")
    asked = Asked(None, tuple(shape) if shape else None, dtype, None, None)
    tail = None if rate is not None else growing.tail_of(path, asked)
    if tail is not None:
        over = path.exists() and time.time() - path.stat().st_mtime > timeout
        return Opened(text, _followed(tail, over), endless=True, rest=tail.rest)
    if rate == "own" and frame_rate is None:
        raise UserError(f"{path}: --rate own needs --frame-rate")
    pace = frame_rate * channels if rate == "own" else rate
    return Opened(text, _paced(_of_movie(path, channels, shape, dtype), pace))


def _is_recording(path: Path) -> bool:
    try:
        with h5py.File(path) as file:
            return "stack_sd" in file and "frames" in file
    except OSError:
        return False


def _of_recording(recording: Recording, signals: bool) -> Iterator[Frame]:
    segment = recording.segment
    if segment is None:
        segment = np.zeros(len(recording))
    begins = np.diff(segment, prepend=segment[:1]) != 0
    times = recording.time
    if times is None:
        times = np.arange(len(recording)) / recording.frame_rate
    if signals and recording.rois is None:
        raise UserError(
            f"{recording.path}: no ROI signals in it; give recordings.rois in the config"
        )
    frames = recording.rois if signals else _rows(recording)
    for number, pixels in enumerate(frames):
        yield Frame(number, pixels, _when(times, number), begins=bool(begins[number]))


def _rows(recording: Recording) -> Iterator[np.ndarray]:
    step = max(1, BLOCK // (int(np.prod(recording.shape[1:])) * 4))
    for start in range(0, len(recording), step):
        yield from recording.read_frames(start, min(start + step, len(recording)))


def _of_movie(
    path: Path, channels: int, shape: Sequence[int] | None, dtype: str | None
) -> Iterator[Frame]:
    with open_movie(path, channels=channels, shape=shape, dtype=dtype) as movie:
        times, segment = movie.time, movie.segment
        step = max(1, BLOCK // (movie.shape[1] * movie.shape[2] * 4))
        for start, block in movie.blocks(step):
            for number, pixels in enumerate(block, start):
                when = _when(times, number)
                begins = segment is not None and number and segment[number] != segment[number - 1]
                yield Frame(number, pixels, when, begins=bool(begins))


def _when(times: np.ndarray | None, number: int) -> float | None:
    """Return the time (s) of a frame; None where its clock gave none (NaN)."""
    return float(times[number]) if times is not None and np.isfinite(times[number]) else None


def _paced(frames: Iterator[Frame], rate: float | None) -> Iterator[Frame | None]:
    """Yield frames when they are due: `rate` a second; as fast as it goes if it is None."""
    start = time.monotonic()
    for index, frame in enumerate(frames):
        due = time.monotonic() if rate is None else start + index / rate
        if index == 0:
            start = due = time.monotonic()  # opening took its time
        while (left := due - time.monotonic()) > PATIENCE:
            time.sleep(PATIENCE)
            yield None
        time.sleep(max(0.0, left))
        yield frame if rate is None else replace(frame, arrived=due)


def _followed(tail: growing.Tail, over: bool) -> Iterator[Frame | None]:
    """Yield frames as they are written; those of a file that is `over` as fast as it goes."""
    number, quiet = 0, time.monotonic()
    while True:
        for pixels in tail.frames():
            quiet = time.monotonic()
            yield Frame(number, pixels, arrived=0.0 if over else quiet)
            number += 1
        over = False
        time.sleep(growing.POLL)
        if time.monotonic() - quiet > PATIENCE:
            yield None


def _of_messages(address: str, max_message: int) -> Iterator[Frame | None]:
    for message in zeromq.messages(address, max_message, PATIENCE):
        if message is None:
            yield None
            continue
        header, pixels = message
        yield Frame(
            header["frame"], pixels, header.get("time"), time.monotonic(), header.get("light")
        )


class _Stdin:
    """Frames without a header on a file descriptor."""

    def __init__(self, fd: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._fd, self._shape, self._dtype = fd, shape, dtype
        self._bytes = int(np.prod(shape)) * dtype.itemsize
        self._got, self._number = 0, 0

    def frames(self) -> Iterator[Frame | None]:
        held = bytearray(self._bytes)
        view = memoryview(held)
        while True:
            if not select.select([self._fd], [], [], PATIENCE)[0]:
                yield None
                continue
            n = os.readv(self._fd, [view[self._got :]])
            if not n:
                return
            self._got += n
            if self._got == self._bytes:
                pixels = np.frombuffer(bytes(held), self._dtype).reshape(self._shape)
                pixels = pixels.astype(self._dtype.newbyteorder("="), copy=False)
                yield Frame(self._number, pixels, arrived=time.monotonic())
                self._got, self._number = 0, self._number + 1

    def rest(self) -> str:
        return f"{self._got} of {self._bytes} bytes of frame {self._number}" if self._got else ""


class Feed:
    """A source that runs in a thread; `HELD` frames wait at most, then it waits.

    Iterate over it in a ``with`` block. Ends where the source does, or where nothing has come for
    `timeout` s of a source that is `endless`; of another, or before its first frame, UserError is
    raised, as where it ends within a frame. What the source raises is raised here.
    """

    def __init__(self, opened: Opened, timeout: float) -> None:
        self._opened, self._timeout = opened, timeout
        self._queue: queue.SimpleQueue = queue.SimpleQueue()  # quicker than one with a bound
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True, name="source")

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(2)

    def _read(self) -> None:
        end: object = None
        try:
            for frame in self._opened.frames:
                if frame is not None:
                    self._put(frame)
                if self._stop.is_set():
                    break
        except BaseException as error:
            end = error
        finally:
            getattr(self._opened.frames, "close", lambda: None)()
        self._put(end)

    def _put(self, item: object) -> None:
        while self._queue.qsize() >= HELD and not self._stop.is_set():
            time.sleep(FULL)
        self._queue.put(item)

    def __iter__(self) -> Iterator[Frame]:
        last, came = time.monotonic(), False
        while True:
            try:
                item = self._queue.get(timeout=PATIENCE)
            except queue.Empty:
                if time.monotonic() - last < self._timeout:
                    continue
                if not (self._opened.endless and came):
                    raise UserError(
                        f"{self._opened.name}: no frame for {self._timeout:g} s; is the camera's "
                        "program running? see --timeout"
                    ) from None
                item = None
            if isinstance(item, BaseException):
                raise item
            if item is None:
                if rest := self._opened.rest():
                    raise UserError(f"{self._opened.name}: ends within a frame, {rest}; cut off?")
                return
            last, came = time.monotonic(), True
            if item.arrived:
                yield replace(item, waiting=self._queue.qsize())
            else:  # replayed as fast as it is decoded: it arrives when it is asked for
                yield replace(item, arrived=last)
            last = time.monotonic()
