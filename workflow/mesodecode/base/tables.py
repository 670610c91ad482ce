"""Tables as CSV and TSV files."""

import csv
import itertools
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mesodecode.base.files import UserError, atomic_path, one_line

# Every other column of a table is a name and stays as written: mouse "01", decoder "null".
NUMBERS = (
    *("n_frames", "n_run", "frame_rate", "height", "width", "auc", "accuracy"),
    *("n_a", "n_b", "mean_a", "mean_b", "statistic", "p", "p_holm"),
)
# Of `mesodecode score`: R² and macro AUC, and what stands beside them.
SCORES = ("r2", "correlation", "ceiling", "null_r2", "p_shift", "macro_auc", "null_macro_auc")
SCORES += ("accuracy",)


def read_table(
    path: str | Path, columns: Iterable[str] = (), numbers: Iterable[str] = NUMBERS
) -> pd.DataFrame:
    """Read a CSV or TSV file (by its suffix, else by its first line); names stay as written.

    Semicolons between cells are found under any suffix, and blanks behind a header in quotes, as of
    R's write.table; UTF-16 by its first bytes. Names of rows, as R writes them, are left out, as
    are rows of nothing but empty cells; cells that a short row lacks are empty.

    The columns `numbers` become numbers, an empty cell or "nan" NaN; names of columns lose blanks
    around them. Raises UserError if the file is not such a table, lacks one of `columns` or holds
    no row, for a cell that is not a number, and for an AUC that is not between 0 and 1.
    """
    path = Path(path)
    try:
        separator = _separator(path)
        table = pd.read_csv(
            path,
            sep=r"\s+" if separator == " " else separator,
            encoding=_encoding(path),
            dtype=str,
            keep_default_na=False,
        )
    except (ValueError, csv.Error) as error:  # pandas' parser errors are ValueErrors
        raise UserError(
            f"{path}: not a CSV or TSV table ({one_line(error)}); check the file"
        ) from None
    table.columns = table.columns.str.strip()
    _check_header(path)
    table = _without_names_of_rows(table, path).fillna("")
    table = table[table.apply(lambda column: column.str.strip()).ne("").any(axis=1)]
    for name in columns:
        if name not in table.columns:
            raise UserError(f"{path}: no column {name}; the columns are {', '.join(table.columns)}")
    if table.empty:
        raise UserError(f"{path}: the table has no rows; check what wrote it")
    for name in table.columns.intersection(list(numbers)):
        text = table[name].str.strip()
        number = pd.to_numeric(text, errors="coerce")
        wrong = number.isna() & ~text.str.lower().isin(["", "nan", "na"])
        if wrong.any():
            row = wrong.idxmax()
            raise UserError(
                f"{path}: line {_line(path, row)}: {name} is {text[row]!r}; it must be a number"
                + " with a decimal point" * ("," in str(text[row]))
            )
        if name == "auc":
            _check_aucs(number, path)
        table[name] = number
    return table.reset_index(drop=True)


def read_scores(path: str | Path, metric: str, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table of which `metric` is compared, as a table whose column `auc` it is.

    Of another metric than auc, columns of other scores are left out, as they name nothing.
    """
    if metric == "auc":
        return read_table(path, columns)
    wanted = [name for name in columns if name != "auc"]
    table = read_table(path, [*wanted, metric], [*NUMBERS, metric])
    names = [name for name in table if name not in SCORES and not name.startswith("auc_")]
    return table[[*names, metric]].rename(columns={metric: "auc"})


def header(path: str | Path) -> list[str]:
    """Return the names of a table's columns, without reading it; [] if it is none."""
    path = Path(path)
    try:
        with open(path, encoding=_encoding(path), newline="") as file:
            separator = _separator(path)
            lines = csv.reader(file, delimiter=separator, skipinitialspace=separator == " ")
            names = next(filter(None, lines), [])
    except (ValueError, csv.Error):
        return []  # no table: `read_table` says so
    return [name.strip() for name in names]


def _without_names_of_rows(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return a table whose rows have as many cells as its header.

    Where they have one more, pandas takes the first for the row's name, which it is in tables of R;
    but where the last is empty throughout, each row may end in a separator. R counts rows from 1
    and quotes their names: where only one of these is so, it is not to be told.
    """
    if isinstance(table.index, pd.RangeIndex) or table.empty:
        return table
    if table.index.nlevels > 1:
        raise UserError(
            f"{path}: rows have {table.index.nlevels} cells more than the header; name all columns"
        )
    if table.iloc[:, -1].fillna("").str.strip().ne("").any():
        return table.reset_index(drop=True)
    counted = list(table.index) == [str(row) for row in range(1, len(table) + 1)]
    quoted = _first_lines(path)[-1].startswith('"')
    if counted != quoted:
        raise UserError(
            f"{path}: rows have one cell more than the header, and the last column is empty; give "
            "the first column a name, or take the separators at the ends of rows away"
        )
    if counted:
        return table.reset_index(drop=True)
    return table.reset_index().iloc[:, :-1].set_axis(table.columns, axis=1)


def _line(path: Path, row: int) -> int:
    """Return the line, from 1, in which a row below the header stands: empty lines are none."""
    with open(path, encoding=_encoding(path)) as file:
        full = (number for number, line in enumerate(file, 1) if line.strip())
        return next(itertools.islice(full, row + 1, None))


def _check_header(path: Path) -> None:
    names = header(path)
    twice = {name for name in names if name and names.count(name) > 1}
    if twice:
        raise UserError(f"{path}: two columns are called {min(twice)}; rename one")


def _check_aucs(auc: pd.Series, path: Path) -> None:
    outside = (auc < 0) | (auc > 1 + 1e-9)  # a last bit is rounding
    if outside.any():
        row = int(outside.idxmax())
        percent = ((auc.dropna() >= 0) & (auc.dropna() <= 100)).all() and outside.mean() > 0.5
        raise UserError(
            f"{path}: line {_line(path, row)}: auc is {auc[row]:g}, but an AUC is between 0 and 1; "
            + ("these look like percent: divide by 100" if percent else "correct the table")
        )


def write_table(table: pd.DataFrame, path: str | Path, digits: int = 6) -> None:
    """Write a table as CSV (suffix .csv) or TSV (any other), numbers with `digits` digits."""
    separator = "," if Path(path).suffix == ".csv" else "\t"
    with atomic_path(path) as temporary:
        table.to_csv(
            temporary, sep=separator, index=False, float_format=f"%.{digits}g", na_rep="nan"
        )


def _encoding(path: Path) -> str:
    """Return UTF-8, or UTF-16 where a table begins as in it: Excel's "Unicode text"."""
    with open(path, "rb") as file:
        return "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _first_lines(path: Path) -> list[str]:
    """Return the header of a table and its first row, as they stand in the file."""
    with open(path, encoding=_encoding(path)) as file:
        return [line.rstrip("\n") for line in itertools.islice(filter(str.strip, file), 2)]


def _separator(path: Path) -> str:
    """Return what stands between the cells of a table, " " for one blank or several."""
    line = next(iter(_first_lines(path)), "")
    known = {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower(), "")
    # Blanks only as write.table has them: names without quotes may have blanks of their own.
    if re.fullmatch(r'"[^"]*"( +"[^"]*")+', line):
        return " "
    # Spreadsheets write semicolons into a .csv where the comma is decimal, tabs as Unicode text.
    others = "\t;" if known == "," else ";"
    if known:
        return next((mark for mark in (known, *others) if mark in line), known)
    return csv.Sniffer().sniff(line, ",\t;").delimiter
