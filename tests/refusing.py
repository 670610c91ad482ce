"""Stand-ins for what verbs read, and how a line of a verb is refused."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.study.targets import Target

PUPIL = Target("pupil", unit="mm")


def two(*mice: str, **about: Any) -> Any:
    """Return a stand-in for what reads recordings: one of each of some mice."""
    made = [SimpleNamespace(mouse=mouse, path=Path(f"{mouse}.h5"), **about) for mouse in mice]
    return lambda *_, **__: made


def refuses(words: str) -> Any:
    """Return a stand-in for what refuses its input."""
    return mock.Mock(side_effect=UserError(words))


def assert_refused(monkeypatch: Any, case: tuple[str, dict[str, Any], str]) -> None:
    """Assert what is said of a case: (line, function -> what stands in for it, words)."""
    line, stubs, said = case
    for function, stub in stubs.items():
        stub = stub if callable(stub) else mock.Mock(return_value=stub)
        monkeypatch.setattr(f"mesodecode.{function}", stub)
    words = line.split()
    args = cli.parser(words[:1]).parse_args(words)
    with pytest.raises(UserError, match=f"^{re.escape(said)}"):
        args.run(args)
