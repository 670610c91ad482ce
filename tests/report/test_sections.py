"""The parts of the report: their order, their files, and which columns of these are numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesodecode.base.files import UserError
from mesodecode.base.tables import NUMBERS
from mesodecode.confounds import control_verdicts
from mesodecode.explain import map_mice
from mesodecode.recordings import qc
from mesodecode.report import sections
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
)
from mesodecode.shift import cohort_losses
from mesodecode.shift import columns as shift
from mesodecode.study.targets import KINDS

MAP = "importance_{importance}"
PARTS = [  # name, title, tables, figures
    (
        *("figures", "Figures", ""),
        "cohort auc_{comparison} regression_{comparison} states_{comparison} reproduction "
        "roi_correlation loss_{decoder}",
    ),
    (
        *("importance", "Importance", f"{MAP}_checks {MAP}_mice"),
        f"{MAP} {MAP}_signed {MAP}_times {MAP}_mice {MAP}_sides {MAP}_checks",
    ),
    ("auc", "AUC", "auc session_auc allocations", ""),
    (
        *("scores", "Scores", "regression session_regression states session_states"),
        "target_regression target_states",
    ),
    ("decoder-quality", "Quality of decoders", "quality", "quality_{decoder}"),
    ("calibration", "Calibration", "calibration prediction_sets", "calibration"),
    ("shift", "New mice", "shift", "shift"),
    ("variants", "Variants", "variants", "variants"),
    ("reproduction", "Published", "reproduction", ""),
    ("comparisons", "Comparisons", "comparisons", ""),
    ("inference", "Mice as the unit", "inference", ""),
    ("chance", "Chance", "chance", ""),
    ("confounds", "Confounds", "confounds", "confounds"),
    ("ceilings", "Ceilings", "ceilings_gaps ceilings", "ceilings"),
    ("across-cohorts", "Across cohorts", "cohorts cohort_shift", "cohorts"),
    ("cohort", "Cohort", "cohort", ""),
    ("settings", "Settings", "", ""),
    ("recordings", "Recordings", "qc", "qc qc/{session}"),
    ("runtimes", "Run times", "runtimes", ""),
    ("provenance", "Versions and seeds", "", ""),
    ("methods", "Methods", "", ""),
    ("references", "References", "", ""),
]


def test_parts_stand_in_their_order_with_their_tables_and_figures():
    shown = [
        (one.name, one.title, " ".join(one.tables), " ".join(one.figures))
        for one in sections.SECTIONS
    ]
    assert shown == PARTS
    templates = {one.name: one.template for one in sections.SECTIONS if one.template}
    shared = dict.fromkeys(("calibration", "variants"), "table.html.j2")
    own = {"decoder-quality": "quality.html.j2", "across-cohorts": "cohorts.html.j2"}
    assert templates == shared | own


def test_a_part_is_left_out_without_its_files_and_where_figures_alone_say_nothing(tmp_path):
    """Figures of these show what their tables say: without them there is nothing to head."""
    config = {"decoders": {"net": {}}, "comparisons": {}, "importance": {"map": {}}}
    config |= {"mice": {"a": ["a1"]}, "exclude": {}, "target": "run"}
    picture = tmp_path / "f.svg"
    picture.write_text('<svg viewBox="0 0 9 9"></svg>')
    found = {}
    for part in sections.SECTIONS:
        if files := [*part.tables, *part.figures]:
            assert part.shown(config, {}, {}) is None
            assert part.shown(config, {"other": None}, {"other": picture}) is None
        if names := sections.names(part.figures, config):
            shown = part.shown(config, {}, {names[-1]: picture})
            found[part.name] = list(shown["figures"]) if shown else None
        assert files or part.name in ("settings", "provenance", "methods", "references")
    assert found == {
        **{"figures": ["loss_net"], "importance": ["importance_map_checks"]},
        **dict.fromkeys(("scores", "decoder-quality", "calibration", "shift", "variants")),
        **dict.fromkeys(("confounds", "ceilings", "across-cohorts")),
        "recordings": ["qc/a1"],
    }


READ = {  # table -> its columns, and which of them are numbers
    f"{MAP}_checks": (("check", "verdict", "value", "sentence"), ("value",)),
    f"{MAP}_mice": (map_mice.COLUMNS, map_mice.NUMBERS),
    "auc": (auc.COLUMNS, NUMBERS),
    "session_auc": (auc.SESSION_COLUMNS, NUMBERS),
    "allocations": (auc.ATTRIBUTES[1:], ()),
    "quality": (quality.COLUMNS, quality.NUMBERS),
    "calibration": (calibration.COLUMNS, calibration.NUMBERS),
    "prediction_sets": (calibration.SET_COLUMNS, calibration.SET_NUMBERS),
    "reproduction": (reproduction.COLUMNS, reproduction.NUMBERS),
    "comparisons": (published_tests.COLUMNS, NUMBERS),
    "inference": (paired_tests.COLUMNS, paired_tests.NUMBERS),
    "chance": (chance_tests.COLUMNS, chance_tests.NUMBERS),
    "cohort_shift": (cohort_losses.COLUMNS, cohort_losses.NUMBERS),
    "cohort": (("mouse", "session", "n_frames", "n_run", "frame_rate", "height", "width"), NUMBERS),
    "qc": (qc.COLUMNS, qc.NUMBERS),
    "runtimes": (runtimes.COLUMNS, runtimes.COLUMNS[1:]),
}
OF_TARGET = {
    "shift": (shift.columns_of, shift.numbers_of),
    "variants": (multiverse.columns_of, multiverse.numbers_of),
    "confounds": (control_verdicts.columns_of, control_verdicts.numbers_of),
    "ceilings_gaps": (ceiling_gaps.gap_columns_of, ceiling_gaps.gap_numbers_of),
    "ceilings": (ceiling_gaps.columns_of, ceiling_gaps.numbers_of),
    "cohorts": (cohort_matrix.columns_of, cohort_matrix.numbers_of),
}
for kind in KINDS.values():
    READ |= {f"{n} {kind.name}": (c(kind), m(kind)) for n, (c, m) in OF_TARGET.items()}
for name, metric in (("regression", "r2"), ("states", "macro_auc")):
    found = (("decoder", metric, "p_shift", "auc_rest"), (metric, "p_shift", "auc_rest"))
    READ |= {name: found, f"session_{name}": found}


def test_every_table_is_read_here():
    tables = {name for one in sections.SECTIONS for name in one.tables}
    assert {name.partition(" ")[0] for name in READ} == tables


@pytest.mark.parametrize("name", READ)
def test_numbers_of_a_table_are_read_as_such_and_names_as_they_are_written(name, tmp_path):
    columns, numbers = READ[name]
    (read,) = (
        read
        for one in sections.SECTIONS
        for table, read in one.tables.items()
        if table == name.partition(" ")[0]
    )
    path = tmp_path / "t.tsv"
    path.write_text("\t".join(columns) + "\n" + "\t".join(["01"] * len(columns)) + "\n")
    if name == "runtimes":
        (row,) = read(path)
        assert row["rule"] == "01" and row["jobs"] == 1
        return
    (row,) = read(path).to_dict("records")
    assert [column for column, value in row.items() if value == "01"] == [
        column for column in columns if column not in numbers
    ]
    assert all(row[column] == 1 for column in columns if column in numbers)
    lacking = metric if (metric := columns[1]) in numbers else columns[0]
    path.write_text(path.read_text().replace(lacking, "x", 1))
    with pytest.raises(UserError, match=r"t\.tsv: "):
        read(path)


def test_captions_of_snakemakes_report_that_all_targets_share_say_what_an_auc_stands_for():
    folder = Path(__file__).parents[2] / "workflow/report"
    names = "auc loss variants cohorts ceilings importance_checks importance_cutout"
    for name in [*names.split(), "importance_times"]:
        text = (folder / f"{name}.rst").read_text(encoding="utf-8")
        assert "AUC (of another target its score)" in text, name
