"""Whole tables as text: a line a column, its values in the order of the rows, equal ones counted.

Each stands in `tabled/`, as it was when a person last read it; its numbers are held by the test
that makes it. One that was changed on purpose is read in the diff: `TABLES=write pytest -n 0 …`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd

from kept import assert_kept

FOLDER = Path(__file__).with_name("tabled")


def as_tabled(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a table that is as `tabled/{name}.txt` says."""
    levels = [str(level) for level in table.index.names if level is not None]
    whole = table.reset_index() if levels else table
    lines = [f"{column}: {' | '.join(_values(whole[column]))}" for column in whole]
    index = [f"rows by {', '.join(levels)}"] if levels else []
    if not levels and [*table.index] != [*range(len(table))]:
        index = [f"rows {' | '.join(map(str, table.index))}"]
    assert_kept("\n".join([*index, *lines]) + "\n", FOLDER / f"{name}.txt", "TABLES")
    return table


def _values(column: pd.Series) -> Iterator[str]:
    for text, rows in groupby(map(_value, column)):
        n = len([*rows])
        yield text + f" x{n}" * (n > 1)


def _value(value: Any) -> str:
    if isinstance(value, Real) and not isinstance(value, bool):
        return f"{0.0 if abs(value) < 1e-12 else float(value):.4g}"
    return str(value)
