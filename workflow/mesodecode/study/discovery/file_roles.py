"""What each file of a folder is for: by the words of its name, its suffix, its header, its size."""

import itertools
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mesodecode.study import file_formats
from mesodecode.study.discovery import file_names as names


def _giving(*what: str, but: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the suffixes of formats that, of movies and behaviour, give what is named."""
    found = [one for one in file_formats.FORMATS if one.name not in but]
    of = [one.name for one in found if {"movie", "traces"} & set(one.gives) == set(what)]
    return file_formats.suffixes(*of)


STACKS = file_formats.suffixes("TIFF", "Zarr")
VIDEOS = file_formats.suffixes("video")
HDF5 = file_formats.suffixes("HDF5")
FLAT = file_formats.suffixes("flat")  # pixels without a header
TABLES = file_formats.suffixes("table")
RECORDERS = _giving("traces", but=("table",))
EITHER = _giving("movie", "traces", but=("NWB",))  # movies or behaviour
CAMERAS = _giving("movie", but=("TIFF", "Zarr", "video", "flat"))
MOVIES = (*STACKS, *CAMERAS, *file_formats.suffixes("NWB"), *VIDEOS)
ROLES = (
    "movie",
    "temporal",
    "spatial",
    "behavior",
    "times",
    "lights",
    "rois",
    "areas",
    "points",
    "aside",
)
# What files of points of a body hold, by the program that writes them
POSE = {"DeepLabCut": ("df_with_missing",), "SLEAP": ("tracks", "node_names")}
# Bpod's animal_protocol_date_session
_SESSION_OF_BPOD = re.compile(r".+_[A-Za-z]{3}\d\d_20\d\d_Session\d+", re.I)
# Samples of recorders that are no pixels: of SpikeGLX and Open Ephys
_SAMPLES = re.compile(r"continuous\.dat|.+\.(nidq|obx\d*\.obx|imec\d*\.(ap|lf))\.bin", re.I)
# Words of the columns of a table that a camera writes, a row a frame, beside its times
_OF_A_CAMERA = {
    *("frame", "frames", "number", "num", "no", "nr", "n", "index", "idx", "id", "count", "i"),
    *("camera", "cam", "image", "images", "exposure", "buffer", "channel", "light", "led"),
    *("wavelength",),
    *("dropped", "missed", "trigger", "interval", "dt", "gain", "temperature"),
}
_FRAMES = {"frame", "frames", "image", "images"}
_FILMS = _FRAMES | {"camera", "cam", "imaging", "widefield", "wf", "exposures"}
_UNITS = {"s", "ms", "us", "ns"}
# Words of files that are of no frames of the movie, whatever their columns
_OTHER = names.BEHAVIOR | names.CAMERAS | names.ROIS | {"video", "videos"}
# Parts of a mouse, which name a stimulus or a state, too: whisker_stim, eye_open
_PARTS = {"face", "eye", "body", "whisker", "dlc", "side"}
_FILMING = {"cam", "camera", "video", "videos"}
_RIGS = {"wheel", "treadmill", "encoder", "rotary", "behavior", "behaviour", "behav", "beh"}
_MOVIE_WORDS = {word for word, rank in names.MADE.items() if rank >= 0}
_MOVIE_WORDS |= {word for word in names.LIGHTS if word.isalpha()}
UMIT = "AcqInfos.mat"  # says the size of all flat files of its folder
WEAK = 1  # rank of movies by what was done to them or their light: no sessions beside others


def by_role(
    files: dict[PurePosixPath, int], folder: str | Path
) -> dict[str, dict[PurePosixPath, int]]:
    """Return role -> files, each with a rank: of two files of a session the lower one is taken.

    The roles: movie; temporal and spatial (components of an SVD); behavior; times and lights (of
    frames); rois; areas; points (of a body, in HDF5); and aside. Headers of HDF5, MAT and NPY files
    are read where names do not tell, below `folder`; a file that cannot be opened is judged by its
    name and size.
    """
    roles: dict[str, dict[PurePosixPath, int]] = {role: {} for role in ROLES}
    unclear = {}
    flat = {path.with_suffix("") for path in files if path.suffix.lower() in FLAT}
    for path, size in files.items():
        role, rank = _by_name(path)
        if path.suffix.lower() == ".txt" and not _has_rows(Path(folder, path)):
            role = "aside"  # notes, say
        if role in ("behavior", "aside") and times_of_frames(Path(folder, path)):
            role, rank = "times", 1
        if path.suffix == ".mat" and (path.with_suffix("") in flat or _of_flat(path)):
            role = "aside"  # it says the size of the flat file
        if path.suffix.lower() in HDF5 and points_of(Path(folder, path)):
            role = "points"
        if role == "either":
            unsure = "behavior" if _of_a_rig(path) else "either"
            role = {None: unsure, True: "movie", False: "behavior"}[_pixels(Path(folder, path))]
            rank = 4 if role == "behavior" else WEAK
        if role == "either":
            unclear[path] = size
        else:
            roles[role][path] = rank
    if not roles["spatial"]:  # temporal components alone make no movie
        roles["aside"] |= roles["temporal"]
        roles["temporal"] = {}
    if unclear and not roles["movie"] and not roles["temporal"]:
        roles["movie"] = _largest(unclear)
    roles["behavior"] |= {path: 4 for path in unclear if path not in roles["movie"]}
    if any(path.suffix.lower() not in (*VIDEOS, *FLAT) for path in roles["movie"]):
        videos = {path for path in roles["movie"] if path.suffix.lower() in VIDEOS}
        roles["aside"] |= {path: 0 for path in videos}  # of the mouse's face, say
        roles["movie"] = {p: rank for p, rank in roles["movie"].items() if p not in videos}
    filmed = {path for path in roles["movie"] if films_the_mouse(path)}
    if roles["movie"].keys() - filmed or roles["temporal"]:  # else a word is of something else
        roles["aside"] |= {path: 0 for path in filmed}
        roles["movie"] = {p: rank for p, rank in roles["movie"].items() if p not in filmed}
    return roles


def films_the_mouse(path: PurePosixPath) -> bool:
    """Whether a name or a folder speaks of a camera on the mouse: facecam/m1.tif, m1_pupil.tif."""
    said = [names.words(one) for one in (*path.parent.parts, path.stem)]
    return path.suffix.lower() != ".nwb" and any(
        words & (names.CAMERAS - _PARTS)
        or (words & _PARTS and words & _FILMING)
        or words in ({"face"}, {"eye"}, {"body"})
        for words in said
    )


def _of_a_rig(path: PurePosixPath) -> bool:
    """Whether a folder is called as what a mouse runs on is, or as its behaviour."""
    return bool(names.words(path.parent.name) & _RIGS)


def _by_name(path: PurePosixPath) -> tuple[str, int]:
    """Return the role and rank that a file's name and suffix give."""
    words, suffix = names.words(path.name.removesuffix(path.suffix)), path.suffix.lower()
    stem = path.name.removesuffix(path.suffix)
    if suffix == ".nwb":  # it may hold all of a session
        return "movie", 0
    if suffix in RECORDERS:
        return "behavior", 3
    if suffix == ".zip" and words & names.ROIS:  # RoiSet.zip of ImageJ
        return "areas", 0
    if suffix not in MOVIES + TABLES + EITHER + FLAT:
        return "aside", 0
    behaves = bool(words & names.BEHAVIOR)
    timed = bool(words & names.TIMES) or {"frame", "time"} <= words
    if suffix in (*STACKS, *CAMERAS, *VIDEOS, *FLAT):
        analog = suffix in FLAT and words & (names.RECORDERS | names.BEHAVIOR)
        analog = analog or _SAMPLES.fullmatch(path.name)
        filmed = suffix in VIDEOS and words & (names.CAMERAS | names.BEHAVIOR)
        if suffix in VIDEOS and stem.isdigit():  # of Miniscope DAQ: the folder tells the camera
            filmed = names.words(path.parent.name) & names.CAMERAS
        beside = analog or filmed or timed or words & (names.ASIDE | names.ROIS)
        return ("aside" if beside else "movie"), 0
    if timed or "frametimes" in stem.lower():
        return ("aside" if behaves else "times"), 0
    if {"light", "source"} <= words or "lightsource" in words:
        return "lights", 0
    aside = words & names.ASIDE - ({"log"} if behaves else set())  # behaviour_log.csv
    if aside or stem == "T":
        return "aside", 0
    if words & names.ROIS:
        return "rois", 0
    if behaves:
        return "behavior", 0 if words & {"labels", "runrest", "states"} else 1
    if words & names.RECORDERS or _SESSION_OF_BPOD.fullmatch(stem):
        return "behavior", 3
    if suffix in TABLES:
        return "behavior", 2
    if suffix == ".npy" and words & names.TEMPORAL:
        return "temporal", 0
    if suffix == ".npy" and words & names.SPATIAL:
        return "spatial", 0
    if words & (names.MOVIE | names.TEMPORAL - {"v"} | {"u", "dff", "dfof"}):
        return ("either", WEAK) if _of_a_rig(path) else ("movie", 0)  # wheel/recording.h5
    return ("movie" if words & _MOVIE_WORDS else "either"), WEAK


def points_of(path: Path) -> str:
    """Return the program that wrote points of a body to an HDF5 file, "" if it is none such."""
    import h5py

    try:
        with h5py.File(path) as file:
            found = (name for name, held in POSE.items() if {*held} <= {*file})
            return next(found, "")
    except OSError:  # a damaged file is for the reader to name
        return ""


def _of_flat(path: PurePosixPath) -> bool:
    """Return whether a file goes with one trial of WidefieldImager, or with a folder of Umit."""
    return path.name == UMIT or bool(re.fullmatch(r"frameTimes_\d+", path.stem))


def sizes_of(path: PurePosixPath) -> tuple[PurePosixPath, ...]:
    """Return what may say the size of a flat file's images, the first that is there: Umit's."""
    return path.with_suffix(".mat"), path.with_name(UMIT)


def _largest(files: dict[PurePosixPath, int]) -> dict[PurePosixPath, int]:
    """Return those files that are named as the largest one is: the movies are."""
    kinds: dict[tuple[str, ...], list[PurePosixPath]] = defaultdict(list)
    for path in files:
        kinds[_kind(path)].append(path)
    largest = max(kinds.values(), key=lambda paths: max(files[path] for path in paths))
    return {path: 0 for path in largest}


def _kind(path: PurePosixPath) -> tuple[str, ...]:
    """Return what files of one kind have in common: the suffix, words that tell no animal.

    Names that are a date and a time only are a kind, as recorders write them.
    """
    found = names.tokens(path.name.removesuffix(path.suffix))
    says = {token.kind for token in found}
    told = sorted(token.value for token in found if token.kind in ("role", "made", "light"))
    stamped = ["stamped"] if says <= {"date", "time"} and "time" in says else []
    return (path.suffix.lower(), *told, *stamped)


def _pixels(path: Path) -> bool | None:
    """Whether a file holds a movie by its header: an array of three axes, or of many pixels.

    None where that cannot be read.
    """
    try:
        shapes = _shapes(path)
    except Exception:  # a damaged file is for the reader to name
        return None
    if not shapes:
        return None
    long = [[n for n in shape if n > 1] for shape in shapes]
    return any(len(axes) > 2 or (len(axes) == 2 and min(axes) > 64) for axes in long)


def _has_rows(path: Path) -> bool:
    """Whether a text is a table: below its first line, rows of equally many fields with numbers."""
    last = rows_of(path)[1:][-3:]
    number = re.compile(r"[-+]?\d+([.,]\d*)?([eE][-+]?\d+)?")
    numbers = all(any(number.fullmatch(field) for field in row) for row in last)
    return len(last) == 3 and numbers and len(set(map(len, last))) == 1


def times_of_frames(path: Path) -> bool:
    """Whether a text is a table of a camera, a row a frame: their times, and what tells no mouse.

    A column of times increases; one counts by one (but for frames that are missing), or there is no
    other; and that column's name, or the file's, says that these are frames.
    """
    if names.words(path.name) & _OTHER:
        return False
    times, others, counting = _columns(path)
    if len(times) != 1 or not all(of and of <= _OF_A_CAMERA | _UNITS for of in others):
        return False
    if names.words(path.stem) & _FILMS:
        return bool(counting or not others)
    return any(of & _FRAMES for of in counting)


def may_be_times(path: Path) -> bool:
    """Whether a text has times that increase, beside numbers of frames that count by one."""
    times, _, counting = _columns(path)
    return bool(times) and any(of & _FRAMES for of in counting)


def _columns(path: Path) -> tuple[list[set[str]], list[set[str]], list[set[str]]]:
    """Return the words of a table's columns: of times, of others, and of those that count.

    None of what is no table of three rows or more.
    """
    head, *rows = (path.suffix.lower() in TABLES and rows_of(path)) or [[]]
    if len(rows) < 3 or len({len(row) for row in (head, *rows)}) > 1:
        return [], [], []
    found = [
        (names.words(title), of) for title, of in zip(head, zip(*rows, strict=True), strict=True)
    ]
    times = [words for words, of in found if _timed(words) and _rises(of)]
    others = [(words, of) for words, of in found if words not in times]
    return times, [words for words, _ in others], [words for words, of in others if _counts(of)]


def _timed(words: set[str]) -> bool:
    of = {"time", "times", "timestamp", "timestamps"}
    return bool(words & of or words == {"t"} or words == {"t", "s"} or words == {"seconds"})


def _rises(column: Sequence[str]) -> bool:
    found = _numbers(column)
    return found is None or all(a < b for a, b in itertools.pairwise(found))


def _counts(column: Sequence[str]) -> bool:
    """Whether numbers are whole and go up by one, but for one in ten."""
    found = _numbers(column)
    if found is None or any(one != int(one) for one in found):
        return False
    steps = [b - a for a, b in itertools.pairwise(found)]
    return min(steps) > 0 and sum(step != 1 for step in steps) <= len(steps) / 10


def _numbers(column: Sequence[str]) -> list[float] | None:
    try:
        return [float(field.replace(",", ".")) for field in column]
    except ValueError:  # text: dates
        return None


def rows_of(path: Path) -> list[list[str]]:
    """Return the fields of the first lines of a text, [] if it cannot be read."""
    try:
        with open(path, "rb") as file:
            lines = file.read(1 << 14).decode("latin-1").splitlines()
    except OSError:
        return []
    lines = [line.strip() for line in lines[:-1] if line.strip() and not line.startswith("#")]
    sign = next((sign for sign in "\t;," if lines and sign in lines[0]), None)
    return [[field.strip('" ') for field in line.split(sign)] for line in lines]


def _shapes(path: Path) -> list[tuple[int, ...]]:
    """Return the shapes of the arrays that a MAT, HDF5 or NPY file says it holds."""
    if path.suffix.lower() == ".npy":
        import numpy as np

        return [np.load(path, mmap_mode="r", allow_pickle=False).shape]
    with open(path, "rb") as file:
        start = file.read(128)
    if path.suffix.lower() == ".mat" and not start.startswith(b"MATLAB 7.3"):
        import scipy.io

        return [shape for _, shape, kind in scipy.io.whosmat(path) if kind not in ("char", "cell")]
    import h5py

    shapes: list[tuple[int, ...]] = []

    def visit(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf":
            shapes.append(item.shape)

    with h5py.File(path) as file:
        file.visititems(visit)
    return shapes
