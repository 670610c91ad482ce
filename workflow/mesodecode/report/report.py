"""The report of a study: one HTML file that needs nothing else, for a mailbox or an archive."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from mesodecode.base.files import UserError
from mesodecode.base.tables import natural
from mesodecode.confounds import control_verdicts
from mesodecode.recordings import qc as quality_control
from mesodecode.report import decoder_words, references
from mesodecode.report import methods as methods_text
from mesodecode.report.formats import (
    cited,
    commit,
    format_auc,
    format_hours,
    format_number,
    format_p,
    format_setting,
    picture,
    versions,
)
from mesodecode.scores import published_tests
from mesodecode.shift.columns import VERDICTS
from mesodecode.study import schema, session_ids

TEMPLATES = Path(__file__).parent / "templates"
CONFIG_KEYS = ("study", "mice", "allocation", "decoders")
SIGNIFICANT = 0.05
FOLD = 30  # rows; a longer table is folded


def render(
    config: Mapping[str, Any],
    *,
    allocations: pd.DataFrame,
    auc: pd.DataFrame,
    sessions: pd.DataFrame,
    cohort: pd.DataFrame,
    comparisons: pd.DataFrame | None = None,
    inference: pd.DataFrame | None = None,
    chance: pd.DataFrame | None = None,
    runtimes: Sequence[Mapping[str, Any]] | None = None,
    qc_table: pd.DataFrame | None = None,
    figures: Sequence[str | Path] = (),
    losses: Sequence[str | Path] = (),
    qc: Sequence[str | Path] = (),
    importance: Sequence[tuple[str, pd.DataFrame, Sequence[str | Path]]] = (),
    quality: pd.DataFrame | None = None,
    quality_figures: Sequence[str | Path] = (),
    reproduction: pd.DataFrame | None = None,
    confounds: tuple[pd.DataFrame, str | Path] | None = None,
    calibration: pd.DataFrame | None = None,
    prediction_sets: pd.DataFrame | None = None,
    calibration_figures: Sequence[str | Path] = (),
    shift: pd.DataFrame | None = None,
    shift_figures: Sequence[str | Path] = (),
) -> str:
    """Return the report as HTML.

    `config` is the resolved config (study, mice, allocation, decoders; note if there is one), the
    tables are those of design contract: `allocations.tsv`, `auc.tsv`, `session_auc.tsv`,
    `cohort.tsv` (a row a session), `comparisons.tsv`, `inference.tsv`, `chance.tsv` and `qc.tsv`
    (`qc_table`); `runtimes` has the rows of `runtimes`. `figures`, `losses`, `qc` and
    `quality_figures`, those of `quality` (`quality.COLUMNS`, a row an allocation), are SVG or PNG
    files; `reproduction` has `reproduction.COLUMNS`, `shift` `shift.columns.COLUMNS`,
    `calibration` and `prediction_sets` those of `calibration`;
    `importance`, an entry an analysis, is its name, its table of checks (check, verdict, value,
    sentence) and its figures; `confounds`, a table of `confounds.verdicts` and its figure.
    Raises UserError if the config lacks a key or a figure is of another kind.
    """
    for key in CONFIG_KEYS:
        if key not in config:
            raise UserError(f"config: no key {key}; give the resolved config, which has all keys")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"auc": format_auc, "p": format_p, "setting": format_setting}
    environment.filters |= {"number": format_number, "hours": format_hours, "cited": cited}
    environment.globals |= {"describe": decoder_words.describe, "fold": FOLD}
    config = schema.defaults("config", **config)
    text = methods(config, allocations, cohort, comparisons, inference)
    files = [*figures, *losses, *quality_figures, *calibration_figures, *shift_figures, *qc]
    pictures = iter([picture(path, f"p{index}-") for index, path in enumerate(files)])
    return environment.get_template("report.html.j2").render(
        config=config,
        progress=progress(config, allocations, auc, cohort),
        decoders=list(auc["decoder"].unique()),
        summary=_records(decoder_summary(auc)),
        by_mouse=by_mouse(auc, allocations),
        test_mice=sorted(auc["test_mouse"].unique(), key=natural),
        by_session=by_session(sessions),
        undefined=int(sessions["auc"].isna().sum()),
        mice=mouse_table(cohort),
        recordings=_records(cohort),
        allocations=_records(allocations),
        rows=_records(auc),
        protocols=_protocols(auc),
        comparisons=[] if comparisons is None else _records(comparisons),
        inference=[] if inference is None else _records(inference),
        chance=[] if chance is None else _records(chance),
        test_names=published_tests.TEST_NAMES,
        significant=SIGNIFICANT,
        figures=list(itertools.islice(pictures, len(figures))),
        losses=list(itertools.islice(pictures, len(losses))),
        qc_rows=[] if qc_table is None else _records(qc_table),
        checked=[] if qc_table is None else quality_control.by_session(qc_table),
        quality=[] if quality is None else _records(quality_summary(quality)),
        quality_figures=list(itertools.islice(pictures, len(quality_figures))),
        calibration_figures=list(itertools.islice(pictures, len(calibration_figures))),
        calibration=_records(calibration_summary(calibration, prediction_sets)),
        shift_figures=list(itertools.islice(pictures, len(shift_figures))),
        shift=[] if shift is None else _records(shift),
        shift_summary=[] if shift is None else _records(shift_summary(shift)),
        reproduction=[] if reproduction is None else _records(reproduction),
        qc=list(pictures),
        importance=[
            {
                **{"name": name, "checks": _records(checks)},
                "figures": [picture(path, f"i{n}-{i}-") for i, path in enumerate(paths)],
            }
            for n, (name, checks, paths) in enumerate(importance)
        ],
        confounds=confounds
        and {
            "rows": _records(confounds[0]),
            "headlines": control_verdicts.headlines(confounds[0]),
            "figure": picture(confounds[1], "c-"),
        },
        runtimes=runtimes,
        methods=text,
        works=references.cited_in(t for _, t in text),
        seeds=methods_text.seeds(config, inference is not None),
        versions=versions(),
        commit=commit(),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def methods(
    config: Mapping[str, Any],
    allocations: pd.DataFrame,
    cohort: pd.DataFrame,
    comparisons: pd.DataFrame | None = None,
    inference: pd.DataFrame | None = None,
) -> list[tuple[str, str]]:
    """Return heading and text of each block of the methods, with citations as keys.

    Raises UserError if the config lacks a setting.
    """
    try:
        return methods_text.blocks(
            schema.defaults("config", **config),
            cohort=cohort,
            n_allocations=len(allocations),
            compared=comparisons is not None,
            inferred=inference is not None,
            versions=versions(),
        )
    except KeyError as error:
        raise UserError(
            f"config: no key {error}; give the resolved config, which has all keys"
        ) from error


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
    groups = auc.groupby("decoder", sort=False)
    more = groups.agg(min=("auc", "min"), max=("auc", "max"), accuracy=("accuracy", "mean"))
    return published_tests.summary(auc).merge(more.reset_index(), on="decoder")


def _protocols(auc: pd.DataFrame) -> dict[str, str]:
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
    table: pd.DataFrame | None, sets: pd.DataFrame | None, level: float = 0.9
) -> pd.DataFrame:
    """Return one row a decoder: median temperature, means of ECE and Brier score by method.

    Of the prediction sets at `level` mean and lowest coverage and mean size. Empty without tables.
    """
    if table is None or sets is None:
        return pd.DataFrame()
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
    rows = []
    for (decoder, mouse), mine in table.groupby(["decoder", "test_mouse"], sort=False):
        level = mine["verdict"].map({v: i for i, v in enumerate(VERDICTS)})
        reasons = mine.loc[level == level.max(), "why"].str.split("; ").explode()
        rows.append(
            {
                **{"decoder": decoder, "test_mouse": mouse, "n": len(mine)},
                **{f"n_{i}": int((level == i).sum()) for i in range(len(VERDICTS))},
                **mine[["predicted_auc", "predicted_error", "auc"]].mean(),
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
    for mouse in sorted(cohort["mouse"].unique(), key=natural):
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


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.to_dict("records")
