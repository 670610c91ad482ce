"""The AUCs of a run against those of Ajioka et al. 2024, decoder by decoder."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from mesodecode.base.files import UserError
from mesodecode.scores import mouse_tests
from mesodecode.study import published
from mesodecode.study.allocation import share_mice

TRAIN = 3  # mice that train a published decoder
COLUMNS = [
    *("decoder", "published", "n", "mean", "sd", "published_n", "published_mean", "published_sd"),
    *("difference", "ci_low", "ci_high", "interval"),
]
NUMBERS = COLUMNS[2:-1]


def reproduce(
    auc: pd.DataFrame, cohort: pd.DataFrame, pairs: Mapping[str, Mapping[str, str]]
) -> pd.DataFrame:
    """Return `COLUMNS`, a row a decoder of `pairs`: run minus published, with its 95 % CI.

    `auc` is the table of `auc.auc_table`; `cohort` has mouse and session; `pairs`: decoder ->
    which published one (column -> value, see `published.rows`). `interval` says how it was made:

    paired: the sessions are published ones, so each allocation is compared with the same one, and
    the CI is Student's t over the test mice (mean of the differences of each).
    Welch, mice: other animals; Welch's t of the means of test mice.
    Welch, allocations: only mean and SD are published; allocations are taken for independent, which
    they are not: the interval is too narrow.
    none: allocations test several mice together, which are no units; limits are NaN.

    Raises UserError for a decoder that `auc` lacks.
    """
    theirs = published.sessions()
    same = all(theirs.get(s) == m for s, m in zip(cohort["session"], cohort["mouse"], strict=True))
    rows = []
    for decoder, where in pairs.items():
        mine = auc[auc["decoder"] == decoder]
        if mine.empty:
            known = ", ".join(auc["decoder"].unique())
            raise UserError(f"no decoder {decoder} among the AUCs; there: {known}")
        mine = mine[mine["auc"].notna()]
        found = published.rows(where)
        analysis, model, half_window = (found[0][key] for key in published.KEYS)
        window = f" ±{half_window}" if half_window != "0" else ""
        name = f"{model}{window} ({analysis.replace('_', ' ')})"
        result = _compare(mine, pd.DataFrame(found), same)
        n, mean, sd = _moments(mine["auc"])
        rows.append(
            {"decoder": decoder, "published": name, "n": n, "mean": mean, "sd": sd} | result
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def _compare(mine: pd.DataFrame, theirs: pd.DataFrame, same: bool) -> dict[str, float | str]:
    if "auc" not in theirs:
        known = tuple(theirs[["n", "mean", "sd"]].astype(float).iloc[0])
        found = welch(_moments(mine["auc"]), known)
        how = f"Welch, {len(mine)} and {known[0]:.0f} allocations"
        return _row(known, found, how)
    theirs = theirs.assign(auc=theirs["auc"].astype(float))
    known = _moments(theirs["auc"])
    if same:
        three = mine[mine["train_mice"].str.count(r"\+") == TRAIN - 1]
        both = three.merge(theirs, on=["valid_mouse", "test_mouse"], suffixes=("", "_published"))
        if len(both):
            difference = (both["auc"] - both["auc_published"]).to_numpy()
            means = mouse_tests.by_mouse(difference, both["test_mouse"])
            low, high, _ = mouse_tests.mean_interval(means)
            how = f"paired, {len(both)} allocations of {len(means)} mice"
            return _row(known, (float(means.mean()), low, high), how)
    means = [one.groupby("test_mouse")["auc"].mean() for one in (mine, theirs)]
    if share_mice(mine["test_mouse"]):
        apart = means[0].mean() - means[1].mean()
        return _row(known, (apart, np.nan, np.nan), "none, mice are tested together")
    how = f"Welch, {len(means[0])} and {len(means[1])} mice"
    return _row(known, welch(*map(_moments, means)), how)


def welch(
    a: tuple[float, float, float], b: tuple[float, float, float], level: float = 0.95
) -> tuple[float, float, float]:
    """Return mean a - mean b of two samples, each (n, mean, sample SD), and its limits.

    Welch's t interval with Satterthwaite's degrees of freedom (Welch 1947, Biometrika 34: 28-35).
    Limits are NaN for a sample of one value.
    """
    (n_a, mean_a, sd_a), (n_b, mean_b, sd_b) = a, b
    difference = mean_a - mean_b
    if min(n_a, n_b) < 2:
        return difference, np.nan, np.nan
    squares = sd_a**2 / n_a, sd_b**2 / n_b
    if not sum(squares):
        return difference, difference, difference
    freedom = sum(squares) ** 2 / (squares[0] ** 2 / (n_a - 1) + squares[1] ** 2 / (n_b - 1))
    half = stats.t.ppf((1 + level) / 2, freedom) * np.sqrt(sum(squares))
    return difference, difference - half, difference + half


def _moments(values: pd.Series) -> tuple[float, float, float]:
    return len(values), float(values.mean()), float(values.std())


def _row(
    known: tuple[float, float, float], found: tuple[float, float, float], how: str
) -> dict[str, float | str]:
    names = ("published_n", "published_mean", "published_sd", "difference", "ci_low", "ci_high")
    return dict(zip(names, (*known, *found), strict=True)) | {"interval": how}
