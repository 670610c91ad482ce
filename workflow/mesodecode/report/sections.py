"""The sections of the report: which tables and figures each shows.

A table and a figure that are new to the report are one `Section` more in `SECTIONS`, shown by
`table.html.j2` or by a template of its own, with what `section_words` make of the tables.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mesodecode.base.tables import NUMBERS, header, read_table
from mesodecode.confounds import control_verdicts
from mesodecode.explain import map_mice
from mesodecode.recordings import qc
from mesodecode.report import formats, section_words, summaries
from mesodecode.report.section_words import Tables, Words
from mesodecode.running import runtimes
from mesodecode.scores import (
    auc,
    calibration,
    ceiling_gaps,
    chance_tests,
    cohort_matrix,
    multiverse,
    paired_tests,
    published_tests,
    quality,
    reproduction,
    target_tables,
)
from mesodecode.shift import cohort_losses
from mesodecode.shift import columns as shift
from mesodecode.study import session_ids, targets


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


_OfKind = Callable[[targets.Kind], Iterable[str]]


def _table(columns: Iterable[str], numbers: Iterable[str] = NUMBERS) -> Callable[[Path], Any]:
    return functools.partial(read_table, columns=columns, numbers=numbers)


def _of_target(columns_of: _OfKind, numbers_of: _OfKind, end: str = "") -> Callable[[Path], Any]:
    """Return what reads a table whose columns hang on the kind of target (`kind_scored`)."""

    def read(path: Path) -> pd.DataFrame:
        kind = targets.kind_scored(header(path), end)
        return read_table(path, columns_of(kind), numbers_of(kind))

    return read


def _scores_table(metric: str) -> Callable[[Path], Any]:
    def read(path: Path) -> pd.DataFrame:
        numbers = (*NUMBERS, *target_tables.measures(header(path)))
        return read_table(path, ("decoder", metric), numbers)

    return read


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
        summarise=section_words.importance,
    ),
    Section(
        name="auc",
        title="AUC",
        tables={
            "auc": _table(auc.COLUMNS),
            "session_auc": _table(auc.SESSION_COLUMNS),
            "allocations": _table(auc.ATTRIBUTES[1:]),
        },
        summarise=section_words.auc,
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
        summarise=section_words.scores,
    ),
    Section(
        name="decoder-quality",
        title="Quality of decoders",
        template="quality.html.j2",
        tables={"quality": _table(quality.COLUMNS, quality.NUMBERS)},
        figures=("quality_{decoder}",),
        summarise=section_words.rows_of("quality", summaries.quality_summary),
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
        summarise=section_words.calibration,
    ),
    Section(
        name="shift",
        title="New mice",
        tables={"shift": _of_target(shift.columns_of, shift.numbers_of)},
        figures=("shift",),
        summarise=section_words.shift,
    ),
    Section(
        name="variants",
        title="Variants",
        template="table.html.j2",
        tables={"variants": _of_target(multiverse.columns_of, multiverse.numbers_of)},
        figures=("variants",),
        summarise=section_words.variants,
    ),
    Section(
        name="reproduction",
        title="Published",
        tables={"reproduction": _table(reproduction.COLUMNS, reproduction.NUMBERS)},
        summarise=section_words.rows_of("reproduction"),
    ),
    Section(
        name="comparisons",
        title="Comparisons",
        tables={"comparisons": _table(published_tests.COLUMNS)},
        summarise=section_words.rows_of("comparisons"),
    ),
    Section(
        name="inference",
        title="Mice as the unit",
        tables={"inference": _table(paired_tests.COLUMNS, paired_tests.NUMBERS)},
        summarise=section_words.inference,
    ),
    Section(
        name="chance",
        title="Chance",
        tables={"chance": _table(chance_tests.COLUMNS, chance_tests.NUMBERS)},
        summarise=section_words.rows_of("chance"),
    ),
    Section(
        name="confounds",
        title="Confounds",
        tables={
            "confounds": _of_target(
                control_verdicts.columns_of, control_verdicts.numbers_of, "_control"
            )
        },
        figures=("confounds",),
        summarise=section_words.confounds,
    ),
    Section(
        name="ceilings",
        title="Ceilings",
        tables={
            "ceilings_gaps": _of_target(
                ceiling_gaps.gap_columns_of, ceiling_gaps.gap_numbers_of, "_a"
            ),
            "ceilings": _of_target(ceiling_gaps.columns_of, ceiling_gaps.numbers_of),
        },
        figures=("ceilings",),
        summarise=section_words.ceilings,
    ),
    Section(
        name="across-cohorts",
        title="Across cohorts",
        template="cohorts.html.j2",
        tables={
            "cohorts": _of_target(cohort_matrix.columns_of, cohort_matrix.numbers_of),
            "cohort_shift": _table(cohort_losses.COLUMNS, cohort_losses.NUMBERS),
        },
        figures=("cohorts",),
        summarise=section_words.across_cohorts,
    ),
    Section(
        name="cohort",
        title="Cohort",
        tables={
            "cohort": _table(
                ("mouse", "session", "n_frames", "n_run", "frame_rate", "height", "width")
            )
        },
        summarise=section_words.cohort,
    ),
    Section(name="settings", title="Settings"),
    Section(
        name="recordings",
        title="Recordings",
        tables={"qc": _table(qc.COLUMNS, qc.NUMBERS)},
        figures=("qc", "qc/{session}"),
        summarise=section_words.recordings,
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
        summarise=section_words.provenance,
    ),
    Section(
        name="methods",
        title="Methods",
        summarise=lambda config, tables: {"methods": section_words.methods(config, tables)},
    ),
    Section(
        name="references",
        title="References",
        summarise=lambda config, tables: {"works": section_words.works(config, tables)},
    ),
]
