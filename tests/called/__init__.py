"""What test_calls.py asks verbs: a module a room, each with its table VERBS.

Verb: what for -> flags, modules whose functions are stood in for, and what some return.
"""

from __future__ import annotations

import inspect
import re
from argparse import Namespace
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import numpy as np

from mesodecode.study import schema

Row = tuple[str, str, dict[str, Any]]
TABLES = "base.tables base.plots"


class Made:
    """What a call returned, or a part of it, by its name; its own calls are written down too."""

    def __init__(self, name: str, calls: list[str], /, **known: Any) -> None:
        self.__dict__ |= {"_name": name, "_calls": calls, "_gives": {}} | known

    def __call__(self, *given: Any, **named: Any) -> Made:
        words = [*map(shown, given), *(f"{key}={shown(value)}" for key, value in named.items())]
        self._calls.append(f"{self._name}({', '.join(words)})")
        return Made(f"#{len(self._calls)}", self._calls, **self._gives)

    def __getattr__(self, name: str) -> Made:
        if name.startswith("__"):
            raise AttributeError(name)
        return Made(f"{self}.{name}", self._calls)

    def __getitem__(self, key: Any) -> Made:
        return Made(f"{self}[{shown(key)}]", self._calls)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._calls.append(f"{self}[{shown(key)}] = {shown(value)}")

    def __iter__(self) -> Any:
        """Give two parts: the first of what is read is told from the last."""
        return iter([Made(f"{self}-{end}", self._calls) for end in "ab"])

    def __len__(self) -> int:
        return 2

    def __str__(self) -> str:
        return self._name

    __repr__ = __fspath__ = __str__

    def __format__(self, spec: str) -> str:
        return self._name

    def __hash__(self) -> int:
        return crc32(self._name.encode())  # sets have the same order each time

    def __eq__(self, other: object) -> Any:
        """Return what chooses rows by its name, and is true of the same, as members of sets ask."""
        return Compared(f"({self} == {shown(other)})", self._calls, same=str(self) == str(other))

    def __invert__(self) -> Made:
        return Made(f"~{self}", self._calls)


class Known(dict):
    """What is known of that which a call returns, by its attributes."""


class Settings(dict):
    """Settings of a schema; those that a flag changed or that a verb added are shown."""

    def __init__(self, settings: dict[str, Any], name: str) -> None:
        super().__init__(settings)
        self.schema = name

    def __or__(self, more: Any) -> Settings:
        return Settings({**self, **more}, self.schema)

    def changed(self) -> dict[str, Any]:
        """Return those that are not the default."""
        usual = {key: spec.get("default") for key, spec in schema.flags(self.schema).items()}
        return {k: v for k, v in self.items() if k not in usual or v != usual[k]}


class Compared(Made):
    """Whether a column is equal to something."""

    def __bool__(self) -> bool:
        return self.same


def shown(value: Any) -> str:
    """Return an argument in words."""
    match value:
        case Made() | Path() | str():
            return str(value)
        case Namespace():
            return "args"
        case Settings():
            return f"{value.schema} {shown(value.changed())}"
        case dict():
            return f"{{{', '.join(f'{shown(k)}: {shown(v)}' for k, v in value.items())}}}"
        case list() | tuple() | np.ndarray():
            return f"[{', '.join(map(shown, value))}]"
        case set():
            return f"{{{', '.join(sorted(map(shown, value)))}}}"
        case Generator():
            return shown([*value])
    if isinstance(value, SimpleNamespace):
        return shown(vars(value))
    if inspect.isfunction(value) and value.__name__ == "<lambda>":  # what makes a network
        return f"makes {shown(value())}"
    if inspect.isfunction(value):
        return value.__name__
    return getattr(value, "name", None) or re.sub(" object at 0x[0-9a-f]+", "", repr(value))
