"""Flags of what verbs write."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Written:
    """The `type` of a flag of what a verb writes: no other flag may name the same to read or write.

    What is written is the flag's value with each of `endings`; without endings, files of names of
    their own, in a folder or behind a prefix, of which nothing is known before the verb runs.
    """

    metavar: str
    made: type[str | Path]
    endings: tuple[str, ...] = ()

    def __call__(self, text: str) -> str | Path:
        """Return the value of a flag."""
        return self.made(text)

    def files(self, value: str | Path) -> list[str]:
        """Return the paths that are written where `value` is given; none of "-" (a stream)."""
        return [f"{value}{ending}" for ending in self.endings] if str(value) != "-" else []


FILE = Written("FILE", Path, ("",))  # also one that is read again, such as a checkpoint
FIGURE = Written("PREFIX", str, (".svg", ".png"))
FOLDER = Written("FOLDER", Path)
PREFIX = Written("PREFIX", str)
