"""What the sections of the report say: made of the config and the tables that are there.

A function a section (`mesodecode.report.sections`) returns what its template shows, or None if
there is nothing to show.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from mesodecode.base.files import UserError
from mesodecode.base.natural_order import each_in_order
from mesodecode.confounds import control_verdicts
from mesodecode.explain import map_mice
from mesodecode.recordings import qc
from mesodecode.report import formats, references, summaries
from mesodecode.report import methods as methods_text
from mesodecode.report import seeds as seeds_drawn
from mesodecode.scores import (
    ceiling_gaps,
    cohort_matrix,
    mouse_power,
    multiverse,
    target_tables,
)
from mesodecode.shift import cohort_losses, predicted_auc
from mesodecode.shift.columns import predicted_of
from mesodecode.study import targets

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
_OF_SIMULATED = (
    "Of simulated shifts the predicted score falls as the true one does; what it is worth in real "
    "mice nobody has measured"
)
# Kind of target -> what is known of the score that the shift report predicts (docs/shift.md), and
# what the mean of it is over.
SHIFT_WORDS = {
    "run": (
        "Of simulated shifts a predicted AUC below .8 names most failures and hardly another "
        "session; of five real mice it named none",
        "mean over sessions, as far as they have both states",
    ),
    "regression": (
        _OF_SIMULATED,
        "mean over sessions; R², beside it in the table, hangs on the mean and variance of the "
        "trace in the new mouse too, which nothing without labels tells",
    ),
    "states": (_OF_SIMULATED, "mean over sessions, as far as they have two states"),
}


def rows_of(
    name: str, summary: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table
) -> Callable[[Mapping[str, Any], Tables], Words]:
    """A section that shows the rows of one table, or of its summary."""
    return lambda config, tables: _rows(summary(tables[name])) if name in tables else None


def _rows(table: pd.DataFrame) -> dict[str, Any]:
    return {"rows": summaries.records(table)}


def importance(config: Mapping[str, Any], tables: Tables) -> Words:
    """What the checks of each map found, and what is said of its areas over mice."""
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


def auc(config: Mapping[str, Any], tables: Tables) -> Words:
    """Means of decoders, and the AUC of every allocation and session."""
    if "auc" not in tables:  # of another target, see `scores`
        return None
    table, sessions = tables["auc"], tables["session_auc"]
    return {
        "decoders": list(table["decoder"].unique()),
        "summary": summaries.records(summaries.decoder_summary(table)),
        "by_mouse": summaries.by_mouse(table, tables["allocations"]),
        "test_mice": each_in_order(table["test_mouse"]),
        "by_session": summaries.by_session(sessions),
        "undefined": int(sessions["auc"].isna().sum()),
        "rows": summaries.records(table),
        "protocols": summaries.protocols(table),
    }


SCORE_NAMES = {
    "n_frames": "Frames",
    "r2": "R²",
    "correlation": "Correlation",
    "ceiling": "Ceiling of R²",
    "null_r2": "R² of shifted values",
    "p_shift": "p of shifts",
    "macro_auc": "Macro AUC",
    "null_macro_auc": "Macro AUC of shifted states",
    "accuracy": "Accuracy",
}


def scores(config: Mapping[str, Any], tables: Tables) -> Words:
    """The scores of a target that is not run and rest, as blocks of tables."""
    kind = targets.kind_named(config["target"])
    if kind.table not in tables:
        return None
    table, sessions = tables[kind.table], tables[f"session_{kind.table}"]
    columns = [name for name in target_tables.measures(table) if name != "n_frames"]
    means = table.groupby("decoder", sort=False)[columns].mean()
    spread = table.groupby("decoder", sort=False)[kind.metric].agg(["mean", "std", "min", "max"])
    summary = means.drop(columns=kind.metric).join(spread.rename(columns={"std": "sd"}))
    summary["n"] = table["decoder"].value_counts()

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


def calibration(config: Mapping[str, Any], tables: Tables) -> Words:
    """How well probabilities and prediction sets hold."""
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


def inference(config: Mapping[str, Any], tables: Tables) -> Words:
    """Tests with mice as the unit, and how many mice they would need."""
    if "inference" not in tables:
        return None
    return _rows(tables["inference"]) | {"power": mouse_power.in_words(tables["inference"])}


def shift(config: Mapping[str, Any], tables: Tables) -> Words:
    """How far mice are from those trained on, and what predicts it."""
    if "shift" not in tables:
        return None
    table = tables["shift"]
    kind = targets.kind_scored(table.columns)
    predicted, error, _, others = predicted_of(kind)
    return _rows(summaries.shift_summary(table)) | {
        "worth": predicted_auc.in_words(table, kind),
        "kind": kind,
        "numbers": (predicted, error, others, kind.expected),
        **dict(zip(("seen", "mean"), SHIFT_WORDS[kind.name], strict=True)),
    }


def variants(config: Mapping[str, Any], tables: Tables) -> Words:
    """Other preprocessing: means, and in words."""
    if "variants" not in tables:
        return None
    table = tables["variants"]
    kind = targets.kind_scored(table.columns)
    means = table.groupby(["family", "variant"], sort=False).agg(
        n=("test_mouse", "size"),
        score=(kind.metric, "mean"),
        low=(kind.metric, "min"),
        high=(kind.metric, "max"),
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
            (f"{kind.axis}, mean over mice", 1, "score"),
            ("lowest", 1, "low"),
            ("highest", 1, "high"),
            ("Difference", 1, "difference"),
            ("Share shifted", 1, "shifted"),
            ("Recordings, worst", 0, "qc"),
        ],
    }


def confounds(config: Mapping[str, Any], tables: Tables) -> Words:
    """Decoders against control signals."""
    if "confounds" not in tables:
        return None
    table = tables["confounds"]
    kind = targets.kind_scored(table.columns, "_control")
    return _rows(table) | {
        "headlines": control_verdicts.headlines(table),
        "kind": kind,
        "beside": [
            (text, 1)
            for name in kind.beside
            for text in (f"{name.capitalize()} of the control", "of the decoder")
        ],
    }


def ceilings(config: Mapping[str, Any], tables: Tables) -> Words:
    """Decoders against their ceilings."""
    if "ceilings_gaps" not in tables:
        return None
    table, each = tables["ceilings_gaps"], tables.get("ceilings")
    kind = targets.kind_scored(table.columns, "_a")
    return _rows(table) | {
        "mice": [] if each is None else summaries.records(ceiling_gaps.of_mice(each)),
        "headlines": ceiling_gaps.headlines(table),
        "words": ceiling_gaps.WORDS,
        "kind": kind,
        "beside": [(f"Difference of {name}, 95 % CI", 1) for name in kind.beside],
    }


def across_cohorts(config: Mapping[str, Any], tables: Tables) -> Words:
    """What is lost between cohorts."""
    if "cohorts" not in tables:
        return None
    words = {"headlines": cohort_matrix.headlines(tables["cohorts"]), "differences": []}
    if (found := tables.get("cohort_shift")) is not None:
        words |= {"differences": summaries.records(found)}
        words |= {"goes_with": cohort_losses.headlines(found)}
    return _rows(tables["cohorts"]) | words


def cohort(config: Mapping[str, Any], tables: Tables) -> Words:
    """The mice, their recordings, and the allocations."""
    return {
        "mice": summaries.mouse_table(tables["cohort"]),
        "recordings": summaries.records(tables["cohort"]),
        "allocations": summaries.records(tables["allocations"]),
    }


def recordings(config: Mapping[str, Any], tables: Tables) -> Words:
    """What quality control found."""
    table = tables.get("qc")
    checked = [] if table is None else qc.by_session(table)
    return {
        "rows": [] if table is None else summaries.records(table),
        "checked": checked,
        "failing": [row for row in checked if row["verdict"] == "fail"],
        "warned": [row for row in checked if row["verdict"] == "warn"],
        "doubts": {} if table is None else _doubts(table),
    }


def _doubts(table: pd.DataFrame) -> dict[str, list[str]]:
    """Return each doubt and the sessions that it is of; what most are read with comes first."""
    rows = table[table["check"] == qc.DOUBTS]
    rows = rows.assign(words=rows["words"].str.split(qc.AND, regex=False)).explode("words")
    by_words = rows.groupby("words", sort=False)["session"].agg(list)
    return dict(sorted(by_words.items(), key=lambda one: -len(one[1])))


def provenance(config: Mapping[str, Any], tables: Tables) -> Words:
    """The seeds of all that is drawn."""
    drawn = {"inferred": "inference" in tables, "exchanged": "cohort_shift" in tables}
    return {"seeds": seeds_drawn.seeds(config, **drawn)}


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
