"""The formats of a lab's files, and what each of them can give: a line a format.

The table of docs/own-data.md, the errors that say what can be read, and `mesodecode init` are made
of it, and its readers are found by it (`mesodecode.recordings.readers.by_name`).
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePath

from mesodecode.base.files import UserError

# What a file can give -> its words in that table.
GIVES = {
    "movie": "movie",
    "traces": "behaviour, times of frames, light sources",
    "intervals": "intervals of run by name (of any other: `behavior_stop`)",
    "rois": "ROI signals (`rois`)",
    "masks": "areas (`roi_masks`)",
}


@dataclass(frozen=True)
class Format:
    """A format: its name, its suffixes, and what of `GIVES` it can give.

    `reader`: the module of `mesodecode.recordings.readers` that reads it, "" of areas alone.
    `takes`: what the config may say of a movie: the "datasets" of a file, "axes", "shape".
    `extra`: of this package's optional dependencies, the one that reads it; `words`: what of it.
    """

    name: str
    suffixes: tuple[str, ...]
    gives: tuple[str, ...]
    reader: str = ""
    takes: tuple[str, ...] = ()
    extra: str = ""
    words: str = ""

    @property
    def shown(self) -> str:
        """The format and its suffixes, for a list."""
        return f"{self.name} ({', '.join(self.suffixes)})"


_SETS = ("datasets", "axes")
_ARRAYS = ("movie", "traces", "rois", "masks")
FORMATS = (
    Format("TIFF", (".tif", ".tiff", ".btf", ".tf8", ".pcoraw"), ("movie", "masks"), "tiff", _SETS),
    Format("HDF5", (".h5", ".hdf5", ".hdf"), _ARRAYS, "hdf5", (*_SETS, "shape")),
    Format("MAT", (".mat",), _ARRAYS, "mat", (*_SETS, "shape")),
    Format("NPY", (".npy",), _ARRAYS, "npy", ("axes", "shape")),
    Format("Zarr", (".zarr",), ("movie",), "zarr_store", (*_SETS, "shape")),
    Format("NWB", (".nwb",), ("movie", "traces", "intervals", "rois"), "nwb", _SETS),
    Format(
        "flat",
        (".dat", ".bin", ".raw"),
        ("movie",),
        "flat",
        ("axes", "shape"),
        words="pixels without a header: by name, a MAT file beside it, or `movie_shape`",
    ),
    Format(
        "Andor",
        (".sif", ".sifx"),
        ("movie",),
        "andor",
        words="and the folder that Solis spooled to",
    ),
    Format(
        "bioio", (".nd2", ".czi", ".lif"), ("movie",), "microscopes", ("datasets",), extra="bioio"
    ),
    Format("video", (".avi", ".mp4", ".m4v", ".mov", ".mkv", ".wmv"), ("movie",), "video"),
    Format("Motion JPEG 2000", (".mj2",), ("movie",), "video"),
    Format("table", (".csv", ".tsv", ".txt"), ("traces", "rois", "masks"), "table"),
    Format("Spike2", (".smr",), ("traces",), "spike2", extra="neo"),
    Format("ABF", (".abf",), ("traces",), "abf", extra="abf"),
    Format("TDMS", (".tdms",), ("traces",), "tdms", extra="tdms"),
    Format("PNG", (".png",), ("masks",)),
    Format("polygons", (".json",), ("masks",)),
    Format("ImageJ", (".roi", ".zip"), ("masks",)),
)
SPOOLED = "*.[sS][iI][fF][xX]"  # the file of a folder that Andor's Solis spools to
BY_NAME = {one.name: one for one in FORMATS}


def is_spooled(folder: Path) -> bool:
    """Return whether a folder is one that Andor's Solis spooled frames to."""
    return any(folder.glob(SPOOLED))


def format_of(path: str | PurePath, what: str) -> str | None:
    """Return the name of the format that a file's suffix says, None if it cannot give `what`."""
    suffix = PurePath(path).suffix.lower()
    return next((one.name for one in FORMATS if suffix in one.suffixes and what in one.gives), None)


# What the name of a file without a header says at its end: channels, two sides, type of the pixels,
# and numbers of a file. Channels are a word of their own, and no larger number, such as a date's.
PIXEL_TYPES = "u?int(?:8|16|32|64)|float(?:16|32|64)|single|double"
SIZES = re.compile(
    rf"(?<![^_])(?:(?P<channels>\d+)_)?(?P<a>\d+)_(?P<b>\d+)_(?P<dtype>{PIXEL_TYPES})"
    r"(?P<after>(?:_\d+)*)$"
)
MOST_CHANNELS = 16


def channels_named(stem: str) -> int | None:
    """Return how many channels the name of a file without a header says, None if it says none."""
    match = SIZES.search(stem)
    n = int(match["channels"] or 0) if match else 0
    return n if 0 < n <= MOST_CHANNELS else None


def is_trial(path: PurePath) -> bool:
    """Return whether a file is of a trial of WidefieldImager, which are a folder's movie."""
    return bool(re.fullmatch(r"Frames_.*\d\.(dat|mj2)", path.name))


def suffixes(*names: str) -> tuple[str, ...]:
    """Return the suffixes of formats."""
    return tuple(suffix for one in FORMATS if one.name in names for suffix in one.suffixes)


def check_fetched(path: str | Path) -> None:
    """Raise UserError if a file of a record is not to be written there.

    What is missing is downloaded, so that a config and a record could write any file: it is one of
    data, by its suffix, and in the folder of the study (a link in it may lead to another disk).
    """
    if Path.cwd() not in Path(os.path.abspath(path)).parents:
        raise UserError(
            f"config: fetch: {path} is missing, and is downloaded into the folder that Snakemake "
            "runs in only; name it there (its folder may be a link to another disk)"
        )
    known = [suffix for one in FORMATS for suffix in one.suffixes]
    if Path(path).suffix.lower() not in known:
        raise UserError(
            f"config: fetch: {path} is missing, and is downloaded only under a name of data "
            f"({', '.join(known)})"
        )


def listed(what: str) -> str:
    """Return what can give `what`, for a message: TIFF (.tif, .tiff) or NPY (.npy)."""
    words = [one.shown for one in FORMATS if what in one.gives]
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def unknown(path: str | Path, what: str, subject: str) -> UserError:
    """Return the error that a file is of no format that gives `what`."""
    return UserError(f"{path}: no known format; {subject} read from {listed(what)}")


def table() -> str:
    """Return the table of the docs: what is read from which formats, in Markdown."""
    lines = ["| | read from |", "|---|---|"]
    for what, words in GIVES.items():
        held = [one for one in FORMATS if what in one.gives]
        lines.append(f"| {words} | {'; '.join(map(_cell, held))} |")
    return "\n".join(lines)


def _cell(one: Format) -> str:
    extra = f"`pip install mesodecode[{one.extra}]`" if one.extra else ""
    notes = [note for note in (one.words, extra) if note]
    return f"{one.name} ({', '.join(one.suffixes)}{': ' if notes else ''}{'; '.join(notes)})"
