"""The flag `--labels-of`: sessions that are given the labels of others, to see what chance is."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mesodecode.base.files import UserError

if TYPE_CHECKING:
    from mesodecode.recordings.recording import Recording


def add_argument(parser: argparse.ArgumentParser, before: str = "") -> None:
    """Add the flag to a verb that reads the labels of recordings; `before` stands before a word."""
    parser.add_argument(
        "--labels-of",
        nargs="+",
        default=[],
        metavar=f"{before}SESSION=OTHER",
        help="give a session the labels of another of the same mouse, by their ids or as "
        "MOUSE/NAME (default: its own)",
    )


def read_roles(
    words: Sequence[str], *roles: Sequence[Path], same_size: bool = True
) -> tuple[list[Recording], ...]:
    """Return the recordings of each role, with the labels that `words` of the flag give them."""
    from mesodecode.recordings.recording import read_roles

    read = read_roles(*roles, same_size=same_size)
    exchanged = iter(exchange([recording for role in read for recording in role], words))
    return tuple([next(exchanged) for _ in role] for role in read)


def exchange(recordings: Sequence[Recording], words: Sequence[str]) -> list[Recording]:
    """Return the recordings with the labels that `words` of the flag give them.

    Raises UserError if a word is not of two sessions of one mouse among the recordings, or their
    numbers of frames differ.
    """
    from mesodecode.recordings.recording import with_labels_of

    known = {f"{one.mouse}/{one.name or one.session}": one for one in recordings}
    known |= {one.session: one for one in recordings}
    donors = {}
    for word in words:
        session, donor = map(known.get, word.partition("=")[::2])
        if session is None or donor is None or session.mouse != donor.mouse:
            raise UserError(
                f"--labels-of {word}: needs SESSION=OTHER, two sessions of one mouse among the "
                "recordings given"
            )
        donors[session.session] = donor.session
    return with_labels_of(recordings, donors)
