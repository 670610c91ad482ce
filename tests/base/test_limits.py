"""Limits by which readers, corrections and checks decide, as written down in limits.tsv.

One that moves refuses, or takes in silence, files that were taken or refused before, or changes
numbers: whoever means it changes the line there too, and CHANGELOG.md. Sizes of blocks, figures and
time limits, which change no result, are not among them.
"""

from __future__ import annotations

import ast
import csv
from pathlib import Path

import pytest

from make import ROOT

with open(Path(__file__).with_name("limits.tsv"), newline="") as file:
    LINES = list(csv.DictReader(file, delimiter="\t"))


def assigned(module: str) -> dict[str, str]:
    """Name, or names of one assignment, -> value, as a module's text has them."""
    tree = ast.parse((ROOT / f"workflow/mesodecode/{module}.py").read_text(encoding="utf-8"))
    pairs = [(one.targets[0], one.value) for one in tree.body if isinstance(one, ast.Assign)]
    return {ast.unparse(name).strip("()"): ast.unparse(value) for name, value in pairs}


@pytest.mark.parametrize("module", dict.fromkeys(line["module"] for line in LINES))
def test_limits_stay(module):
    found = assigned(module)
    for line in LINES:
        if line["module"] == module:
            written = ast.unparse(ast.parse(line["value"], mode="eval"))
            assert found[line["name"]] == written, line["name"]
