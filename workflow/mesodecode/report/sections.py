"""The sections of the report: which tables and figures each shows, and what it says of them.

A table and a figure that are new to the report are one `Section` more in `SECTIONS`, shown by
`table.html.j2` or by a template of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from mesodecode.base.files import UserError, natural
from mesodecode.base.tables import NUMBERS, read_table
from mesodecode.confounds import control_verdicts
from mesodecode.explain import map_mice
from mesodecode.recordings import qc
from mesodecode.report import formats, references, summaries
from mesodecode.report import methods as methods_text
from mesodecode.running import runtimes
from mesodecode.scores import (
    auc,
    calibration,
    ceiling_gaps,
    chance_tests,
    cohort_matrix,
    mouse_power,
    multiverse,
    paired_tests,
    published_tests,
    quality,
    reproduction,
    target_tables,
)
from mesodecode.shift import cohort_losses, predicted_auc
from mesodecode.shift import columns as shift
from mesodecode.study import session_ids, targets

Tables = Mapping[str, Any]  # name -> DataFrame; the run times are rows
Words = dict[str, Any] | None  # what a template shows; None: nothing
CALIBRATION_WORDS = Markup(
    "Means over allocations, in test mice. A temperature (one number that divides the logits; "
    "the AUC stays) and isotonic regression are fitted to the validation mouse of each "
    "allocation, never to its test mouse. Where they do not help, the validation mouse is no "
    "guide to the test mouse. Prediction sets hold every state that is probable enough; the "
    "cut is set in the validation mouse so that 90 % of its frames have their state in the "
    "set. <strong>Caution:</strong> the promise of conformal prediction holds for frames "
    "exchangeable with those of the validation mouse. A test mouse is another animal, and "
    "neighbouring frames are alike, so that nothing is promised here: coverage is what came "
    "of it, and may be far from 90 % in the next mouse."
)


@dataclass(frozen=True)
class Section:
    """A part of the report, shown if one of its files is given, or if it names none.

    `name` is its id in the page, `title` stands in the contents. `tables` are names of tables ->
    how they are read, `figures` names of SVG or PNG files; {decoder}, {comparison}, {importance}
    and {session} in a name stand for each of the config. `summarise` makes of config and tables
    what `template` (else that of its name) shows beside `figures`, name -> picture; if it returns
    None, there is nothing to show.
    """

    name: str
    title: str
    template: str = ""
    tables: Mapping[str, Callable[[Path], Any]] = field(default_factory=dict)
    figures: tuple[str, ...] = ()
    summarise: Callable[[Mapping[str, Any], Tables], Words] = lambda config, tables: {}

    def shown(
        self, config: Mapping[str, Any], tables: Tables, figures: Mapping[str, Path]
    ) -> Words:
        """Return what its template shows of the files given, its pictures too; None: leave out."""
        pictures = [name for name in names(self.figures, config) if name in figures]
        read = [name for name in names(self.tables, config) if name in tables]
        if (self.tables or self.figures) and not (pictures or read):
            return None
        words = self.summarise(config, tables)
        if words is None:
            return None
        # One a decoder or session is many, and in a fold: packed, until the reader unfolds it.
        many = names([n for n in self.figures if "{decoder}" in n or "{session}" in n], config)
        drawn = {
            name: formats.picture(figures[name], f"{self.name}{index}-", packed=name in many)
            for index, name in enumerate(pictures)
        }
        template = self.template or f"{self.name}.html.j2"
        return {"section": self, "template": template, "figures": drawn, **words}


def names(patterns: Iterable[str], config: Mapping[str, Any]) -> list[str]:
    """Return what patterns such as ``loss_{decoder}`` stand for, in the order of the config."""
    every = {
        "{decoder}": config["decoders"],
        "{comparison}": [*config["comparisons"], "all"],
        "{importance}": config["importance"],
        "{session}": [s for ids in session_ids.included(config).values() for s in ids],
    }
    found = []
    for pattern in patterns:
        wildcard = next((word for word in every if word in pattern), "")
        found += [pattern.replace(wildcard, name) for name in every.get(wildcard, [""])]
    return found


def _table(columns: Iterable[str], numbers: Iterable[str] = NUMBERS) -> Callable[[Path], Any]:
    return functools.partial(read_table, columns=columns, numbers=numbers)


def _scores_table(metric: str) -> Callable[[Path], Any]:
    def read(path: Path) -> pd.DataFrame:
        columns = read_table(path).columns
        return read_table(path, ("decoder", metric), (*NUMBERS, *target_tables.measures(columns)))

    return read


def _rows_of(
    name: str, summary: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table
) -> Callable[[Mapping[str, Any], Tables], Words]:
    """A section that shows the rows of one table, or of its summary."""
    return lambda config, tables: _rows(summary(tables[name])) if name in tables else None


def _rows(table: pd.DataFrame) -> dict[str, Any]:
    return {"rows": summaries.records(table)}


def _importance(config: Mapping[str, Any], tables: Tables) -> Words:
    checks, mice = (
        {name: tables.get(f"importance_{name}_{what}") for name in config["importance"]}
        for what in ("checks", "mice")
    )
    return {
        "mice": {
            name: "" if table is None else map_mice.in_words(table, "areas")
            for name, table in mice.items()
        },
        "checks": {
            name: [] if table is None else summaries.records(table)
            for name, table in checks.items()
        },
    }


def _auc(config: Mapping[str, Any], tables: Tables) -> Words:
    if "auc" not in tables:  # of another target, see `_scores`
        return None
    table, sessions = tables["auc"], tables["session_auc"]
    return {
        "decoders": list(table["decoder"].unique()),
        "summary": summaries.records(summaries.decoder_summary(table)),
        "by_mouse": summaries.by_mouse(table, tables["allocations"]),
        "test_mice": sorted(table["test_mouse"].unique(), key=natural),
        "by_session": summaries.by_session(sessions),
        "undefined": int(sessions["auc"].isna().sum()),
        "rows": summaries.records(table),
        "protocols": summaries.protocols(table),
    }


SCORE_NAMES = {
    **{"n_frames": "Frames", "r2": "R²", "correlation": "Correlation", "ceiling": "Ceiling of R²"},
    **{"null_r2": "R² of shifted values", "p_shift": "p of shifts", "macro_auc": "Macro AUC"},
    **{"null_macro_auc": "Macro AUC of shifted states", "accuracy": "Accuracy"},
}


def _scores(config: Mapping[str, Any], tables: Tables) -> Words:
    kind = targets.KINDS[targets.kind_of(config["target"])]
    if kind.table not in tables:
        return None
    table, sessions = tables[kind.table], tables[f"session_{kind.table}"]
    columns = [name for name in target_tables.measures(table) if name != "n_frames"]
    means = table.groupby("decoder", sort=False)[columns].mean()
    spread = table.groupby("decoder", sort=False)[kind.metric].agg(["mean", "std", "min", "max"])
    summary = means.drop(columns=kind.metric).join(spread.rename(columns={"std": "sd"}))
    summary["n"] = table.groupby("decoder", sort=False).size()

    def shown(names: Iterable[str]) -> list[tuple[str, int, str]]:
        return [(SCORE_NAMES.get(n, n.replace("auc_", "AUC of ")), 1, n) for n in names]

    roles = [("Decoder", 0, "decoder"), ("Train mice", 0, "train_mice")]
    roles += [("Validation mouse", 0, "valid_mouse"), ("Test mouse", 0, "test_mouse")]
    first = [("Decoder", 0, "decoder"), (f"Mean {kind.axis}", 1, "mean"), ("SD", 1, "sd")]
    first += [("Min", 1, "min"), ("Max", 1, "max"), *shown(means.drop(columns=kind.metric))]
    each = [name for name in columns if name in sessions]
    by_session = sessions.groupby(["test_mouse", "session", "decoder"], sort=False)[each].mean()
    names = [("Mouse", 0, "test_mouse"), ("Session", 0, "session"), ("Decoder", 0, "decoder")]
    blocks = [
        ("Decoders, mean over allocations", first, summaries.records(summary.reset_index())),
        ("Every allocation", [*roles, *shown(columns)], summaries.records(table)),
        (
            "Every test session, mean over allocations",
            [*names, *shown(each)],
            summaries.records(by_session.reset_index()),
        ),
    ]
    return {
        "heading": kind.axis,
        "words": methods_text.scores(config).split("; p = ")[0].replace(" [@hanley1982]", "") + ".",
        "blocks": blocks,
        "decoders": list(table["decoder"].unique()),
        "summary": summaries.records(summary.reset_index()),
    }


def _calibration(config: Mapping[str, Any], tables: Tables) -> Words:
    if not {"calibration", "prediction_sets"} <= tables.keys():
        return None
    return _rows(
        summaries.calibration_summary(tables["calibration"], tables["prediction_sets"])
    ) | {
        "heading": "Are the probabilities to be believed?",
        "words": CALIBRATION_WORDS,
        "columns": [
            ("Decoder", 0, "decoder"),
            ("Temperature, median", 1, "temperature"),
            ("ECE as is", 1, "ece_none"),
            ("temperature", 1, "ece_temperature"),
            ("isotonic", 1, "ece_isotonic"),
            ("Brier as is", 1, "brier_none"),
            ("temperature", 1, "brier_temperature"),
            ("isotonic", 1, "brier_isotonic"),
            ("Coverage of 90 % sets", 1, "coverage"),
            ("lowest", 1, "lowest"),
            ("States in a set", 1, "set_size"),
        ],
    }


def _inference(config: Mapping[str, Any], tables: Tables) -> Words:
    if "inference" not in tables:
        return None
    return _rows(tables["inference"]) | {"power": mouse_power.in_words(tables["inference"])}


def _shift(config: Mapping[str, Any], tables: Tables) -> Words:
    if "shift" not in tables:
        return None
    worth = predicted_auc.in_words(tables["shift"])
    return _rows(summaries.shift_summary(tables["shift"])) | {"worth": worth}


def _variants(config: Mapping[str, Any], tables: Tables) -> Words:
    if "variants" not in tables:
        return None
    table = tables["variants"]
    means = table.groupby(["family", "variant"], sort=False).agg(
        n=("test_mouse", "size"),
        auc=("auc", "mean"),
        low=("auc", "min"),
        high=("auc", "max"),
        difference=("difference", "mean"),
        shifted=("shifted", "mean"),
        qc=("qc", qc.worst),
    )
    words = " ".join(multiverse.sentences(table))
    return _rows(means.reset_index()) | {
        "heading": "Does it hold with other preprocessing?",
        "words": f"{words} Differences are from the study's own preprocessing.",
        "columns": [
            ("Decoder", 0, "family"),
            ("Variant", 0, "variant"),
            ("AUC, mean over mice", 1, "auc"),
            ("lowest", 1, "low"),
            ("highest", 1, "high"),
            ("Difference", 1, "difference"),
            ("Share shifted", 1, "shifted"),
            ("Recordings, worst", 0, "qc"),
        ],
    }


def _confounds(config: Mapping[str, Any], tables: Tables) -> Words:
    if "confounds" not in tables:
        return None
    headlines = control_verdicts.headlines(tables["confounds"])
    return _rows(tables["confounds"]) | {"headlines": headlines}


def _ceilings(config: Mapping[str, Any], tables: Tables) -> Words:
    if "ceilings_gaps" not in tables:
        return None
    table = tables["ceilings_gaps"]
    return _rows(table) | {
        "headlines": ceiling_gaps.headlines(table),
        "words": ceiling_gaps.WORDS,
    }


def _across_cohorts(config: Mapping[str, Any], tables: Tables) -> Words:
    if "cohorts" not in tables:
        return None
    words = {"headlines": cohort_matrix.headlines(tables["cohorts"]), "differences": []}
    if (found := tables.get("cohort_shift")) is not None:
        words |= {"differences": summaries.records(found)}
        words |= {"goes_with": cohort_losses.headlines(found)}
    return _rows(tables["cohorts"]) | words


def _cohort(config: Mapping[str, Any], tables: Tables) -> Words:
    return {
        "mice": summaries.mouse_table(tables["cohort"]),
        "recordings": summaries.records(tables["cohort"]),
        "allocations": summaries.records(tables["allocations"]),
    }


def _recordings(config: Mapping[str, Any], tables: Tables) -> Words:
    table = tables.get("qc")
    checked = [] if table is None else qc.by_session(table)
    return {
        "rows": [] if table is None else summaries.records(table),
        "checked": checked,
        "failing": [row for row in checked if row["verdict"] == "fail"],
        "warned": [row for row in checked if row["verdict"] == "warn"],
    }


def _provenance(config: Mapping[str, Any], tables: Tables) -> Words:
    return {"seeds": methods_text.seeds(config, "inference" in tables)}


def methods(config: Mapping[str, Any], tables: Tables) -> list[tuple[str, str]]:
    """Return heading and text of each block of the methods, with citations as keys.

    Raises UserError if the config lacks a setting.
    """
    try:
        return methods_text.blocks(
            config,
            cohort=tables["cohort"],
            n_allocations=len(tables["allocations"]),
            compared="comparisons" in tables,
            inferred="inference" in tables,
            versions=formats.versions(),
        )
    except KeyError as error:
        raise UserError(
            f"config: no key {error}; give the resolved config, which has all keys"
        ) from error


def works(config: Mapping[str, Any], tables: Tables) -> dict[str, references.Work]:
    """Return the works that the methods cite, by key. Raises UserError as `methods`."""
    return references.cited_in(text for _, text in methods(config, tables))


SECTIONS = [
    Section(
        name="figures",
        title="Figures",
        figures=(
            *("cohort", "auc_{comparison}", "regression_{comparison}", "states_{comparison}"),
            *("reproduction", "roi_correlation"),
            "loss_{decoder}",
        ),
    ),
    Section(
        name="importance",
        title="Importance",
        tables={
            "importance_{importance}_checks": _table(
                ("check", "verdict", "value", "sentence"), ("value", "limit", "n")
            ),
            "importance_{importance}_mice": _table(map_mice.COLUMNS, map_mice.NUMBERS),
        },
        figures=(
            "importance_{importance}",
            "importance_{importance}_signed",
            "importance_{importance}_times",
            "importance_{importance}_mice",
            "importance_{importance}_sides",
            "importance_{importance}_checks",
        ),
        summarise=_importance,
    ),
    Section(
        name="auc",
        title="AUC",
        tables={
            "auc": _table(auc.COLUMNS),
            "session_auc": _table(auc.SESSION_COLUMNS),
            "allocations": _table(auc.ATTRIBUTES[1:]),
        },
        summarise=_auc,
    ),
    Section(
        name="scores",
        title="Scores",
        tables={
            "regression": _scores_table("r2"),
            "session_regression": _scores_table("r2"),
            "states": _scores_table("macro_auc"),
            "session_states": _scores_table("macro_auc"),
        },
        figures=("target_regression", "target_states"),
        summarise=_scores,
    ),
    Section(
        name="decoder-quality",
        title="Quality of decoders",
        template="quality.html.j2",
        tables={"quality": _table(quality.COLUMNS, quality.NUMBERS)},
        figures=("quality_{decoder}",),
        summarise=_rows_of("quality", summaries.quality_summary),
    ),
    Section(
        name="calibration",
        title="Calibration",
        template="table.html.j2",
        tables={
            "calibration": _table(calibration.COLUMNS, calibration.NUMBERS),
            "prediction_sets": _table(calibration.SET_COLUMNS, calibration.SET_NUMBERS),
        },
        figures=("calibration",),
        summarise=_calibration,
    ),
    Section(
        name="shift",
        title="New mice",
        tables={"shift": _table(shift.COLUMNS, shift.NUMBERS)},
        figures=("shift",),
        summarise=_shift,
    ),
    Section(
        name="variants",
        title="Variants",
        template="table.html.j2",
        tables={"variants": _table(multiverse.COLUMNS, multiverse.NUMBERS)},
        figures=("variants",),
        summarise=_variants,
    ),
    Section(
        name="reproduction",
        title="Published",
        tables={"reproduction": _table(reproduction.COLUMNS, reproduction.NUMBERS)},
        summarise=_rows_of("reproduction"),
    ),
    Section(
        name="comparisons",
        title="Comparisons",
        tables={"comparisons": _table(published_tests.COLUMNS)},
        summarise=_rows_of("comparisons"),
    ),
    Section(
        name="inference",
        title="Mice as the unit",
        tables={"inference": _table(paired_tests.COLUMNS, paired_tests.NUMBERS)},
        summarise=_inference,
    ),
    Section(
        name="chance",
        title="Chance",
        tables={"chance": _table(chance_tests.COLUMNS, chance_tests.NUMBERS)},
        summarise=_rows_of("chance"),
    ),
    Section(
        name="confounds",
        title="Confounds",
        tables={"confounds": _table(control_verdicts.COLUMNS, control_verdicts.NUMBERS)},
        figures=("confounds",),
        summarise=_confounds,
    ),
    Section(
        name="ceilings",
        title="Ceilings",
        tables={"ceilings_gaps": _table(ceiling_gaps.GAP_COLUMNS, ceiling_gaps.GAP_NUMBERS)},
        figures=("ceilings",),
        summarise=_ceilings,
    ),
    Section(
        name="across-cohorts",
        title="Across cohorts",
        template="cohorts.html.j2",
        tables={
            "cohorts": _table(cohort_matrix.COLUMNS, cohort_matrix.NUMBERS),
            "cohort_shift": _table(cohort_losses.COLUMNS, cohort_losses.NUMBERS),
        },
        figures=("cohorts",),
        summarise=_across_cohorts,
    ),
    Section(
        name="cohort",
        title="Cohort",
        tables={
            "cohort": _table(
                ("mouse", "session", "n_frames", "n_run", "frame_rate", "height", "width")
            )
        },
        summarise=_cohort,
    ),
    Section(name="settings", title="Settings"),
    Section(
        name="recordings",
        title="Recordings",
        tables={"qc": _table(qc.COLUMNS, qc.NUMBERS)},
        figures=("qc", "qc/{session}"),
        summarise=_recordings,
    ),
    Section(
        name="runtimes",
        title="Run times",
        tables={"runtimes": runtimes.read},
        summarise=lambda config, tables: {"runtimes": tables["runtimes"]},
    ),
    Section(
        name="provenance",
        title="Versions and seeds",
        summarise=_provenance,
    ),
    Section(
        name="methods",
        title="Methods",
        summarise=lambda config, tables: {"methods": methods(config, tables)},
    ),
    Section(
        name="references",
        title="References",
        summarise=lambda config, tables: {"works": works(config, tables)},
    ),
]
