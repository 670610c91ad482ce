"""What sessions are called: by the config, and in paths and tables, where no two are one.

Labs name sessions by the date, the same for several mice, in folders of mice. A session's id is its
name; where `recordings.movie` holds {mouse}, it is MOUSE_NAME. That depends on no other mouse, so
that results stay valid when one is added.
"""

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mesodecode.base.files import UserError
from mesodecode.study import schema
from mesodecode.study.cohort_table import own_tables

LONGEST = 128  # characters of an id, as of a name in config.yaml
# Files of a session: two mice share none of them.
OWN_FILES = (
    *("movie", "movie_mask", "behavior", "rois", "roi_masks", "frame_times", "light_sources"),
)


class Session(NamedTuple):
    """A session: `name` is what the config calls it, and what {session} in paths stands for."""

    mouse: str
    name: str
    id: str

    @property
    def address(self) -> str:
        """The words that name it among the sessions of all mice."""
        return f"{self.mouse}/{self.name}"


def plain(name: str) -> str:
    """Return a name as it is the same however it is spelled: M-01, m_1 and m1 are m1.

    Without capitals, zeros in front of numbers and signs between words. Of signs between two
    numbers some is left: 1-12 is not 11-2.
    """
    name = re.sub(r"(?<=\d)[\W_]+(?=\d)", "-", name.casefold())
    name = re.sub(r"[\W_]+(?!\d)|(?<!\d)[\W_]+", "", name)
    return re.sub(r"\d+", lambda number: str(int(number[0])), name)


def check_mice(mice: Iterable[str], different: Iterable[str], known: Iterable[str]) -> None:
    """Raise UserError if two of `mice` may be one animal, which no unseen mouse would be then.

    That is where their names are one but for their spelling (`plain`), unless both are among
    `different`, mice of which the config says that they are others than those that look like them;
    if one of these is not `known`.
    """
    different = set(different)
    for name in sorted(different - set(known)):
        raise UserError(f"config: different_mice: no mouse '{name}'; known: {', '.join(known)}")
    spelled: dict[str, list[str]] = defaultdict(list)
    for mouse in mice:
        spelled[plain(mouse)].append(mouse)
    for names in spelled.values():
        if len(names) > 1 and not different.issuperset(names):
            raise UserError(
                f"config: mice: {' and '.join(repr(name) for name in names)} differ in spelling "
                "alone: one animal would train and test; list its sessions under one name or, if "
                f"they are different animals, set different_mice: [{', '.join(names)}]"
            )


def hold_mouse(recordings: Mapping[str, Any]) -> bool:
    """Tell whether the ids of a study begin with the mouse, by the table `recordings`."""
    movie = recordings.get("movie") or []
    return any("{mouse}" in path for path in ([movie] if isinstance(movie, str) else movie))


def sessions_of(config: Mapping[str, Any]) -> list[Session]:
    """Return all sessions of the mice of a config, in order, excluded ones too.

    Raises UserError if two have one id, if those of a mouse differ in case alone, or if two have a
    file in common that a session has for itself.
    """
    found: dict[str, Session] = {}
    owners: dict[tuple[str, str, str], Session] = {}  # of files: name of session, setting, path
    for mouse, listed in config["mice"].items():
        tables = own_tables(config, mouse)
        prefixed, own = hold_mouse(tables.get("recordings", {})), _own_files(tables)
        schema.check_case(listed, f"mice.{mouse}")
        for name in listed:
            new = Session(mouse, name, f"{mouse}_{name}" if prefixed else name)
            if new.id in found:
                raise UserError(_clash(found[new.id], new, prefixed))
            if len(new.id) > LONGEST:
                raise UserError(
                    f"config: mice.{mouse}: the id '{new.id}' has {len(new.id)} characters, more "
                    f"than {LONGEST}; shorten the name of the mouse or of the session"
                )
            for key, path in own:
                owner = owners.setdefault((name, key, path), new)
                if owner is not new:
                    raise UserError(
                        f"config: {key}: '{path}' names one file for session '{name}' of mouse "
                        f"'{owner.mouse}' and of mouse '{mouse}'; it must hold {{mouse}} too"
                    )
            found[new.id] = new
    return list(found.values())


def _clash(old: Session, new: Session, prefixed: bool) -> str:
    where = f"config: mice.{new.mouse}: session '{new.name}'"
    if new.mouse == old.mouse:
        return f"{where} is listed twice; take one out"
    if prefixed:
        return (
            f"{where} has the id '{new.id}' (mouse_session), which session '{old.name}' of mouse "
            f"'{old.mouse}' has already; rename one of them"
        )
    return (
        f"{where} already belongs to mouse '{old.mouse}'; where mice have sessions of one name, "
        "recordings.movie must hold {mouse}, such as data/{mouse}/{session}.tif"
    )


def _own_files(tables: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return setting and path of the files that a session has for itself, by its name alone."""
    keys = [("recordings", key) for key in OWN_FILES] + [("corrections", "brain_mask")]
    given = [(f"{table}.{key}", tables.get(table, {}).get(key)) for table, key in keys]
    paths = [(key, path) for key, value in given for path in _listed(value)]
    return [(key, path) for key, path in paths if "{session}" in path and "{mouse}" not in path]


def _listed(given: str | list[str] | None) -> list[str]:
    return [given] if isinstance(given, str) else given or []


def named(word: str, sessions: Iterable[Session]) -> list[Session]:
    """Return the sessions that a word may mean: an id, a name, or MOUSE/NAME."""
    return [s for s in sessions if word in (s.id, s.name, s.address)]


def one_named(word: str, sessions: Iterable[Session], where: str) -> Session | None:
    """Return the session that a word means, None if there is none.

    Raises UserError, which begins with `where`, if it may mean several.
    """
    found = named(word, sessions)
    if len(found) > 1:
        choices = " or ".join(session.address for session in found)
        raise UserError(f"{where}: '{word}' may be any of {len(found)} sessions; write {choices}")
    return found[0] if found else None


def included(config: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return mouse -> ids of its sessions that take part: `mice` without `exclude` of a config.

    A mouse left without sessions takes no part, and with it every allocation that has it: of the
    120 of 6 mice at 3:1:1, the 20 of the other 5 are left, under the same ids.
    Raises UserError if `exclude` names no mouse or session, or may name several.
    """
    mice = config["mice"]
    sessions = sessions_of(config)
    out: set[str] = set()
    for word in config.get("exclude", {}):
        where = f"config: exclude.{word}"
        chosen = one_named(word, sessions, where)
        if chosen is None and word not in mice:
            words = [*mice, *(session.name for session in sessions)]
            near = difflib.get_close_matches(word, words, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "name one of `mice:`"
            raise UserError(f"{where}: no mouse or session of this name; {hint}")
        if word not in mice:
            out.add(chosen.id)
        elif chosen is None or mice[word] == [word]:
            out.update(session.id for session in sessions if session.mouse == word)
        else:
            raise UserError(
                f"{where}: both a mouse and a session have this name; list the sessions"
            )
    left = {
        mouse: [s.id for s in sessions if s.mouse == mouse and s.id not in out] for mouse in mice
    }
    return {mouse: ids for mouse, ids in left.items() if ids}
