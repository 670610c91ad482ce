"""CSV and TSV tables as instruments, spreadsheets and programs write them."""

from __future__ import annotations

import codecs
import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mesodecode.base.files import UserError, one_line
from mesodecode.recordings.readers import pose
from mesodecode.recordings.readers.arrays import EMPTY, Held, Unreadable, unreadable

if TYPE_CHECKING:
    import pandas as pd

HEAD, SAMPLE = 1 << 20, 200  # bytes and rows from which the layout is told
SEPARATORS = "\t;,|"
NUMBER = re.compile(
    r"\s*[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?\s*|\s*[+-]?(nan|inf)\s*|", re.IGNORECASE
)
DECIMAL_COMMA = r"\s*[+-]?\d*(?:,\d+)?(?:[eE][+-]?\d+)?\s*"
OPEN_COMMA = r"\s*[+-]?[1-9]\d{0,2},\d{3}\s*"  # 1,234 may be a decimal or a thousand
# How files begin that are no text, and what they are
NO_TEXT = {
    b"PK\x03\x04": "a workbook of Excel, or a zip archive, not a table; save it as CSV",
    b"\xd0\xcf\x11\xe0": "a workbook of Excel, not a table; save it as CSV",
    b"\x1f\x8b": "compressed by gzip; unpack it",
}
# How logs of pyControl begin: of the versions that write .txt, and of two that write .tsv
PYCONTROL = (
    "I Experiment name",
    ["content", "subtype", "time", "type"],
    ["name", "time", "type", "value"],
)


@dataclass
class _Layout:
    """How a table is written: `names` (None: no column) of all fields of a row."""

    encoding: str
    separator: str
    names: list[str | None]
    skip: int  # lines before the first row
    units: dict[str, str] = field(default_factory=dict)


@contextmanager
def holding(path: Path) -> Iterator[dict[str, Held]]:
    """Hold the columns of a table."""
    yield read_table(path)


def read_table(path: str | Path) -> dict[str, Held]:
    """Return the columns of a CSV or TSV file by name, of numbers or of text, as they stand.

    Told from the first lines: the separator (comma, semicolon, tab, spaces), decimal commas, row
    names without a header as R writes them, separators at the end of rows, lines of comment (#)
    before the header, and a line of units below it; or a table of DeepLabCut. An empty cell is NaN;
    a line without any is passed over, but for the empty cell of a single column. Raises UserError
    if it is no table, or if its rows have more fields than its header.
    """
    import pandas as pd

    path = Path(path)
    first = next(iter(_head(path)[0]), "")
    if pose.is_one(first):
        return pose.variables(path)
    if first.startswith(PYCONTROL[0]) or sorted(first.split("\t")) in PYCONTROL[1:]:
        raise UserError(
            f"{path}: a log of pyControl, with states, events and prints in the rows of one table; "
            "save a table of two columns, time (s) and state, a row for each state as it begins "
            "(pyControl's Session and, of its .tsv, rows of type state have them), and name these "
            "in behavior_time and behavior_labels; a wheel is in its analog files"
        )
    try:
        layout = _layout(path)
        table = pd.read_csv(
            path,
            sep=layout.separator,
            header=None,
            names=list(range(len(layout.names))),
            skiprows=layout.skip,
            encoding=layout.encoding,
            skipinitialspace=True,
            low_memory=False,
        )
        if len(layout.names) == 1:
            table = _with_empty_cells(table, path, layout)
    except (MemoryError, UserError, OSError):
        raise
    except Exception as error:  # pandas raises several kinds
        raise UserError(
            f"{path}: not a table ({one_line(error)}); needs rows of one length below a line of "
            "names, and # before any other line"
        ) from error
    columns = [table[i].to_numpy() for i in range(len(layout.names))]
    points = any(c.dtype.kind == "f" and (c[np.isfinite(c)] % 1).any() for c in columns)
    found: dict[str, Held] = {}
    for name, column in zip(layout.names, columns, strict=True):
        if name is not None:
            found[name] = _held(column, layout, name, points)
    for name, count in Counter(layout.names).items():
        if name is not None and count > 1:
            found[name] = unreadable(f"is the name of {count} columns; rename them", "twice")
    return found


def _with_empty_cells(table: pd.DataFrame, path: Path, layout: _Layout) -> pd.DataFrame:
    """Return a table of one column with NaN where a line above its last value is empty.

    Such a line is an empty cell, unless each other line is one, from the header's on: ends of lines
    were written twice, as Python does on Windows for a CSV file opened without newline="".
    """
    with open(path, encoding=layout.encoding) as file:
        lines = itertools.islice(file, layout.skip, None)
        full = np.trim_zeros(np.fromiter((bool(line.strip()) for line in lines), bool), "b")
    if full.all() or (full[1::2].all() and not full[::2].any()):
        return table
    return table.set_axis(np.flatnonzero(full)).reindex(range(len(full)))


def _held(column: np.ndarray, layout: _Layout, name: str, points: bool) -> Held:
    """Return a column; `points` says that others have decimal points."""
    if not len(column):
        return EMPTY
    unit = layout.units.get(name)
    if column.dtype.kind not in "OUT":
        return Held(lambda: column, unit)
    column = column.astype(object)

    def read() -> np.ndarray | Unreadable:
        import pandas as pd

        text = pd.Series(column).dropna().astype(str).str
        if not text.contains(",").any() or not text.fullmatch(DECIMAL_COMMA).all():
            return column
        if points:
            return Unreadable("has decimal commas, and another column decimal points; write one")
        if layout.separator != ";" and text.fullmatch(OPEN_COMMA + r"|\s*[+-]?\d+\s*").all():
            return Unreadable("has commas that may be decimals or thousands; write decimal points")
        commas = pd.Series(column).astype(str).str.replace(",", ".")
        return commas.to_numpy(dtype=np.float64)

    return Held(read, unit)


def _layout(path: Path) -> _Layout:
    """Return how a table is written, from its first lines."""
    lines, encoding = _head(path)
    start, separator, comment, commented = 0, None, None, 0
    if lines and (match := re.fullmatch(r"sep=(.)", lines[0].strip('" \r'))):
        start, separator = 1, match[1]  # Excel's own line
    while start < len(lines) and (lines[start].startswith("#") or not lines[start].strip()):
        commented = start + 1 if lines[start].startswith("#") else commented
        comment, start = lines[start].lstrip("# ") or comment, start + 1
    if start == len(lines):
        raise UserError(f"{path}: not a table (no header in it)")
    start = start if separator else _header(lines, start)
    header, below = lines[start], lines[start + 1 :]
    separator = separator or _separator(header, _sample(below))
    if comment and _numeric(fields(header, separator)):  # as numpy.savetxt writes a header
        named = len(fields(comment, separator)) == len(fields(header, separator))
        header, below, start = (
            (comment, lines[start:], commented - 1) if named else (header, below, start)
        )
    rows = _sample(below)
    names = _names(fields(header, separator), rows, separator, path)
    layout = _Layout(encoding, separator, names, start + 1)
    first, second = ([*map(str.strip, fields(row, separator))] for row in [*rows, "", ""][:2])
    units = len(first) == len(names) and not any(map(NUMBER.fullmatch, first))
    if units and len(second) == len(names) and _numeric(second):
        named = zip(names, first, strict=True)
        layout.units = {name: unit.strip("[]()") for name, unit in named if name is not None}
        layout.skip = start + 2 + below.index(rows[0])
    return layout


def _header(lines: list[str], first: int) -> int:
    """Return the line of the header: the first one, or the last of words above rows of numbers.

    Programs write what was recorded above it (EthoVision, BORIS, notes), in lines of other lengths.
    A row begins with a number, and the next one has as many fields; a line of units may be between.
    """
    counted = lines[first].startswith('"Number of header lines')  # EthoVision's
    head = [i for i in range(first, min(len(lines), first + SAMPLE)) if lines[i].strip()]
    for separator in SEPARATORS:
        split = [fields(lines[i], separator) for i in head]
        long = [len(row) if len(row) > 1 and _numeric(row[:1]) else 0 for row in split]
        for row, (n, following) in enumerate(itertools.pairwise(long)):
            if not 0 < n == following or (n == len(split[0]) and not counted):
                continue
            words = [len(one) == n and not any(map(NUMBER.fullmatch, one)) for one in split[:row]]
            above = row - 1 - (row > 1 and all(words[-2:]) and head[row - 1] == head[row - 2] + 1)
            return head[above] if words[above] else first
    return first


def _head(path: Path) -> tuple[list[str], str]:
    """Return the first lines of a file and its encoding."""
    with open(path, "rb") as file:
        head = file.read(HEAD)
        while head.count(b"\n") < 4 and (more := file.read(HEAD)):  # a header of many columns
            head += more
        cut = bool(file.read(1))
    for begin, said in NO_TEXT.items():
        if head.startswith(begin):
            raise UserError(f"{path}: {said}")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif head[1:8:2] == bytes(4) and 0 not in head[:8:2]:
        encoding = "utf-16-le"
    else:
        try:
            (head[: head.rfind(b"\n")] if cut else head).decode("utf-8")
            encoding = "utf-8-sig"
        except UnicodeDecodeError:
            encoding = "latin-1"  # a µ or an ö in a header; numbers are the same
    lines = re.split(r"\r\n|\n|\r", head.decode(encoding, errors="ignore"))
    return (lines[:-1] if cut else lines), encoding


def _sample(lines: list[str]) -> list[str]:
    return list(itertools.islice((line for line in lines if line.strip()), SAMPLE))


def fields(line: str, separator: str) -> list[str]:
    """Return the fields of a line, quotes taken off."""
    if separator == r"\s+":
        return [text.strip('"') for text in re.findall(r'"[^"]*"|\S+', line)]
    if '"' not in line:
        return [text.lstrip() for text in line.split(separator)]
    return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])


def _numeric(values: Sequence[str]) -> bool:
    return any(values) and all(map(NUMBER.fullmatch, values))


def _separator(header: str, rows: list[str]) -> str:
    """Return what divides the columns: whatever makes most rows as long as the header."""

    def fit(separator: str) -> float:
        n = len(fields(header, separator))
        return sum(len(fields(row, separator)) in (n, n + 1) for row in rows) if n > 1 else -1

    best = max(SEPARATORS, key=fit)
    if fit(best) >= 0:
        return best
    spaced = len(fields(header, r"\s+"))
    if spaced > 1 and rows and {len(fields(r, r"\s+")) - spaced for r in rows} in ({0}, {1}):
        return r"\s+"
    if any("\t" in row or ";" in row for row in rows):
        return "\t" if "\t" in rows[0] else ";"
    # one column: 20,04 is a number, unless what comes first counts the rows
    commas = all(re.fullmatch(DECIMAL_COMMA, row) for row in rows)
    return ";" if commas and not _are_row_names(rows, ",") else ","


def _are_row_names(rows: list[str], separator: str) -> bool:
    """Return whether the first fields are names of rows: in quotes, words, or a count."""
    if all(row.lstrip().startswith('"') for row in rows):
        return True
    first = [next(iter(fields(row, separator)), "") for row in rows]
    if all(re.fullmatch(r"\s*\d+\s*", text) for text in first):
        return set(np.diff([int(text) for text in first])) <= {1}
    return not any(map(NUMBER.fullmatch, first))


def _names(header: list[str], rows: list[str], separator: str, path: Path) -> list[str | None]:
    """Return a name for each field of a row, None for one that is no column."""
    names: list[str | None] = [name.strip() or f"Unnamed: {i}" for i, name in enumerate(header)]
    split = [fields(row, separator) for row in rows]
    width = len(split[0]) if split else len(names)
    more = width - len(names)
    if more <= 0:
        return names
    if not any("".join(row[len(names) :]).strip() for row in split):  # separators at the end
        return [*names, *[None] * more]
    if more == 1 and _are_row_names(rows, separator):
        return [None, *names]
    raise UserError(
        f"{path}: rows of {width} fields below a header of {len(names)} names; name every column, "
        "and write decimals with a point"
    )
