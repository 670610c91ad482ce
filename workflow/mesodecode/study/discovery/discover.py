"""What a folder of recordings holds, for a first config: sessions, their files and their mice.

What the files are is guessed from names, sizes and headers (`file_roles`), which movies are one
session from names (`movie_files`), and so are mice (`mice_of_names`). What a guess rests on, and
what was not found, is said in notes (`what_is_said`); where the layout cannot be written with
{session} and {mouse}, links to the files can. `config_text` writes the config.
"""

import itertools
import json
import os
import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from mesodecode.base import name_dates
from mesodecode.base.files import UserError, counted, first_few
from mesodecode.study.discovery import file_names as names
from mesodecode.study.discovery import links
from mesodecode.study.discovery.by_clock import pair_by_clock
from mesodecode.study.discovery.file_roles import EITHER, FLAT, MOVIES, TABLES, by_role, rows_of
from mesodecode.study.discovery.found import Found, Session
from mesodecode.study.discovery.layouts import beside, layout_of
from mesodecode.study.discovery.mice_of_names import Place, mice_of
from mesodecode.study.discovery.movie_files import sessions_of, stem_of, units_of
from mesodecode.study.discovery.session_patterns import name_files
from mesodecode.study.discovery.what_is_said import (
    say_points,
    say_spellings,
    say_what_is_missing,
    say_what_movies_are,
)
from mesodecode.study.file_formats import FORMATS

SKIPPED = {"results", "__pycache__"}  # folders


def look(folder: str | Path) -> Found:
    """Return the sessions of a folder. Raises UserError if it is none or holds no movie."""
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: no such folder; name the one that holds your recordings")
    found = Found(Path(folder).as_posix())
    files = files_in(folder)
    roles = by_role(files, folder)
    if not roles["movie"] and not roles["temporal"]:
        raise UserError(
            f"{folder}: no movie in it{_largest_of(files)}; looked for "
            f"{', '.join((*MOVIES, *EITHER, *FLAT))} (a table needs none: see `source` of a "
            "comparison)"
        )
    sessions = _sessions(roles)
    for kind in ("behavior", "times", "lights", "rois", "areas"):
        for path, session in _match(roles[kind], sessions).items():
            session.files[kind] = path
        if kind in ("behavior", "rois"):
            _say_what_is_of_several(found, kind, roles[kind], sessions)
        if kind == "behavior":
            _say_movies_of_several(found, roles[kind], sessions)
        if paired := pair_by_clock(kind, roles[kind], sessions):
            path, session, apart = paired[0]
            found.notes.append(
                f"CHECK: {len(paired)} files are paired with movies by the time in their names, as "
                f"{path} with {session.path} ({apart:.0f} s apart)."
            )
    if roles["temporal"]:
        _pair_components(sessions, roles["spatial"])
    _add_by_layout(sessions, files)
    guess = mice_of([session.place for session in sessions])
    for session, mouse in zip(sessions, guess.mice, strict=True):
        session.mouse = mouse
    sessions = _in_time(sessions, found)
    if not roles["behavior"] and all(s.path.suffix.lower() == ".nwb" for s in sessions):
        for session in sessions:  # NWB files hold both
            session.files["behavior"] = session.path
    found.guess = guess.rests_on
    found.notes += guess.notes
    name_files(found, sessions, files)
    links.place(found)
    say_what_movies_are(found, sessions, files)
    say_spellings(found, files)
    say_points(found, roles["points"])
    say_what_is_missing(found, sessions, roles)
    return found


def _largest_of(files: Mapping[PurePosixPath, int]) -> str:
    """Return words for the suffix that holds most bytes, if no format that is read has it."""
    held: Counter[str] = Counter()
    for path, size in files.items():
        held[path.suffix.lower()] += size
    ((most, _),) = held.most_common(1) or [("", 0)]
    if not most or most in (suffix for one in FORMATS for suffix in one.suffixes):
        return ""
    n = sum(path.suffix.lower() == most for path in files)
    return (
        f" that is read: most of it is {most} ({n} files), no known format; if these are the "
        "movies, save them as TIFF or HDF5 with the program that wrote them"
    )


def files_in(folder: str | Path) -> dict[PurePosixPath, int]:
    """Return file -> bytes, relative to the folder; a Zarr folder counts as a file.

    Hidden files and results are left out; links are followed, each folder is entered once, and a
    link to a file that is in the folder by itself is no other file.
    """
    found, entered = {}, set()
    for top, folders, files in os.walk(folder, followlinks=True):
        at = os.stat(top)
        if (at.st_dev, at.st_ino) in entered:  # a link to a folder above
            folders.clear()
            continue
        entered.add((at.st_dev, at.st_ino))
        arrays = [name for name in folders if name.lower().endswith(".zarr")]
        hidden = {name for name in folders if name.startswith(".")}
        folders[:] = sorted(set(folders) - set(arrays) - hidden - SKIPPED)
        for name in (*arrays, *files):
            path = Path(top, name)
            if not name.startswith(".") and str(path).isprintable() and path.exists():
                size = 1 << 40 if name in arrays else path.stat().st_size
                found[PurePosixPath(path.relative_to(folder).as_posix())] = size
    linked = {
        path: os.path.realpath(Path(folder, path))
        for path in found
        if Path(folder, path).is_symlink()
    }
    if linked:  # those that an earlier config reads, say
        own = {os.path.realpath(Path(folder, path)) for path in found if path not in linked}
        found = {path: size for path, size in found.items() if linked.get(path) not in own}
    return dict(sorted(found.items()))


# --- sessions and their files --------------------------------------------------------------------


def _sessions(roles: dict[str, dict[PurePosixPath, int]]) -> list[Session]:
    behavior = [*roles["behavior"]]
    movies = sessions_of(units_of(roles["movie"], behavior, roles["temporal"]), behavior)
    everywhere = set.intersection(*({v for part in key for v in part} for key in movies))
    sessions = []
    for key, movie in movies.items():
        unit = movie.units[0]
        told = tuple(value for part in key for value in part if value not in everywhere)
        sessions.append(Session(movie, Place((*unit.folder.parts, unit.stem), unit.words), told))
    return sessions


def _in_time(sessions: list[Session], found: Found) -> list[Session]:
    """Return sessions, those of each mouse in the order of the dates in their names.

    Where these do not sort as numbers do: a mouse's first session may be a decoder's reference.
    """
    mice = list(dict.fromkeys(session.mouse for session in sessions))
    orders = []
    places = ["/".join(session.place.parts) for session in sessions]
    for order in name_dates.orders(places, name_dates.OF_A_STUDY):
        ordered = sorted((sessions[i] for i in order), key=lambda one: mice.index(one.mouse))
        if ordered not in orders:
            orders.append(ordered)
    if len(orders) > 1:
        found.notes.append(
            "CHECK: dates in names begin with the month, the day or the year, who knows: list the "
            "sessions of each mouse in order of time."
        )
    return orders[0] if orders else sessions


def _match(
    files: dict[PurePosixPath, int], sessions: list[Session]
) -> dict[PurePosixPath, Session]:
    """Return file -> its session; of a session, that of the lowest rank and the nearest."""
    mine: dict[int, list[PurePosixPath]] = defaultdict(list)
    for path, found in _may_be_of(files, sessions):
        if len(found) == 1:
            mine[found[0]].append(path)
    matched = {}
    for i, paths in mine.items():
        near = {path: len(_shared(path, sessions[i].path)) for path in paths}
        best = min(paths, key=lambda path: (files[path], -near[path], path))
        matched[best] = sessions[i]
    return matched


def _may_be_of(
    files: Iterable[PurePosixPath], sessions: list[Session]
) -> Iterator[tuple[PurePosixPath, list[int]]]:
    """Yield each file and the sessions that it may be of.

    These are the one whose telling words its path holds, best in their order; failing that, all
    that no word of it speaks against.
    """
    having: dict[str, list[int]] = defaultdict(list)  # word -> sessions that it tells
    for i, session in enumerate(sessions):
        for word in set(session.telling):
            having[word].append(i)
    rarest = [min(s.telling, key=lambda word: len(having[word]), default="") for s in sessions]
    for path in files:
        words = names.parsed(path, stem_of(path))
        told = [token.value for part in words for token in part if token.value in having]
        near = [i for word in set(told) for i in having[word] if rarest[i] == word]
        near += [i for i, word in enumerate(rarest) if not word]
        found = _longest(near, sessions, lambda telling, told=told: _in_order(telling, told))
        found = found or _longest(near, sessions, set(told).issuperset)
        if not found:
            rare = min(told, key=lambda word: len(having[word]), default=None)
            among = range(len(sessions)) if rare is None else having[rare]
            found = [i for i in among if set(told) <= set(sessions[i].telling)]
        yield path, found


def _longest(
    among: Iterable[int], sessions: list[Session], fits: Callable[[tuple[str, ...]], bool]
) -> list[int]:
    """Return those sessions whose telling words fit that have the most of them."""
    found = [i for i in among if fits(sessions[i].telling)]
    most = max((len(sessions[i].telling) for i in found), default=0)
    return [i for i in found if len(sessions[i].telling) == most]


def _in_order(telling: Sequence[str], told: Sequence[str]) -> bool:
    rest = iter(told)
    return all(word in rest for word in telling)


def _shared(a: PurePosixPath, b: PurePosixPath) -> list[str]:
    """Return the folders that two files have in common."""
    pairs = zip(a.parent.parts, b.parent.parts, strict=False)
    return [one for one, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)]


def _pair_components(sessions: list[Session], spatial: dict[PurePosixPath, int]) -> None:
    """Give each session of temporal components the spatial ones nearest above or beside them."""
    for session in sessions:
        if session.movie.units[0].temporal and session.path.suffix.lower() == ".npy":
            session.movie.u = max(
                spatial,
                key=lambda path: (
                    len(_shared(path, session.path)),
                    -min(map(len, (path.parts, session.path.parts))),
                    -_shows(path),
                ),
            )


def _shows(path: PurePosixPath) -> int:
    """Return what a file's name says of the light (see `file_names.LIGHTS`)."""
    lights = (names.light_of(token.text) for token in names.tokens(stem_of(path)))
    return min((light for light in lights if light is not None), default=0)


def _add_by_layout(sessions: list[Session], files: Mapping[PurePosixPath, int]) -> None:
    """Give sessions the files that their layout has beside the movie."""
    for session in sessions:
        layout, _ = layout_of(session.path)
        for key, path in (beside(layout, session.path) if layout else {}).items():
            if path in files:
                session.files[key] = path


# Columns that tell sessions, and mice, in a table of several.
COLUMNS = {"session", "sess", "ses", "date", "day", "recording", "movie", "mouse", "animal"}
SPLIT = (  # makes a file a session of such tables
    'import sys, pandas as pd; [t.to_csv(p.rsplit(".", 1)[0] + "_" + "_".join(map(str, s))'
    '.replace("/", "-") + ".csv", index=False) for p in sys.argv[1:] for s, t in '
    'pd.read_csv(p, sep=None, engine="python").groupby({columns})]'
)


def _say_what_is_of_several(
    found: Found, kind: str, files: Iterable[PurePosixPath], sessions: list[Session]
) -> None:
    """Note files that seem to hold what several sessions lack, with what makes a file of each."""
    told: dict[tuple[str, ...], list[PurePosixPath]] = defaultdict(list)
    for path, of in _may_be_of(files, sessions):
        if len(of) > 1 and not any(kind in sessions[i].files for i in of):
            told[_columns(found, path)].append(path)
    for columns, paths in told.items():
        note = f"FILL IN: {first_few(paths, 1)} may hold {kind} of several sessions; a file a "
        note += "session is read. Write them, in names like those of the movies, and run init again"
        if columns:
            code = SPLIT.format(columns=json.dumps(columns, ensure_ascii=False))
            given = " ".join(shlex.quote(str(PurePosixPath(found.folder, path))) for path in paths)
            note += f". By {' and '.join(columns)}: python -c {shlex.quote(code)} {given}"
        else:
            note += "; where its times and frame_times are of one clock, links to it will do."
        found.notes.append(note)


JOIN = (  # rows below one header, with the number of their file
    "import sys; out, *files = sys.argv[1:]; lines = [open(f).read().splitlines() for f in files]; "
    's = next((c for c in "\\t;" if c in lines[0][0]), ","); open(out, "w").write("".join('
    'row + s + (str(i) if n else "segment") + "\\n" for i, rows in enumerate(lines) '
    "for n, row in enumerate(rows) if row and (n or not i)))"
)
CUT = (  # the pages of a session, from 0, the last one not with them
    "import sys, tifffile; movie, out, a, b = sys.argv[1:]; tifffile.imwrite(out, "
    "tifffile.imread(movie, key=range(int(a), int(b))), photometric='minisblack')"
)


def _say_movies_of_several(
    found: Found, files: Mapping[PurePosixPath, int], sessions: list[Session]
) -> None:
    """Note sessions whose movie may be of several: their behaviours differ in a count or a time."""

    def kind(path: PurePosixPath) -> tuple[object, ...]:
        tokens = names.tokens(stem_of(path))
        told = [t.kind if t.kind in ("count", "date", "time") else t.value for t in tokens]
        return (path.parent, path.suffix, files[path], *told)

    several: dict[int, list[PurePosixPath]] = defaultdict(list)
    for path, of in _may_be_of(files, sessions):
        taken = sessions[of[0]].files.get("behavior") if len(of) == 1 else None
        if taken and kind(taken) == kind(path):
            several[of[0]].append(path)
    several = {i: paths for i, paths in several.items() if len(paths) > 1}
    for i, paths in itertools.islice(several.items(), 1):
        movie = sessions[i].path
        shown = [shlex.quote(str(PurePosixPath(found.folder, path))) for path in paths]
        whole = shlex.quote(str(PurePosixPath(found.folder, paths[0].with_name(movie.stem))))
        more = f" (and {counted(len(several) - 1, 'movie')} more)" if len(several) > 1 else ""
        note = (
            f"FILL IN: {movie} has {len(paths)} files of behavior, {paths[0]} to {paths[-1]}{more}"
            ": a movie of several sessions? A session is all frames of its movie. Either join the "
            "behavior, one row a frame, in the order of the frames, with a number for each part in "
            "a column `segment`, across which no window reaches"
        )
        if paths[0].suffix.lower() in TABLES:
            note += f": python -c {shlex.quote(JOIN)} {whole}{paths[0].suffix} {' '.join(shown)}"
        note += "; or write the frames of each session as a movie, named as its behavior is"
        if movie.suffix.lower() in (".tif", ".tiff"):
            out = PurePosixPath(found.folder, paths[0].with_suffix(movie.suffix).name)
            given = shlex.quote(str(PurePosixPath(found.folder, movie)))
            note += f": python -c {shlex.quote(CUT)} {given} {shlex.quote(str(out))} 0 18000"
        found.notes.append(f"{note}; and run init again.")


def _columns(found: Found, path: PurePosixPath) -> tuple[str, ...]:
    """Return the columns of a table that tell sessions apart, by their names and first values."""
    rows = rows_of(Path(found.folder, path)) if path.suffix.lower() in TABLES else []
    header, *values = rows or [[]]
    return tuple(
        name
        for at, name in enumerate(header)
        if names.words(name) & COLUMNS
        and len({row[at] for row in values if len(row) > at}) < len(values) / 2
    )
