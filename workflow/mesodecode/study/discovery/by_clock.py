"""Files that are named by their own clock, and the sessions that were recorded then."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import PurePosixPath

from mesodecode.study.discovery import file_names as names
from mesodecode.study.discovery.file_names import Token
from mesodecode.study.discovery.found import Session
from mesodecode.study.discovery.movie_files import stem_of

APART = 600  # s at most between two programs that were started for one session
NAMING = ("subject", "name", "number")


def pair_by_clock(
    kind: str, files: Iterable[PurePosixPath], sessions: list[Session]
) -> list[tuple[PurePosixPath, Session, float]]:
    """Give sessions without a file of a kind the one that was begun nearest in time.

    Each has to be the nearest of the other, within `APART`, and of no other animal by their names.
    Returns file, session and the seconds between them.
    """
    used = {session.files.get(kind) for session in sessions}
    open_ = [(s, _moment(s.place.words), _names(s.place.words)) for s in sessions]
    open_ = [one for one in open_ if one[1] is not None and kind not in one[0].files]
    apart: dict[tuple[PurePosixPath, int], float] = {}
    for path in files:
        words = names.parsed(path, stem_of(path))
        moment, called = _moment(words), _names(words)
        if path in used or moment is None:
            continue
        for i, (_, begun, named) in enumerate(open_):
            seconds = abs((moment - begun).total_seconds())
            if seconds <= APART and (not called or not named or called & named):
                apart[path, i] = seconds
    found = []
    for (path, i), seconds in apart.items():
        rivals = [s for (other, j), s in apart.items() if (other == path) != (j == i)]
        if all(seconds < rival for rival in rivals):
            session = open_[i][0]
            session.files[kind] = path
            found.append((path, session, seconds))
    return found


def _moment(words: list[list[Token]]) -> datetime | None:
    """Return the last date and time of a path's words, None without one of both."""
    flat = [token for part in words for token in part]
    dates = [token.value for token in flat if token.kind == "date"]
    times = [token.value for token in flat if token.kind == "time"]
    if not dates or not times:
        return None
    digits = times[-1][:6].ljust(6, "0")
    try:
        return datetime.strptime(f"{dates[-1]} {digits}", "%Y-%m-%d %H%M%S")
    except ValueError:
        return None


def _names(words: list[list[Token]]) -> set[str]:
    return {token.value for part in words for token in part if token.kind in NAMING}
