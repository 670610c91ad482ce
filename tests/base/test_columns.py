"""Columns of the tables that verbs write, in their order, as written down in columns.tsv.

They are a contract: another program may read them by name or place. One that is new is written
there by hand, or all by `COLUMNS=write pytest -n 0 tests/base/test_columns.py`.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from kept import assert_kept
from make import ROOT
from mesodecode.study import targets

FILE = Path(__file__).with_name("columns.tsv")
PACKAGE = ROOT / "workflow/mesodecode"
OTHERS = {"discover", "qc_figure", "alignment_figure"}  # whose columns are of no table
OF_TARGETS = [targets.RUN, targets.Target("pupil", unit="mm")]
OF_TARGETS.append(targets.Target("states", ("rem", "rest", "wake")))


def found() -> list[str]:
    """Return a line for each constant of columns, and each function of them and kind of target."""
    lines = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        names = dict.fromkeys(
            re.findall(r"^(?:def )?((?!_)\w*(?:COLUMNS|columns_of))\b", text, re.M)
        )
        if not names or path.stem in OTHERS:
            continue
        where = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        module = importlib.import_module(f"mesodecode.{where}")
        for name in names:
            columns = getattr(module, name)
            if not callable(columns):
                lines.append(f"{where}.{name}\t\t{' '.join(columns)}")
                continue
            for target in OF_TARGETS:
                given = target if where == "live.outputs" else target.kind
                lines.append(f"{where}.{name}\t{target.kind.name}\t{' '.join(columns(given))}")
    return lines


def test_columns_stay():
    lines = ["module\ttarget\tcolumns", *found()]
    assert_kept("\n".join(lines) + "\n", FILE, "COLUMNS")
