"""Which files are one session's movie: its parts, its wavelengths, and the versions made of it."""

import fnmatch
import glob
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TypeVar

from mesodecode.study.discovery import file_names as names
from mesodecode.study.discovery.file_names import Token
from mesodecode.study.discovery.file_roles import EITHER, FLAT, MOVIES, STACKS, TABLES, WEAK

T = TypeVar("T")
DIGITS = "0123456789"
# How programs number the files of one movie; `base` is what they have in common.
PARTS = [
    re.compile(pattern)
    for pattern in (
        r"(?P<base>.*)@(?P<n>\d+)",  # pco.camware
        r"(?P<base>(?:.*_)?MMStack(?:_Default|_Pos[-\d]+(?:_\d{3}_\d{3})?)?)(?:_(?P<n>\d+))?",
        r"(?P<base>(?:.*_)?img(?:_channel\d+)?(?:_position\d+)?)(?:_time(?P<n>\d+))?(?:_z\d+)?",
        r"(?P<base>(?:.*_)?img)_(?P<n>\d{9})(?P<light>_\w+)_\d{3}",  # Micro-Manager 1.4
        r"(?P<base>.*)_X(?P<n>\d+)",  # Andor Solis
        r"(?P<base>Frames(?:_\d+){3}_u?int\d+)_(?P<n>\d+)",  # WidefieldImager, a file a trial
        r"(?P<base>.*?)[-_ .](?:part|pt|chunk|split|file|seg)[-_ ]?(?P<n>\d+)",
        r"(?P<base>.*?) ?\((?P<n>\d+)\)",
    )
]
_MINISCOPE = re.compile(r"(?i:.*miniscope.*)/(?P<base>)(?P<n>\d+)")  # FOLDER/NUMBER of its videos
_PADDED = 20  # files of consecutive numbers that are parts without further evidence
_Base = tuple[PurePosixPath, str, str]  # folder, what names have in common, suffix
_LAST_NUMBER = re.compile(r"(?P<base>.*?)[-_ .]?(?P<n>\d+)")
_SUFFIXES = re.compile(
    rf"(?:{'|'.join(map(re.escape, (*MOVIES, *EITHER, *FLAT, *TABLES, '.ome')))})+$", re.I
)
SIDES = (("left", "right"), ("l", "r"), ("lh", "rh"))
_IMAGES = ("img", "image", "frame", "frames", "file", "stack", "movie", "video", "part")


@dataclass(frozen=True)
class Unit:
    """Files that follow each other as one movie of one wavelength.

    `stem` is what their names have in common, `words` those of folders and stem; `temporal`: they
    are temporal components of an SVD (of MAT files: with the spatial ones); `weak`: that they are a
    movie is said by words that other files have, too.
    """

    files: tuple[PurePosixPath, ...]
    stem: str
    words: list[list[Token]]
    temporal: bool = False
    weak: bool = False

    @property
    def folder(self) -> PurePosixPath:
        """The folder of the files."""
        return self.files[0].parent

    @property
    def light(self) -> str:
        """What its names say of the wavelength, '' if nothing."""
        return "_".join(token.value for token in self.of("light"))

    @property
    def shows(self) -> int:
        """What that light shows (see `file_names.LIGHTS`); 0 where names do not say."""
        told = [token.text for token in self.of("light")]
        found = {names.LETTERS.get(text, names.light_of(text)) for text in told} - {None}
        return min(found - {1} or found, default=0)

    @property
    def made(self) -> int:
        """How far the movie has been processed (see `file_names.MADE`)."""
        told = [word for token in self.of("made") for word in names.words(token.text)]
        return max((names.MADE.get(word, 0) for word in told), default=1)

    def of(self, *kinds: str) -> list[Token]:
        """Return the words of some kinds, in order."""
        return [token for part in self.words for token in part if token.kind in kinds]

    def key(self, *without: str) -> tuple[tuple[str, ...], ...]:
        """Return the values of the words that are not of the kinds `without`, by folder."""
        parts = (tuple(t.value for t in part if t.kind not in without) for part in self.words)
        return tuple(filter(None, parts))


@dataclass
class Recorded:
    """The movie of a session: `units` are its wavelengths, the one of calcium first.

    `others`: further versions of it, which are not taken; `u`: spatial components.
    """

    units: list[Unit]
    others: list[Unit] = field(default_factory=list)
    u: PurePosixPath | None = None


def units_of(
    movies: Mapping[PurePosixPath, int],
    behavior: Iterable[PurePosixPath],
    temporal: Iterable[PurePosixPath] = (),
) -> list[Unit]:
    """Return the movies, parts of one joined, in the order of their paths; `movies`: their rank."""
    known = _Beside(list(movies), list(behavior))
    groups: dict[_Base, dict[PurePosixPath, int]] = defaultdict(dict)
    numbered: dict[_Base, dict[PurePosixPath, int]] = defaultdict(dict)
    for path in known.movies:
        stem = stem_of(path)
        match = next(filter(None, (pattern.fullmatch(stem) for pattern in PARTS)), None)
        match = match or _MINISCOPE.fullmatch(f"{path.parent.name}/{stem}")
        base = match["base"] + (match.groupdict().get("light") or "") if match else stem
        groups[path.parent, base, path.suffix][path] = int((match and match["n"]) or 0)
    for (folder, base, suffix), files in groups.items():
        number = _LAST_NUMBER.fullmatch(base)
        if len(files) == 1 and number and suffix.lower() in (*STACKS, *FLAT):
            numbered[folder, number["base"], suffix][next(iter(files))] = int(number["n"])
    for (folder, base, suffix), files in numbered.items():
        if len(files) > 1 and known.are_parts(folder, base, files):
            for path in files:
                groups.pop((folder, stem_of(path), suffix))
            groups[folder, base, suffix] |= files
    found = []
    for (_, base, _), files in groups.items():
        apart = len(files) > 1 and known.own_behavior(base, files) > 1
        ordered = sorted(files, key=lambda path: (files[path], path))
        for paths in [[path] for path in ordered] if apart else [ordered]:
            stem = base if len(paths) > 1 else stem_of(paths[0])
            components = bool(re.fullmatch("(rs)?Vc", stem)) and paths[0].suffix == ".mat"
            words, weak = names.parsed(paths[0], stem), movies[paths[0]] >= WEAK
            found.append(Unit(tuple(paths), stem, words, components, weak))
    for path in temporal:
        stem = stem_of(path)
        found.append(Unit((path,), stem, names.parsed(path, stem), temporal=True))
    return sorted(found, key=lambda unit: unit.files)


def stem_of(path: PurePosixPath) -> str:
    """Return a file's name without its suffixes and without the sizes of flat files."""
    stem = _SUFFIXES.sub("", path.name)
    sizes = names.FLAT.search(stem)
    return stem[: sizes.start()] if sizes and sizes.end() == len(stem) else stem


class _Beside:
    """Movies and behaviour, by what numbered movies may have beside them."""

    def __init__(self, movies: list[PurePosixPath], behavior: list[PurePosixPath]) -> None:
        self.movies = movies
        self._texts = list(map(str, behavior))
        self._movies_in, self._behavior_in = in_folders(movies), in_folders(behavior)

    def own_behavior(self, base: str, files: Iterable[PurePosixPath]) -> int:
        """Return how many files, named `base` and a number, have behaviour of their own."""
        texts = [text for text in self._texts if base in text]
        return sum(any(_holds(text, stem_of(file)) for text in texts) for file in files)

    def are_parts(self, folder: PurePosixPath, base: str, files: dict[PurePosixPath, int]) -> bool:
        """Whether numbered files are one movie: they have one file of behaviour among them."""
        last = names.tokens(stem_of(next(iter(files))))[-1]
        images = last.text.rstrip(DIGITS).strip("-_. ").lower() in _IMAGES
        if last.kind not in ("number", "role", "time") and not (last.kind == "count" and images):
            return False
        numbers = sorted(files.values())
        follow = numbers == [*range(numbers[0], numbers[0] + len(numbers))] and numbers[0] < 2
        if (last.kind == "time" and not follow) or self.own_behavior(base, files):
            return False
        beside = self._behavior_in.get(folder, [])
        alone = folder != PurePosixPath(".") and len(self._movies_in[folder]) == len(files)
        if alone and len(beside) < 2 and len(self._texts) <= len(self._movies_in):
            return True
        shared = sum(_holds(path.name, base) for path in beside) == 1
        return shared or (follow and len(files) >= _PADDED)


def in_folders(files: Iterable[PurePosixPath]) -> dict[PurePosixPath, list[PurePosixPath]]:
    """Return folder -> its files."""
    found: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
    for path in files:
        found[path.parent].append(path)
    return found


def _holds(text: str, name: str) -> bool:
    """Whether a text holds a name, not as a part of a longer word."""
    bounded = rf"(?<![^\W_]){re.escape(name)}(?![^\W_])"
    return bool(name) and name in text and bool(re.search(bounded, text))


def sessions_of(
    units: list[Unit], behavior: Iterable[PurePosixPath] = ()
) -> dict[tuple[tuple[str, ...], ...], Recorded]:
    """Return what tells a session -> its movie: wavelengths and versions of one are one session.

    So are halves of an image (left and right) of which `behavior` has one file for both.
    """
    units = _with_halves(_with_lights(units), list(behavior))
    groups: dict[tuple[tuple[str, ...], ...], list[Unit]] = defaultdict(list)
    for unit in units:
        groups[unit.key("light", "made", "role")].append(unit)
    sure = {unit.folder for unit in units if not unit.weak}
    found = {}
    for key, versions in groups.items():
        if all(unit.weak and unit.folder in sure for unit in versions):
            continue  # shifts of a motion correction, say
        best = max(versions, key=_preference)
        lights: dict[str, Unit] = {}
        if not best.temporal:
            same = [u for u in versions if (u.made, u.temporal) == (best.made, False)]
            for unit in sorted(same, key=_preference, reverse=True):
                lights.setdefault(unit.light, unit)
        ordered = sorted(lights.values(), key=lambda unit: (unit.shows, unit.light)) or [best]
        taken = _taken(ordered)
        found[key] = Recorded(taken, [unit for unit in versions if unit not in taken])
    return found


def _with_halves(units: list[Unit], behavior: list[PurePosixPath]) -> list[Unit]:
    """Return units with left and right told, as what a file is, from ear marks that name mice.

    They are halves of one image where each movie of one has one of the other beside it, and files
    of behaviour, no more than such pairs, are of neither.
    """
    told = {t.text.lower() for f in behavior for part in names.parsed(f, stem_of(f)) for t in part}
    for pair in SIDES:
        halves = [_as(unit, "role", lambda t, pair=pair: t.text.lower() in pair) for unit in units]
        sides = _beside(halves, half_of)
        if all(each == {*pair} for each in sides) and not told & {*pair}:
            return halves if 0 < len(behavior) <= len(sides) else units
    return units


def half_of(unit: Unit) -> str:
    """Return the word by which a movie's name says that it is half of an image, "" if none does."""
    told = {token.text.lower() for token in unit.of("role")}
    return next((side for pair in SIDES for side in pair if side in told), "")


def _preference(unit: Unit) -> tuple[bool, bool, int, int]:
    """Of two versions of a movie, SVD components, one with a header, and the more processed one."""
    header = unit.files[0].suffix.lower() not in FLAT
    return unit.temporal, header, unit.made, -unit.shows


def _taken(lights: list[Unit]) -> list[Unit]:
    """Return the wavelength of calcium and, where there is one, that of blood."""
    shown = [unit.shows for unit in lights]
    if len(lights) < 2 or shown[0] == 2:  # two cameras of two indicators: one is decoded
        return lights[:1]
    if 3 in shown[1:]:
        return [lights[0], lights[shown.index(3, 1)]]
    return lights[:2]


def _with_lights(units: list[Unit]) -> list[Unit]:
    """Return units with words of light told from equal words that name a mouse or a camera.

    Single letters are light where a file of each is beside the other (G and R). Colours are names
    where nothing else tells mice apart and they are no pair of calcium and blood.
    """
    lit = [_as(unit, "light", lambda token: token.text in names.LETTERS) for unit in units]
    pairs = _beside(
        lit, lambda unit: "".join(t.text for t in unit.of("light") if t.text in names.LETTERS)
    )
    for pair in ({"G", "R"}, {"B", "V"}):  # a file may be missing
        if all(p <= pair for p in pairs) and 4 * pairs.count(pair) >= 3 * len(pairs):
            return lit
    naming = {tuple(t.value for t in unit.of("subject", "name", "number")) for unit in units}
    if len(naming) < 2 and not any({0, 3} <= shown for shown in _beside(units, lambda u: u.shows)):
        return [
            _as(unit, "name", lambda token: token.kind == "light" and token.text.isalpha())
            for unit in units
        ]
    return units


def _beside(units: list[Unit], what: Callable[[Unit], T]) -> list[set[T]]:
    """Return what is said of the units that differ by light only, for each set of such."""
    found: dict[tuple[tuple[str, ...], ...], set[T]] = defaultdict(set)
    for unit in units:
        found[unit.key("light", "made", "role")].add(what(unit))
    return list(found.values())


def _as(unit: Unit, kind: str, which: Callable[[Token], bool]) -> Unit:
    """Return a unit with some of its words taken for another kind."""
    words = [[replace(t, kind=kind) if which(t) else t for t in part] for part in unit.words]
    return replace(unit, words=names.counted(words))


def pattern_of(unit: Unit, beside: Sequence[PurePosixPath]) -> PurePosixPath | None:
    """Return what names exactly the files of a movie among those of its folder, None if nothing.

    A file, a folder or a pattern (*).
    """
    if len(unit.files) == 1:
        return unit.files[0]
    stacks = {path for path in beside if path.suffix.lower() in (".tif", ".tiff")}
    if stacks == set(unit.files) and unit.folder != PurePosixPath("."):
        return unit.folder
    first, *others = (path.name for path in unit.files)
    start = _common(first, others)
    end = _common(first[len(start) :][::-1], [name[::-1] for name in others])[::-1]
    for begins, ends in ((start.rstrip(DIGITS), end.lstrip(DIGITS)), (start, end)):
        pattern = f"{glob.escape(begins)}*{glob.escape(ends)}"
        named = {path for path in beside if fnmatch.fnmatchcase(path.name, pattern)}
        if named == set(unit.files):
            return PurePosixPath(glob.escape(str(unit.folder))) / pattern
    return None


def _common(first: str, others: Iterable[str]) -> str:
    """Return what all begin with."""
    end = len(first)
    for other in others:
        while not other.startswith(first[:end]):
            end -= 1
    return first[:end]
