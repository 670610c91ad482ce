"""The first page of the report: the answer, how sure it is, and what to worry about."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mesodecode.base.files import in_words, of_test_mice
from mesodecode.report.formats import format_auc
from mesodecode.scores.mouse_tests import LEVEL, mean_interval
from mesodecode.study import targets
from mesodecode.study.allocation import share_mice

FEW = 6  # mice; an interval over fewer hangs on each of them
LISTED = 6  # sentences of a kind; more are counted
# Sections that question a result -> what is not known without them.
QUESTIONS = {
    "recordings": "the quality of the recordings",
    "confounds": "controls without neurons",
    "chance": "decoders of permuted labels",
    "shift": "how far each test mouse is from the others",
}


def page(
    config: Mapping[str, Any],
    parts: Mapping[str, Mapping[str, Any]],
    tables: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a reader should know in a minute.

    `parts` are the sections shown, name -> words, `tables` those that they were made of. `answer`
    and `certainty` are sentences, the first answer in one; `worries` are (sentence, section that
    says more); `labelled`: decoders that had labelled frames of test mice; `unasked`: what no
    section of this report looks at.
    """
    scored = targets.kind_named(config["target"])
    nulls = any(one.get("labels", "own") != "own" for one in config["decoders"].values())
    asked = {*parts, *(["chance"] if nulls else [])}  # of other targets among the decoders alone
    table = tables[scored.table].dropna(subset=[scored.metric])
    labelled = [name for name in table["decoder"].unique() if name in _tuned(config, table)]
    table, known = _asked(config, table)
    answer, best = (
        _answer(table, scored, known) if len(table) else (["Nothing is scored yet."], None)
    )
    worries = _worries(parts, tables, best)
    if best is not None and _protocol(table, best) == "transductive":
        words = (
            f"{best} has the whole unlabelled recording of its test mouse, as the published "
            "normalisation does; frame by frame, as a recording runs, it may do worse."
        )
        worries.append((words, "auc" if "auc" in parts else "scores"))
    return {
        "answer": answer,
        "certainty": [] if best is None else _certainty(table, scored, tables, best),
        "worries": worries,
        "labelled": labelled,
        "unasked": [QUESTIONS[name] for name in QUESTIONS if name not in asked],
    }


def over_mice(table: pd.DataFrame, metric: str, level: float = 1 - LEVEL) -> pd.DataFrame:
    """Return decoder -> mean, low, high, mice: of the means of its test mice, with interval.

    `low` and `high` are NaN of fewer than two mice, and of sets of test mice that share some.
    """
    rows = {}
    for decoder, mine in table.groupby("decoder", sort=False):
        means = mine.groupby("test_mouse", sort=False)[metric].mean()
        low, high, _ = mean_interval(means.to_numpy(), level)
        if share_mice(means.index.astype(str)):
            low = high = np.nan
        rows[decoder] = {"mean": means.mean(), "low": low, "high": high, "mice": len(means)}
    return pd.DataFrame.from_dict(rows, orient="index")


def _asked(config: Mapping[str, Any], table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the scores that answer the question, and what their decoders know of test mice.

    Those of permuted labels do not; those with labels of the test mouse do if there are no others.
    """
    every = config["decoders"]
    permuted = {n for n, one in every.items() if one.get("labels", "own") != "own"}
    tuned = _tuned(config, table)
    table = table[~table["decoder"].isin(permuted)]
    unseen = table[~table["decoder"].isin(tuned)]
    if len(unseen) or not len(table):
        return unseen, "mice that the decoder has never seen"
    return table, "mice of which the decoder had labelled frames"


def _tuned(config: Mapping[str, Any], table: pd.DataFrame) -> set[str]:
    """Return the decoders that had labelled frames of their test mice, or of which a member had."""
    tuned = {name for name, one in config["decoders"].items() if one.get("few_shot")}
    if "protocol" in table:
        tuned |= {*table.loc[table["protocol"].str.startswith("few_shot", na=False), "decoder"]}
    return tuned


def _answer(table: pd.DataFrame, scored: targets.Kind, known: str) -> tuple[list[str], str]:
    found = over_mice(table, scored.metric)
    best = str(found["mean"].idxmax())
    row, count = found.loc[best], len(found)
    # The best of many is chosen by what it is judged by: Bonferroni's interval, for this one word.
    sure = over_mice(table[table["decoder"] == best], scored.metric, 1 - LEVEL / count).loc[best]
    if row["mice"] < 2:
        first = "Not known: one test mouse says nothing of other mice."
    elif np.isnan(sure["low"]):
        first = "Not known: sets of test mice that share mice say too little of other mice."
    elif sure["low"] > scored.chance:
        first = f"Yes, above chance in {known}."
    else:
        first = "Not shown: over test mice the best decoder is not surely above chance."
    name = f"The best of {count} decoders is {best}" if count > 1 else best
    interval = f"95 % CI {_number(row['low'], scored)} to {_number(row['high'], scored)}, "
    second = (
        f"{name}{':' if count > 1 else ' has'} {scored.axis} {format_auc(row['mean'])}, mean of "
        f"{of_test_mice(table.loc[table['decoder'] == best, 'test_mouse'])} "
        f"({'' if np.isnan(row['low']) else interval}chance {scored.chance:g})."
    )
    means = table[table["decoder"] == best].groupby("test_mouse")[scored.metric].mean()
    one = "sets" if means.index.str.contains("+", regex=False).any() else "mice"
    third = (
        f"In single {one} {format_auc(means.min())} ({in_words(means.idxmin())}) to "
        f"{format_auc(means.max())} ({in_words(means.idxmax())})."
    )
    return [first, second, *([third] if len(means) > 1 else [])], best


def _number(value: float, scored: targets.Kind) -> str:
    """A limit of an interval; Student's knows no bounds, the scores do."""
    return format_auc(min(max(value, 0 if scored.metric.endswith("auc") else value), 1))


def _certainty(
    table: pd.DataFrame, scored: targets.Kind, tables: Mapping[str, Any], best: str
) -> list[str]:
    found = over_mice(table, scored.metric)
    above, mice = int((found["low"] > scored.chance).sum()), int(found["mice"].max())
    words = []
    if found["low"].notna().any():
        words.append(
            f"{above} of {len(found)} decoder{'s' if len(found) > 1 else ''} above chance with "
            "mice as the unit: 95 % intervals of the mean over test mice, each for itself."
        )
    if mice < FEW:
        words.append(f"{of_test_mice(table['test_mouse'])}: every one of them weighs.")
    if len(found) > 1:
        words.append("The best of several, chosen by its score, looks a little better than it is.")
    tests = tables.get("inference")
    if tests is not None and len(tests):
        published, exact = (
            int((tests[f"p_{test}_holm"] < LEVEL).sum()) for test in ("rank_sum", "sign_flip")
        )
        words.append(
            f"Of {len(tests)} pair{'s' if len(tests) > 1 else ''} of decoders {published} "
            f"differ{'s' if published == 1 else ''} as the paper tests "
            f"(allocations as the unit), {exact} with mice as the unit (exact test, which "
            f"cannot go below p = {tests['smallest_p'].min():.3g})."
        )
    nulls = tables.get("chance")
    if nulls is not None and (nulls["decoder"] == best).any():
        words.append(str(nulls.loc[nulls["decoder"] == best, "sentence"].iloc[0]))
    return words


def _worries(
    parts: Mapping[str, Mapping[str, Any]], tables: Mapping[str, Any], best: str | None
) -> list[tuple[str, str]]:
    said = [(sentence, "confounds") for sentence in _of(parts, "confounds", "flag")]
    lost = [(sentence, "across-cohorts") for sentence in _of(parts, "across-cohorts", "loss")]
    maps = []
    for name, rows in parts.get("importance", {}).get("checks", {}).items():
        if flagged := [row["check"] for row in rows if row["verdict"] == "flag"]:
            maps.append((f"The map {name} is flagged by: {', '.join(flagged)}.", "importance"))
    other = []
    if warned := parts.get("recordings", {}).get("warned"):
        words = f"{len(warned)} session{'s' if len(warned) > 1 else ''} with warnings of quality."
        other.append((words, "recordings"))
    if "shift" in parts:
        shift = tables["shift"]
        name = best if (shift["decoder"] == best).any() else str(shift["decoder"].iloc[0])
        of_one = shift[shift["decoder"] == name]
        sessions = of_one.groupby(["test_mouse", "session"])["verdict"]
        often = ", in one allocation or more" if len(of_one) > len(sessions) else ""
        for verdict in ("unusable", "shifted"):
            if found := int(sessions.agg(lambda v, what=verdict: (v == what).any()).sum()):
                words = f"{found} of {len(sessions)} test sessions are {verdict} for {name}{often}."
                other.append((words, "shift"))
    return [*_few(said), *_few(lost), *_few(maps), *other]


def _of(parts: Mapping[str, Mapping[str, Any]], name: str, verdict: str) -> list[str]:
    return [words for found, words in parts.get(name, {}).get("headlines", []) if found == verdict]


def _few(worries: list[tuple[str, str]]) -> list[tuple[str, str]]:
    if len(worries) <= LISTED:
        return worries
    return [*worries[:LISTED], (f"And {len(worries) - LISTED} more like it.", worries[0][1])]


def _protocol(table: pd.DataFrame, decoder: str) -> str:
    if "protocol" not in table:
        return ""
    return str(table.loc[table["decoder"] == decoder, "protocol"].iloc[0])
