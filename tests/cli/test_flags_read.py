"""Every verb reads every flag that it has: none does nothing."""

from __future__ import annotations

import argparse
import ast
import importlib
from pathlib import Path

import pytest

from mesodecode import cli
from mesodecode.cli import options
from mesodecode.study.kinds import KINDS

SOURCES = Path(cli.__file__).parents[2]


def read_of(module: str, done: set[str]) -> tuple[set[str], set[str]]:
    """Return flags and schemas that a module of a verb, or one that its flags go to, reads."""
    flags, schemas = set(), set()
    path = SOURCES / (module.replace(".", "/") + ".py")
    if module in done or not path.is_file():
        return flags, schemas
    done.add(module)
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Attribute(value=ast.Name(id="args"), attr=name):
                flags.add(name)
            case ast.Attribute(value=ast.Name(id="options"), attr="with_measures"):
                flags |= {"recordings", "measures"}
            case ast.Call(func=ast.Attribute(attr="settings_of"), args=[_, name]):
                # of a kind that the verb hands on, or of one by name
                schemas |= {name.value} if isinstance(name, ast.Constant) else {*KINDS}
                flags.add("tuned")  # which it reads
            case ast.ImportFrom(module=str(room), names=names) if room.startswith(
                ("mesodecode.cli", "mesodecode.live.setting_up")
            ):
                for one in [room, *(f"{room}.{name.name}" for name in names)]:
                    if one != "mesodecode.cli.options":
                        more = read_of(one, done)
                        flags |= more[0]
                        schemas |= more[1]
    return flags, schemas


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_flag_of_a_verb_is_read(verb, monkeypatch):
    name = f"mesodecode.cli.{cli.VERBS[verb]}"
    asked = set()
    monkeypatch.setattr(options, "add_settings", lambda parser, schema: asked.add(schema))
    parser = argparse.ArgumentParser(add_help=False)
    importlib.import_module(name).add_arguments(parser)
    flags, schemas = read_of(name, set())
    assert {action.dest for action in parser._actions} - flags == set()
    assert asked - schemas == set()
