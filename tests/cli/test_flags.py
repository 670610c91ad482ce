"""What each verb can be given, as it was when a person last read it: `flags.txt`.

Flags of settings are those of their schema, and stand by its name. What was changed on purpose is
read in the diff: `FLAGS=write pytest -n 0 …`.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from kept import assert_kept
from mesodecode import cli
from mesodecode.cli import options

FILE = Path(__file__).with_name("flags.txt")


def flag(action: argparse.Action) -> str:
    """How a flag is given, and what it is if it is not."""
    words = [*action.option_strings] or [action.dest]
    given = {key: getattr(action, key) for key in ("nargs", "const", "choices", "metavar")}
    given["type"] = getattr(action.type, "__name__", None if action.type is None else "written")
    kind = type(action).__name__.strip("_").removesuffix("Action")
    words += [kind] * (kind != "Store") + ["needed"] * action.required
    words += [f"{key} {value}" for key, value in given.items() if value not in (None, "Path")]
    words += [f"= {action.default!r}"] * (action.default is not None)
    return " ".join([*words, *["without words"] * (not action.help)])


def test_flags_are_those_that_were_read(monkeypatch):
    lines = []
    monkeypatch.setattr(
        options, "add_settings", lambda _, schema: lines.append(f"  settings of {schema}")
    )
    for verb, module in cli.VERBS.items():
        lines.append(verb)
        parser = argparse.ArgumentParser(add_help=False)
        importlib.import_module(f"mesodecode.cli.{module}").add_arguments(parser)
        lines += [f"  {flag(action)}" for action in parser._actions]
        for group in parser._mutually_exclusive_groups:
            names = [action.option_strings[0] for action in group._group_actions]
            lines.append(f"  {'one' if group.required else 'at most one'} of {' '.join(names)}")
    assert_kept("\n".join(lines) + "\n", FILE, "FLAGS")
