"""Trainings that belong to no allocation: they read training mice alone."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mesodecode.base.files import UserError
from mesodecode.cli import options


def add_argument(parser: argparse.ArgumentParser, flag: str, what: str) -> None:
    """Add the flag of a training that belongs to no allocation."""
    words = (
        f"{what} to write, of a training that reads training mice alone, in the place of all "
        "that belongs to an allocation: see `mesodecode choose`"
    )
    options.add_out(parser, words, flag, required=False)


def check_outputs(
    args: argparse.Namespace, alone: str, of_allocation: Sequence[str], optional: Sequence[str] = ()
) -> bool:
    """Return whether `alone`, the output of a training without an allocation, is asked for.

    Raises UserError unless either it is given or all flags that are `of_allocation`.
    """

    def flag(name: str) -> str:
        return "--" + name.replace("_", "-")

    given = [flag(name) for name in (*of_allocation, *optional) if getattr(args, name)]
    missing = [flag(name) for name in of_allocation if not getattr(args, name)]
    if getattr(args, alone):
        if given:
            raise UserError(f"{flag(alone)}: reads training mice alone; leave out {given[0]}")
        return True
    if missing:
        raise UserError(f"{', '.join(missing)} or {flag(alone)}: needed; see --help")
    return False


def epoch_of(word: str, flag: str) -> int:
    """Return the epoch, from 1, that a word says, or the file of that name.

    Raises UserError, naming the flag, if it is neither.
    """
    path = Path(word)
    text = word if word.isdigit() or not path.is_file() else path.read_text().strip()
    if not text.isdigit() or text == "0":
        raise UserError(f"{flag} {word}: no epoch, from 1, and no file that holds one")
    return int(text)
