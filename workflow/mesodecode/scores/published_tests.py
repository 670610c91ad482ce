"""Comparisons of AUCs between groups, as in the paper: rank-sum tests with Holm correction.

Ajioka et al. 2024 compare decoders over the allocations (n = 20) with Wilcoxon rank-sum tests.
Allocations that share mice are not independent, so these p values are descriptive.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from mesodecode.base.files import UserError, say

COLUMNS = [
    *("family", "test", "a", "b", "n_a", "n_b"),
    *("mean_a", "mean_b", "statistic", "p", "p_holm"),
]


def rank_sum(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Return W and the two-sided p of the asymptotic Wilcoxon rank-sum test of two samples.

    With tie and continuity correction: R's ``wilcox.test(a, b, exact = FALSE)``. W is the number
    of pairs with a > b, ties counting half. If all values are equal p is 1, where R has NA.
    """
    result = stats.mannwhitneyu(
        a, b, alternative="two-sided", method="asymptotic", use_continuity=True
    )
    return float(result.statistic), float(result.pvalue)


def rank_sum_exact(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Return W and the exact two-sided p of the Wilcoxon rank-sum test of two samples.

    R's ``wilcox.test(a, b, exact = TRUE)``. Raises UserError if values are equal, as the exact
    distribution is that of samples without ties.
    """
    if len({*a, *b}) < len(a) + len(b):
        raise UserError("two AUCs or more are equal, of which there is no exact p; test rank_sum")
    result = stats.mannwhitneyu(a, b, alternative="two-sided", method="exact")
    return float(result.statistic), float(result.pvalue)


# A test takes the values of two groups, each (n,), and returns (statistic, two-sided p).
TESTS: dict[str, Callable[[np.ndarray, np.ndarray], tuple[float, float]]]
TESTS = {"rank_sum": rank_sum, "rank_sum_exact": rank_sum_exact}
MEASURES = ("auc", "accuracy", "n_frames", "n_run")  # columns that name nothing
# Characters that none sees, and dashes that a spreadsheet makes of a hyphen
ALIKE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))
ALIKE |= dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
TEST_NAMES = {  # as readers know them
    "rank_sum": "Wilcoxon rank-sum test",
    "rank_sum_exact": "exact Wilcoxon rank-sum test",
}


def holm(p: Sequence[float]) -> np.ndarray:
    """Return the p values (m,) adjusted by Holm's step-down method, in the order given.

    The i-th smallest of m is multiplied by m - i + 1, then made no smaller than any before it
    and at most 1 (Holm 1979, Scand J Stat 6: 65-70; R's ``p.adjust(p, "holm")``).
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return adjusted


def select(table: pd.DataFrame, where: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows of a table whose columns have these values (column -> value).

    Raises UserError for a column or a value that the table lacks.
    """
    for column, value in where.items():
        _check_columns(table, [column])
        known = table[column].astype(str)
        if value not in set(known):
            raise UserError(
                f"no row where {column} is {value}; there: {', '.join(dict.fromkeys(known))}"
            )
        table = table[known == value]
    return table


def keep(table: pd.DataFrame, by: str, only: Sequence[str] | None) -> pd.DataFrame:
    """Return the rows whose column `by` has one of the values `only`; all rows where it is None.

    Raises UserError for a missing column, an empty cell of it, or a value that it lacks.
    """
    _check_columns(table, [by])
    if only is None:
        return table
    known = [str(value) for value in table[by].unique()]
    unknown = [value for value in only if value not in known]
    if unknown:
        raise UserError(f"no {by} {', '.join(unknown)}; in the table: {', '.join(known)}")
    return table[table[by].astype(str).isin(only)]


def compare(
    table: pd.DataFrame,
    *,
    by: str,
    within: str | None = None,
    test: str = "rank_sum",
    only: Sequence[str] | None = None,
    name: str = "all",
) -> pd.DataFrame:
    """Test the `auc` of all pairs of values of column `by`; return a table with `COLUMNS`.

    Each value of column `within` is a Holm family of its own, named by that value; without
    `within` there is one family, `name`. Groups, pairs and families come in order of first
    appearance. `only` keeps these values of `by`, in this order.

    A family of fewer than two groups is left out, which a line on standard error says.

    Raises UserError for an unknown test, a missing column or value, names that differ in blanks
    only, rows that are there twice (`check_rows`), a missing AUC, a group of fewer than two AUCs,
    and if no family has two groups.
    """
    if test not in TESTS:
        raise UserError(f"no test named {test}; known: {', '.join(TESTS)}")
    _check_columns(table, ["auc"] if within is None else ["auc", within])
    if "auc" in (by, within):
        raise UserError("auc is what is compared: give the column of its groups, such as decoder")
    if by == within:
        raise UserError(f"column {by} is given for both by and within; give two columns or one")
    table = keep(table, by, only)
    families = [(name, table)] if within is None else table.groupby(within, sort=False)
    made, few = [], []
    for value, rows in families:
        groups = _groups(rows, by, only)
        if len(groups) < 2:
            few.append(f"family {value}: {by} has {len(groups)} value ({', '.join(groups)})")
        else:
            check_rows(rows, by, within)
            made.append(_family(groups, str(value), by, test))
    if not made:
        raise UserError(f"{'; '.join(few)}; a comparison needs two groups or more")
    for words in few:
        say(f"{words}; left out, as a comparison needs two groups")
    return pd.concat(made, ignore_index=True)


def check_rows(table: pd.DataFrame, by: str, within: str | None = None) -> None:
    """Raise UserError if AUCs are there twice, which would make p values too small.

    A row is known by all its columns that are no measures. Where allocations are named, a group has
    one AUC of each. In other tables rows are copies if they are equal throughout, unless rows of
    one name differ elsewhere: there AUCs may tie, so that all rows of a group have to be doubled.
    A line on standard error names groups whose every AUC is there k times all the same.
    """
    measures = [name for name in table if name in MEASURES]
    names = [name for name in table if name not in measures and not _counts_rows(name)]
    groups = [name for name in (by, within) if name is not None]
    plain = table[names].apply(lambda column: column.map(_as_it_looks))
    rows = plain.assign(**{name: table[name] for name in measures})
    if "allocation" in names:
        twice = plain.duplicated(keep=False)
    elif {*names} > {*groups} and not rows.drop_duplicates().duplicated(names).any():
        twice = rows.duplicated(keep=False)
    else:
        twice = _all_twice(rows, groups)
    if not twice.any():
        copies = table.loc[_all_twice(rows[[*groups, "auc"]], groups), by].unique()
        if len(copies):
            say(
                f"each AUC of {by} {', '.join(map(str, copies))} is there twice or more: if other "
                "columns tell copies apart, choose rows with --where"
            )
        return
    same = plain[twice].eq(plain[twice].iloc[0]).all(axis=1)
    row = ", ".join(f"{name} {value}" for name, value in plain[twice].iloc[0].items())
    aucs = [f"{auc:g}" for auc in table.loc[twice, "auc"][same].unique()[:2]]
    raise UserError(
        f"{int(twice.sum())} rows are there twice or more, such as {row} (auc {' and '.join(aucs)})"
        "; leave one of each, choose rows with --where, or add a column that tells them apart"
    )


def _all_twice(rows: pd.DataFrame, groups: list[str]) -> pd.Series:
    """Return which rows are of groups in which each row is there k times, k = 2 or more.

    Not of a group with fewer than four different rows: AUCs that are rounded or perfect tie.
    """
    times = rows.groupby([*rows], dropna=False)["auc"].transform("size")
    of = [rows[name] for name in groups]
    different = (1 / times).groupby(of).transform("sum").round()
    return (different >= 4) & (times.groupby(of).transform(np.gcd.reduce) >= 2)


def _counts_rows(name: str) -> bool:
    """Say whether a column numbers the rows, as pandas writes it."""
    return name in ("", "index") or name.startswith("Unnamed:")


def _as_it_looks(value: object) -> str:
    """Return a name as it looks: without blanks around it, those inside and dashes of one kind."""
    return " ".join(unicodedata.normalize("NFC", str(value)).translate(ALIKE).split())


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return decoder, n, mean and sd (sample SD) of `auc`, one row a decoder, in their order."""
    aucs = table.groupby("decoder", sort=False)["auc"]
    return aucs.agg(n="count", mean="mean", sd="std").reset_index()


def _check_columns(table: pd.DataFrame, names: Sequence[str]) -> None:
    for name in names:
        if name not in table.columns:
            raise UserError(f"no column {name}; the columns are {', '.join(map(str, table))}")
        if name != "auc":
            plain = table[name].map(_as_it_looks)
            empty = int((table[name].isna() | plain.isin(["", "nan", "NaN"])).sum())
            if empty:
                raise UserError(f"{empty} rows have no value in column {name}; fill them in")
            _check_spelling(table[name], plain)


def _check_spelling(names: pd.Series, plain: pd.Series) -> None:
    """Raise UserError if some names look alike; say which differ in case alone."""
    spelt = names.groupby(plain).unique()
    for value, ways in spelt[spelt.map(len) > 1].items():
        raise UserError(
            f"column {names.name}: '{value}' is written in {len(ways)} ways that differ in blanks "
            f"only, or look alike ({', '.join(ascii(way) for way in ways)}); write it in one"
        )
    cases = pd.Series(spelt.index).groupby(spelt.index.str.casefold()).unique()
    for ways in cases[cases.map(len) > 1]:
        say(
            f"column {names.name}: {', '.join(ways)} differ in case only; taken for "
            f"{len(ways)} names"
        )


def _groups(rows: pd.DataFrame, by: str, only: Sequence[str] | None) -> dict[str, np.ndarray]:
    """Return the AUCs (n,) of each value of `by`, of those in `only` in its order."""
    found = {str(v): mine["auc"].to_numpy(float) for v, mine in rows.groupby(by, sort=False)}
    return found if only is None else {v: found[v] for v in dict.fromkeys(only) if v in found}


def _family(groups: dict[str, np.ndarray], family: str, by: str, test: str) -> pd.DataFrame:
    """Return the comparisons of one Holm family."""
    for value, aucs in groups.items():
        missing = int((~np.isfinite(aucs)).sum())
        if missing:
            raise UserError(
                f"family {family}: {by} {value}: {missing} of {len(aucs)} AUCs are missing; "
                "complete them or leave this group out"
            )
        if len(aucs) < 2:
            raise UserError(
                f"family {family}: {by} {value} has 1 AUC; a group needs two or more, "
                "so run more allocations or leave it out"
            )
    rows = []
    for a, b in combinations(groups, 2):
        x, y = groups[a], groups[b]
        try:
            result = TESTS[test](x, y)
        except UserError as error:
            raise UserError(f"family {family}: {by} {a} and {b}: {error}") from None
        rows.append((family, test, a, b, len(x), len(y), x.mean(), y.mean(), *result, np.nan))
    comparisons = pd.DataFrame(rows, columns=COLUMNS)
    return comparisons.assign(p_holm=holm(comparisons["p"]))
