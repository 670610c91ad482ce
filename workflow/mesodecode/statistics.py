"""Comparisons of AUCs between groups, as in the paper: rank-sum tests with Holm correction.

Ajioka et al. 2024 compare decoders over the allocations (n = 20) with Wilcoxon rank-sum tests.
Allocations that share mice are not independent, so these p values are descriptive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from mesodecode.files import UserError

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


# A test takes the values of two groups, each (n,), and returns (statistic, two-sided p).
TESTS: dict[str, Callable[[np.ndarray, np.ndarray], tuple[float, float]]] = {"rank_sum": rank_sum}
TEST_NAMES = {"rank_sum": "Wilcoxon rank-sum test"}  # as readers know them


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

    Raises UserError for an unknown test, a missing column or value, a missing AUC, a family of
    fewer than two groups and a group of fewer than two AUCs.
    """
    if test not in TESTS:
        raise UserError(f"no test named {test}; known: {', '.join(TESTS)}")
    _check_columns(table, ["auc", by] if within is None else ["auc", by, within])
    if by == within:
        raise UserError(f"column {by} is given for both by and within; give two columns or one")
    if only is not None:
        known = [str(value) for value in table[by].unique()]
        unknown = [value for value in only if value not in known]
        if unknown:
            raise UserError(f"no {by} {', '.join(unknown)}; in the table: {', '.join(known)}")
    if within is None:
        return _family(table, name, by, test, only)
    families = table.groupby(within, sort=False)
    return pd.concat(
        [_family(rows, str(value), by, test, only) for value, rows in families],
        ignore_index=True,
    )


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return decoder, n, mean and sd (sample SD) of `auc`, one row a decoder, in their order."""
    _check_columns(table, ["auc", "decoder"])
    aucs = table.groupby("decoder", sort=False)["auc"]
    return aucs.agg(n="count", mean="mean", sd="std").reset_index()


def _check_columns(table: pd.DataFrame, names: Sequence[str]) -> None:
    for name in names:
        if name not in table.columns:
            raise UserError(f"no column {name}; the columns are {', '.join(map(str, table))}")
        if name != "auc":
            empty = int((table[name].isna() | (table[name].astype(str) == "")).sum())
            if empty:
                raise UserError(f"{empty} rows have no value in column {name}; fill them in")


def _family(
    table: pd.DataFrame, family: str, by: str, test: str, only: Sequence[str] | None
) -> pd.DataFrame:
    """Return the comparisons of one Holm family."""
    groups = {
        str(value): rows["auc"].to_numpy(float) for value, rows in table.groupby(by, sort=False)
    }
    if only is not None:
        groups = {value: groups[value] for value in dict.fromkeys(only) if value in groups}
    if len(groups) < 2:
        raise UserError(
            f"family {family}: {by} has {len(groups)} value ({', '.join(groups)}); "
            "a comparison needs two groups or more"
        )
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
        result = TESTS[test](x, y)
        rows.append((family, test, a, b, len(x), len(y), x.mean(), y.mean(), *result, np.nan))
    comparisons = pd.DataFrame(rows, columns=COLUMNS)
    return comparisons.assign(p_holm=holm(comparisons["p"]))
