"""Files of an earlier config are no results of a study."""

from __future__ import annotations

import json

import pytest

from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.export import ro_crate
from mesodecode.export.current import current
from mesodecode.report import given

CONFIG = {
    "mice": {"a": ["a1"], "b": ["b1", "b2"], "c": ["c1"]},
    "exclude": {"b2": "lamp"},
    "decoders": {"cnn": {}, "null": {"labels": "permuted_between_sessions"}},
    "comparisons": {"all_two": {"decoders": ["cnn", "null"]}},
    "importance": {"map": {}, "map_mice": {}},
    "shift": {"decoders": ["cnn"]},
}
ONE = "train-a.valid-b.test-c"
KEPT = f"""
models/cnn/{ONE}.pt models/cnn/{ONE}.history.tsv models/cnn/{ONE}.epoch.txt
predictions/null/{ONE}.h5
nwb/a1.nwb sources/b1.json figures/qc/c1.svg figures/qc.svg figures/loss_cnn.png
tables/quality/cnn.tsv tables/quality_curves/null.tsv figures/quality_cnn.svg tables/quality.tsv
tables/auc.tsv tables/session_auc.tsv figures/auc_all_two.svg tables/comparisons/all_two.tsv
tables/chance.tsv tables/shift.tsv tables/shift/cnn.tsv tables/image_shift.tsv figures/shift.svg
tables/importance_map.tsv tables/importance_map_mice.tsv tables/importance_map_mice_mice.tsv
figures/importance_map_signed.svg tables/cohort.tsv tables/qc.tsv tables/mine.tsv report.html
"""
GONE = f"""
models/old/{ONE}.pt models/cnn/train-a.valid-c.test-b.pt
predictions/cnn/train-a.valid-c.test-z.h5
nwb/b2.nwb sources/z1.json figures/qc/b2.png figures/loss_old.svg tables/quality/old.tsv
figures/quality_old.svg figures/auc_all.svg figures/auc_old.svg tables/inference/old.tsv
tables/importance_old.tsv figures/importance_old_sides.svg tables/states.tsv tables/confusion.tsv
tables/session_regression.tsv figures/regression_all_two.svg figures/target_states.svg
tables/cohorts.tsv tables/cohort_shift.tsv tables/variants.tsv figures/confounds.svg
tables/ceilings.tsv tables/ceilings_gaps.tsv tables/reproduction.tsv
"""
ANOTHER_TARGET = """
tables/auc.tsv figures/auc_all_two.svg tables/chance.tsv tables/quality.tsv figures/quality_cnn.svg
tables/quality/cnn.tsv tables/quality_curves/cnn.tsv tables/calibration.tsv
"""
OF_OTHERS = """
tables/calibration.tsv figures/prediction_sets.svg
tables/roi_correlation.tsv tables/roi_correlation_summary.tsv figures/roi_correlation.png
"""
NOT_ASKED = "tables/shift.tsv tables/shift/cnn.tsv tables/image_shift.tsv tables/chance.tsv"


@pytest.fixture
def study(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "allocations.tsv").write_text(f"allocation\ttest_mouse\n{ONE}\tc\n")
    return tmp_path


def kept(study, words):
    return [
        path.relative_to(study).as_posix()
        for path in current(study, [study / word for word in words.split()])
    ]


def test_what_a_config_asks_for_is_kept_and_what_an_earlier_one_made_is_not(study):
    assert kept(study, KEPT + GONE) == KEPT.split()
    (study / "config.json").write_text(json.dumps(CONFIG | {"target": "pupil"}))
    assert kept(study, ANOTHER_TARGET) == []
    assert kept(study, "tables/regression.tsv figures/regression_all_two.svg") != []
    fewer = {"shift": {"decoders": []}, "decoders": {"cnn": {"labels": "own"}}, "comparisons": {}}
    (study / "config.json").write_text(json.dumps(CONFIG | fewer))
    assert kept(study, NOT_ASKED + " tables/comparisons.tsv tables/comparisons/a.tsv") == []
    made = "tables/calibration.tsv figures/auc_all.svg"
    assert kept(study, made) == made.split()
    nulls = {"decoders": {"null": {"labels": "permuted_between_sessions"}}}
    several = {"allocation": {"test": 2}, "comparisons": {"all_two": {"decoders": ["null"]}}}
    (study / "config.json").write_text(json.dumps(CONFIG | nulls | several))
    assert kept(study, f"{OF_OTHERS} tables/inference.tsv") == []
    assert kept(study, "tables/comparisons.tsv") != []
    rois = {"decoders": {"gru": {"input": "rois"}}}
    (study / "config.json").write_text(json.dumps(CONFIG | rois))
    asked = f"{OF_OTHERS} tables/inference.tsv"
    assert kept(study, asked) == asked.split()


def test_of_an_encoding_study_models_are_told_by_name(study):
    (study / "config.json").write_text('{"kind": "encoding", "models": {"ridge": {}}}')
    words = "models/ridge/s1.pt tables/encoding_summary.tsv nwb/x.nwb"
    assert kept(study, f"{words} models/old/s1.pt") == words.split()
    (study / "config.json").write_text("[1]")
    with pytest.raises(UserError, match="no config that a run wrote"):
        current(study, [])


@pytest.mark.parametrize("end", [".epoch", ".history"])
def test_a_session_may_be_called_as_files_of_models_end(study, end):
    name = f"a{end}"
    (study / "config.json").write_text(json.dumps(CONFIG | {"mice": {"a": [name]}, "exclude": {}}))
    words = f"sources/{name}.json nwb/{name}.nwb figures/qc/{name}.svg"
    assert kept(study, words) == words.split()


def test_crates_and_tables_of_a_study_have_nothing_of_an_earlier_config(study, capsys):
    words = "report.html tables/auc.tsv tables/ceilings.tsv models/old/x.pt"
    for name in words.split():
        (study / name).parent.mkdir(parents=True, exist_ok=True)
        (study / name).write_text("auc\n0.5\n")
    (study / "sources").mkdir()
    for session in ("a1", "z1"):
        source = {"path": f"{session}.tif", "sha256": "", "bytes": 1}
        (study / f"sources/{session}.json").write_text(json.dumps({"sources": {"movie": source}}))
    graph = ro_crate.describe(study, licence="MIT")["@graph"]
    named = {entity.get("name") for entity in graph}
    assert {"tables/auc.tsv", "a1.tif"} <= named
    assert not named & {"tables/ceilings.tsv", "models/old/x.pt", "z1.tif"}
    assert cli.main(["tables", "--study", str(study), "--out", str(study / "out")]) in (None, 0)
    assert [path.name for path in (study / "out").iterdir()] == ["auc.md"]
    said = f"{study}: left out, as the config does not ask for them: ceilings.tsv\n"
    assert said in capsys.readouterr().err


def test_a_report_of_folders_has_no_table_or_figure_that_is_not_asked_for(study, capsys):
    for word in ("shift", "ceilings", "variants", "loss_cnn"):
        (study / f"{word}.svg").write_text("")
    assert {*given.find_figures(CONFIG, [study])} == {"shift", "loss_cnn"}
    said = "--figures: left out, as the config does not ask for them: ceilings.svg, variants.svg"
    assert sorted(capsys.readouterr().err.replace(",", "").split()) == sorted(
        said.replace(",", "").split()
    )
    assert {*given.find_figures(CONFIG, [study / "ceilings.svg"])} == {"ceilings"}  # by its name
