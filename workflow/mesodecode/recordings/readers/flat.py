"""Files of pixels without a header, whose layout is in their name, beside them, or asked for.

labcams and wfield (github.com/jcouto) name size and type at the end, …_{channels}_{height}_{width}_
{dtype}; WidefieldImager (github.com/musall) names its trials Frames_{channels}_{width}_{height}_
{dtype}_{trial}, in MATLAB's order, frameTimes_{trial}.mat beside them, or puts the size before the
pixels; Umit (github.com/LabeoTech) has a MAT file of the same name, with datSize, or AcqInfos.mat.
"""

import math
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError, doubt
from mesodecode.recordings.axes import Asked, Axes
from mesodecode.recordings.movie import ArrayMovie
from mesodecode.recordings.readers import mapped, mat
from mesodecode.study import file_formats

# Pixels in the middle of the first frame of a file, by which the order of their bytes is judged: a
# movie may have hundreds of files.
SEEN = 1 << 16
_TYPES = {"single": "float32", "double": "float64"}  # as MATLAB calls them
TRIAL = re.compile(rf"Frames_(?:\d+_\d+_\d+_(?:{file_formats.PIXEL_TYPES})_)?(?P<trial>\d+)")


@dataclass(frozen=True)
class Layout:
    """How pixels lie: axes, the slowest first; lengths of all but T; what said so.

    `offset`: bytes before them; `n_frames`: how many there are by what said so, None if nothing.
    """

    letters: str
    lengths: dict[str, int]
    dtype: np.dtype
    by: str
    offset: int = 0
    n_frames: int | None = None

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame of all channels."""
        return math.prod(self.lengths.values()) * self.dtype.itemsize


@contextmanager
def open_movie(path: Path, asked: Asked) -> Iterator[ArrayMovie]:
    """Open a file of pixels without a header. Raises UserError if its size or type is open."""
    layout = layout_of(path, asked)
    n_bytes = path.stat().st_size - layout.offset
    if min(layout.lengths.values()) < 1:
        raise UserError(f"{path}: frames without pixels, by {layout.by}; see movie_shape")
    n_frames, rest = divmod(n_bytes, layout.frame_bytes)
    size = " x ".join(f"{n} {letter}" for letter, n in layout.lengths.items())
    words = f"frames of {size} {layout.dtype} ({layout.frame_bytes} bytes each, by {layout.by})"
    if rest or not n_frames:
        raise UserError(
            f"{path}: {n_bytes} bytes are no whole number of {words}, but {n_frames} and {rest} "
            "bytes; truncated, or of another layout? see movie_shape, movie_dtype, movie_axes"
        )
    if layout.n_frames not in (None, n_frames):
        raise UserError(
            f"{path}: {n_frames} {words}, which says {layout.n_frames}; truncated, or not its own?"
        )
    shape = tuple(n_frames if axis == "T" else layout.lengths[axis] for axis in layout.letters)
    by = "movie_axes" if asked.axes else "the file" if layout.by != "movie_shape" else None
    read = mapped.reader(path, layout.dtype, shape, layout.offset)
    _say_bytes(path, layout)
    yield ArrayMovie(path, layout.dtype, Axes(layout.letters, by, shape), read)


def _say_bytes(path: Path, layout: Layout) -> None:
    """Say so if whole numbers differ less from their neighbours with their bytes exchanged.

    LabVIEW writes the high byte first. Raises UserError if they do as packed pixels of 12 bits.
    """
    if layout.dtype.kind not in "iu" or layout.dtype.itemsize < 2:
        return
    n_pixels = layout.frame_bytes // layout.dtype.itemsize
    count = min(n_pixels, SEEN)
    middle = layout.offset + (n_pixels - count) // 2 * layout.dtype.itemsize
    values = np.fromfile(path, layout.dtype, count, offset=middle)
    if layout.dtype.itemsize == 2 and _packed(path, layout, count, _rough(values)):
        raise UserError(
            f"{path}: read as {layout.dtype}, neighbouring pixels differ as noise does, and far "
            "less as 12 bits a pixel, two pixels in three bytes (Mono12p or Mono12Packed of a "
            "camera), which are not read: save it with 16 bits a pixel (Mono16, or TIFF)"
        )
    if _rough(values.byteswap()) < 0.5 * _rough(values):
        other = "<>"[layout.dtype.newbyteorder("=") == layout.dtype] + layout.dtype.str[1:]
        doubt(
            path,
            f"read as {layout.dtype}, neighbouring pixels differ as noise does, and far "
            f"less with their bytes the other way: if the mean image on the page of `mesodecode "
            f"qc` is noise, set movie_dtype: '{other}'",
        )


def _packed(path: Path, layout: Layout, count: int, rough: float) -> bool:
    """Whether pixels of 12 bits, as cameras pack them, are less rough than those of 16."""
    begin = layout.offset + layout.frame_bytes // 6 * 3  # a pair begins every three bytes
    held = np.fromfile(path, np.uint8, count // 2 * 3, offset=begin)
    a, b, c = held[: len(held) // 3 * 3].reshape(-1, 3).T.astype(np.uint16)
    ways = (
        (a | (b & 15) << 8, b >> 4 | c << 4),  # GenICam's Mono12p
        (a << 4 | b & 15, c << 4 | b >> 4),  # GigE Vision's Mono12Packed
        (a << 4 | b >> 4, (b & 15) << 8 | c),  # the high bits first
    )
    least = min(_rough(np.stack(way, axis=1).ravel()) for way in ways)
    return least < 0.5 * rough


def _rough(values: np.ndarray) -> float:
    """Return how much each value differs from the next, by how much all differ; noise: about 1."""
    values = values.astype(np.float64)
    spread = np.abs(values - np.median(values)).mean()
    return float(np.abs(np.diff(values)).mean() / spread) if spread and len(values) > 1 else 0.0


def layout_of(path: Path, asked: Asked) -> Layout:
    """Return how a file's pixels lie: as asked for, else as its name or a file beside it says."""
    found = _in_header(path) or _beside(path) or _in_name(path)
    if asked.shape is not None:
        dtype = _dtype(asked.dtype) if asked.dtype else found.dtype if found else None
        if dtype is None:
            raise UserError(f"{path}: nothing says its pixels' type; set movie_dtype, as uint16")
        names = "YXC"[: len(asked.shape)]
        if len(names) == 3 and asked.axes is None:
            raise UserError(
                f"{path}: movie_shape of {len(asked.shape)} numbers are height, width and "
                "channels; say in movie_axes how they lie, such as TYXC or TCYX"
            )
        lengths = dict(zip(names, asked.shape, strict=True))
        found = Layout("TYX", lengths, dtype, "movie_shape")
    elif found is None:
        raise UserError(
            f"{path}: pixels without a header, and neither its name nor a file beside it says "
            "their size: set movie_shape (height and width) and movie_dtype, such as uint16"
        )
    elif asked.dtype:
        found = replace(found, dtype=_dtype(asked.dtype))
    if asked.axes is not None:
        if sorted(asked.axes) != sorted(["T", *found.lengths]):
            raise UserError(
                f"{path}: movie_axes {asked.axes}; needs T and each of {', '.join(found.lengths)} "
                f"once (lengths by {found.by}), the slowest first"
            )
        found = replace(found, letters=asked.axes)
    return found


def _dtype(text: str) -> np.dtype:
    return np.dtype(_TYPES.get(text, text))


def _in_name(path: Path) -> Layout | None:
    """Return the layout that a file's name says: of labcams, or of a trial of WidefieldImager."""
    match = file_formats.SIZES.search(path.stem)
    if not match:
        return None
    a, b, dtype = int(match["a"]), int(match["b"]), _dtype(match["dtype"])
    if TRIAL.fullmatch(path.stem):
        return Layout("TXY", {"Y": b, "X": a}, dtype, "its name")
    channels = file_formats.channels_named(path.stem)
    if channels is None:
        return Layout("TYX", {"Y": a, "X": b}, dtype, "its name")
    return Layout("TCYX", {"C": channels, "Y": a, "X": b}, dtype, "its name")


def _beside(path: Path) -> Layout | None:
    """Return the layout that a MAT file beside says: of WidefieldImager or Umit."""
    if trial := TRIAL.fullmatch(path.stem):
        times = path.with_name(f"frameTimes_{trial['trial']}.mat")
        named = _in_name(path)
        if named is None or not times.is_file():
            return None
        size = _numbers(times, "imgSize")
        if len(size) < 2 or {size[0], size[1]} != set(named.lengths.values()):
            return None
        n_frames = size[3] if len(size) == 4 and size[2] == 1 else None
        lengths = {"Y": size[0], "X": size[1]}
        return replace(named, lengths=lengths, by=times.name, n_frames=n_frames)
    own, shared = path.with_suffix(".mat"), path.with_name("AcqInfos.mat")
    if own.is_file() and len(size := _numbers(own, "datSize")) >= 2:
        kind, length = _word(own, "Datatype") or "single", _numbers(own, "datLength")
        if not re.fullmatch(file_formats.PIXEL_TYPES, kind):
            raise UserError(f"{own}: Datatype {kind}, which is no type of pixels; see movie_shape")
        order = _letters(own)
        n_frames = length[0] if len(length) == 1 else None
        return Layout(order, {"Y": size[0], "X": size[1]}, _dtype(kind), own.name, 0, n_frames)
    if shared.is_file():
        height, width = (_numbers(shared, f"AcqInfoStream/{side}") for side in ("Height", "Width"))
        if len(height) == len(width) == 1:
            return Layout("TXY", {"Y": height[0], "X": width[0]}, np.dtype("f4"), shared.name)
    return None


def _letters(path: Path) -> str:
    """Return the axes of Umit's file, the slowest first; its own order is the fastest first."""
    names = _value(path, "dim_names")
    letters = "YXT" if names is None else "".join(map(str, names.ravel()))
    if sorted(letters) != ["T", "X", "Y"]:
        raise UserError(f"{path}: dim_names {', '.join(letters)}; a movie's are Y, X and T")
    return letters[::-1]


def _value(path: Path, name: str) -> np.ndarray | None:
    with mat.holding(path) as held:
        value = held[name].read() if name in held else None
    return value if isinstance(value, np.ndarray) and value.size else None


def _numbers(path: Path, name: str) -> list[int]:
    value = _value(path, name)
    return [] if value is None or value.dtype.kind not in "buif" else [int(n) for n in value.flat]


def _word(path: Path, name: str) -> str:
    value = _value(path, name)
    return "" if value is None else str(value.flat[0])


def _in_header(path: Path) -> Layout | None:
    """Return the layout that an older WidefieldImager wrote before a trial's pixels, uint16.

    Float64: how many numbers follow, the time of each frame, and height, width, 1 and frames.
    """
    if not TRIAL.fullmatch(path.stem) or file_formats.SIZES.search(path.stem):
        return None
    n_bytes = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(8)
        count = struct.unpack("<d", start)[0] if len(start) == 8 else 0.0
        if not 4 < count < n_bytes // 8 or count != int(count):
            return None
        file.seek(8 * (int(count) - 3))
        height, width, one, n_frames = np.fromfile(file, "<f8", 4)
    offset = 8 * (int(count) + 1)
    if one != 1 or height * width * n_frames * 2 != n_bytes - offset:
        return None
    lengths = {"Y": int(height), "X": int(width)}
    return Layout("TXY", lengths, np.dtype("<u2"), "its header", offset, int(n_frames))
