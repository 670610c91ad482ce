"""What the report says of the tables of a study: sums and means of their rows."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mesodecode.base.natural_order import each_in_order, natural
from mesodecode.scores import published_tests
from mesodecode.shift.columns import VERDICTS, predicted_of
from mesodecode.study import session_ids
from mesodecode.study.targets import kind_scored


def progress(
    config: Mapping[str, Any], allocations: pd.DataFrame, auc: pd.DataFrame, cohort: pd.DataFrame
) -> dict[str, Any]:
    """Return what is complete of what the config asks for.

    `decoders`: decoder -> number of its allocations done; `missing`: decoder -> the others;
    `expected`: allocations of each; `done` and `all`: sums over decoders; `sessions`,
    `all_sessions`: those read, those named and not excluded; `excluded`: name -> what it is, with
    the reason.
    """
    expected = list(allocations["allocation"])
    missing = {}
    for name in config["decoders"]:
        there = set(auc.loc[auc["decoder"] == name, "allocation"])
        missing[name] = [allocation for allocation in expected if allocation not in there]
    done = {name: len(expected) - len(gaps) for name, gaps in missing.items()}
    exclude = config.get("exclude", {})
    taken = session_ids.included(config)
    named = {session for names in taken.values() for session in names}
    result = {
        "decoders": done,
        "missing": {name: gaps for name, gaps in missing.items() if gaps},
        "excluded": {
            name: ("mouse" if name in config["mice"] else "session", why)
            for name, why in exclude.items()
        },
        "expected": len(expected),
        "done": sum(done.values()),
        "all": len(expected) * len(done),
        "sessions": len(named & set(cohort["session"])),
        "all_sessions": len(named),
    }
    complete = result["done"] == result["all"] and result["sessions"] == result["all_sessions"]
    return result | {"complete": complete}


def decoder_summary(auc: pd.DataFrame) -> pd.DataFrame:
    """Return decoder, n, mean, sd, min, max of the AUC and mean accuracy, one row a decoder."""
    groups = auc.groupby("decoder")
    more = groups.agg(min=("auc", "min"), max=("auc", "max"), accuracy=("accuracy", "mean"))
    return published_tests.summary(auc).merge(more.reset_index(), on="decoder")


def protocols(auc: pd.DataFrame) -> dict[str, str]:
    """Return decoder -> protocol, as its AUCs say; empty for a table without."""
    return dict(zip(auc["decoder"], auc["protocol"], strict=True)) if "protocol" in auc else {}


def by_mouse(auc: pd.DataFrame, allocations: pd.DataFrame) -> list[dict[str, Any]]:
    """Return decoder and its mean AUC by test mouse, a row a decoder.

    `auc`: test mouse -> mean over its allocations, NaN where none is done; `partial`: test mouse ->
    "n of N", where fewer are done than the table of allocations has.
    """
    expected = allocations["test_mouse"].value_counts()
    rows = []
    for decoder, mine in auc.groupby("decoder", sort=False):
        aucs = mine.groupby("test_mouse")["auc"].agg(["mean", "count"])
        aucs = aucs.reindex(auc["test_mouse"].unique()).fillna({"count": 0})
        partial = {
            mouse: f"{n:.0f} of {expected.get(mouse, 0)}"
            for mouse, n in aucs["count"].items()
            if n < expected.get(mouse, 0)
        }
        rows.append({"decoder": decoder, "auc": aucs["mean"].to_dict(), "partial": partial})
    return rows


def quality_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a decoder: n allocations, share of run, means of `quality.NUMBERS`.

    Of threshold the median, lowest and highest; `one_state` of `n_sessions` are sums.
    """
    groups = table.assign(run=table["n_run"] / table["n_frames"]).groupby("decoder", sort=False)
    measures = [
        *("run", "auc", "average_precision", "accuracy", "balanced_accuracy", "brier", "ece"),
        *("accuracy_at_threshold", "balanced_accuracy_at_threshold", "error_near", "error_far"),
    ]
    more = groups.agg(
        n=("allocation", "size"),
        one_state=("n_one_state", "sum"),
        n_sessions=("n_sessions", "sum"),
        threshold=("threshold", "median"),
        threshold_low=("threshold", "min"),
        threshold_high=("threshold", "max"),
    )
    return groups[measures].mean().join(more).reset_index()


def calibration_summary(
    table: pd.DataFrame, sets: pd.DataFrame, level: float = 0.9
) -> pd.DataFrame:
    """Return one row a decoder: median temperature, means of ECE and Brier score by method.

    Of the prediction sets at `level` mean and lowest coverage and mean size.
    """
    means = table.pivot_table(
        index="decoder", columns="method", values=["ece", "brier"], sort=False
    )
    means.columns = ["_".join(names) for names in means.columns]
    chosen = sets[(sets["level"] - level).abs() < 1e-9].groupby("decoder")
    more = chosen.agg(
        coverage=("coverage", "mean"), lowest=("coverage", "min"), set_size=("set_size", "mean")
    )
    heat = table.groupby("decoder")["temperature"].median()
    return means.join(more).join(heat).reset_index()


def shift_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a decoder and test mouse: sessions of each verdict, AUCs and the first reason.

    A session counts once an allocation. Of mice, those with most shift first within a decoder.
    """
    kind = kind_scored(table.columns)
    predicted, error, _, others = predicted_of(kind)
    rows = []
    for (decoder, mouse), mine in table.groupby(["decoder", "test_mouse"], sort=False):
        level = mine["verdict"].map({v: i for i, v in enumerate(VERDICTS)})
        reasons = mine.loc[level == level.max(), "why"].str.split("; ").explode()
        rows.append(
            {
                **{"decoder": decoder, "test_mouse": mouse, "n": len(mine)},
                **{f"n_{i}": int((level == i).sum()) for i in range(len(VERDICTS))},
                **mine[[predicted, error, others, kind.expected]].mean(),
                **{
                    "verdict": VERDICTS[level.max()],
                    "why": "; ".join(reasons.unique()[:3]),
                },
            }
        )
    return pd.DataFrame(rows)


def by_session(sessions: pd.DataFrame) -> list[dict[str, Any]]:
    """Return mouse, session and `auc` (decoder -> mean AUC over allocations), a row a session."""
    means = sessions.groupby(["test_mouse", "session", "decoder"])["auc"].mean().unstack()
    keys = sorted(means.index, key=lambda key: (natural(key[0]), natural(key[1])))
    return [
        {"mouse": mouse, "session": session, "auc": means.loc[(mouse, session)].to_dict()}
        for mouse, session in keys
    ]


def mouse_table(cohort: pd.DataFrame) -> list[dict[str, Any]]:
    """Return mouse, sessions, frames, minutes, run (share of frames) and size, a row a mouse."""
    cohort = cohort.assign(minutes=cohort["n_frames"] / cohort["frame_rate"] / 60)
    rows = []
    for mouse in each_in_order(cohort["mouse"]):
        mine = cohort[cohort["mouse"] == mouse]
        sizes = sorted(
            {f"{h:g} × {w:g}" for h, w in zip(mine["height"], mine["width"], strict=True)}
        )
        frames = int(mine["n_frames"].sum())
        rows.append(
            {
                **{"mouse": mouse, "sessions": len(mine), "frames": frames},
                **{"minutes": mine["minutes"].sum(), "run": mine["n_run"].sum() / frames},
                "size": ", ".join(sizes),
            }
        )
    return rows


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table, each as column -> cell."""
    return table.to_dict("records")
