"""What every reader of a movie gives, and what they share."""

import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from struct import unpack
from typing import Any

import numpy as np

from mesodecode.base.files import GB, UserError, refused, say
from mesodecode.recordings.axes import Axes

LARGEST = 1 << 30  # bytes of a frame: 16384 x 16384 px of 32 bits
SLAB = 256 << 20  # bytes read at a time where a file's chunks hold many frames


class Movie:
    """The frames of one session, read in blocks: never whole in memory.

    Attributes: path; shape (T, H, W); dtype, in native byte order; time (T,) in s where the file
    has a time stamp a frame, else None; axes of its array, and what said so; channels, how many
    take turns in its frames by the axes of its array; names, what files or datasets call the
    channels, where they do; begins, how many frames of a channel are in
    other files before it, by what its own says; segment (T,), which frames follow each other
    without a gap, and blank (T,) bool, those without values, where it has any.
    """

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype
    time: np.ndarray | None = None
    axes = Axes()
    channels = 1
    names: Sequence[str] = ()
    begins = 0
    segment: np.ndarray | None = None
    blank: np.ndarray | None = None

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        raise NotImplementedError


def check_opens(path: str | Path) -> None:
    """Raise the system's own OSError, which names the file, if it is missing or may not be read.

    Raises UserError if it is empty, if something else came in its place as it was downloaded (a
    page of the web, a pointer of Git LFS), or if it is no file at all: opening a pipe waits for
    ever.
    """
    if Path(path).exists() and not (Path(path).is_file() or Path(path).is_dir()):
        raise UserError(f"{path}: a pipe or device, not a file; name a file")
    try:
        with open(path, "rb") as file:
            head = file.read(64)
    except OSError as error:
        error.filename = str(path)  # reading, not opening, leaves it out
        raise
    if not head:
        raise UserError(
            f"{path}: an empty file (0 bytes); copy it again, or leave its session out (`exclude`)"
        )
    begins = head.lstrip().lower()
    if begins.startswith(b"version https://git-lfs"):
        raise UserError(f"{path}: a pointer of Git LFS, not the file; fetch it: git lfs pull")
    if begins.startswith((b"<!doctype html", b"<html")):
        raise UserError(
            f"{path}: a page of the web, not the file; download it again (is a login asked for?)"
        )


class PageChain:
    """The pages of a TIFF file `path`, each of which says where the next one is, as they are met.

    Pages that lie one behind the other, as programs write them, are new without being kept. From
    the first that lies before another on, the places of all are.
    """

    def __init__(self, path: str | Path) -> None:
        self._path, self._count, self._furthest = path, 0, -1
        self._seen: dict[int, int] | None = None  # where a page is -> its number

    def add(self, at: int, places: Callable[[], Iterable[int]]) -> None:
        """Take the page that follows. Raises UserError if it was met before.

        `places` gives where all pages are, from the first.
        """
        if self._seen is None and at <= self._furthest:
            known = itertools.islice(places(), self._count)
            self._seen = {place: number for number, place in enumerate(known)}
        if self._seen is not None:
            if at in self._seen:
                raise UserError(
                    f"{self._path}: a damaged TIFF file (page {self._count - 1} is followed by "
                    f"page {self._seen[at]} again); write it anew"
                )
            self._seen[at] = self._count
        self._furthest, self._count = max(self._furthest, at), self._count + 1


def page_places(file: int, form: Any, at: int) -> Iterator[int]:
    """Yield where the pages of an open TIFF file are, from that at `at` on: without end in a ring.

    `form`: how its numbers are stored (`tifffile.TiffFile.tiff`).
    """
    n_tags = 16
    while at:
        yield at
        size = form.tagnosize + n_tags * form.tagsize + form.offsetsize
        page = os.pread(file, size, at)  # at once, if it has as many tags as the last
        if len(page) < form.tagnosize:  # tifffile says so, and what else is damaged
            return
        (n_tags,) = unpack(form.tagnoformat, page[: form.tagnosize])
        end = form.tagnosize + n_tags * form.tagsize
        found = page[end : end + form.offsetsize]
        if len(found) < form.offsetsize:
            found = os.pread(file, form.offsetsize, at + end)
        at = unpack(form.offsetformat, found)[0] if len(found) == form.offsetsize else 0


def check_chain(tif: Any, path: str | Path) -> None:
    """Raise UserError if the pages of a TIFF file (`tifffile.TiffFile`) follow each other wrongly.

    The last page says that none follows. Pages in a ring have no last one: tifffile looks for them
    only while it knows 100 pages, and counts on without end else. Asked before it counts them.
    """
    first = tif.pages.first.offset if tif.pages else 0
    with open(path, "rb", buffering=0) as file:
        chain = PageChain(path)
        for at in page_places(file.fileno(), tif.tiff, first):
            chain.add(at, lambda: page_places(file.fileno(), tif.tiff, first))


def check_held(page: Any, number: int, path: str | Path) -> None:
    """Raise UserError if a page of a TIFF file (`tifffile.TiffPage`) is without some of its pixels.

    TIFF has no such page; GDAL writes blocks of zeros so (SPARSE_OK), a program that was stopped
    leaves them, and tifffile reads zeros in silence.
    """
    if not page.dataoffsets or 0 in page.dataoffsets or 0 in page.databytecounts:
        raise UserError(
            f"{path}: page {number} is without some of its pixels (strips or tiles of no bytes); "
            "stopped while it was written, or sparse? write it anew, whole"
        )


def check_frame(movie: Movie) -> None:
    """Raise UserError unless frames are of whole or real numbers, and no larger than of any camera.

    Before one is read.
    """
    if np.dtype(movie.dtype).kind not in "uif":
        raise UserError(f"{movie.path}: pixels of type {movie.dtype}; needs whole or real numbers")
    size = math.prod(movie.shape[1:]) * np.dtype(movie.dtype).itemsize
    if size > LARGEST:
        raise UserError(
            f"{movie.path}: frames of {' x '.join(map(str, movie.shape[1:]))} px, {size / GB:,.1f} "
            "GB each; damaged, or is time another axis? see movie_axes"
        )


class ArrayMovie(Movie):
    """Frames of an array in a file: of HDF5, Zarr, NPY and whatever can be read by slices.

    `read` takes a slice for each axis of the stored array and returns that part of it. `axes` are
    those of the array as the user sees it; `turned` if it is stored with its axes the other way
    round. Frames of channels follow each other as if they were interleaved. `depth` is the number
    of frames that are read as cheaply as one (the length of a chunk; all of them where time is not
    the first stored axis).
    """

    def __init__(
        self,
        path: Path,
        dtype: np.dtype,
        axes: Axes,
        read: Callable[[tuple[slice, ...]], np.ndarray],
        depth: int | None = None,
        *,
        turned: bool = False,
    ) -> None:
        self.path, self.dtype, self.axes = Path(path), np.dtype(dtype).newbyteorder("="), axes
        step = -1 if turned else 1
        shape, self._letters, self._read = axes.shape[::step], axes.letters[::step], read
        at = self._letters.index("T")
        first = self._letters.replace("1", "")[0] == "T"
        self._depth = depth or (1 if first else shape[at])
        self.channels = shape[self._letters.index("C")] if "C" in self._letters else 1
        times, height, width = (shape[self._letters.index(axis)] for axis in "TYX")
        self.shape = (times * self.channels, height, width)
        if 0 in self.shape:
            raise UserError(f"{path}: an empty movie of shape {shape}; truncated?")

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        frame = math.prod(self.shape[1:]) * self.dtype.itemsize * self.channels
        slab = max(1, size // self.channels)
        whole = math.ceil(slab / self._depth) * self._depth  # chunks, as far as memory allows
        slab = min(whole, max(slab, SLAB // frame))
        yield from batched(self._slabs(slab), size)

    def _slabs(self, slab: int) -> Iterator[np.ndarray]:
        n_times = self.shape[0] // self.channels
        order = [self._letters.index(a) for a in ("TCYX" if "C" in self._letters else "TYX")]
        kept = sorted(order)
        for start in range(0, n_times, slab):
            stop = min(start + slab, n_times)
            index = [slice(None)] * len(self._letters)
            index[self._letters.index("T")] = slice(start, stop)
            with refused(
                self.path, f"frames {start}-{stop - 1} cannot be read", "; truncated or damaged?"
            ):
                values = np.asarray(self._read(tuple(index)))
            values = values.reshape([values.shape[axis] for axis in kept])
            values = values.transpose([kept.index(axis) for axis in order])
            values = np.ascontiguousarray(values, self.dtype)
            yield values.reshape(-1, *self.shape[1:])


class JoinedMovie(Movie):
    """Several movies, of `lengths` frames, one after the other, as one; one is open at a time.

    `sources`: of each, a file that it is named by, and how it is opened. Raises UserError if they
    are not alike, or one says that other frames come before it.
    """

    def __init__(
        self, sources: Sequence[tuple[Path, Callable[[], AbstractContextManager[Movie]]]]
    ) -> None:
        self.path, self._sources = sources[0][0], sources
        n_frames, times, self.lengths = 0, [], []
        for file, opened in sources:
            with opened() as movie:
                if n_frames == 0:
                    self.dtype, first = movie.dtype, movie.shape[1:]
                    self.axes = replace(movie.axes, shape=())  # of all movies it is another
                    self.names = movie.names
                check_alike(file, movie, self.path, first, self.dtype)
                check_begins(file, movie, n_frames)
                n_frames += movie.shape[0]
                self.lengths.append(movie.shape[0])
                times.append(movie.time)
        self.shape = (n_frames, *first)
        if all(time is not None for time in times):
            self.time = np.concatenate(times)

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""

        def pieces() -> Iterator[np.ndarray]:
            for _, opened in self._sources:
                with opened() as movie:
                    yield from (block for _, block in movie.blocks(size))

        yield from batched(pieces(), size)


class InterleavedMovie(Movie):
    """Movies of one wavelength each, as one whose frames take turns: the first of each, and so on.

    `names`: what files or datasets call each. Raises UserError if they do not have equally many
    frames; a last one more is left out, and said.
    """

    def __init__(self, movies: Sequence[Movie], names: Sequence[str]) -> None:
        first, self.names = movies[0], names
        self.path, self.dtype, self._movies = first.path, first.dtype, movies
        self.axes = replace(first.axes, movies=len(movies))
        counts = [movie.shape[0] for movie in movies]
        for movie in movies:
            check_alike(movie.path, movie, first.path, first.shape[1:], first.dtype)
        least = min(counts)
        if max(counts) - least > 1:
            raise UserError(
                f"{first.path}: wavelengths of {' and '.join(map(str, counts))} frames, which are "
                "not paired; give as many of each, or, of files that follow each other in time, "
                "set wavelengths: in_turn"
            )
        if max(counts) > least:
            say(
                f"{first.path}: wavelengths of {' and '.join(map(str, counts))} frames; the last "
                "frame without a partner is left out"
            )
        self.shape = (least * len(movies), *first.shape[1:])
        times = [movie.time for movie in movies]
        if all(time is not None for time in times):
            self.time = np.stack([time[:least] for time in times], axis=1).ravel()

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        n = len(self._movies)
        cycles = max(1, size // n)

        def pieces() -> Iterator[np.ndarray]:
            each = [batched((b for _, b in movie.blocks(cycles)), cycles) for movie in self._movies]
            # Not strict: what one has more is left out.
            for blocks in zip(*each, strict=False):
                length = min(len(block) for _, block in blocks)
                together = np.stack([block[:length] for _, block in blocks], axis=1)
                yield together.reshape(-1, *self.shape[1:])

        yield from batched(pieces(), size)


class WithoutBlank(Movie):
    """A movie without its blank frames; `kept` (T,) are the numbers of the others.

    Where frames were left out, another segment begins. Of `channels` that take turns, a cycle with
    a blank frame is left out whole, or they would be exchanged from there on.
    """

    def __init__(self, movie: Movie, channels: int = 1) -> None:
        self._movie, self.n_all = movie, movie.shape[0]
        self.path, self.dtype, self.axes, self.names = (
            *(movie.path, movie.dtype, movie.axes, movie.names),
        )
        cycle = np.arange(self.n_all) // channels
        self._blank = np.isin(cycle, cycle[movie.blank])
        self.kept = np.flatnonzero(~self._blank)
        if not len(self.kept):
            raise UserError(f"{self.path}: all frames are without values")
        self.shape = (len(self.kept), *movie.shape[1:])
        self.time = None if movie.time is None else movie.time[self.kept]
        begins = np.diff(self.kept, prepend=-1) > 1
        if movie.segment is not None:
            begins |= np.diff(movie.segment[self.kept], prepend=movie.segment[0]) != 0
        self.segment = np.cumsum(begins)

    def camera_times(self, taken: np.ndarray, rate: float) -> np.ndarray:
        """Return when the camera took frames `taken` of the signal, (T,) s, at `rate` frames/s.

        It takes other wavelengths between two of them.
        """
        numbers = self.kept[taken]
        every = np.median(np.diff(numbers)) if len(numbers) > 1 else 1
        return numbers / (rate * every)

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""

        def pieces() -> Iterator[np.ndarray]:
            for start, block in self._movie.blocks(size):
                yield block[~self._blank[start : start + len(block)]]

        yield from batched(pieces(), size)


def check_alike(
    file: Path, movie: Movie, first: Path, size: tuple[int, int], dtype: np.dtype
) -> None:
    """Raise UserError unless a movie has the pixels of the first one of its session."""
    if (movie.shape[1:], movie.dtype) != (size, dtype):
        raise UserError(
            f"{file}: frames of {movie.shape[1:]} px and type {movie.dtype}, but {first} has "
            f"{size} and {dtype}; a session's files must match"
        )


def check_begins(file: Path, movie: Movie, n_before: int) -> None:
    """Raise UserError if a file says that other frames come before it than `n_before`."""
    if movie.begins * movie.channels not in (0, n_before):
        raise UserError(
            f"{file}: begins with frame {movie.begins} of its set, but {n_before} frames are "
            "before it: is a file not there?"
        )


def batched(pieces: Iterable[np.ndarray], size: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first frame, block of `size` frames) from pieces (n, H, W) of any lengths, in order.

    Only the last block may be shorter.
    """
    start, held, count = 0, [], 0
    for piece in pieces:
        while len(piece):
            held.append(piece[: size - count])
            count += len(held[-1])
            piece = piece[len(held[-1]) :]
            if count == size:
                yield start, held[0] if len(held) == 1 else np.concatenate(held)
                start, held, count = start + size, [], 0
    if held:
        yield start, np.concatenate(held)
