"""What the names of files say: which are parts of one movie, and which are its wavelengths.

This module reads no files. Names follow what cameras, Micro-Manager, MetaMorph, ImageJ, ScanImage
and Prairie View write, and what labs add by hand.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from mesodecode.base import name_dates
from mesodecode.base.files import UserError
from mesodecode.base.natural_order import stem

PROJECTIONS = r"(?:MAX|MIN|AVG|SUM|STD|MED)_"  # put before a name by ImageJ's Z projections
# What numbers a part at the end of a name: 2, _0002, -2, @0002, (2), _X2, _part2; or a letter.
_BETWEEN = r"(?:[\s_.@-]+(?i:X|part|pt|file)?[\s_.@-]*)"
_PART = r"(?:\(?\d+\)?|[\s_.@-]|(?<=[\s_.@-])(?i:X|part|pt|file))$"
_LETTER = r"(?:(?<=[\s_.@-])[A-Za-z]|(?<=[a-z])[A-Z])$"
# Excitation light (nm) of imaging; no round numbers, which also count frames.
_NM = "365|385|395|405|410|415|430|445|455|460|465|470|473|475|480|488|490|505|525|530|532"
_NM += "|560|561|565|590|594|617|625|630|635|640|660"
_WORDS = "blue|violet|purple|green|red|orange|amber|yellow|cyan|uv|calcium|gcamp|signal|sig"
_WORDS += "|isosbestic|isos|reference|ref|hemo|haemo|hemodynamics?|reflectance|fluorescence|fluo"
_WORDS += "|gfp|yfp|rfp|mcherry|tdtomato|jrgeco|rcamp"
_CAPITAL = "|".join(word.capitalize() for word in _WORDS.split("|"))
WAVELENGTHS = {  # kind -> what in a name tells a wavelength
    "channel": r"(?<![A-Za-z0-9])(?i:channel|chan|ch|c)[ _-]?\d{1,3}(?!\d)|(?<=[a-z0-9])Ch\d(?!\d)"
    r"|(?<![A-Za-z0-9])(?i:led|camera|cam)\d{1,2}(?!\d)",
    "filter": r"(?<![A-Za-z0-9])w\d[A-Za-z0-9]*",  # MetaMorph: w1GFP
    "nm": rf"(?<!\d)(?:\d{{3}}(?=[ _-]?nm)|{_NM})(?!\d)",
    "word": rf"(?<![A-Za-z])(?i:{_WORDS})(?![A-Za-z])|(?<=[a-z])(?:{_CAPITAL})(?![a-z])",
    "letter": r"(?<![A-Za-z0-9])[GRBVgrbv](?![A-Za-z0-9])",
    "Micro-Manager": r"(?<=img_\d{9}_).+(?=_\d{3}$)",
}
# Of these, what shows blood and no calcium.
_REFERENCE = r"(?<!\d)(?:365|385|39\d|40\d|41\d)(?!\d)|(?<![A-Za-z])(?i:violet|purple|uv|isosbestic"
_REFERENCE += r"|isos|reference|ref|ha?emo|ha?emodynamics?|reflectance)(?![A-Za-z])"
_REFERENCE += "|(?<=[a-z])(?:Violet|Purple|UV|Isosbestic|Reference|Ref|Hemo|Reflectance)(?![a-z])"
MOST = 16  # wavelengths
DATES = 10**6  # a number of a name from here on is a date, or a time, and counts nothing
APART = 15  # nm between two
_CLOCK = r"(?<![A-Za-z])T(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)(?:[0-5]\d)?(?!\d)"
_MONTHS = rf"(?:{'|'.join(name_dates.MONTHS)})[a-z]*[-_. ]?"
_MONTH = rf"(?i:(?<=\d)[-_. ]?{_MONTHS}(?=\d)|(?<![a-z]){_MONTHS}(?=\d\d?[-_. ,]+20\d\d))"
_PLACES = (  # of single images: (position, plane)
    r"img_channel\d+_position(?P<position>\d+)_time\d+_z(?P<plane>\d+)$",
    r"img_\d{9}_.+_(?P<plane>\d{3})$",
    r".+_MMStack_(?P<position>Pos\d+|\d+-Pos_\d+_\d+)",
)


def of_one_series(files: Sequence[Path], named: str | Path) -> tuple[list[Path], list[Path]]:
    """Return the files whose names are those of one series, in their order, and all others.

    `named`: the folder or pattern that the files were found by. A series is what most names have in
    common but for numbers, months and wavelengths. Raises UserError where none is clearly the
    series, where dates in the names tell no order, and where the names say that images were taken
    at several positions or planes.
    """
    letters = all(len(stem(file)) == 1 for file in files)  # a.tif, b.tif
    names = {stem(file) for file in files}
    bases = {file: "" if letters else _base(_first_part(stem(file), names)) for file in files}
    counts = Counter(
        base for file, base in bases.items() if not re.match(PROJECTIONS, stem(file), re.I)
    )
    (base, most), *others = counts.most_common() or [(None, len(files))]
    if others and (most < 2 or most < 2 * others[0][1]):
        one, other = (next(f for f in files if bases[f] == b) for b in (base, others[0][0]))
        raise UserError(
            f"{named}: {one.name} and {other.name} do not look like parts of one series; name the "
            "files of the movie in a list, in order of time, or by a pattern"
        )
    kept = _in_time([file for file in files if base in (None, bases[file])], named)
    _check_clock(kept, named)
    _check_places(kept, named)
    _check_copies(kept, named)
    return kept, [file for file in files if file not in set(kept)]


def _in_time(files: list[Path], named: str | Path) -> list[Path]:
    """Return files in the order of dates in their names, where these do not sort as text does."""
    found = name_dates.orders([stem(file) for file in files])
    if len(found) > 1:
        at = next(i for i, (a, b) in enumerate(zip(*found, strict=True)) if a != b)
        one, other = (files[order[at]].name for order in found)
        raise UserError(
            f"{named}: {one} and {other} may be of other days, as their dates begin with the "
            "month, the day or the year; name the files of the movie in a list, in order of time"
        )
    return [files[i] for i in found[0]] if found else files


def _check_clock(files: Sequence[Path], named: str | Path) -> None:
    """Raise UserError where times of day without dates may go past midnight: T2359 and T0001."""
    found = [re.search(_CLOCK, stem(file)) for file in files]
    before = {match and match.string[: match.start()] for match in found}
    if None in before or len(before) > 1 or re.search(r"\d{6}", before.pop()):
        return
    minutes = [60 * int(match["hour"]) + int(match["minute"]) for match in found]
    for i, (early, late) in enumerate(pairwise(minutes)):
        if late - early > 12 * 60:
            raise UserError(
                f"{named}: {files[i + 1].name} may come before {files[i].name}, over midnight, as "
                "no date tells; name the files of the movie in a list, in order of time"
            )


def _check_copies(files: Sequence[Path], named: str | Path) -> None:
    """Raise UserError where two files have one number: m_3 and m_003, or m_3 and m_3 (1)."""
    names = {file.with_name(stem(file)): file for file in files}
    for (one, number), (other, same) in pairwise(zip(files, map(_numbers, files), strict=True)):
        if number == same:
            _refuse_copy(one, other, named)
    for name, file in names.items():
        copied = re.fullmatch(r"(.*?)(\d+) ?\(\d+\)", name.name)
        first = name.with_name(copied[1] + copied[2]) if copied else None
        if first in names:
            beside = re.compile(re.escape(str(name.with_name(copied[1]))) + r"\d+")
            if sum(bool(beside.fullmatch(str(other))) for other in names) > 1:
                _refuse_copy(names[first], file, named)


def _refuse_copy(one: Path, other: Path, named: str | Path) -> None:
    raise UserError(
        f"{named}: {one.name} and {other.name} have one number, as a file and its copy have; take "
        "one of them away, or name the files of the movie in a list"
    )


def _numbers(file: Path) -> tuple[str | int, ...]:
    """Return the words and numbers of which a file's path consists, but for its format."""
    words = re.split(r"(\d+)", str(file.with_name(stem(file))))
    return tuple(int(word) if word.isdecimal() else word for word in words)


def gaps(files: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Return the files of a series between which a number leaps that mostly goes on by 1.

    From 1259 to 1300 is the next minute of a clock, and numbers from `DATES` on are dates.
    """
    steps = []
    for (one, before), (other, after) in pairwise(zip(files, map(_numbers, files), strict=True)):
        unlike = [(a, b) for a, b in zip(before, after, strict=False) if a != b]
        if len(unlike) == 1 and isinstance(unlike[0][0], int) and isinstance(unlike[0][1], int):
            (a, b), clock = unlike[0], unlike[0][0] % 100 == 59 and unlike[0][1] % 100 == 0
            steps.append((1 if clock or b >= DATES else b - a, one, other))
    if 2 * sum(step == 1 for step, *_ in steps) < max(4, len(files) - 1):
        return []
    return [(one, other) for step, one, other in steps if step > 1]


def by_wavelength(files: Sequence[Path]) -> dict[str, list[Path]] | None:
    """Return the files of each wavelength if names differ in nothing but that; else None.

    Wavelengths are in the order in which they first come.
    """
    names = [str(file.with_name(stem(file))) for file in files]
    kinds = [re.compile(pattern) for pattern in WAVELENGTHS.values()]
    for kind in kinds:
        found = [list(kind.finditer(name)) for name in names]
        for i in range(min(map(len, found), default=0)):
            groups = _alike(files, names, [[matches[i]] for matches in found])
            if groups:
                return groups
    return _alike(files, names, [[m for kind in kinds for m in kind.finditer(n)] for n in names])


def check_signal(names: Sequence[str], signal: int, path: str | Path) -> None:
    """Raise UserError if the first of these wavelengths shows no calcium and is the signal.

    `signal` is a number, from 1. The first is what a config means that says nothing of it; any
    other was chosen. Where names do not tell them apart, any may be the signal.
    """
    shows_none = [bool(re.search(_REFERENCE, name)) for name in names]
    if signal == 1 and shows_none[0] and not all(shows_none):
        calcium = shows_none.index(False) + 1
        raise UserError(
            f"{path}: signal_channel 1 is {names[0]}, which shows no calcium: set signal_channel: "
            f"{calcium} ({names[calcium - 1]}) and reference_channel: 1; to decode {names[0]} "
            "itself, name its files alone, or tell frames by light_sources"
        )


def _alike(
    files: Sequence[Path], names: Sequence[str], marks: Sequence[Sequence[re.Match]]
) -> dict[str, list[Path]] | None:
    """Return files by what is marked in their names, if these are else the same for each mark."""
    groups: dict[str, list[Path]] = {}
    rest: dict[str, set[str]] = {}
    for file, name, found in zip(files, names, marks, strict=True):
        for match in sorted(found, key=lambda m: -m.start()):
            name = name[: match.start()] + "\0" + name[match.end() :]
        label = " ".join(dict.fromkeys(match[0] for match in found))
        groups.setdefault(label, []).append(file)
        rest.setdefault(label, set()).add(name)
    numbers = sorted(int(label) for label in groups if label.isdecimal())
    too_near = any(b - a < APART for a, b in pairwise(numbers))
    if not 2 <= len(groups) <= MOST or too_near:
        return None
    shared = set.intersection(*rest.values())
    # One wavelength may have one image more, where the recording ended within a cycle.
    spare = 1 if len(shared) > 1 else 0
    alike = all(len(names - shared) <= spare for names in rest.values())
    return groups if shared and alike else None


def _first_part(name: str, names: set[str]) -> str:
    """Return which of `names` is this one without the number of its part; itself, if none is."""
    for mark in (r"\(?\d+\)?$", rf"{_BETWEEN}\(?\d+\)?$"):
        if (shorter := re.sub(mark, "", name)) in names:
            return shorter
    return name


def _base(name: str) -> str:
    """Return what the parts of a series have in common in their names."""
    for kind in ("filter", "word", "Micro-Manager"):  # the others are numbers or letters
        name = re.sub(WAVELENGTHS[kind], "%", name)
    name = re.sub(_MONTH, "#", name)
    name = _without_parts(re.sub(_LETTER, "", _without_parts(name)))
    return re.sub(r"[\d#]+", "#", name).casefold()


def _without_parts(name: str) -> str:
    while name != (name := re.sub(_PART, "", name)):
        pass
    return name


def _check_places(files: Iterable[Path], named: str | Path) -> None:
    for pattern in _PLACES:
        found = [match for file in files if (match := re.match(pattern, stem(file)))]
        for kind in ("position", "plane"):
            values = dict.fromkeys(m[kind] for m in found if kind in m.re.groupindex)
            if len(values) > 1:
                raise UserError(
                    f"{named}: images of {len(values)} {kind}s ({', '.join(list(values)[:4])}) are "
                    f"no one movie; name those of one {kind} by a pattern"
                )
