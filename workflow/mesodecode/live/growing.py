"""Files that a camera's program is still writing: frames that are whole are read, once."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import tifffile

from mesodecode.base.files import UserError, one_line
from mesodecode.recordings.axes import Asked
from mesodecode.recordings.movie import PageChain, page_places
from mesodecode.recordings.readers import flat, open_movie
from mesodecode.study.file_formats import format_of

POLL = 0.002  # s between two looks at a file


class Tail(Protocol):
    """A file that grows."""

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the frames (H, W) that are new and whole."""

    def rest(self) -> str:
        """Return what there is of a frame that is not whole, "" for nothing."""


def tail_of(path: Path, asked: Asked) -> FlatTail | TiffTail | None:
    """Return a file that may be growing as its frames come; None if its format is not followed.

    Flat binary of frames one after the other, and TIFF a page a frame; a file that is there and
    whose frames are no pages of one size (OME series, hyperstacks of one page) is not.
    """
    known = format_of(path, "movie")
    if known == "flat":
        layout = flat.layout_of(path, asked)
        return FlatTail(path, layout) if layout.letters[0] == "T" else None
    if known != "TIFF":
        return None
    if not path.exists():
        return TiffTail(path)
    size = path.stat().st_size
    try:
        with open_movie(path, channels=None) as movie:
            n_frames = movie.shape[0]
    except UserError:
        return TiffTail(path)  # not whole yet
    n_pages = sum(1 for _ in TiffTail(path).pages())
    grew = path.stat().st_size > size  # meanwhile
    return TiffTail(path) if n_pages == n_frames or (grew and n_pages > n_frames) else None


@contextmanager
def _unsaid() -> Iterator[None]:
    """Keep what tifffile logs of a file that is not whole yet, such as "contains no pages"."""
    log = logging.getLogger("tifffile")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


class _Same:
    """A file that stays the one it was: `size` of it, None where it is not there (any more)."""

    def __init__(self, path: Path) -> None:
        self._path, self._known = path, None

    def size(self, taken: int) -> int | None:
        """Return its bytes. Raises UserError if `taken` bytes of it are not there any more."""
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return None
        known = now.st_dev, now.st_ino
        if now.st_size < taken or self._known not in (None, known):
            raise UserError(
                f"{self._path}: written anew while it was followed; start `mesodecode live` anew "
                "too, with --append"
            )
        self._known = known
        return now.st_size


class FlatTail:
    """A growing file of pixels without a header."""

    def __init__(self, path: Path, layout: flat.Layout) -> None:
        self._path, self._layout, self._file = path, layout, None
        self._same, self._rest = _Same(path), 0

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the frames (H, W) that are new and whole; channels of a time follow each other."""
        there = self._same.size(0 if self._file is None else self._file.tell())
        if self._file is None:
            if there is None:
                return
            self._file = open(self._path, "rb")  # noqa: SIM115
            self._file.seek(self._layout.offset)
        size, letters = self._layout.frame_bytes, self._layout.letters[1:]
        lengths = [self._layout.lengths[letter] for letter in letters]
        order = [letters.index(letter) for letter in ("CYX" if "C" in letters else "YX")]
        while True:
            start = self._file.tell()
            held = self._file.read(size)
            if len(held) < size:
                self._rest = len(held)
                self._file.seek(start)
                return
            pixels = np.frombuffer(held, self._layout.dtype).reshape(lengths).transpose(order)
            pixels = pixels.astype(self._layout.dtype.newbyteorder("="))
            yield from pixels if pixels.ndim == 3 else [pixels]

    def rest(self) -> str:
        """Return what there is of a frame that is not whole."""
        return f"{self._rest} of {self._layout.frame_bytes} bytes" if self._rest else ""


class TiffTail:
    """A growing TIFF file, a page a frame, whose pages are chained one to the next.

    A program may write a page before its pixels, or the reverse: a page is whole when its place is
    known and the file is as long as its pixels reach.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._same, self._size = path, _Same(path), 0
        self._link = self._end = 0  # where the next page's offset is written; of what was read
        self._count, self._rest = 0, ""
        self._chain = PageChain(path)

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the frames (H, W) that are new and whole."""
        for page in self.pages():
            try:
                pixels = np.asarray(page.asarray())
            except Exception as error:  # of a codec, or of what a page says that cannot be
                why = f"page {self._count - 1} is damaged ({one_line(error)})"
                raise UserError(f"{self._path}: {why}") from error
            yield pixels

    def pages(self) -> Iterator[tifffile.TiffPage]:
        """Yield the pages that are new and whole."""
        size = self._same.size(self._end)
        if size in (None, self._size):
            return
        try:  # anew, as tifffile takes a file for as long as it was when it was opened
            with _unsaid():
                tif = tifffile.TiffFile(self._path, is_ome=False)
        except Exception:  # not even a header yet
            return
        with tif:
            self._rest = ""
            while (page := self._next(tif, size)) is not None:
                yield page
        self._size = size

    def _next(self, tif: tifffile.TiffFile, size: int) -> tifffile.TiffPage | None:
        about = tif.tiff
        first = 8 if about.offsetsize == 8 else 4
        link = self._link or first
        offset = _number(tif, link, about.offsetformat, about.offsetsize)
        if not offset:
            return None
        self._rest = f"page {self._count} is not whole"
        count = _number(tif, offset, about.tagnoformat, about.tagnosize)
        if count is None:
            return None
        link = offset + about.tagnosize + count * about.tagsize
        if link + about.offsetsize > size:
            return None
        tif.filehandle.seek(offset)
        try:
            page = tifffile.TiffPage(tif, index=0)
        except Exception:  # tags are being written
            return None
        ends = [a + n for a, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if not all(page.databytecounts) or max(ends, default=size + 1) > size:
            return None  # or no place of its pixels is written yet

        def places() -> Iterator[int]:
            at = _number(tif, first, about.offsetformat, about.offsetsize) or 0
            return page_places(tif.filehandle.fileno(), about, at)

        self._chain.add(offset, places)
        self._link, self._end = link, max(*ends, link + about.offsetsize)
        self._count, self._rest = self._count + 1, ""
        return page

    def rest(self) -> str:
        """Return which page there should be; what else is behind the last one may be anything."""
        return self._rest


def _number(tif: tifffile.TiffFile, offset: int, kind: str, size: int) -> int | None:
    tif.filehandle.seek(offset)
    held = tif.filehandle.read(size)
    return struct.unpack(kind, held)[0] if len(held) == size else None
