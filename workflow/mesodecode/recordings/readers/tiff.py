"""TIFF stacks: classic, BigTIFF, OME, ImageJ hyperstacks, and folders or lists of files."""

import logging
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile

from mesodecode.base.files import UserError, one_line, refused
from mesodecode.recordings.axes import Asked, axes_of
from mesodecode.recordings.movie import (
    SLAB,
    ArrayMovie,
    Movie,
    check_chain,
    check_held,
)
from mesodecode.recordings.readers import micromanager

TIMELESS = ("QQYX", "ZCYX", "CZYX")  # frames may be called slices
# What tifffile says in its log, and not by an error, of a stack whose end is missing.
_DAMAGE = (
    "invalid page offset",
    "invalid offset to page",
    "invalid circular reference",
    "corrupted",
    "failed to reshape",
    "Missing data are zeroed",  # a file of an OME series is not there
    "OME series failed to read",
)


class TiffMovie(Movie):
    """A TIFF stack. An uncompressed one is read as one array, any other page by page.

    `image`: name or number of the one that is meant
    of an OME-TIFF file's images. `axes`: what the user says of them, T, Y and X, and C where a file
    that says nothing of it has channels, any number.
    """

    def __init__(
        self,
        path: Path,
        tif: tifffile.TiffFile,
        image: str | None = None,
        axes: str | None = None,
    ) -> None:
        self.path, self._tif = path, tif
        self._order: np.ndarray | None = None  # of pages, where they do not follow each other
        series = self._image(image)
        self.named = series.axes  # by the file, with other letters where it does not
        self.shape = self._shape(series, axes, chosen=image is not None)
        if len(self.axes.letters) == 3 and "T" not in self.named:
            self.axes = replace(self.axes, shape=self.shape)
        whole = series.dataoffset is not None and self.shape[0] == np.prod(series.shape[:-2])
        contiguous = whole and len(tif.series) == 1
        if not contiguous:
            own = image is None and not series.is_multifile
            _check_pages(path, tif.pages if own else series.pages)
        end = tif.pages.next_page_offset  # where the last page says that none follows
        if end is not None and end + tif.tiff.offsetsize > tif.filehandle.size:
            raise UserError(f"{path}: ends within page {len(tif.pages) - 1}; truncated?")
        self.dtype = np.dtype(series.dtype).newbyteorder("=")
        self._offset = series.dataoffset if contiguous else None
        self._series = series if series.is_multifile or image is not None else None
        if contiguous and tif.filehandle.size < self._offset + series.nbytes:
            raise UserError(
                f"{path}: {tif.filehandle.size} bytes, but frames up to byte "
                f"{self._offset + series.nbytes}; truncated?"
            )
        if not contiguous and self._series is None and len(tif.pages) < self.shape[0]:
            raise UserError(
                f"{path}: {len(tif.pages)} pages for {self.shape[0]} frames; truncated?"
            )

    def tells_time(self) -> bool:
        """Whether OME metadata name an axis of time, also where they are not gone by."""
        first = self._tif.pages[0]
        found = re.search(r"\bSizeT\s*=\s*.(\d+)", first.description) if first.is_ome else None
        return bool(found) and int(found[1]) > 1

    def _image(self, image: str | None) -> tifffile.TiffPageSeries:
        """Return the series of pages that is meant."""
        series, pages = self._tif.series, self._tif.pages
        about = pages[0].description if pages[0].is_ome else ""
        n_images = len(re.findall(r"<(?:\w+:)?Image\b", about))
        several = 1 < n_images < len(pages)  # else pages were written one by one
        held = {name: one for i, one in enumerate(series) for name in (one.name, str(i))}
        names = ", ".join(one.name or str(i) for i, one in enumerate(series))
        if image is not None and not several:
            raise UserError(f"{self.path}: holds one movie; leave movie_dataset out")
        if image is None and several:
            raise UserError(
                f"{self.path}: {n_images} images, such as positions of the stage, are not one "
                f"movie; name one in movie_dataset: {names}"
            )
        if image is not None and image not in held:
            raise UserError(f"{self.path}: no image '{image}' in it; it holds: {names}")
        return series[0] if image is None else held[image]

    def _shape(
        self,
        series: tifffile.TiffPageSeries,
        asked: str | None,
        *,
        chosen: bool,
    ) -> tuple[int, int, int]:
        first, n_pages = self._tif.pages[0], len(self._tif.pages)
        shape, axes, n_frames = series.shape, series.axes, None
        if not chosen and len(self._tif.series) > 1 and first.ndim == 2:
            return n_pages, *first.shape  # pages written one by one
        if series.kind == "scanimage":  # what it planned is no matter
            shape, axes, n_frames = (*self._scanimage(), *first.shape), "TCYX", n_pages
        elif series.kind == "imagej" and n_pages > np.prod(shape[:-2]):
            n_frames = n_pages  # appended by a program that left the first page as it was
        shape = shape if len(shape) != 2 else (1, *shape)
        if asked is not None:
            axes = self._checked(axes, shape, asked)
        if axes in ("TCYX", "CTYX"):
            shape = self._in_turn(shape, axes)
        elif len(shape) != 3 or "S" in axes:  # S: the samples (colours) of a pixel
            raise UserError(
                f"{self.path}: a stack of shape {series.shape} ({series.axes}); needs frames x "
                "height x width of one channel"
                + ("; is it TCYX or CTYX? set movie_axes" if axes in TIMELESS else "")
            )
        return n_frames or shape[0], *shape[1:]

    def _checked(self, named: str, shape: tuple[int, ...], asked: str) -> str:
        """Return the axes that are asked for. Raises UserError if the file names others."""
        if asked == "TCYX" and len(shape) == 3:  # pages whose file knows of no channels
            asked = "TYX"
        taken = axes_of(shape, asked, "TYX", self.path)
        self.axes = replace(taken, shape=())
        own, turn = (
            [letter for letter in letters if letter in "TC"] for letters in (named, taken.letters)
        )
        if "T" in own and own != turn:
            raise UserError(f"{self.path}: names its axes itself, {named}; leave movie_axes out")
        return taken.letters.replace("1", "")

    def _in_turn(self, shape: tuple[int, ...], axes: str) -> tuple[int, int, int]:
        """Return the shape of the movie whose channels take turns, whatever the order of pages."""
        n_channels, n_times = (shape[axes.index(letter)] for letter in "CT")
        self.channels = n_channels
        if axes == "CTYX":
            self._order = np.arange(n_channels * n_times).reshape(n_channels, n_times).T.ravel()
        self.axes = replace(self.axes, letters=axes)
        about = self._tif.pages[0].description if self._tif.pages[0].is_ome else ""
        told = re.findall(r"<(?:\w+:)?Channel\b[^>]*\bName\s*=\s*\"([^\"]*)", about)
        self.names = told if len(told) == n_channels > 1 else ()
        return n_times * n_channels, *shape[2:]

    def _scanimage(self) -> tuple[int, int]:
        """Return how many frames and channels ScanImage wrote. Raises UserError of a volume."""
        first, n_pages = self._tif.pages[0], len(self._tif.pages)
        static = (self._tif.scanimage_metadata or {}).get("FrameData") or {}
        text = f"{first.software}\n{first.description}\n"
        text += "\n".join(f"{key} = {value}" for key, value in static.items())
        said = dict(re.findall(r"SI\d?\.(\w+\.\w+) = (.*)", text))
        planes = said.get("hStackManager.actualNumSlices", said.get("hStackManager.numSlices", "1"))
        stack = said.get("hStackManager.enable", "true").strip().lower() not in ("false", "0")
        if stack and planes.strip().isdecimal() and int(planes) > 1:
            raise UserError(f"{self.path}: {planes.strip()} planes of a volume; needs one plane")
        n_channels = len(re.findall(r"\d+", said.get("hChannels.channelSave", "1"))) or 1
        return n_pages // n_channels, n_channels

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        for start in range(0, self.shape[0], size):
            stop = min(start + size, self.shape[0])
            try:
                block = self._read(start, stop)
            except MemoryError:
                raise
            except Exception as error:  # tifffile and its codecs raise whatever they meet
                lacking = "imagecodecs" in str(error)
                raise UserError(
                    f"{self.path}: frames {start}-{stop - 1} cannot be read ({one_line(error)}); "
                    + ("save it with another compression" if lacking else "truncated?")
                ) from error
            yield start, block.reshape(-1, *self.shape[1:]).astype(self.dtype, copy=False)

    def part(self, index: tuple[slice, ...]) -> np.ndarray:
        """Return a part of the array of pages x rows x columns, whatever axes these are."""
        numbers = range(self.shape[0])[index[0]]
        step = max(1, SLAB // 4 // (self.shape[1] * self.shape[2] * self.dtype.itemsize))
        parts = []
        for start in range(numbers.start, numbers.stop, step):
            pages = self._read(start, min(start + step, numbers.stop)).reshape(-1, *self.shape[1:])
            parts.append(pages[:, index[1], index[2]].copy())
        return np.concatenate(parts)

    def _read(self, start: int, stop: int) -> np.ndarray:
        if self._order is not None and stop - start > 1:
            return np.stack([self._read(i, i + 1) for i in range(start, stop)])
        if self._order is not None:
            start, stop = self._order[start], self._order[start] + 1
        if self._offset is None:
            return self._tif.asarray(key=range(start, stop), series=self._series)
        # Read, not mapped: what is mapped counts as resident memory as long as the map lives.
        count = self.shape[1] * self.shape[2]
        stored = self.dtype.newbyteorder(self._tif.byteorder)
        offset = self._offset + start * count * stored.itemsize
        return self._tif.filehandle.read_array(stored, (stop - start) * count, offset)


@contextmanager
def open_movie(path: Path, asked: Asked) -> Iterator[Movie]:
    """Open a TIFF stack. Raises UserError if it is none, OSError if it cannot be opened.

    `asked.alone`: the file's own pages only, whatever other files its OME metadata name. For the
    dataset and axes see `TiffMovie`.
    """
    alone, image, axes = asked.alone, asked.dataset, asked.axes
    paged = axes is None or axes.endswith("YX")
    with refused(path, "not a TIFF file"):
        tif = tifffile.TiffFile(path, **({"is_ome": False} if alone else {}))
        check_chain(tif, path)
        if alone and _has_channels(tif):
            tif.close()
            tif = tifffile.TiffFile(path)
    with tif, ExitStack() as stack:
        try:
            if not tif.pages:
                raise UserError(f"{path}: a TIFF file without pages; truncated?")
            with _damage_is_an_error(path):
                if micromanager.is_set(tif) and image is None:
                    movie = micromanager.SetMovie(Path(path), tif)
                    stack.enter_context(micromanager.all_open(tif))
                else:
                    movie = TiffMovie(Path(path), tif, image, axes if paged else None)
        except (UserError, OSError):
            raise
        except Exception as error:  # tifffile raises whatever it meets
            if "keyframe" in str(error):  # pages that differ
                with tifffile.TiffFile(path) as anew:
                    _check_pages(path, anew.pages)
            raise UserError(
                f"{path}: a damaged TIFF file ({one_line(error)}); truncated?"
            ) from error
        yield movie if paged else _along(movie, axes)


def _has_channels(tif: tifffile.TiffFile) -> bool:
    """Return whether a file has all pages that its OME metadata name, of several channels."""
    about = tif.pages[0].description if tif.pages else ""
    sizes = {axis: int(n) for axis, n in re.findall(r"\bSize([CTZ])\s*=\s*.(\d+)", about)}
    return sizes.get("C", 1) > 1 and math.prod(sizes.values()) == len(tif.pages)


def _along(movie: Movie, axes: str) -> Movie:
    """Return a movie whose pages are not its frames, but rows or columns of all of them."""
    if not isinstance(movie, TiffMovie) or "T" in movie.named or movie.tells_time():
        raise UserError(f"{movie.path}: names its axes itself; leave movie_axes out")
    return ArrayMovie(
        movie.path, movie.dtype, axes_of(movie.shape, axes, "TYX", movie.path), movie.part
    )


def _check_pages(path: str | Path, pages: Iterable[tifffile.TiffPage]) -> None:
    first = None
    for i, page in enumerate(pages):
        first = first or page
        if (page.shape, page.dtype) != (first.shape, first.dtype):
            raise UserError(f"{path}: page {i} has another size or pixel type than page 0")
        check_held(page, i, path)


@contextmanager
def _damage_is_an_error(path: str | Path) -> Iterator[None]:
    noted = []

    def passes(record: logging.LogRecord) -> bool:
        said = record.getMessage()
        if "MMStack" in said or "micromanager" in said:  # `SetMovie` looks itself
            return False
        damaged = any(phrase in said for phrase in _DAMAGE)
        if damaged:
            noted.append(" ".join(said.split()))
        return not damaged

    log = logging.getLogger("tifffile")
    log.addFilter(passes)
    try:
        yield
    except Exception:
        if not noted:  # else what the log says came first
            raise
    finally:
        log.removeFilter(passes)
    if noted:
        raise UserError(f"{path}: a damaged TIFF file ({noted[0]}); truncated?")


def set_of(path: Path) -> set[Path]:
    """Return the files of the Micro-Manager set that a file is of, which are read with it."""
    try:
        with tifffile.TiffFile(path) as tif, _damage_is_an_error(path):
            if not micromanager.is_named(tif):  # a plan asks each file: no other page is looked for
                return set()
            check_chain(tif, path)
            return micromanager.files_of(tif) if micromanager.is_set(tif) else set()
    except Exception:  # whatever it is, opening the file as a movie says it
        return set()


def is_tiff(path: Path) -> bool:
    """Return whether a file begins as a TIFF file does. Raises OSError if it cannot be opened."""
    with open(path, "rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
