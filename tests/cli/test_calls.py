"""What verbs do between their flags and their files: every call, as a person last read it.

Functions of the modules that a verb works by are stood in for. A line a call, in their order; #n is
what the n-th one returned. One that was changed on purpose is read in the diff: `CALLS=write`.
"""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

import called
from called import Known, Made, Row
from kept import assert_kept
from mesodecode import cli

FOLDER = Path(__file__).with_name("calls")
OTHERS = {
    "pandas": ["concat", "DataFrame"],
    "dataclasses": ["replace"],
    "torch": ["save"],
    "numpy": ["concatenate"],
}
VERBS: dict[str, Row] = {
    what: row
    for room in pkgutil.iter_modules(called.__path__)
    for what, row in pkgutil.resolve_name(f"called.{room.name}").VERBS.items()
}


def import_all(module: Any) -> None:
    """Import what a verb imports as it runs, which is not to be bound to what is stood in."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            found = __import__(node.module, fromlist=names)
            for one in (found, *(getattr(found, name, None) for name in names)):
                if inspect.ismodule(one) and re.fullmatch(
                    r"mesodecode\.cli\.\w+\.\w+", one.__name__
                ):
                    import_all(one)


def stand_in(monkeypatch: Any, modules: str, returned: dict[str, Any], calls: list[str]) -> None:
    """Have the functions of modules written down instead of called; some return what is given."""
    for place in modules.split():
        place, _, only = place.partition(":")
        module = pkgutil.resolve_name(place if place in OTHERS else f"mesodecode.{place}")
        last = place.rpartition(".")[2].removeprefix("_")
        members = inspect.getmembers(module, inspect.isfunction)
        own = [name for name, one in members if one.__module__ == module.__name__]
        names = [only] if only else OTHERS.get(place, own)
        for name in names:
            made = Made(f"{last}.{name}", calls)
            if f"{place}.{name}" in returned:
                made = told(made, returned[f"{place}.{name}"])
            monkeypatch.setattr(module, name, made)
    for path, value in returned.items():
        if path.rpartition(".")[0] not in modules.split():
            of = f"mesodecode.{path}"
            made = Made(path.removeprefix("cli."), calls)
            called_there = callable(pkgutil.resolve_name(of))
            monkeypatch.setattr(of, told(made, value) if called_there else value)


def told(made: Made, value: Any) -> Any:
    """Return a function that is written down as `made` and returns a value, or what it gives."""
    if isinstance(value, Known):
        made.__dict__["_gives"] = value
        return made

    def call(*given: Any, **named: Any) -> Any:
        given = tuple([*one] if isinstance(one, Generator) else one for one in given)
        made(*given, **named)
        found = value(*given) if inspect.isfunction(value) else value
        if isinstance(found, Made):
            found.__dict__["_calls"] = made._calls
        return found

    return call


@pytest.mark.parametrize("name", VERBS)
def test_what_a_verb_calls_from_its_flags_to_its_files(name, monkeypatch, capsys):
    line, modules, returned = VERBS[name]
    words = [name.partition(":")[0], *line.split()]
    calls: list[str] = []
    args = cli.parser(words[:1]).parse_args(words)
    import_all(sys.modules[args.run.__module__])
    with monkeypatch.context() as patched:
        stand_in(patched, modules, returned, calls)
        args.run(args)
    text = "".join(f"{number} {call}\n" for number, call in enumerate(calls, 1))
    out, err = capsys.readouterr()
    text += "".join(f"prints {line}\n" for line in out.splitlines())
    text += "".join(f"says {line}\n" for line in err.splitlines())
    assert_kept(text, FOLDER / f"{name.replace(': ', '_').replace(' ', '_')}.txt", "CALLS")
