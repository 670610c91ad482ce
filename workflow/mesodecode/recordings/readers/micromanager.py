"""Sets of TIFF files that Micro-Manager writes (MMStack, NDTiff): a set is one movie."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import tifffile

from mesodecode.base.files import UserError, refused, say
from mesodecode.recordings.movie import Movie

WHAT = {"R": "positions", "P": "positions", "Z": "planes"}
HEADER = 162  # bytes from a page's directory to its pixels in an MMStack, as tifffile takes them


def is_named(tif: tifffile.TiffFile) -> bool:
    """Return whether the first page of an open file says that a set's program wrote it."""
    return tif.is_mmstack or tif.is_ndtiff


def is_set(tif: tifffile.TiffFile) -> bool:
    """Return whether an open file is one of a set, or alone but by a set's program."""
    return is_named(tif) and tif.series[0].kind in ("mmstack", "ndtiff")


def files_of(tif: tifffile.TiffFile) -> set[Path]:
    """Return the files of the set that an open file is of."""
    pages = [page for page in tif.series[0].pages if page is not None]
    return {Path(page.parent.filehandle.path).resolve() for page in pages}


@contextmanager
def all_open(tif: tifffile.TiffFile) -> Iterator[None]:
    """Keep all files of a set open; tifffile leaves all but the given one closed."""
    with ExitStack() as stack:
        for page in tif.series[0].pages:
            if page is not None and page.parent.filehandle.closed:
                page.parent.filehandle.open()
                stack.callback(page.parent.filehandle.close)
        yield


class SetMovie(Movie):
    """A set, up to the last frame that was taken, whatever was planned; channels take turns.

    Raises UserError of several positions or planes, and where frames before the last are missing.
    """

    def __init__(self, path: Path, tif: tifffile.TiffFile) -> None:
        self.path, self._tif, self._series = path, tif, tif.series[0]
        key = self._series.keyframe
        if len(key.shape) != 2:
            raise UserError(f"{path}: pixels of shape {key.shape}; needs images of one channel")
        if self._series.kind == "mmstack" and key.dataoffsets[0] - key.offset != HEADER:
            raise UserError(f"{path}: a Micro-Manager stack of unknown layout; save it anew")
        self.dtype = np.dtype(self._series.dtype).newbyteorder("=")
        pages = list(self._series.pages)
        numbers, self.channels = self._of_one_place(pages)
        last = max(i for i, number in enumerate(numbers) if pages[number] is not None)
        self._numbers = numbers[: last + 1]
        self._check_gaps([pages[number] for number in self._numbers])
        self.shape = (last + 1, *key.shape)
        summary = (tif.micromanager_metadata or {}).get("Summary", {})
        told = summary.get("ChNames")
        if isinstance(told, list) and len(told) == self.channels > 1:
            self.names = list(map(str, told))
        planned = int(summary.get("Frames", 0)) * self.channels
        if last + 1 < planned:
            say(
                f"{path}: {last + 1} of {planned} planned frames; was it stopped early, or is the "
                "last file of the set not there?"
            )

    def _of_one_place(self, pages: list) -> tuple[list[int], int]:
        """Return the numbers of pages, in order of time and channel, and how many channels."""
        axes, shape = self._series.get_axes(False)[:-2], self._series.get_shape(False)[:-2]
        numbers = np.arange(len(pages)).reshape(shape)
        taken = np.array([page is not None for page in pages]).reshape(shape)
        n_channels = 1
        for axis, letter in enumerate(axes):
            if letter == "T":
                continue
            used = np.flatnonzero(np.moveaxis(taken, axis, 0).reshape(shape[axis], -1).any(axis=1))
            if len(used) > 1 and letter != "C":
                raise UserError(
                    f"{self.path}: images of {len(used)} {WHAT.get(letter, 'kinds')}; a movie has "
                    "one"
                )
            n_channels = len(used) if letter == "C" else n_channels
            numbers = numbers.take(used, axis)
        ordered = sorted(range(len(axes)), key=lambda axis: axes[axis] != "T")
        return numbers.transpose(ordered).ravel().tolist(), n_channels

    def _check_gaps(self, pages: list) -> None:
        index = (self._tif.micromanager_metadata or {}).get("IndexMap")
        if not self._series.is_multifile and index is not None:  # alone, or its set was renamed
            self.begins = int(index[:, 2].min())
        gap = next((i for i, page in enumerate(pages) if page is None), None)
        if gap is not None:
            raise UserError(f"{self.path}: frame {gap} of its set is missing; is a file not there?")
        cut = next((i for i, page in enumerate(pages) if page.dataoffsets[0] == 0), None)
        if cut is not None:
            raise UserError(f"{self.path}: frame {cut} of its set is cut off; truncated?")

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        for start in range(0, self.shape[0], size):
            some = self._numbers[start : start + size]
            with refused(
                self.path, f"frames {start}-{start + len(some) - 1} cannot be read", "; truncated?"
            ):
                block = self._tif.asarray(key=some, series=self._series)
            yield start, block.reshape(-1, *self.shape[1:]).astype(self.dtype, copy=False)
