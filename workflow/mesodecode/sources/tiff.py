"""TIFF stacks: classic, BigTIFF, OME, ImageJ hyperstacks, and folders or lists of files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile

from mesodecode.files import UserError
from mesodecode.sources.movie import Movie, check_pixels, words

SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")
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
    """A TIFF stack. An uncompressed one is read as one array, any other page by page."""

    def __init__(self, path: Path, tif: tifffile.TiffFile, channels: bool) -> None:
        self.path, self._tif = path, tif
        series = tif.series[0]
        contiguous = len(tif.series) == 1 and series.dataoffset is not None
        if not contiguous:
            _check_pages(path, tif.pages)
        end = tif.pages.next_page_offset  # where the last page says that none follows
        if end is not None and end + tif.tiff.offsetsize > tif.filehandle.size:
            raise UserError(f"{path}: ends within page {len(tif.pages) - 1}; truncated?")
        check_pixels(np.dtype(series.dtype), path)
        self.dtype = np.dtype(series.dtype).newbyteorder("=")
        self.shape = self._shape(channels)
        self._offset = series.dataoffset if contiguous else None
        self._series = series if series.is_multifile else None
        if contiguous and tif.filehandle.size < self._offset + series.nbytes:
            raise UserError(
                f"{path}: {tif.filehandle.size} bytes, but frames up to byte "
                f"{self._offset + series.nbytes}; truncated?"
            )
        if not contiguous and not series.is_multifile and len(tif.pages) < self.shape[0]:
            raise UserError(
                f"{path}: {len(tif.pages)} pages for {self.shape[0]} frames; truncated?"
            )

    def _shape(self, channels: bool) -> tuple[int, int, int]:
        first, series = self._tif.pages[0], self._tif.series[0]
        if len(self._tif.series) > 1 and first.ndim == 2:  # pages written one by one
            return len(self._tif.pages), *first.shape
        shape, axes = series.shape, series.axes
        if channels and axes == "TCYX":
            shape, axes = (shape[0] * shape[1], *shape[2:]), "TYX"
        shape = shape if len(shape) != 2 else (1, *shape)
        if len(shape) != 3 or "S" in axes:  # S: the samples (colours) of a pixel
            raise UserError(
                f"{self.path}: a stack of shape {series.shape} ({series.axes}); needs frames x "
                "height x width of one channel"
                + ("; movie_axes TCYX takes channels as interleaved" if axes == "TCYX" else "")
            )
        return shape

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
                    f"{self.path}: frames {start}-{stop - 1} cannot be read ({words(error)}); "
                    + ("save it with another compression" if lacking else "truncated?")
                ) from error
            yield start, block.reshape(-1, *self.shape[1:]).astype(self.dtype, copy=False)

    def _read(self, start: int, stop: int) -> np.ndarray:
        if self._offset is None:
            return self._tif.asarray(key=range(start, stop), series=self._series)
        # Read, not mapped: what is mapped counts as resident memory as long as the map lives.
        count = self.shape[1] * self.shape[2]
        stored = self.dtype.newbyteorder(self._tif.byteorder)
        offset = self._offset + start * count * stored.itemsize
        return self._tif.filehandle.read_array(stored, (stop - start) * count, offset)


@contextmanager
def open_tiff(path: Path, *, alone: bool = False, channels: bool = False) -> Iterator[TiffMovie]:
    """Open a TIFF stack. Raises UserError if it is none, OSError if it cannot be opened.

    `alone`: the file's own pages only, whatever other files its OME metadata name. `channels`:
    channels of a hyperstack (TCYX) are interleaved frames.
    """
    try:
        tif = tifffile.TiffFile(path, **({"is_ome": False} if alone else {}))
    except OSError:
        raise
    except Exception as error:  # of a file of a few bytes, tifffile raises more than its own kind
        raise UserError(f"{path}: not a TIFF file ({words(error)})") from error
    with tif:
        try:
            if not tif.pages:
                raise UserError(f"{path}: a TIFF file without pages; truncated?")
            with _damage_is_an_error(path):
                movie = TiffMovie(Path(path), tif, channels)
        except (UserError, OSError):
            raise
        except Exception as error:  # tifffile raises whatever it meets
            if "keyframe" in str(error):  # pages that differ
                with tifffile.TiffFile(path) as anew:
                    _check_pages(path, anew.pages)
            raise UserError(f"{path}: a damaged TIFF file ({words(error)}); truncated?") from error
        yield movie


def _check_pages(path: str | Path, pages: tifffile.TiffPages) -> None:
    for i, page in enumerate(pages):
        if (page.shape, page.dtype) != (pages[0].shape, pages[0].dtype):
            raise UserError(f"{path}: page {i} has another size or pixel type than page 0")


@contextmanager
def _damage_is_an_error(path: str | Path) -> Iterator[None]:
    noted = []

    def passes(record: logging.LogRecord) -> bool:
        damaged = any(phrase in record.getMessage() for phrase in _DAMAGE)
        if damaged:
            noted.append(" ".join(record.getMessage().split()))
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


def set_of(path: Path) -> set[Path] | None:
    """Return the files of the Micro-Manager set that a file is of, all read with it; else None."""
    return None


def is_tiff(path: Path) -> bool:
    """Return whether a file begins as a TIFF file does. Raises OSError if it cannot be opened."""
    with open(path, "rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
