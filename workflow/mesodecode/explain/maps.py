"""Importance maps of any kind as one table: a row an allocation, a column a unit (ROI or mask)."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mesodecode.base import files
from mesodecode.base.files import UserError
from mesodecode.base.tables import header
from mesodecode.explain import cutout_tables, shap_files


def read(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Return the scores of units (columns, as text) in allocations (index allocation, test_mouse).

    Of files of `mesodecode shap` (.h5): mean |SHAP| summed over the window, by ROI number; of
    `mesodecode shap-pixels` (.h5) the same by area; of `mesodecode cutout` (.tsv): the mean over
    sessions of AUC(intact) - AUC(masked), by mask. The columns' name is the kind of unit, "ROI",
    "area" or "mask". A path that ends in .txt is a list of such files, one a line.
    Raises UserError if a list is empty, or a unit lacks a score in one of the allocations.
    """
    return read_whole(paths)[0]


def read_whole(paths: Sequence[str | Path]) -> tuple[pd.DataFrame, list[shap_files.Map]]:
    """Return what `read` does, and maps of SHAP whole, with frames and signs; none of a cut-out.

    Raises UserError as `read` does.
    """
    paths = listed(paths)
    tables = [path for path in paths if path.suffix == ".tsv"]
    if tables and len(tables) < len(paths):
        raise UserError(f"maps: {tables[0]} and others are of different kinds; give maps of one")
    if tables:
        return read_cutout(tables)[0], []
    whole = [shap_files.read(path) for path in paths]
    return _complete(of_shap(whole)), whole


def read_cutout(paths: Sequence[str | Path]) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Return what `read` does of a cut-out, and such tables of what masks say, by column.

    None of these where the files are of a version that did not keep them.
    """
    rows = cutout_tables.read_rows(listed(paths))
    mice = rows.drop_duplicates("allocation").set_index("allocation")["test_mouse"]

    def table(value: str) -> pd.DataFrame:
        scores = cutout_tables.allocation_scores(rows, value).T
        return scores.set_index(pd.Index(mice[scores.index], name="test_mouse"), append=True)

    signed = {value: table(value) for value in cutout_tables.signed_of(rows)}
    return _complete(table("score")), signed


def _complete(scores: pd.DataFrame) -> pd.DataFrame:
    lacking = scores.columns[scores.isna().any()]
    if len(lacking):
        raise UserError(
            f"maps: {scores.columns.name} {lacking[0]} has no score in some allocation; give "
            "complete maps of one analysis"
        )
    return scores


def scored_by(paths: Sequence[str | Path]) -> str:
    """Return what maps of a cut-out are losses of, in words; those of SHAP are of none: AUC."""
    first = listed(paths)[0]
    return cutout_tables.kind_of(header(first) if first.suffix == ".tsv" else ()).axis


def listed(paths: Sequence[str | Path]) -> list[Path]:
    """Return the files of maps that paths stand for: themselves, or the lines of lists (.txt).

    Raises UserError if a list is empty.
    """
    return [file for path in paths for file in files.listed(path, "maps")]


def of_shap(maps: Sequence[shap_files.Map]) -> pd.DataFrame:
    """Return the scores of maps of SHAP, in their order, as `read` does of their files."""
    rows = [pd.Series(one.mean_abs.sum(axis=0), shap_files.units_of(one)) for one in maps]
    about = [(one.allocation, one.test_mouse) for one in maps]
    index = pd.MultiIndex.from_tuples(about, names=["allocation", "test_mouse"])
    return pd.DataFrame(rows).set_index(index).rename_axis(columns=shap_files.kind_of_unit(maps[0]))
