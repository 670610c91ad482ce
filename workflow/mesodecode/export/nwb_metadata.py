"""What an NWB file says of a session that no recording knows: when it began, and of what animal."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.base.tables import read_table
from mesodecode.study import session_dates
from mesodecode.study.session_ids import Session

PLACEHOLDER = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)  # NWB asks for a start
# NWB's words for not known; "P0D/" is an age of 0 days or more.
UNKNOWN = {"sex": "U", "age": "P0D/", "genotype": None, "strain": None}


@dataclass(frozen=True)
class Metadata:
    """When a session began (None: unknown), and what is known of its animal, by NWB's names."""

    start: datetime.datetime | None
    subject: dict[str, str | None]


def read_metadata(
    sessions: Iterable[str], known: Mapping[str, Session], settings: Mapping[str, Any]
) -> dict[str, Metadata]:
    """Return the metadata of sessions, by their ids, as `settings` (tables/nwb.yaml) say.

    `known`: id -> session, all of the study. A row of the table names its session by the id, by
    the name or as MOUSE/NAME. A start in the table goes before the one in a session's name. Raises
    UserError, naming the session, if one is missing from the table, is there twice or has no start
    although others should, or for a name that may mean several or a time that cannot be read.
    """
    table, rows = settings["sessions"], {}
    if table is not None:
        found = read_table(table, ["session"]).to_dict("records")
        rows = session_dates.by_session(found, known, table)
    return {name: _of_session(known[name], rows.get(name), settings) for name in sessions}


def _of_session(
    session: Session, row: Mapping[str, Any] | None, settings: Mapping[str, Any]
) -> Metadata:
    table, name = settings["sessions"], session.id
    if table is not None and row is None:
        raise UserError(f"{table}: no session '{name}' in it; add its row")
    row = row or {}
    subject = {"species": settings["species"]}
    subject |= {key: row.get(key) or unknown for key, unknown in UNKNOWN.items()}
    if subject["sex"] not in ("M", "F", "O", "U"):
        raise UserError(
            f"{table}: session {name}: sex '{subject['sex']}' is none of M, F, O (other), U"
        )
    if "session_start_time" in row:
        return Metadata(session_dates.of_text(row["session_start_time"], name, table), subject)
    pattern = settings["session_start"]
    return Metadata(pattern and session_dates.of_name(session.name, pattern), subject)
