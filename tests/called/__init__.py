"""What test_calls.py asks verbs: a module a room, each with its table VERBS.

Verb: what for -> flags, modules whose functions are stood in for, and what some return.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

Row = tuple[str, str, dict[str, Any]]
TABLES = "base.tables base.plots"


class Made:
    """What a call returned, or a part of it, by its name; its own calls are written down too."""

    def __init__(self, name: str, calls: list[str], **known: Any) -> None:
        self.__dict__ |= {"_name": name, "_calls": calls} | known

    def __call__(self, *given: Any, **named: Any) -> Made:
        words = [*map(shown, given), *(f"{key}={shown(value)}" for key, value in named.items())]
        self._calls.append(f"{self._name}({', '.join(words)})")
        return Made(f"#{len(self._calls)}", self._calls)

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
        return str(self) == str(other)

    def __invert__(self) -> Made:
        return Made(f"~{self}", self._calls)


def shown(value: Any) -> str:
    """Return an argument in words."""
    match value:
        case Made() | Path() | str():
            return str(value)
        case dict():
            return f"{{{', '.join(f'{shown(k)}: {shown(v)}' for k, v in value.items())}}}"
        case list() | tuple() | np.ndarray():
            return f"[{', '.join(map(shown, value))}]"
        case Generator():
            return shown([*value])
    if inspect.isfunction(value):
        return value.__name__
    return getattr(value, "name", None) or repr(value)
