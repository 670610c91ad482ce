"""What the readers of one-dimensional data hand on, whatever the format of the file."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Variable:
    """Values (n,), with the time stamps (n,) in s and the unit that the file itself gives."""

    values: np.ndarray
    time: np.ndarray | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Bouts:
    """Intervals from start (n,) to stop (n,), in s; words (n,): what each is, if that is told.

    `several`: the column of their table in which run stands and other words too, None if none does.
    """

    start: np.ndarray
    stop: np.ndarray
    words: np.ndarray | None = None
    several: str | None = None


@dataclass(frozen=True)
class Unreadable:
    """A variable that is there and cannot be read: `why` goes on from its name.

    `empty` says that it holds nothing, so that a search for usual names passes it over.
    """

    why: str
    empty: bool = False


def is_empty(data: Variable | Bouts | Unreadable) -> bool:
    """Return whether a variable is there, but holds nothing."""
    return isinstance(data, Unreadable) and data.empty


@dataclass(frozen=True)
class Held:
    """A variable of a file: how to read it whole, its unit, and a word on it for lists.

    `times` gives the time stamps in s of so many values, or None, where the file has them.
    Where `note` is None no list shows it (a struct or group, whose fields are there).
    """

    read: Callable[[], np.ndarray | Unreadable]
    unit: str | None = None
    note: str | None = ""
    times: Callable[[int], np.ndarray | None] | None = None


def unreadable(why: str, note: str | None, *, empty: bool = False) -> Held:
    """Return a variable that cannot be read, whose name a list shows all the same."""
    return Held(lambda: Unreadable(why, empty), note=note)


EMPTY = unreadable("is empty", "empty", empty=True)


def note_of(shape: tuple[int, ...]) -> str:
    """Return the shape of a matrix for a list; nothing for a vector."""
    return " x ".join(map(str, shape)) if sum(n > 1 for n in shape) > 1 else ""
