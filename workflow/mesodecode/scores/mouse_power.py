"""How many mice? The smallest difference of AUC that a study of n mice can show.

A difference d_jk (mouse j, allocation k) is δ + b_j + e_jk, with variances σ_b² between mice and
σ_w² within them. The mean of a mouse over k allocations varies by σ_b² + σ_w² / k, so that more
allocations lessen the second part only. The test is Student's t of the means of n mice
(`mouse_tests.mean_interval`), whose power is that of the noncentral t with n - 1 degrees of freedom
and δ √(n / (σ_b² + σ_w² / k)) (Cohen 1988, Statistical Power Analysis, ch. 2; R's `power.t.test`).

Both variances are those of a study that was measured, by ANOVA. What its few mice tell of them is
little, and said as an interval. Left out: what allocations share in training mice; where it is a
tenth of the variance of the differences, 10 to 50 mice have a power of .69 to .74 instead of .80
(benchmarks/power.py).
"""

import functools
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import optimize, stats

from mesodecode.base.files import UserError, say
from mesodecode.scores import mouse_tests
from mesodecode.scores.mouse_tests import LEVEL
from mesodecode.scores.paired_tests import of_studies
from mesodecode.scores.published_tests import keep

POWER = 0.8
CHANCE = "chance"  # what a decoder alone is compared with, AUC .5
MICE = (3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 50)
FEWEST = 3  # mice; two have one difference, which is no spread
KEYS = ("allocation", "valid_mouse", "session")  # with the mouse: what is paired
COLUMNS = [
    *("a", "b", "n_measured", "n_each", "mean_difference", "sd_between", "sd_within", "icc"),
    *("mice", "allocations", "smallest_difference", "low", "high", "sentence"),
]


def power_of(effect: float, n: int, level: float = LEVEL) -> float:
    """Return the power of a two-sided t test of n values whose mean is `effect` SDs from 0."""
    limit, shift = stats.t.isf(level / 2, n - 1), effect * np.sqrt(n)
    # both tails as upper ones: the lower tail of scipy 1.17 is NaN at some shifts
    return float(stats.nct.sf(limit, n - 1, shift) + stats.nct.sf(limit, n - 1, -shift))


@functools.cache
def smallest_effect(n: int, power: float = POWER, level: float = LEVEL) -> float:
    """Return how many SDs a mean of n values must be from 0 to be shown with this power."""
    normal = stats.norm.ppf(power) + stats.norm.isf(level / 2)  # less than that of any t
    high = normal / np.sqrt(n)
    while power_of(high, n, level) < power:
        high *= 2
    return float(optimize.brentq(lambda d: power_of(d, n, level) - power, 0, high, xtol=1e-10))


def smallest_differences(
    table: pd.DataFrame,
    *,
    by: str | None = None,
    mouse: str | None = None,
    only: Sequence[str] | None = None,
    mice: Sequence[int] | None = None,
    allocations: Sequence[int] = (),
    power: float = POWER,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Return the smallest difference of each pair by mice and allocations, with `COLUMNS`.

    `table`: auc, a column `mouse` (None: test_mouse, or mouse) and, to pair decoders, those of
    `KEYS` that it has; a row an allocation. `by`: the column of what is compared (None: all is
    one); each is compared with every other, and with chance. `mice`: `MICE` and as many as were
    measured if None; `allocations`: of each test mouse, as many as were measured if empty. `low`
    and `high`: from the 95 % interval of the SD, as if only the means of the mice were known. NaN
    where nothing varies, and for other allocations than were measured where each mouse has one.

    Raises UserError for no AUC, a row without its mouse, fewer than three mice, several test mice
    in one allocation, and pairs that do not share their allocations.
    """
    mouse = _column_of_mice(table, mouse)
    table = of_studies(table, by, mouse)
    several = table[mouse].astype(str).str.contains("+", regex=False)
    if several.any():
        raise UserError(
            f"{mouse} {table[mouse][several].iloc[0]}: allocations with several test mice say "
            "nothing of single ones; use allocation.test: 1"
        )
    rows, empty = [], int(table["auc"].isna().sum())
    if empty == len(table):
        raise UserError("no row has an AUC; check what wrote the table")
    if empty:
        say(f"{empty} rows have no AUC; left out")
    for a, b, values, of in _pairs(table.dropna(subset="auc"), by, only, mouse):
        if len(set(of)) < FEWEST:
            raise UserError(
                f"{a}: AUCs of {len(set(of))} test mice; a spread between mice needs those of "
                f"{FEWEST} or more"
            )
        rows += _by_numbers(a, b, values, of, mice, allocations, power, level)
    return pd.DataFrame(rows, columns=COLUMNS)


def _column_of_mice(table: pd.DataFrame, mouse: str | None) -> str:
    """Return the column of mice: `mouse`, or what it is called here.

    Raises UserError if there is none, or a row has none.
    """
    names = [name for name in ([mouse] if mouse else ("test_mouse", "mouse")) if name in table]
    if not names:
        wanted = mouse or "test_mouse (or mouse)"
        raise UserError(
            f"no column {wanted}; the spread between mice needs it: name it with --mouse, of "
            f"{', '.join(table.columns)}"
        )
    empty = int(table[names[0]].astype(str).str.strip().isin(["", "nan"]).sum())
    if empty:
        raise UserError(f"{empty} rows have no value in column {names[0]}; fill them in")
    return names[0]


def of_interval(low: float, high: float, n: int, mice: int) -> float:
    """Return the smallest difference that `mice` can show by the 95 % interval of n mice's mean."""
    sd = (high - low) / 2 * np.sqrt(n) / stats.t.isf(LEVEL / 2, n - 1)
    return sd * smallest_effect(mice)


def in_words(inference: pd.DataFrame, more: int = 20) -> str:
    """Return a sentence on what the pairs of a table of inference could show; "" if it is unknown.

    With as many mice as it has, and with `more`.
    """
    known = inference[
        (inference["n_mice"] >= FEWEST) & (inference["ci_high"] > inference["ci_low"])
    ]
    if known.empty:
        return ""
    pairs = known[["ci_low", "ci_high", "n_mice"]].to_numpy()
    now = _range([of_interval(low, high, int(n), int(n)) for low, high, n in pairs])
    then = _range([of_interval(low, high, int(n), more) for low, high, n in pairs])
    counts = sorted({int(n) for n in known["n_mice"]})
    many = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return (
        f"By the spread between mice that was measured, {many} mice can show a difference of "
        f"{now} with a power of 80 %, and {more} mice one of {then} (t test of mouse means, before "
        f"correction; of {many} mice, the spread itself is only roughly known)."
    )


def _range(values: Sequence[float]) -> str:
    words = list(dict.fromkeys(f"{value:.3f}" for value in (min(values), max(values))))
    return " to ".join(words) + (" by pair" if len(words) > 1 else "")


def _pairs(
    table: pd.DataFrame, by: str | None, only: Sequence[str] | None, mouse: str
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Yield a, b, their differences (n,) and the mice (n,); b is chance after all pairs of a."""
    if by is None:
        yield "all", CHANCE, table["auc"].to_numpy() - 0.5, table[mouse].to_numpy()
        return
    rows = keep(table, by, only)
    rows = rows.assign(**{by: rows[by].astype(str)})
    names = list(dict.fromkeys(only or rows[by]))
    keys = [*(name for name in KEYS if name in table), mouse]
    twice = rows[rows.duplicated([by, *keys])]
    if len(twice):
        first = twice.iloc[0]
        raise UserError(
            f"{by} {first[by]} has {', '.join(f'{key} {first[key]}' for key in keys)} twice; "
            "choose rows with --where, or add a column allocation"
        )
    paired = rows.pivot(index=keys, columns=by, values="auc")[names]
    for name in names:
        alone = paired[name].dropna()
        yield name, CHANCE, alone.to_numpy() - 0.5, _mice(alone)
    for a, b in combinations(names, 2):
        difference = (paired[a] - paired[b]).dropna()
        if len(difference) < paired[[a, b]].notna().sum().max():
            raise UserError(
                f"{by} {a} and {b} do not share all their allocations; complete them, or choose "
                "others with --only"
            )
        yield a, b, difference.round(9).to_numpy(), _mice(difference)


def _mice(values: pd.Series) -> np.ndarray:
    return values.index.get_level_values(-1).to_numpy()


def _by_numbers(
    a: str,
    b: str,
    values: np.ndarray,
    of: np.ndarray,
    mice: Sequence[int] | None,
    allocations: Sequence[int],
    power: float,
    level: float,
) -> list[dict]:
    """Return the rows of a pair."""
    between, within, k = mouse_tests.mean_squares(values, of)
    n = len(set(of))
    inside = max((between - within) / k, 0.0) if k > 1 else np.nan
    spread = np.sqrt((n - 1) / stats.chi2.ppf([1 - LEVEL / 2, LEVEL / 2], n - 1))
    about = {
        **{"a": a, "b": b, "n_measured": n, "n_each": k},
        "mean_difference": mouse_tests.by_mouse(values, of).mean(),
        **{"sd_between": np.sqrt(inside), "sd_within": np.sqrt(within) if k > 1 else np.nan},
        "icc": mouse_tests.icc(values, of),
    }
    rows = []
    for each in allocations or [max(1, round(k))]:
        variance = inside + within / each if k > 1 else between if each == 1 else np.nan
        sd = np.sqrt(variance) or np.nan  # nothing that varies is nothing known
        for count in mice or sorted({*MICE, n}):
            found = sd * smallest_effect(count, power, level)
            row = about | {"mice": count, "allocations": each, "smallest_difference": found}
            row |= dict(zip(("low", "high"), found * spread, strict=True))
            rows.append(row | {"sentence": _sentence(row, power)})
    return rows


def _sentence(row: dict, power: float) -> str:
    found, b = row["smallest_difference"], row["b"]
    whom = f"{row['mice']} mice ({row['allocations']} allocation"
    whom += f"{'s' * (row['allocations'] > 1)} each)"
    what = f"{row['a']} {'above' if b == CHANCE else 'against'} {b}"
    if np.isnan(found):
        return f"{what}: nothing varies that was measured, so that nothing is known of {whom}"
    if found > (0.5 if b == CHANCE else 1.0):
        return f"{what}: {whom} can show no difference that AUCs can have"
    return (
        f"{what}: {whom} can show a difference of {found:.3f} ({row['low']:.3f} to "
        f"{row['high']:.3f}, by what {row['n_measured']} mice say of their spread) with a power of "
        f"{100 * power:g} %"
    )
