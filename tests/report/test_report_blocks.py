"""What the report says besides results: what is missing or left out, costs, seeds, references."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from make_tables import MICE, NAMES, Checker, text_of, write_report
from mesodecode.base.files import UserError
from mesodecode.base.tables import read_table, write_table
from mesodecode.report import formats, report, section_words, sections, summaries
from mesodecode.running import runtimes
from mesodecode.scores import auc as auc_tables
from mesodecode.scores import auc_figure, paired_tests
from mesodecode.shift import cohort_losses
from mesodecode.shift import columns as shift
from mesodecode.study import study as studies
from mesodecode.study import targets
from mesodecode.study.mouse_allocations import allocate
from texts import as_read

DECODERS = {
    "cnn": {},
    "cnn_gru": {"start_from": "cnn", "rnn": "gru"},
    "roi_gru": {"input": "rois", "rnn": "gru"},
}


def configure(folder: Path, **change: object) -> None:
    config = {
        "study": "x",
        "recordings": dict.fromkeys(["movie", "behavior", "rois"], "{session}"),
        "mice": {mouse: [f"m{mouse}_s{i}" for i in (1, 2)] for mouse in MICE},
        "decoders": DECODERS,
    }
    (folder / "config.json").write_text(json.dumps(studies.resolve(config | change).config))


@pytest.fixture
def study(tmp_path) -> Path:
    """The tables of three decoders, all 20 allocations, AUCs drawn at random."""
    configure(tmp_path)
    rng = np.random.default_rng(1)
    rows = [
        (name, a.id, *map(a.joined, ("train", "valid", "test")), 2000, 1200, auc, 0.8)
        for name in NAMES.values()
        for a, auc in zip(allocate(MICE), rng.uniform(0.7, 0.99, 20), strict=True)
    ]
    auc = pd.DataFrame(rows, columns=auc_tables.COLUMNS)
    sessions = pd.concat([auc.assign(session=f"m{i}") for i in (1, 2)])
    mice = pd.DataFrame([(m, f"m{m}_s{i}") for m in MICE for i in (1, 2)])
    mice.columns = ["mouse", "session"]
    mice = mice.assign(n_frames=1000, n_run=600, frame_rate=30.0, height=64, width=64)
    tables = {
        "auc": auc,
        "session_auc": sessions[auc_tables.SESSION_COLUMNS],
        "cohort": mice,
        "allocations": auc[list(auc_tables.ATTRIBUTES[1:])].drop_duplicates(),
    }
    for name, table in tables.items():
        write_table(table, tmp_path / f"{name}.tsv")
    return tmp_path


def test_missing_allocations_are_named_and_marked(study):
    auc = read_table(study / "auc.tsv")
    gone = (auc["decoder"] == "cnn") & (auc["test_mouse"] == "5") & (auc["valid_mouse"] != "1")
    write_table(auc[~gone], study / "auc.tsv")
    text = text_of(write_report(study))
    assert "Partial cohort: 57 of 60 decoder allocations" in text
    assert (
        "Not complete. Means are over the allocations that are done. Missing: cnn 3 of 20." in text
    )
    assert "cnn: train-1+3+4.valid-2.test-5, train-1+2+4.valid-3.test-5, train-" in text
    assert "Allocations or sessions are missing: every mean is of what is done." in text
    assert "raises a flag" not in text
    left = auc[~gone & (auc["decoder"] == "cnn") & (auc["test_mouse"] == "5")]["auc"].item()
    assert f"{left:.3f} (1 of 4)" in text and text.count("of 4)") == 1


def test_confounds_are_said_in_words_and_those_that_reach_a_decoder_stand_out(study):
    from mesodecode.confounds import control_verdicts, controls

    auc = read_table(study / "auc.tsv")
    rows = auc[auc["decoder"] == "cnn"].assign(against="cnn", missing="")
    gone = rows.assign(decoder="reference", auc=np.nan, missing="no reference channel was recorded")
    made = [rows.assign(decoder="outside"), rows.assign(decoder="movement", auc=0.5), gone]
    table = control_verdicts.table(pd.concat(made)[controls.COLUMNS], auc)
    write_table(table, study / "confounds.tsv")
    (study / "confounds.svg").write_text('<svg viewBox="0 0 9 9"></svg>')
    page = write_report(study, "confounds.tsv", "confounds.svg")
    assert page.count("running is decoded as well without neurons") == 2  # on top too
    assert 'href="#confounds"' in page and '<section id="confounds">' in page
    assert '<span class="verdict flag">flag</span> <strong>cnn: running is decoded as well' in page
    text = text_of(page)
    assert "without neurons, from the pixels outside the brain. What this decoder shows" in text
    assert "Not made from the reference channel: no reference channel was recorded." in text
    assert "From the movement of the brain, running is not decoded above chance: AUC 0.500" in text
    assert "Confounds" not in text_of(write_report(study))


def test_ceilings_answer_in_a_sentence(study):
    from mesodecode.scores import ceiling_gaps
    from mesodecode.study import targets

    arms = [("own", 0.95), ("others", 0.85)]
    rows = pd.DataFrame(
        [
            ("cnn", arm, mouse, f"m{mouse}", "-", "-", 2, np.nan, np.nan, 100, 50, auc + 0.01 * at)
            for at, mouse in enumerate("123")
            for arm, auc in arms
        ],
        columns=ceiling_gaps.columns_of(targets.RUN.kind),
    )
    write_table(ceiling_gaps.gaps(rows), study / "ceilings_gaps.tsv")
    (study / "ceilings.svg").write_text('<svg viewBox="0 0 9 9"></svg>')
    page = write_report(study, "ceilings_gaps.tsv", "ceilings.svg")
    assert 'href="#ceilings"' in page and '<section id="ceilings">' in page
    text = text_of(page)
    assert "cnn reaches an AUC of 0.860 in a mouse it never saw, and 0.960 if trained on" in text
    assert "0.100 (95 % interval 0.100 to 0.100, 3 mice) below its ceiling" in text
    assert "no dates of sessions are known (set nwb.session_start, or nwb.sessions to a" in text
    assert "The ceiling of each mouse" not in page
    write_table(rows, study / "ceilings.tsv")
    text = text_of(write_report(study, "ceilings.tsv", "ceilings_gaps.tsv", "ceilings.svg"))
    assert "The ceiling of each mouse" in text and "cnn 2 1 0.960 0.860 0.100" in text
    assert "How good could it be" not in text_of(write_report(study))


def test_cohorts_answer_in_a_sentence(study):
    from mesodecode.scores import cohort_matrix

    cohorts = {"lab": ["a", "b"], "rig": ["x", "y"]}
    made = [("a", "b", 0.9), ("b", "a", 0.94), ("x", "b", 0.7), ("y", "a", 0.8), ("x", "y", 0.9)]
    rows = [
        ("cnn", f"train-{train}.test-{test}", train, "-", test, 100, 50, auc, auc, "strict")
        for train, test, auc in made
    ]
    columns = ["decoder", "allocation", "train_mice", "valid_mouse", "test_mouse"]
    columns += ["n_frames", "n_run", "auc", "accuracy", "protocol"]
    table = cohort_matrix.table(pd.DataFrame(rows, columns=columns), cohorts)
    write_table(table, study / "cohorts.tsv")
    (study / "cohorts.svg").write_text('<svg viewBox="0 0 9 9"></svg>')
    page = write_report(study, "cohorts.tsv", "cohorts.svg")
    assert 'href="#across-cohorts"' in page and '<section id="across-cohorts">' in page
    text = text_of(page)
    # b loses .9 - .7, a .94 - .8
    assert "from rig to lab no loss against training in their own cohort is shown, 0.170" in text
    assert "With fewer than 5 mice of a cohort, intervals hang on each of them." in text
    assert "Does it hold in another cohort" not in text_of(write_report(study))
    assert section_words.across_cohorts({}, {"cohorts": table})["differences"] == []
    about = dict.fromkeys(cohort_losses.COLUMNS, 1.0) | {"decoder": "cnn", "difference": "rotation"}
    about |= {"unit": "degrees", "sentence": "It goes with the loss.", "p_holm": 0.01, "n_both": 0}
    tables = {"cohorts": table, "cohort_shift": pd.DataFrame([about])}
    words = section_words.across_cohorts({}, tables)
    assert [row["sentence"] for row in words["differences"]] == ["It goes with the loss."]
    assert words["goes_with"] == cohort_losses.headlines(tables["cohort_shift"])


def test_complete_study_says_nothing_of_missing(study):
    text = text_of(write_report(study))
    assert "Complete: 20 of 20 allocations for each of 3 decoders, 10 of 10 sessions" in text
    assert "Not complete" not in text and "Excluded" not in text and "excluded" not in text
    assert "Nothing that was looked at raises a flag." in text


def test_excluded_sessions_and_mice_are_in_the_headline_and_the_cohort(study):
    mice = {mouse: [f"m{mouse}_s{i}" for i in (1, 2)] for mouse in MICE} | {"6": ["m6_s1"]}
    mice["5"].append("m5_s3")
    configure(study, mice=mice, exclude={"6": "seizures <often>", "m5_s3": "lamp off"})
    text = text_of(write_report(study))
    assert "10 of 10 sessions; excluded: 2 (see Cohort)" in text and "Complete" in text
    assert "6 mouse (1 session) seizures &lt;often&gt;" in text
    assert "m5_s3 session lamp off" in text
    assert "tested on 1 of 5 mice" in text
    assert "6 (seizures &lt;often&gt;); m5_s3 (lamp off)" in text


def test_what_is_complete_by_hand():
    """Of three mice one is excluded, and so is a session that was read before it was."""
    config = {"decoders": ["x", "y"], "exclude": {"c": "old", "a2": "dark"}}
    config["mice"] = {"a": ["a1", "a2"], "b": ["b1"], "c": ["c1"]}
    allocations = pd.DataFrame({"allocation": ["p", "q"]})
    done = pd.DataFrame({"decoder": ["x", "x", "y", "y"], "allocation": ["q", "p", "q", "gone"]})
    cohort = pd.DataFrame({"session": ["a1", "a2", "c1"]})
    found = summaries.progress(config, allocations, done, cohort)
    assert found == {
        **{"decoders": {"x": 2, "y": 1}, "missing": {"y": ["p"]}, "expected": 2},
        **{"done": 3, "all": 4, "sessions": 1, "all_sessions": 2, "complete": False},
        "excluded": {"c": ("mouse", "old"), "a2": ("session", "dark")},
    }
    whole, more = done.replace({"gone": "p"}), pd.DataFrame({"session": ["a1", "b1", "a2"]})
    for auc, read, complete in ((whole, cohort, 0), (done, more, 0), (whole, more, 1)):
        assert summaries.progress(config, allocations, auc, read)["complete"] == complete


def test_means_by_test_mouse_say_how_many_allocations_are_done():
    allocations = pd.DataFrame({"test_mouse": ["b", "b", "b", "a", "a", "c"]})
    rows = [("z", "b", 0.5), ("z", "b", 0.75), ("z", "a", 0.5), ("z", "a", 1.0), ("y", "a", 0.25)]
    auc = pd.DataFrame(rows, columns=["decoder", "test_mouse", "auc"])
    z, y = summaries.by_mouse(auc, allocations)
    assert z == {"decoder": "z", "auc": {"b": 0.625, "a": 0.75}, "partial": {"b": "2 of 3"}}
    assert (y["decoder"], y["auc"]["a"], np.isnan(y["auc"]["b"])) == ("y", 0.25, True)
    assert y["partial"] == {"b": "0 of 3", "a": "1 of 2"}


def test_run_times(study):
    assert 'id="runtimes"' not in write_report(study)
    nan = float("nan")
    rows = [
        dict(zip(runtimes.COLUMNS, row, strict=True))
        for row in [
            ("train_cnn", 20, 0, 0, 30.5, 2.25, 88.0, 12345.0),
            ("preprocess", 9, 1, 9, 0.001, 0.0005, nan, nan),
        ]
    ]
    runtimes.write(rows, study / "runtimes.tsv")
    text = text_of(write_report(study, "runtimes.tsv"))
    assert "measured them: 30.5 h from start to end, summed over jobs, and 88.0 h of CPU" in text
    assert "train_cnn 20 30.5 h 2.2 h 88.0 h 12,345 MB" in text
    assert "preprocess 9 of 10 4 s 2 s – –" in text
    assert "9 jobs ended before the first sample" in text
    runtimes.write([], study / "runtimes.tsv")
    text = text_of(write_report(study, "runtimes.tsv"))
    assert "No benchmark files of Snakemake were found" in text


def test_citations_lead_to_references_and_bibtex_has_the_same(study):
    page = write_report(study, references=True)
    cited = set(re.findall(r'<a href="#ref-(\w+)">', page))
    assert cited == set(re.findall(r'<li id="ref-(\w+)">', page))
    bibtex = (study / "references.bib").read_text()
    assert cited == set(re.findall(r"^@\w+\{(\w+),", bibtex, re.MULTILINE))
    assert '<a href="#ref-tan2019">Tan &amp; Le 2019</a>' in page
    assert "holm1979" not in cited and "[@" not in page
    checker = Checker()
    checker.feed(page)
    assert not checker.faults and not checker.open


def test_seeds_versions_and_what_decoders_are(study):
    configure(study, decoders=DECODERS | {"cnn": {"seed": 7}})
    text = text_of(write_report(study))
    assert "cnn decoder 7 " in text and "roi_gru decoder 123" in text
    assert re.search(r"snakemake 9\.\d+", text)
    assert "GRU on all ROIs, ±15 frames" in text and "GRU on cnn (fine-tuned), ±5 frames" in text
    commit = formats.commit()
    assert commit == "" or commit.removesuffix("-dirty") in text


def test_a_commit_is_that_of_a_tracked_file_and_none_where_there_is_no_git(monkeypatch):
    said = {"ls-files": "formats.py\n", "describe": "0123456789ab-dirty\n"}

    def git(line, cwd, **_):
        assert line[0] == "git" and cwd == Path(formats.__file__).parent
        return SimpleNamespace(stdout=said[line[1]])

    monkeypatch.setattr(formats.subprocess, "run", git)
    assert formats.commit() == "0123456789ab-dirty"
    said["ls-files"] = ""  # installed in the folder of another repository
    assert formats.commit() == ""
    monkeypatch.setattr(formats.subprocess, "run", mock.Mock(side_effect=FileNotFoundError("git")))
    assert formats.commit() == ""


def test_settings_of_the_whole_study(study):
    configure(study, image_size=48, importance={"why": {"decoder": "roi_gru", "windows": 77}})
    text = text_of(write_report(study))
    assert "the study frame rate 30 image size 48 allocation train: 3, valid: 1, test: 1" in text
    assert "why (importance)" in text and "windows 77" in text and "rois all" in text


def test_long_tables_are_folded(study):
    auc = read_table(study / "auc.tsv")
    few = paired_tests.infer(auc, by="decoder", name="x")
    for repeated, folds in ((few, False), (pd.concat([few] * 11), True)):
        write_table(repeated, study / "inference.tsv")
        page = write_report(study, "inference.tsv")
        block = re.search(r'<section id="inference">.*?</section>', page, re.DOTALL)[0]
        assert (block.count("<details>") == 3) is folds
        assert f"({len(repeated)} rows)" in block or not folds


def test_unresolved_config_is_one_line(study):
    config = json.loads((study / "config.json").read_text())
    del config["decoders"]["roi_gru"]["half_window"]
    (study / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="config: no key 'half_window'; give the resolved config"):
        write_report(study)
    assert not (study / "report.html").exists()


@pytest.mark.parametrize("mice", [["1", "2"], [f"EMXJ{i}" for i in range(25, 32)], ["m" * 25]])
def test_names_of_mice_are_not_cut_from_the_figure(mice):
    auc = pd.DataFrame({"decoder": "cnn", "test_mouse": mice, "auc": 0.8})
    figure = auc_figure.auc_by_decoder(auc)
    figure.draw_without_rendering()
    legend, whole = figure.legends[0].get_window_extent(), figure.bbox
    assert whole.x0 <= legend.x0 and legend.x1 <= whole.x1 and legend.y1 <= whole.y1
    assert figure.axes[0].get_window_extent().height > 100  # px
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [word for word in words if word != "test mouse"] == mice


def test_sessions_of_each_verdict_are_counted_by_mouse():
    verdicts = ["shifted", "in distribution", "unusable", "in distribution", "in distribution"]
    table = pd.DataFrame({"decoder": "cnn", "test_mouse": list("aaabb"), "verdict": verdicts})
    why = ["moved", "", "dark; moved; small; noisy", "", ""]
    table = table.assign(why=why, predicted_auc=[0.6, 0.9, 0.6, 0.9, 0.8], predicted_error=0.1)
    table = table.assign(auc=0.9, others_auc=0.8)
    a, b = summaries.shift_summary(table).to_dict("records")
    assert (a["n"], a["n_0"], a["n_1"], a["n_2"]) == (3, 1, 1, 1)
    assert (a["verdict"], a["why"]) == ("unusable", "dark; moved; small")
    assert a["predicted_auc"] == pytest.approx(0.7)
    assert (b["n"], b["n_0"], b["n_1"], b["n_2"], b["verdict"]) == (2, 2, 0, 0, "in distribution")


def test_the_report_says_what_predictions_of_auc_were_worth(study):
    words = {name: "x" for name in shift.columns_of() if name not in shift.numbers_of()}
    table = pd.DataFrame([dict.fromkeys(shift.columns_of(), 1.0) | words for _ in MICE])
    auc = np.linspace(0.5, 0.9, len(MICE))
    table = table.assign(decoder="<cnn>", test_mouse=list(MICE), verdict="shifted", auc=auc)
    table = table.assign(predicted_auc=auc + 0.05, others_auc=0.7)
    write_table(table, study / "shift.tsv")
    page = write_report(study, "shift.tsv")
    assert "&lt;cnn&gt;: the predicted AUC of 5 mice missed by 0.050" in page
    assert "rank correlation 1.00" in page and "Other mice" in page
    write_table(table.assign(predicted_auc=np.nan), study / "shift.tsv")
    assert "Too few test mice have an AUC" in write_report(study, "shift.tsv")


def test_of_a_mouse_frames_are_counted_and_times_are_of_each_sessions_rate():
    rows = [("m10", 300, 30, 10, 48, 64), ("m10", 900, 630, 30, 8, 8), ("m9", 60, 60, 1, 8, 8)]
    names = ["mouse", "n_frames", "n_run", "frame_rate", "height", "width"]
    nine, ten = summaries.mouse_table(pd.DataFrame(rows, columns=names))
    assert nine == {"mouse": "m9", "sessions": 1, "frames": 60, "minutes": 1, "run": 1} | {
        "size": "8 × 8"
    }
    assert (ten["mouse"], ten["sessions"], ten["frames"]) == ("m10", 2, 1200)
    assert (ten["minutes"], ten["run"], ten["size"]) == (1, 0.55, "48 × 64, 8 × 8")


def test_sessions_are_listed_by_mouse_as_numbers_go():
    rows = [("m10", "s1", "b", 0.5), ("m2", "s10", "b", 0.6), ("m2", "s9", "b", 0.7)]
    rows += [("m2", "s9", "b", 0.9), ("m2", "s9", "a", 0.4)]  # of two allocations
    table = pd.DataFrame(rows, columns=["test_mouse", "session", "decoder", "auc"])
    found = [(row["mouse"], row["session"], row["auc"]) for row in summaries.by_session(table)]
    assert [row[:2] for row in found] == [("m2", "s9"), ("m2", "s10"), ("m10", "s1")]
    assert found[0][2] == pytest.approx({"a": 0.4, "b": 0.8})
    assert found[2][2] == pytest.approx({"a": np.nan, "b": 0.5}, nan_ok=True)


def test_decoders_are_summed_up_in_their_order_by_hand():
    table = pd.DataFrame({"decoder": list("bbba"), "auc": [0.5, 0.6, 1.0, 0.9]})
    b, a = summaries.decoder_summary(table.assign(accuracy=table["auc"] - 0.1)).to_dict("records")
    assert (b["decoder"], b["n"], b["min"], b["max"]) == ("b", 3, 0.5, 1)
    assert (b["mean"], b["accuracy"]) == (pytest.approx(0.7), pytest.approx(0.6))
    assert (a["decoder"], a["n"], a["accuracy"]) == ("a", 1, pytest.approx(0.8))


def test_quality_is_summed_up_by_hand():
    """Means over allocations; of thresholds median and range, of sessions of one state the sum."""
    measures = ["auc", "average_precision", "accuracy", "balanced_accuracy", "brier", "ece"]
    measures += ["accuracy_at_threshold", "balanced_accuracy_at_threshold"]
    measures += ["error_near", "error_far"]
    thresholds = (0.2, 0.3, 0.9)
    table = pd.DataFrame(
        {"decoder": decoder, "allocation": f"{decoder}{at}", "threshold": threshold}
        | {"n_run": at + 1, "n_frames": 4, "n_one_state": at, "n_sessions": 2}
        | {name: number + at**2 for number, name in enumerate(measures)}
        for decoder, n in (("z", 3), ("x", 1))
        for at, threshold in enumerate(thresholds[:n])
    )
    z, x = summaries.quality_summary(table).to_dict("records")
    for row, decoder, n in ((z, "z", 3), (x, "x", 1)):
        mean = 5 / 3 if n == 3 else 0  # of 0, 1 and 4
        expected = {name: number + mean for number, name in enumerate(measures)}
        expected |= {"decoder": decoder, "n": n, "run": 0.5 if n == 3 else 0.25}
        expected |= {"one_state": 3 if n == 3 else 0, "n_sessions": 2 * n}
        expected |= {"threshold": 0.3 if n == 3 else 0.2, "threshold_low": 0.2}
        assert row == pytest.approx(expected | {"threshold_high": 0.9 if n == 3 else 0.2})


def test_calibration_is_summed_up_by_hand():
    rows = [
        ("net", method, ece + at / 10, 2 * (ece + at / 10), 1.0 + at**2)
        for at in range(3)
        for method, ece in (("none", 0.3), ("temperature", 0.1), ("isotonic", 0.2))
    ]
    table = pd.DataFrame(rows, columns=["decoder", "method", "ece", "brier", "temperature"])
    sets = pd.DataFrame(
        [("net", 0.9, 0.88, 1.25), ("net", 0.9, 0.94, 1.75), ("net", 0.8, 0.5, 1.0)],
        columns=["decoder", "level", "coverage", "set_size"],
    )
    tables = {"calibration": table, "prediction_sets": sets}
    words = section_words.calibration({}, tables)
    (row,) = words["rows"]
    assert row["decoder"] == "net" and row["temperature"] == 2  # of 1, 2, 5
    for method, ece in (("none", 0.4), ("temperature", 0.2), ("isotonic", 0.3)):
        assert row[f"ece_{method}"] == pytest.approx(ece)
        assert row[f"brier_{method}"] == pytest.approx(2 * ece)
    found = row["coverage"], row["lowest"], row["set_size"]
    assert found == pytest.approx((0.91, 0.88, 1.5))
    assert [name for _, _, name in words["columns"]] == [
        *("decoder", "temperature", "ece_none", "ece_temperature", "ece_isotonic"),
        *("brier_none", "brier_temperature", "brier_isotonic", "coverage", "lowest", "set_size"),
    ]
    for name in tables:
        assert section_words.calibration({}, {name: tables[name]}) is None


@pytest.mark.parametrize(
    "part", ["auc", "inference", "shift", "variants", "confounds", "ceilings", "across_cohorts"]
)
def test_a_part_says_nothing_without_its_tables(part):
    assert getattr(section_words, part)({}, {}) is None


def scored(target: str) -> dict[str, pd.DataFrame]:
    """Two allocations of two decoders, of two sessions each; the score of a session is its own."""
    metric, more = {"pupil": ("r2", ["ceiling"]), "states": ("macro_auc", ["auc_rest"])}[target]
    rows = [
        (decoder, f"{decoder}{i}", "a+b", "c", "d", 90, 0.25 * (i + 1) + 0.1 * (decoder == "x"))
        for decoder in ("z", "x")
        for i in range(2)
    ]
    names = ["decoder", "allocation", "train_mice", "valid_mouse", "test_mouse", "n_frames", metric]
    table = pd.DataFrame(rows, columns=names)
    table[more] = 0.5 + table[[metric]].to_numpy()
    table["p_shift"] = 0.01
    each = [table.drop(columns="p_shift").assign(session=f"s{i}") for i in (1, 2)]
    each[1][metric] += 0.02
    kind = targets.kind_named(target).table
    return {kind: table, f"session_{kind}": pd.concat(each)}


@pytest.mark.parametrize(
    ("target", "axis", "beside"),
    [("pupil", "R²", "Ceiling of R²"), ("states", "macro AUC", "AUC of rest")],
)
def test_scores_of_other_targets_are_shown_by_decoder_allocation_and_session(target, axis, beside):
    (section,) = [one for one in sections.SECTIONS if one.name == "scores"]
    config = {"target": target, "decoders": [], "comparisons": {}, "importance": {}}
    config |= {"mice": {}, "exclude": {}, "circular_shifts": 0}
    shown = section.shown(config, scored(target), {})
    assert shown["heading"] == axis and shown["decoders"] == ["z", "x"]
    assert as_read(shown["words"]) and "p = " not in shown["words"]
    (by, means), (roles, each), (names, sessions) = (block[1:] for block in shown["blocks"])
    titles = ["Decoder", f"Mean {axis}", "SD", "Min", "Max", beside, "p of shifts"]
    assert [title for title, _, _ in by] == titles
    z, x = ([row[key] for _, _, key in by] for row in means)
    assert z[0] == "z" and z[1:] == pytest.approx([0.375, 0.125 * 2**0.5, 0.25, 0.5, 0.875, 0.01])
    assert x[0] == "x" and x[1:] == pytest.approx([0.475, 0.125 * 2**0.5, 0.35, 0.6, 0.975, 0.01])
    assert [row["n"] for row in means] == [2, 2] and means == shown["summary"]
    assert [title for title, _, _ in roles][:4] == [
        *("Decoder", "Train mice", "Validation mouse", "Test mouse")
    ]
    assert [row["allocation"] for row in each] == ["z0", "z1", "x0", "x1"]
    metric = targets.kind_named(target).metric
    assert [title for title, _, _ in names][:3] == ["Mouse", "Session", "Decoder"]
    assert "p of shifts" not in [title for title, _, _ in names]
    found = {(row["session"], row["decoder"]): row[metric] for row in sessions}
    expected = {("s1", "z"): 0.375, ("s2", "z"): 0.395, ("s1", "x"): 0.475, ("s2", "x"): 0.495}
    assert found == pytest.approx(expected)
    for blocks in (by, roles, names):  # numbers are known as such, words are not
        words = {"Decoder", "Train mice", "Validation mouse", "Test mouse", "Mouse", "Session"}
        assert {title for title, number, _ in blocks if not number} <= words
    pages = report.environment(report.TEMPLATES)
    pages.globals["fold"] = 3
    page = pages.get_template(shown["template"]).render(shown)
    assert "<summary>Every allocation (4 rows)" in page and "Decoders, mean over" in page
    assert page.count("<tr>") == 3 + 2 + 4 + 4 and page.count("<td>a, b</td>") == 4
    assert section.shown(config, {}, {}) is None


def test_other_preprocessing_is_summed_up_by_hand():
    rows = [
        ("lin", variant, mouse, auc, auc - own, shifted, verdict)
        for variant, scores, shifted, verdict in (
            ("study", (0.6, 0.8), 0.0, "pass"),
            ("small", (0.7, 0.75), 0.5, "warn"),
        )
        for mouse, auc, own in zip("ab", scores, (0.6, 0.8), strict=True)
    ]
    names = ["family", "variant", "test_mouse", "auc", "difference", "shifted", "qc"]
    table = pd.DataFrame(rows, columns=names)
    words = section_words.variants({}, {"variants": table})
    study_, small = words["rows"]
    assert (study_["variant"], small["variant"]) == ("study", "small")
    values = [small[key] for key in ("n", "score", "low", "high", "difference", "shifted")]
    assert values == pytest.approx([2, 0.725, 0.7, 0.75, 0.025, 0.5]) and small["qc"] == "warn"
    assert [title for title, _, _ in words["columns"]] == [
        *("Decoder", "Variant", "AUC, mean over mice", "lowest", "highest", "Difference"),
        *("Share shifted", "Recordings, worst"),
    ]
    as_read(words["words"])


def test_losses_are_headed_by_the_score_of_the_target():
    template = report.environment(report.TEMPLATES).get_template("figures.html.j2")
    drawn = {"loss_a": {"image": "", "title": "a", "caption": ""}}
    for kind in targets.KINDS.values():
        page = template.render(figures=drawn, scored=kind)
        assert f"Loss and {kind.axis} by epoch (1 network)" in page
