"""Cohort by cohort: how well decoders of one do in mice of another, with mice as the unit.

A loss is taken in the same test mouse: its AUC after training in its own cohort less that after
training in another, averaged over allocations first. Of another target its own score stands for the
AUC, in words as in the column. Intervals are `mouse_tests.mean_interval`,
which overlapping training mice make a little narrow.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mesodecode.base.files import UserError
from mesodecode.scores.mouse_tests import mean_interval
from mesodecode.study.allocation import join_ids, split_ids
from mesodecode.study.cohort_table import cohorts_of
from mesodecode.study.targets import RUN, Kind, kind_scored


def numbers_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of numbers of a kind of target."""
    return (
        *("n_mice", "n_allocations", kind.metric, "ci_low", "ci_high"),
        *("n_paired", "loss", "loss_low", "loss_high"),
    )


def columns_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of a `table` of a kind of target."""
    return "decoder", "train_cohort", "test_cohort", *numbers_of(kind), "sentence", "protocol"


NUMBERS, COLUMNS = numbers_of(RUN.kind), columns_of(RUN.kind)
FEW = 5  # mice; of fewer, an interval over mice hangs on each of them


def with_cohorts(auc: pd.DataFrame, cohorts: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return a table of AUCs with the cohorts of training and test mice, joined by +.

    `auc` has columns train_mice and test_mice, a row an allocation or a session of one.
    """
    named = {
        f"{role}_cohort": [join_ids(cohorts_of(split_ids(mice), cohorts)) for mice in auc[column]]
        for role, column in (("train", "train_mice"), ("test", "test_mouse"))
    }
    return auc.assign(**named)


def table(
    auc: pd.DataFrame, cohorts: Mapping[str, Sequence[str]], kind: Kind = RUN.kind
) -> pd.DataFrame:
    """Return `columns_of` a kind, a row a decoder, cohort of training and cohort of test mice.

    `auc` as of `mesodecode.scores.auc.auc_table`, with the score of another target as its column
    auc (`base.tables.read_scores`); `cohorts`: cohort -> its mice. auc, or the score, is the mean
    over test mice of the means of their allocations, with a 95 % interval over mice; loss the mean
    over those that were tested from their own cohort too, NaN where there are none. Allocations
    without a score, as of a trace that does not change, are left out. Of allocations that test
    several mice together, which are no units, there is no interval (NaN).
    Raises UserError if nothing is scored, or a mouse is of no cohort.
    """
    auc = auc[auc["auc"].notna()]
    if auc.empty:
        raise UserError(f"no {kind.axis} of a decoder of the study; score them")
    known = {mouse for mice in cohorts.values() for mouse in mice}
    for column in ("train_mice", "test_mouse"):
        for mouse in [each for mice in auc[column].unique() for each in split_ids(mice)]:
            if mouse not in known:
                raise UserError(f"{column}: mouse '{mouse}' is of no cohort ({', '.join(cohorts)})")
    auc = with_cohorts(auc, cohorts)
    rank = {name: at for at, name in enumerate(cohorts)}
    rows = []
    for decoder, mine in auc.groupby("decoder", sort=False):
        pairs = {pair: part for pair, part in mine.groupby(["train_cohort", "test_cohort"])}

        def place(pair: tuple[str, str]) -> list[list[int]]:
            return [[rank[name] for name in split_ids(side)] for side in pair]

        for train, test in sorted(pairs, key=place):
            part = pairs[train, test]
            means = part.groupby("test_mouse", sort=False)["auc"].mean()
            low, high = _interval(means)
            row = {"decoder": decoder, "train_cohort": train, "test_cohort": test}
            row |= {"n_mice": _count(means), "n_allocations": len(part)}
            row |= {kind.metric: means.mean()}
            row |= {"ci_low": np.maximum(low, kind.lowest), "ci_high": np.minimum(high, 1)}
            own = pairs.get((test, test)) if train != test else None
            row |= _loss(means, None if own is None else own.groupby("test_mouse")["auc"].mean())
            protocol = ", ".join(part["protocol"].unique())
            rows.append(row | {"sentence": _sentence(row, kind), "protocol": protocol})
    return pd.DataFrame(rows, columns=list(columns_of(kind)))


def _loss(means: pd.Series, own: pd.Series | None) -> dict[str, float]:
    missing = {"n_paired": 0, "loss": np.nan, "loss_low": np.nan, "loss_high": np.nan}
    if own is None:
        return missing
    lost = (own - means).dropna()
    if not len(lost):
        return missing
    low, high = _interval(lost)
    return {"n_paired": _count(lost), "loss": lost.mean(), "loss_low": low, "loss_high": high}


def _interval(means: pd.Series) -> tuple[float, float]:
    """Return the limits of the mean of test mice; NaN of sets of them, and of one."""
    together = any(len(split_ids(mice)) > 1 for mice in means.index)
    return (np.nan, np.nan) if together else mean_interval(means.to_numpy())[:2]


def _count(means: pd.Series) -> int:
    return len({mouse for mice in means.index for mouse in split_ids(mice)})


def _sentence(row: Mapping[str, float | str], kind: Kind) -> str:
    other = "other " * (row["train_cohort"] == row["test_cohort"])
    where = f"in {other}mice of {_joined(row['test_cohort'])}"
    text = (
        f"{row['decoder']}, trained in {_joined(row['train_cohort'])}, has a mean {kind.axis} of "
        f"{row[kind.metric]:.3f} {where} ({_mice(row['n_mice'])})"
    )
    return f"{text}; {_lost(row)}." if row["n_paired"] else f"{text}."


def _lost(row: Mapping[str, float | str]) -> str:
    """Return the loss of a row in words, or that none is shown."""
    numbers = f"{abs(row['loss']):.3f}"
    if np.isnan(row["loss_low"]):
        how = "more" if row["loss"] < 0 else "less"
        where = "one mouse"
        if row["n_paired"] > 1:
            where = f"{_mice(row['n_paired'])} that are tested together: no interval"
        return f"{numbers} {how} than after training in their own cohort, in {where}"
    gained = row["loss_high"] < 0
    limits = (row["loss_low"], row["loss_high"])
    low, high = (-limits[1], -limits[0]) if gained else limits
    about = f"(95 % interval {low:.3f} to {high:.3f}, {_mice(row['n_paired'])})"
    if row["loss_low"] > 0:
        return f"{numbers} less than after training in their own cohort {about}"
    if gained:
        return f"{numbers} more than after training in their own cohort {about}"
    return f"no loss against training in their own cohort is shown, {row['loss']:.3f} {about}"


def headlines(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (verdict, sentence) of each decoder, of a `table`: loss if one is shown.

    What is lost between cohorts, or where that was not measured the AUCs in cohorts that were not
    trained in, or where there are none in each cohort.
    """
    found, kind = [], kind_scored(rows.columns)
    for decoder, mine in rows.groupby("decoder", sort=False):
        each = mine.to_dict("records")
        across = [row for row in each if row["n_paired"]]
        new = [
            row
            for row in each
            if not {*split_ids(row["train_cohort"])} & {*split_ids(row["test_cohort"])}
        ]
        if across:
            parts = [f"from {_way(row)} {_lost(row)}" for row in across]
            what = f"{kind.axis} of mice of the second"
        else:
            chosen = new or each
            parts = [
                f"{row[kind.metric]:.3f} from {_way(row)} ({_mice(row['n_mice'])})"
                for row in chosen
            ]
            what = f"mean {kind.axis}"
        # a loss is of the mice that were tested from both cohorts, and so is its interval
        n = [row["n_paired"] for row in across] or [row["n_mice"] for row in new or each]
        text = f"{decoder}, {what}: {'; '.join(parts)}."
        if new and not across:
            text += (
                " Whether that is a loss is not known: nothing was trained and tested within these "
                "cohorts (allocation.cohorts: across does)."
            )
        if min(n) < FEW:
            text += f" With fewer than {FEW} mice of a cohort, intervals hang on each of them."
        verdict = "loss" if any(row["loss_low"] > 0 for row in across) else "none"
        found.append((verdict, text))
    return found


def _way(row: Mapping[str, str]) -> str:
    return f"{_joined(row['train_cohort'])} to {_joined(row['test_cohort'])}"


def _joined(cohorts: str) -> str:
    return " and ".join(split_ids(cohorts))


def _mice(n: float) -> str:
    return f"{n:.0f} mice" if n != 1 else "1 mouse"
