"""When sessions were: by their names, or by the table that `nwb.sessions` names.

The Snakefile imports this module: nothing heavy here.
"""

import csv
import datetime
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.study import session_ids
from mesodecode.study.session_ids import Session

COLUMN = "session_start_time"
# What tells a day in a pattern of strptime; without a year it would be one of 1900.
YEAR, DAY = re.compile("%[YyGcx]"), re.compile("%[djcxAauw]")


def of_sessions(
    known: Mapping[str, Session], settings: Mapping[str, Any]
) -> dict[str, datetime.date]:
    """Return the day of each session whose day is told, by id; of none where nothing tells it.

    `known`: id -> session; `settings` those of tables/nwb.yaml. The day is that of the clock at the
    place of the recording, as written. A start in the table goes before the one in a name; sessions
    without a row, and empty cells, have no day. Raises UserError for a table that cannot be read, a
    session that is there twice or is ambiguous, and for a name or time that is not as announced.
    """
    table, pattern = settings["sessions"], settings["session_start"]
    rows = {} if table is None else by_session(_rows(table), known, table)
    starts = {}
    for name, session in known.items():
        text = (rows.get(name, {}).get(COLUMN) or "").strip()
        if text:
            starts[name] = of_text(text, name, table)
        elif pattern and COLUMN not in rows.get(name, {}):
            starts[name] = of_name(session.name, pattern)
    return {name: start.date() for name, start in starts.items()}


def _rows(table: str) -> list[dict[str, str]]:
    if not Path(table).is_file():
        raise UserError(f"config: nwb.sessions: no file {table}; correct its path")
    separator = "," if Path(table).suffix.lower() == ".csv" else "\t"
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            header, *lines = [*csv.reader(file, delimiter=separator)] or [[]]
    except (UnicodeDecodeError, csv.Error):
        raise UserError(
            f"{table}: not a TSV or CSV table in UTF-8; save it as one of these (nwb.sessions)"
        ) from None
    header = [name.strip() for name in header]
    unknown = dict.fromkeys(header, "")  # cells that a short line lacks
    rows = [unknown | dict(zip(header, line, strict=False)) for line in lines if any(line)]
    if "session" not in header:
        raise UserError(f"{table}: no column session; the columns are {', '.join(header)}")
    return rows


def by_session(
    rows: Iterable[Mapping[str, Any]], known: Mapping[str, Session], table: str
) -> dict[str, Mapping[str, Any]]:
    """Return id -> the row of it, of rows whose column session is an id, a name or MOUSE/NAME.

    Rows of other sessions are left out. Raises UserError if a session is there twice, or a name may
    mean several.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        session = session_ids.one_named(row["session"], known.values(), table)
        if session is None:
            continue
        if session.id in found:
            raise UserError(f"{table}: session '{row['session']}' is there twice; keep one row")
        found[session.id] = row
    return found


def of_text(text: str, name: str, table: str | None) -> datetime.datetime:
    """Return a start that is written in a table. Raises UserError, naming the session."""
    try:
        return _aware(datetime.datetime.fromisoformat(text.strip()))
    except ValueError:
        raise UserError(
            f"{table}: session {name}: session_start_time '{text}' is no ISO 8601 time such as "
            "2018-01-25T14:30:00+09:00"
        ) from None


def of_name(name: str, pattern: str) -> datetime.datetime:
    """Return the time that a name begins with: of its longest beginning that is one.

    Raises UserError if it begins with none, or with digits that may be another day, and for a
    pattern that tells no year or day.
    """
    for what, told in (("year", YEAR), ("day", DAY)):
        if not told.search(pattern):
            raise UserError(
                f"config: nwb.session_start: '{pattern}' tells no {what}; write how names begin "
                "with their whole date, such as %Y%m%d, or name a table in nwb.sessions"
            )
    for length in range(len(name), 0, -1):
        try:
            time = datetime.datetime.strptime(name[:length], pattern)
        except ValueError:
            continue
        _check_digits(name, length, time, pattern)
        return _aware(time)
    raise UserError(
        f"session_start: the name of session '{name}' does not begin with a date as in "
        f"'{pattern}'; give its start in the table that nwb.sessions names"
    )


def _check_digits(name: str, length: int, time: datetime.datetime, pattern: str) -> None:
    """Raise UserError if a date of digits alone may be another: 2024111, or 010124 of 01012024."""
    date, rest = name[:length], name[length:]
    short = date.isdigit() and date != time.strftime(pattern)
    century = pattern.endswith("%y") and date[-2:] in ("19", "20") and rest[:2].isdigit()
    if short or century:
        raise UserError(
            f"session_start: the name of session '{name}' is not a date as in '{pattern}' without "
            "doubt: days and months need two digits each, and a year of four is %Y; correct "
            "nwb.session_start, or name a table in nwb.sessions"
        )


def _aware(time: datetime.datetime) -> datetime.datetime:
    return time if time.tzinfo else time.replace(tzinfo=datetime.UTC)
