"""The report of an encoding study: one HTML file, in the look of the other reports."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from mesodecode.encoding import methods
from mesodecode.encoding.scores import SCORES
from mesodecode.report import formats, references
from mesodecode.report import report as base

TEMPLATES = Path(__file__).parent / "templates"


def render(
    config: Mapping[str, Any],
    *,
    summary: pd.DataFrame,
    neurons: pd.DataFrame,
    diagnoses: Mapping[str, pd.DataFrame],
    sweep: pd.DataFrame | None = None,
    truth: Sequence[str] = (),
    runtimes: Sequence[Mapping[str, Any]] | None = None,
    figures: Sequence[str | Path] = (),
) -> str:
    """Return the report as HTML.

    `config` is the resolved config; `summary` has `scores.SUMMARY`, `neurons` `scores.NEURONS`,
    `diagnoses` model -> `columns.CHECKS`, `sweep` `columns.SWEEP`; `truth`: sentences on what a
    simulation planted; `runtimes` has the rows of `runtimes`; `figures` are SVG or PNG
    files.
    """
    environment = base.environment(TEMPLATES, base.TEMPLATES)
    environment.filters["score"] = format_score
    text = methods.blocks(config, formats.versions())
    best = []
    if sweep is not None:
        best = sweep[sweep["valid_r2"].notna()].nlargest(10, "valid_r2").to_dict("records")
    one = neurons[neurons["model"] == neurons["model"].iloc[0]]
    if config["folds"]["by"] == "sessions":  # which have the same neurons
        one = one.groupby("neuron", as_index=False)["responsive"].any()
    return environment.get_template("encoding.html.j2").render(
        config=config,
        rows=score_rows(summary),
        n_neurons=len(one),
        n_responsive=int(one["responsive"].sum()),
        diagnoses={name: table.to_dict("records") for name, table in diagnoses.items()},
        best=best,
        averaged=config["sweep"] is not None
        and config["models"][config["sweep"]["model"]]["train_on"] == "averages",
        shown={name: used(settings) for name, settings in config["models"].items()},
        n_swept=0 if sweep is None else len(sweep),
        n_diverged=0 if sweep is None else int(sweep["diverged"].sum()),
        truth=list(truth),
        runtimes=runtimes,
        methods=text,
        works=references.cited_in(words for _, words in text),
        figures=[formats.picture(path, f"p{index}-") for index, path in enumerate(figures)],
        versions=formats.versions(),
        commit=formats.commit(),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def score_rows(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one row a model and kind of neurons: each score as mean and interval, and chance."""
    rows = []
    for (model, kind), mine in summary.groupby(["model", "neurons"], sort=False):
        if kind == "all":
            continue
        by = mine.set_index("score")
        row: dict[str, Any] = {"model": model, "neurons": kind, "n": int(mine["n_neurons"].max())}
        for score in SCORES:
            row[score] = by.loc[score].to_dict() if score in by.index else None
        rows.append(row)
    return rows


UNUSED = {  # settings that say nothing, by what another one is not
    ("model", "ridge"): ("features", "backbone", "convolutions", "pretrained", "pool", "screen"),
    ("features", "backbone"): ("backbone", "convolutions", "pretrained", "pool", "seed"),
    ("readout", "fully_connected"): ("hidden", "activation"),
    ("readout", "rnn"): ("presentations", "units"),
    ("optimizer", "sgd"): ("momentum",),
}


def used(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a model without those that others leave unused, its kind first."""
    left = {
        name
        for (key, value), names in UNUSED.items()
        if key in settings and settings[key] != value
        for name in names
    }
    first = [name for name in ("model",) if name in settings]
    return {name: settings[name] for name in [*first, *settings] if name not in left}


def format_score(value: float) -> str:
    """Return two decimals with a minus sign, or a dash for NaN."""
    return "–" if value != value else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")  # no −0.00
