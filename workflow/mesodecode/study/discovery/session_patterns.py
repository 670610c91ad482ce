"""How the files of all sessions are written with {session} and {mouse}, or what links them."""

import itertools
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from mesodecode.study.discovery import file_names as names
from mesodecode.study.discovery.found import Found, Session
from mesodecode.study.discovery.movie_files import in_folders, pattern_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")  # of a session, as the schema has it
MOUSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
ENDINGS = {  # of links
    **{"behavior": "_behavior", "rois": "_roi", "times": "_times"},
    **{"lights": "_lights", "movie_mask": "_mask", "areas": "_areas"},
}


def name_files(found: Found, sessions: list[Session], files: dict[PurePosixPath, int]) -> None:
    """Fill in patterns and mice; links where the files' names cannot be written as patterns.

    Of the ways to name sessions, the first by which the fewest kinds of files need links is taken.
    """
    folders, called = in_folders(files), [session.mouse for session in sessions]
    movies = [_movie_patterns(session, folders) for session in sessions]
    least, taken = len(ENDINGS) + 1, None
    for loose, texts in itertools.product((False, True), _session_names(sessions)):
        if patterns := _templates(movies, texts, sessions, files if loose else None):
            _call(sessions, texts)
            linked = sum(_fitting(kind, sessions) is None for kind in _kinds(sessions))
            if linked < least:
                least, taken = linked, (texts, patterns)
            if not linked:
                break
    if taken is not None:
        _call(sessions, taken[0])
        found.patterns["movie"] = [_under(found, pattern) for pattern in taken[1]]
    else:
        _rename(sessions)
        _link_movies(found, sessions, movies)
    for kind in _kinds(sessions):
        _name_kind(found, kind, sessions)
    prefixed = any("{mouse}" in one for each in found.patterns.values() for one in each)
    joined: dict[str, set[str]] = {}
    for session, own in zip(sessions, called, strict=True):
        mouse = session.mouse if prefixed else named(session.mouse).replace(".", "_")
        found.mice.setdefault(mouse or "FILL_IN", []).append(session.name)
        joined.setdefault(mouse, set()).add(unicodedata.normalize("NFC", own))
    if "FILL_IN" in found.mice:
        found.notes.append("FILL IN: the names do not say which mouse a session is of.")
    _say_joined(found, joined)


def _say_joined(found: Found, joined: Mapping[str, Collection[str]]) -> None:
    """Note mice of several names that are one name in the config; `joined`: that -> those."""
    for name, mice in joined.items():
        if name and len(mice) > 1:
            shown = " and ".join(f"'{mouse}'" for mouse in sorted(mice))
            found.notes.append(
                f"CHECK: {shown} are one mouse here, {name}, as a config holds no accents or other "
                "signs; if they are different animals, list the sessions of each under a name of "
                "its own."
            )


def _call(sessions: list[Session], texts: list[str]) -> None:
    for session, text in zip(sessions, texts, strict=True):
        session.name = text


def _kinds(sessions: list[Session]) -> list[str]:
    """Return the kinds of files beside movies that any session has."""
    return [kind for kind in ENDINGS if any(kind in session.files for session in sessions)]


def _movie_patterns(
    session: Session, folders: dict[PurePosixPath, list[PurePosixPath]]
) -> list[PurePosixPath | None]:
    """Return what names the files of each wavelength, or U and SVT; None where nothing does."""
    patterns = [pattern_of(unit, folders[unit.folder]) for unit in session.movie.units]
    return [session.movie.u, *patterns] if session.movie.u else patterns


def _session_names(sessions: list[Session]) -> list[list[str]]:
    """Return ways to name all sessions, the best first: by the movie's name, or by a folder's.

    Names with a date, a time or a count come before others, and those that differ between sessions.
    A way names no two sessions of a mouse alike.
    """
    depth = min(len(session.place.parts) for session in sessions)
    ways: dict[tuple[str, ...], int] = {}
    for at in range(-1, -depth - 1, -1):
        cores = [_cores(session, at) for session in sessions]
        for texts in zip(*cores, strict=False):
            texts = _without_prefix(list(texts))
            pairs = {(session.mouse, text) for session, text in zip(sessions, texts, strict=True)}
            if len(pairs) < len(sessions) or not all(NAME.fullmatch(text) for text in texts):
                continue
            differ = len(set(texts)) > 1
            telling = ("date", "time", "count") if differ else ("date", "time")  # not Pos0
            timed = all(any(t.kind in telling for t in names.tokens(text)) for text in texts)
            ways.setdefault(tuple(texts), 2 * timed + differ)
    return [list(way) for way in sorted(ways, key=lambda way: -ways[way])]


def _cores(session: Session, at: int) -> list[str]:
    """Return what of a part of a path may name its session: without words of kinds of files.

    Between words that differ between the session's own files it is cut, the longest piece first.
    """
    part, words = session.place.parts[at], session.place.words[at]
    pieces: list[list[names.Token]] = [[]]
    for token in words:
        if token.kind == "light" and len(session.lights) > 1:
            pieces.append([])
        else:
            pieces[-1].append(token)
    cores = []
    for piece in pieces:
        telling = [i for i, t in enumerate(piece) if t.kind not in ("role", "made", "light")]
        if telling:
            cores.append(part[piece[telling[0]].start : piece[telling[-1]].end])
    return sorted(cores, key=len, reverse=True)


def _without_prefix(texts: list[str]) -> list[str]:
    """Return names without what all begin with, unless the config can hold them as they are."""
    if all(NAME.fullmatch(text) for text in texts):
        return texts
    same = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False))
    common = re.sub(r"[^_\-. #]*$", "", "".join(letters[0] for letters in same))
    return [text[len(common) :] for text in texts]


def _template(path: PurePosixPath, session: str, mouse: str = "") -> str:
    """Return a path with its session and its mouse as {session} and {mouse}."""
    text = str(path).replace("{", "{{").replace("}", "}}")
    for key, value in (("{session}", session), ("{mouse}", mouse)):
        if value:
            bounded = rf"(?<![^\W_]){re.escape(value)}(?![^\W_])(?![^{{}}]*\}}(?!\}}))"
            text = re.sub(bounded, key, text)
    return text


def _templates(
    movies: list[list[PurePosixPath | None]],
    texts: list[str],
    sessions: list[Session],
    files: dict[PurePosixPath, int] | None,
) -> list[str] | None:
    """Return the patterns that all movies follow when their sessions are named so, if any.

    Where `files` (all there are) are given, folders that differ otherwise become *, if a movie's
    files are still the only ones there.
    """
    unique = len(set(texts)) == len(texts)
    mice = all(MOUSE.fullmatch(session.mouse) for session in sessions)
    for with_mouse in (False, True) if mice else (False,):
        found = []
        for i in range(max(map(len, movies))):  # a session may lack a wavelength
            having = [j for j, paths in enumerate(movies) if len(paths) > i]
            paths = [movies[j][i] for j in having]
            if None in paths:
                return None
            each = [
                _template(movies[j][i], texts[j], sessions[j].mouse if with_mouse else "")
                for j in having
            ]
            found.append(_same(each, paths, files))
        if all(p and "{session}" in p and (unique or "{mouse}" in p) for p in found):
            return found
    return None


def _same(
    templates: list[str],
    paths: list[PurePosixPath],
    files: dict[PurePosixPath, int] | None,
) -> str | None:
    """Return the pattern that all follow, with * for folders that differ; None if there is none."""
    if len(set(templates)) == 1:
        return templates[0]
    split = [PurePosixPath(template).parts for template in templates]
    if files is None or len({len(parts) for parts in split}) > 1:
        return None
    columns = list(zip(*split, strict=True))
    differ = [len(set(column)) > 1 for column in columns]
    if differ[-1] or any("{" in "".join(c) for c, d in zip(columns, differ, strict=True) if d):
        return None
    for path in paths:
        globbed = [("*" if d else p) for p, d in zip(path.parts, differ, strict=True)]
        like = [f for f in files if len(f.parts) == len(globbed)]
        fit = [f for f in like if all(map(fnmatchcase, f.parts, globbed))]
        if {f.parent for f in fit} != {path.parent}:
            return None
    return "/".join("*" if d else part for part, d in zip(split[0], differ, strict=True))


def _under(found: Found, pattern: str) -> str:
    return f"{found.folder.replace('{', '{{').replace('}', '}}')}/{pattern}"


def _name_kind(found: Found, kind: str, sessions: list[Session]) -> None:
    """Fill in the pattern of behaviour, ROI signals or times; links where most follow none."""
    having = [session for session in sessions if kind in session.files]
    fitting = _fitting(kind, sessions)
    if fitting is None:
        unique = len({session.name for session in sessions}) == len(sessions)
        _link(found, kind, having, unique)
        return
    pattern, templates = fitting
    found.patterns[kind] = [_under(found, pattern)]
    for session, template in zip(having, templates, strict=True):
        if template != pattern:
            found.notes.append(
                f"FILL IN: {kind}: {session.files[kind]} is named otherwise than the "
                f"{templates.count(pattern)} others; rename it."
            )


def _fitting(kind: str, sessions: list[Session]) -> tuple[str, list[str]] | None:
    """Return the pattern of nearly all files of a kind, and that of each; None if there is none."""
    having = [session for session in sessions if kind in session.files]
    mice = all(MOUSE.fullmatch(session.mouse) for session in sessions)
    unique = len({session.name for session in sessions}) == len(sessions)
    pattern, taken, templates = "", 0, []
    for with_mouse in (False, True) if mice else (False,):
        each = [_template(s.files[kind], s.name, s.mouse if with_mouse else "") for s in having]
        usual, count = Counter(each).most_common(1)[0]
        fits = "{session}" in usual and (unique or "{mouse}" in usual)
        if fits and count > taken:
            pattern, taken, templates = usual, count, each
    return None if taken < 0.9 * len(having) else (pattern, templates)


def _rename(sessions: list[Session]) -> None:
    """Name sessions by all that tells them, in names that a config may hold."""
    taken: set[str] = set()
    stems = [_cores(session, -1) for session in sessions]
    unique = len({core[0] for core in stems if core}) == len(sessions)
    for session, core in zip(sessions, stems, strict=True):
        said = core[0] if unique else "_".join(_told(session))
        mouse, name = named(session.mouse), named(said)
        session.mouse = mouse.replace(".", "_")
        name = name if mouse in name else f"{mouse}_{name}"
        while not name or name in taken:  # ü and u
            name += "x"
        session.name = name
        taken.add(name)


def _told(session: Session) -> list[str]:
    """Return what the parts of a session's path tell, of those that tell it from others."""
    told = []
    for at, words in enumerate(session.place.words):
        if {token.value for token in words} & set(session.telling):
            folder_of_day = len(words) == 1 and words[0].kind == "date"
            told += [words[0].value] if folder_of_day else _cores(session, at)[:1]
    return told


def _link_movies(
    found: Found, sessions: list[Session], movies: list[list[PurePosixPath | None]]
) -> None:
    """Write the commands that link movies to the sessions' names."""
    n_patterns = max(map(len, movies))
    for i in range(n_patterns):
        light = f"_{i + 1}" if n_patterns > 1 else ""
        path = next(paths[i] for paths in movies if len(paths) > i)
        several = any(len(unit.files) > 1 for session in sessions for unit in session.movie.units)
        suffix = "" if several or path is None else path.suffix
        found.patterns.setdefault("movie", []).append(f"links/{{session}}{light}{suffix}")
        for session in sessions:
            spatial = [session.movie.u] if session.movie.u else []
            each = [*([u] for u in spatial), *(unit.files for unit in session.movie.units)]
            if i < len(each):
                target = f"links/{session.name}{light}{suffix}"
                found.links += _links(found, each[i], target, several)


def _links(
    found: Found, files: Sequence[PurePosixPath], target: str, several: bool
) -> Iterator[tuple[str, str]]:
    """Yield files, and the name that each is linked to: of `several`, in a folder of that name."""
    for path in files if several else files[:1]:
        yield (
            os.path.abspath(Path(found.folder, path)),
            f"{target}/{path.name}" if several else target,
        )


def _link(found: Found, kind: str, sessions: list[Session], unique: bool) -> None:
    suffix = Counter(s.files[kind].suffix for s in sessions).most_common(1)[0][0]
    name = "{session}" if unique else "{mouse}_{session}"
    found.patterns[kind] = [f"links/{name}{ENDINGS[kind]}{suffix}"]
    for session in sessions:
        target = f"links/{name}{ENDINGS[kind]}{suffix}".format(
            session=session.name, mouse=session.mouse
        )
        found.links += _links(found, [session.files[kind]], target, several=False)


def named(text: str) -> str:
    """Return text as a name that a config may hold: ü becomes u, a space an underscore."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", plain).strip("_.-")[:64]
