"""Read the files that a lab has: TIFF stacks and MAT files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import scipy.io
import tifffile

from mesodecode.files import UserError

# What tifffile says in its log, and not by an error, of a stack whose end is missing.
_DAMAGE = (
    "invalid page offset",
    "invalid offset to page",
    "invalid circular reference",
    "corrupted",
    "failed to reshape",
)


class Movie:
    """A TIFF stack of one session, read in blocks of frames: never whole in memory.

    An uncompressed stack is memory-mapped, any other is read page by page.
    Attributes: path, shape (T, H, W), dtype.
    """

    def __init__(self, path: Path, tif: tifffile.TiffFile) -> None:
        self.path, self._tif = path, tif
        first, series = tif.pages[0], tif.series[0]
        for i, page in enumerate(tif.pages):
            if (page.shape, page.dtype) != (first.shape, first.dtype):
                raise UserError(f"{path}: page {i} has another size or pixel type than page 0")
        end = tif.pages.next_page_offset  # where the last page says that none follows
        if end is not None and end + tif.tiff.offsetsize > tif.filehandle.size:
            raise UserError(f"{path}: ends within page {len(tif.pages) - 1}; truncated?")
        self.dtype = np.dtype(series.dtype)
        self.shape = series.shape if series.ndim != 2 else (1, *series.shape)
        if len(tif.series) > 1 and first.ndim == 2:  # pages written one by one: a series each
            self.shape = (len(tif.pages), *first.shape)
        if len(self.shape) != 3 or "S" in series.axes:  # S: the samples (colours) of a pixel
            raise UserError(
                f"{path}: a stack of shape {series.shape} ({series.axes}); needs frames x height x "
                "width of one channel"
            )
        if self.dtype.kind not in "uif":
            raise UserError(f"{path}: pixels of type {self.dtype}; needs whole or real numbers")
        contiguous = len(tif.series) == 1 and series.dataoffset is not None
        try:
            self._map = tifffile.memmap(path, mode="r") if contiguous else None
        except (ValueError, OSError):
            self._map = None
        if self._map is None and len(tif.pages) < self.shape[0]:
            raise UserError(
                f"{path}: {len(tif.pages)} pages for {self.shape[0]} frames; truncated?"
            )

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        for start in range(0, self.shape[0], size):
            stop = min(start + size, self.shape[0])
            try:
                if self._map is not None:
                    block = np.array(self._map.reshape(self.shape)[start:stop])
                else:
                    block = self._tif.asarray(key=range(start, stop))
            except Exception as error:  # tifffile and its codecs raise whatever they meet
                lacking = "imagecodecs" in str(error)
                raise UserError(
                    f"{self.path}: frames {start}-{stop - 1} cannot be read ({_words(error)}); "
                    + ("pip install it, or save without compression" if lacking else "truncated?")
                ) from error
            yield start, block.reshape(-1, *self.shape[1:])


@contextmanager
def open_movie(path: str | Path) -> Iterator[Movie]:
    """Open a TIFF stack. Raises UserError if it is none, OSError if it cannot be opened."""
    try:
        tif = tifffile.TiffFile(path)
    except OSError:
        raise
    except Exception as error:  # of a file of a few bytes, tifffile raises more than its own kind
        raise UserError(f"{path}: not a TIFF file ({_words(error)})") from error
    with tif:
        try:
            if not tif.pages:
                raise UserError(f"{path}: a TIFF file without pages; truncated?")
            with _damage_is_an_error(path):
                movie = Movie(Path(path), tif)
        except (UserError, OSError):
            raise
        except Exception as error:  # tifffile raises whatever it meets
            raise UserError(f"{path}: a damaged TIFF file ({_words(error)}); truncated?") from error
        yield movie


@contextmanager
def _damage_is_an_error(path: str | Path) -> Iterator[None]:
    noted = []

    def passes(record: logging.LogRecord) -> bool:
        damaged = any(words in record.getMessage() for words in _DAMAGE)
        if damaged:
            noted.append(" ".join(record.getMessage().split()))
        return not damaged

    log = logging.getLogger("tifffile")
    log.addFilter(passes)
    try:
        yield
    finally:
        log.removeFilter(passes)
    if noted:
        raise UserError(f"{path}: a damaged TIFF file ({noted[0]}); truncated?")


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def read_mat(path: str | Path) -> dict[str, np.ndarray]:
    """Return the numeric variables of a MAT file (v5 or v7.3), as MATLAB shows their shape."""
    with open(path, "rb") as file:
        head = file.read(10)
    try:
        if head == b"MATLAB 7.3":
            with h5py.File(path) as file:  # HDF5 keeps MATLAB's columns first: transpose back
                items = {k: v[()].T for k, v in file.items() if isinstance(v, h5py.Dataset)}
        else:
            items = scipy.io.loadmat(path, squeeze_me=False)
    except Exception as error:  # scipy raises many kinds on a damaged file
        raise UserError(f"{path}: not a readable MAT file ({_words(error)})") from error
    return {
        name: value
        for name, value in items.items()
        if isinstance(value, np.ndarray) and value.dtype.kind in "buif"
    }


def read_vector(variables: dict[str, np.ndarray], name: str, path: str | Path) -> np.ndarray | None:
    """Return variable `name` of a MAT file as a vector (T,) of finite numbers; None if absent."""
    if name not in variables:
        return None
    value = variables[name]
    if value.size != max(value.shape, default=0):
        raise UserError(f"{path}: {name} has shape {value.shape}; needs one value a frame")
    value = value.ravel()
    if not np.isfinite(value).all():
        bad = np.flatnonzero(~np.isfinite(value))
        raise UserError(f"{path}: {name} is not finite in {bad.size} frames, the first {bad[0]}")
    return value


def read_behavior(path: str | Path, speed_threshold: float) -> dict[str, np.ndarray]:
    """Read the labels of a session, and its speed and segments where it has them.

    Variables of the MAT file: `runrest` (1 run, 0 rest; Ajioka et al. 2024), `speed_rs` (cm/s),
    `segment` (frames of different segments are not neighbours in time). Without `runrest` a frame
    is run where the speed is above `speed_threshold` cm/s.

    Returns a dict of vectors (T,): labels uint8, and speed float32, segment int64 if there.
    Raises UserError if there are neither labels nor speed, or labels other than 0 and 1.
    """
    variables = read_mat(path)
    found = {
        name: read_vector(variables, name, path) for name in ("runrest", "speed_rs", "segment")
    }
    labels, speed, segment = found["runrest"], found["speed_rs"], found["segment"]
    if labels is None and speed is None:
        raise UserError(
            f"{path}: neither 'runrest' nor 'speed_rs' in it; it holds: "
            f"{', '.join(sorted(variables)) or 'no numeric variable'}"
        )
    if labels is None:
        labels = speed > speed_threshold
    other = np.setdiff1d(labels, [0, 1])
    if other.size:
        raise UserError(
            f"{path}: runrest holds {', '.join(f'{v:g}' for v in other[:5])}; labels are 0 (rest) "
            "and 1 (run)"
        )
    behavior = {"labels": labels.astype(np.uint8)}
    if speed is not None:
        behavior["speed"] = speed.astype(np.float32)
    if segment is not None:
        behavior["segment"] = segment.astype(np.int64)
        if (behavior["segment"] != segment).any():
            raise UserError(f"{path}: segment holds fractions; needs whole numbers, one a segment")
    return behavior


def read_rois(path: str | Path, variable: str = "dat_roi") -> np.ndarray:
    """Read ROI signals (T, R) float32 from `variable` (R x T) of a MAT file.

    NaN stays: it says that a signal is missing there, and a decoder decides what that means.
    """
    variables = read_mat(path)
    if variable not in variables:
        raise UserError(
            f"{path}: no variable '{variable}' in it; it holds: "
            f"{', '.join(sorted(variables)) or 'no numeric variable'}"
        )
    rois = variables[variable]
    if rois.ndim != 2:
        raise UserError(f"{path}: {variable} has shape {rois.shape}; needs ROIs x frames")
    return checked_rois(rois.T, path)


def checked_rois(rois: np.ndarray, path: str | Path) -> np.ndarray:
    """Return ROI signals (T, R) as float32. Raises UserError for infinite values."""
    infinite = np.flatnonzero(np.isinf(rois).any(axis=0)) + 1
    if infinite.size:
        raise UserError(f"{path}: infinite values in ROI {', '.join(map(str, infinite[:10]))}")
    return rois.astype(np.float32)
