"""The ground-truth benchmark: what should be said, what is said, and the table of both."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.colors import to_hex

import fresh
from drawn import as_drawn
from make import ROOT
from mesodecode.base.files import UserError
from mesodecode.base.tables import write_table
from mesodecode.cli import main
from mesodecode.decoders import predictions
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.scores import auc as auc_tables
from mesodecode.study import decoder_table, schema
from mesodecode.study import study as studies
from mesodecode.suite import across_cohorts, first_minutes, suite, suite_figure

SUITE = ROOT / "benchmarks" / "suite"
MICE = ["m1", "m2", "m3"]


def expected(**settings):
    by_mouse = settings.pop("by_mouse", {})
    given = schema.defaults("simulate", **settings) | {"by_mouse": by_mouse}
    found = suite.expected(given, MICE)
    return suite.words(found.should), suite.words(found.may)


@pytest.mark.parametrize(
    ("settings", "should", "may"),
    [
        ({}, "-", "-"),
        ({"by_mouse": {"m2": {"rotation": 20}}}, "shift m2", "-"),
        ({"by_mouse": {"m2": {"rotation": 0}}}, "-", "-"),  # as the others
        ({"by_mouse": {"m1": {"flashes": 0.1}}}, "qc m1", "shift m1"),
        ({"by_mouse": {"m1": {"flashes": 0.1, "scale": 0.8}}}, "qc m1; shift m1", "-"),
        ({"movement": 0.02}, "confounds", "qc m1, m2, m3"),
        ({"vessel_dilation": 0.3}, "confounds", "-"),
        ({"flipped_bouts": 0.2}, "qc m1, m2, m3", "-"),
        ({"run_signal": 0}, "chance", "shift m1, m2, m3"),
        ({"run_signal": 0, "movement": 0.02}, "confounds", "qc m1, m2, m3"),
    ],
)
def test_what_should_be_said_follows_from_what_was_planted(settings, should, may):
    assert expected(**settings) == (should, may)


def test_a_warning_of_a_decoder_that_fails_is_no_false_alarm():
    planted = suite.Expected(frozenset({("shift", "m1")}), frozenset({("qc", "m3")}))
    auc = {"m1": 0.6, "m2": 0.79, "m3": 0.8}
    own = planted.of_decoder(auc, 0.51, 0.8)
    assert own.should == planted.should
    assert suite.words(own.may) == "qc m3; shift m2"
    assert suite.words(planted.of_decoder(auc, 0.5, 0.8).may) == "qc m3; shift m2; chance"


def tables(**verdicts):
    """Tables of two mice and a decoder "net" that say what is asked for."""
    qc = [("m1", "m1_s1", "pass"), ("m1", "m1_s2", verdicts.get("qc", "pass"))]
    qc += [("m2", "m2_s1", "pass"), ("m2", "m2_s2", "skipped")]
    # m1 in four allocations, m2 in two
    shift = [("net", "m1", verdict) for verdict in verdicts.get("shift", ["in distribution"] * 4)]
    shift += [("net", "m2", "in distribution")] * 2
    confounds = [("net", "outside", "part"), ("net", "mean", verdicts.get("confounds", "note"))]
    null = "circularly shifted labels"
    return {
        "qc": pd.DataFrame(qc, columns=["mouse", "session", "verdict"]),
        "shift": pd.DataFrame(shift, columns=["decoder", "test_mouse", "verdict"]),
        "confounds": pd.DataFrame(confounds, columns=["decoder", "signal", "verdict"]),
        "chance": pd.DataFrame([{"decoder": "net", "null": null, "p": verdicts.get("p", 0.01)}]),
    }


def test_ceilings_are_spoken_of_where_a_study_asks_for_them():
    config = merged("ceilings", "ceilings_alike", folder=SUITE2)

    def expects(decoder="linear", **simulate):
        study = studies.resolve(config | {"simulate": config["simulate"] | simulate})
        found = suite.expected_of(study, decoder)
        return suite.words(found.should), suite.words(found.may)

    assert expects() == ("-", "-")
    assert expects(position_jitter=0.01) == ("-", "ceilings gap")
    moved = "shift m1, m2, m3, m4, m5; ceilings gap"
    assert expects(signal_drift=0.01) == ("ceilings days", moved)
    assert expects(by_mouse={"m2": {"signal_drift": 0.01}})[0].endswith("ceilings days")
    elsewhere = {"m2": {"signal_rois": [1, 26]}}
    assert expects(by_mouse=elsewhere) == ("ceilings gap", "shift m2")
    del config["ceilings"]
    assert expects(by_mouse=elsewhere) == ("-", "shift m2")
    rows = [("own", "others_equal", 0.01), ("own_near", "own_far", np.nan)]
    gaps = pd.DataFrame(rows, columns=["a", "b", "ci_low"]).assign(decoder="net")
    spoken = suite.said({"ceilings_gaps": gaps}, "net")
    assert spoken == {("ceilings", "gap"): True, ("ceilings", "days"): False}
    assert suite.said({"ceilings_gaps": gaps}, "other") == {}
    row = suite.score(suite.Expected(frozenset(), frozenset()), spoken)
    assert (row["said"], row["n_silent"], row["n_false"]) == ("ceilings gap", 2, 1)
    assert "ceilings" not in row["not_made"]  # as in suite 1, which does not ask for them


def test_first_minutes_should_help_a_turned_mouse_and_a_decoder_that_registers():
    config = merged("first", "first_turned", folder=SUITE2)

    def expects(decoder, **simulate):
        study = studies.resolve(config | {"simulate": config["simulate"] | simulate})
        found = suite.expected_of(study, decoder)
        return suite.words(found.should), suite.words(found.may)

    assert expects("linear_first") == ("shift m1; first m1", "-")
    assert expects("linear_whole") == ("shift m1", "-")  # it has all of the recording
    assert expects("roi_first") == ("shift m1", "first m1")  # ROI signals turn with the brain
    assert expects("linear_first", by_mouse={"m3": {"rotation": -25}}) == (
        "shift m3; first m3",
        "-",
    )
    assert expects("linear_first", by_mouse={}) == ("-", "-")
    assert expects("linear_first", by_mouse={}, rotation=25) == ("-", "-")  # all alike
    straight = expects("linear_first", by_mouse={"m1": {"rotation": 0}}, rotation=25)
    assert straight == ("shift m1; first m1", "-")
    for lies in ("position_jitter", "rotation_sd"):  # all mice, each in its own way
        every = ", ".join(f"m{n}" for n in (1, 2, 3, 4, 5))
        assert expects("linear_first", by_mouse={}, **{lies: 0.01}) == ("-", f"first {every}")
    assert expects("linear_first", by_mouse={"m2": {"rotation": 5}}) == ("shift m2", "first m2")
    assert expects("linear_first", by_mouse={"m2": {"rotation": 5.1}})[0].endswith("first m2")


def test_what_first_minutes_gain_is_of_the_frames_that_both_decoders_have(tmp_path):
    with h5py.File(tmp_path / "s_truth.h5", "w") as file:
        file["label"] = np.array([0, 0, 1, 0, 1, 0, 1, 1], np.uint8)

    def made(decoder, frames, probability):
        frame, values = np.array(frames), np.array(probability, np.float32)
        session = SessionPredictions("m1", frame, np.zeros(len(frame), np.uint8), values)
        return predictions.Predictions(decoder, "a", "m2", "m3", "m1", {"s": session})

    before = made("net", range(8), [0.9, 0.9, 0.1, 0.2, 0.1, 0.3, 0.4, 0.8])
    after = made("net_first", range(3, 8), [0.2, 0.6, 0.3, 0.7, 0.8])
    # of frames 3 to 7, rest .2 .3: before, run .1 .4 .8 has 4 of 6 pairs in order; after, 6
    gains = first_minutes.gains([after], [before], tmp_path)
    assert gains == {"m1": pytest.approx(1 - 4 / 6)}
    # as files of a study, with an allocation in which nothing is gained
    (tmp_path / "simulated").mkdir()
    (tmp_path / "s_truth.h5").rename(tmp_path / "simulated/s_truth.h5")
    for one, allocation in ((before, "a"), (after, "a"), (before, "b")):
        for name in {one.decoder, "net_first"} if allocation == "b" else {one.decoder}:
            path = tmp_path / f"predictions/{name}/{allocation}.h5"
            path.parent.mkdir(parents=True, exist_ok=True)
            dataclasses.replace(one, decoder=name, allocation=allocation).write(path)
    gains = first_minutes.read_gains(tmp_path, "net_first", "net", ["a", "b"])
    assert gains == {"m1": pytest.approx((1 - 4 / 6) / 2)}


def test_what_is_lost_between_labs_is_spoken_of_where_a_study_has_some():
    config = merged("labs", "labs_alike", folder=SUITE2)

    def expects(decoder="linear", **unlike):
        own = {"b": {"simulate": config["by_cohort"]["b"]["simulate"] | unlike}}
        found = suite.expected_of(studies.resolve(config | {"by_cohort": own}), decoder)
        assert {("shift", "a1"), ("shift", "b5")} <= found.may
        return suite.words(found.should), ("cohorts", "loss") in found.may

    assert expects() == ("-", False)  # rate, size and light are brought together
    assert expects(scale=0.9) == ("cohorts loss", False)
    assert expects("roi_logistic", scale=0.9) == ("-", True)
    assert expects("roi_logistic", signal_rois=[1, 26]) == ("cohorts loss", False)
    assert expects(tau_decay_s=2.0) == ("-", True)
    low = pd.DataFrame({"decoder": ["net"] * 3, "loss_low": [np.nan, 0.005, 0.02]})
    assert suite.said({"cohorts": low}, "net") == {("cohorts", "loss"): True}
    assert suite.said({"cohorts": low[:2]}, "net") == {("cohorts", "loss"): False}


def test_what_one_cohort_of_three_differs_in_is_a_difference(monkeypatch):
    tables = [{"simulate": {"scale": scale, "gain": 2}} for scale in (1, 1, 0.9)]
    monkeypatch.setattr(across_cohorts, "all_tables", lambda config: [{}, *tables[config]])
    for rows, found in ((slice(3), {"scale"}), (slice(2), set()), (slice(0), set())):
        assert across_cohorts.differences(SimpleNamespace(config=rows)) == found


def test_what_is_said_stands_in_the_tables():
    def said(**verdicts):
        found = suite.said(tables(**verdicts), "net")
        assert len(found) == 6  # two mice in two stages, two stages of the decoder
        return suite.words({statement for statement, made in found.items() if made})

    inside, shifted = ["in distribution"], ["shifted"]
    assert said() == "-"
    assert said(qc="warn") == said(qc="fail") == "qc m1"
    assert said(shift=inside * 2 + ["shifted", "unusable"]) == "shift m1"  # half of the rows
    assert said(shift=inside * 3 + shifted) == "-"
    assert said(confounds="flag", p=0.05) == "confounds; chance"
    assert said(p=0.049) == "-"
    # a decoder of which the stages do not speak, and a study without them
    assert set(suite.said(tables(), "other")) == {("qc", "m1"), ("qc", "m2")}
    assert suite.said({"qc": tables()["qc"]}, "net") == {("qc", "m1"): False, ("qc", "m2"): False}


def test_hits_false_alarms_and_what_is_not_made_are_counted():
    expects = suite.Expected(frozenset({("shift", "m1")}), frozenset({("qc", "m1")}))
    spoken = {(stage, mouse): False for stage in ("qc", "shift") for mouse in ("m1", "m2")}
    spoken["chance", ""] = False

    def score(*made, without=()):
        given = spoken | dict.fromkeys(made, True)
        return suite.score(expects, {s: v for s, v in given.items() if s[0] not in without})

    row = score(("shift", "m1"))
    assert (row["n_should"], row["n_hit"], row["n_silent"], row["n_false"]) == (1, 1, 3, 0)
    assert (row["should_say"], row["said"], row["right"]) == ("shift m1", "shift m1", "yes")
    assert row["not_made"] == "confounds"
    assert score(("shift", "m1"), ("qc", "m1"))["right"] == "yes"  # may be said too
    row = score(("shift", "m1"), ("qc", "m2"), ("chance", ""))
    assert (row["n_hit"], row["n_false"], row["right"]) == (1, 2, "no")
    assert row["said"] == "qc m2; shift m1; chance"
    assert score()["right"] == "no"
    row = score(without=["shift"])
    assert (row["n_should"], row["n_hit"], row["not_made"]) == (1, 0, "shift, confounds")


def test_failures_foreseen_are_counted_by_hand():
    rows = [("net", "a", 0.9, 0.7), ("net", "a", 0.6, 0.7), ("net", "b", 0.79, 0.8)]
    rows += [("net", "c", 0.85, 0.9), ("net", "d", np.nan, np.nan), ("other", "c", 0.1, 0.1)]
    rows += [("net", "e", 0.8, 0.8)]  # neither fails nor is it warned of, at the limit itself
    names = ["decoder", "test_mouse", "predicted_auc", "others_auc"]
    shift = pd.DataFrame(rows, columns=names)
    auc = {"a": 0.5, "b": 0.8, "c": 0.75, "d": 0.6, "e": 0.8}  # a and c fail, d has no prediction
    found = suite.foreseen(shift, "net", auc, 0.8)
    assert (found["n_failed"], found["n_foreseen"], found["n_cried"]) == (2, 1, 1)
    assert found["predicted_error"] == pytest.approx((0.25 + 0.01 + 0.1 + 0) / 4)
    assert found["others_error"] == pytest.approx((0.2 + 0 + 0.15 + 0) / 4)
    for nothing in (None, shift[shift["test_mouse"] == "d"]):
        assert all(np.isnan(v) for v in suite.foreseen(nothing, "net", auc, 0.8).values())


def study_of(folder: Path, wrong: str = "", record=(0, 1, 0, 1), **simulate) -> Path:
    """Results of a study of three mice with a session each, by hand: decoder net, 1:1:1.

    Of each test mouse four frames are decoded, with probabilities .1 .2 .3 .4 and labels on
    `record` (AUC .75: of four pairs one is wrong); the mice run in the last two (AUC 1). Of mouse
    `wrong` the probabilities are the other way round (AUC .25, and 0).
    """
    config = {
        **{
            "study": f"suite9_{folder.name}",
            "simulate": {"n_frames": 60, "image_size": 32} | simulate,
        },
        "mice": {mouse: [f"{mouse}_s1"] for mouse in MICE},
        "allocation": {"train": 1, "choose": "each_test"},
        "decoders": {"net": {"input": "rois", "rnn": "gru"}},
        "importance": {"shap": {"decoder": "net"}},
    }
    study = studies.resolve(config)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(study.config))
    (folder / "simulated").mkdir()
    items = []
    for allocation in study.allocations.values():
        (mouse,) = allocation.test
        with h5py.File(folder / f"simulated/{mouse}_s1_truth.h5", "w") as truth:
            truth["label"] = np.array([0, 0, 0, 0, 0, 1, 1, 0], np.uint8)
            truth["roi_xy"] = np.zeros((50, 2))
            truth.attrs.update(schema.defaults("simulate", **simulate) | {"by_mouse": 0})
        said = np.array([0.1, 0.2, 0.3, 0.4])
        said = 0.5 - said if mouse == wrong else said
        made = SessionPredictions(mouse, np.arange(3, 7), np.array(record), said)
        item = predictions.bind("net", allocation, {f"{mouse}_s1": made}, "strict")
        item.write(folder / f"predictions/net/{allocation.id}.h5")
        items.append(item)
    auc = auc_tables.auc_table(items)
    rows = [
        {"decoder": "net", "test_mouse": mouse, "method": method, "ece": ece + at / 10}
        for at, mouse in enumerate(MICE)
        for method, ece in (("none", 0.1), ("temperature", 0.05), ("isotonic", 0.9))
    ]
    shap = pd.DataFrame({"roi": range(1, 51), "mean": np.zeros(50)})
    # of the planted ROIs 6, 8, 31, 33 two on top, then one other, then the other two
    shap.loc[[5, 7, 0, 30, 32], "mean"] = [5.0, 4.0, 3.0, 2.0, 1.0]
    times = pd.concat([shap.assign(frame=frame) for frame in (-4, -3, 15)], ignore_index=True)
    times["mean_abs"] = times["mean"] * (times["frame"] == -4)  # planted frames: -6 … 0
    times["name"] = "V1"
    times["signed"] = times["mean_abs"].where(times["roi"] != 33, -1)
    qc = pd.DataFrame({"mouse": MICE, "session": MICE, "verdict": ["warn", "pass", "pass"]})
    made = {"auc": auc, "calibration": pd.DataFrame(rows), "qc": qc, "importance_shap": shap}
    made["importance_shap_times"] = times
    (folder / "tables").mkdir()
    for name, table in made.items():
        write_table(table, folder / f"tables/{name}.tsv")
    return folder


COLUMNS = """
study decoder protocol n_mice n_allocations
auc auc_low auc_high auc_truth ece ece_temperature
n_failed n_foreseen n_cried predicted_error others_error
importance average_precision chance_precision relevance_mass relevance_rank
time_precision time_chance time_mass time_rank signs_right
should_say said not_made n_should n_hit n_silent n_false right
"""


def test_table_and_figure_of_studies_made_by_hand(tmp_path):
    clean = study_of(tmp_path / "a")
    faulty = study_of(tmp_path / "b", by_mouse={"m1": {"flashes": 0.1}})
    words = ["suite", "--studies", str(clean), str(faulty), "--out", str(tmp_path / "suite.tsv")]
    assert main([*words, "--figure", str(tmp_path / "suite")]) == 0
    table = pd.read_csv(tmp_path / "suite.tsv", sep="\t")
    assert list(table.columns) == COLUMNS.split() and len(table) == 2
    first, second = table.to_dict("records")
    assert (first["decoder"], first["protocol"], first["n_mice"]) == ("net", "strict", 3)
    assert first["auc"] == 0.75 and first["auc_truth"] == 1
    assert first["auc_low"] == first["auc_high"] == 0.75  # no mouse differs
    assert first["ece"] == pytest.approx(0.2)  # of .1 .2 .3
    assert first["ece_temperature"] == pytest.approx(0.15)
    # precision at the four hits: 1, 1, 3/4, 4/5
    assert first["average_precision"] == pytest.approx((1 + 1 + 3 / 4 + 4 / 5) / 4, abs=1e-5)
    assert first["chance_precision"] == pytest.approx(4 / 50)
    assert first["relevance_mass"] == pytest.approx(12 / 15) and first["relevance_rank"] == 0.75
    # of three frames of 50 ROIs two answer, of four ROIs: 8 cells, of which four are found
    assert first["time_chance"] == pytest.approx(8 / 150)
    assert first["time_mass"] == pytest.approx(12 / 15) and first["time_rank"] == 0.5
    assert first["signs_right"] == 0.75
    assert (first["said"], first["n_false"], first["right"]) == ("qc m1", 1, "no")
    assert (second["should_say"], second["n_hit"], second["right"]) == ("qc m1", 1, "yes")
    as_drawn(suite_figure.page(suite.table([clean, faulty])), "suite")
    caption = suite_figure.caption(table)
    assert "n = 3 test mice, 3 allocations a decoder" in caption
    assert "(by chance 0.08)" in caption and "all is right in 1 of 2." in caption
    assert (tmp_path / "suite.svg").exists() and (tmp_path / "suite.png").exists()


def test_intervals_are_over_mice_within_what_an_auc_can_be(tmp_path):
    """AUCs of .75 .75 .25, SE 1/6: Student's interval of two degrees of freedom is ±.717."""
    folder = study_of(tmp_path / "a", wrong="m3")
    made = tables(p=0.5)
    made["shift"] = made["shift"].assign(predicted_auc=0.9, others_auc=0.5, verdict="shifted")
    made["shift"].loc[4:, "test_mouse"] = "m3"
    for name in ("shift", "confounds", "chance"):
        write_table(made[name], folder / f"tables/{name}.tsv")
    (row,) = suite.table([folder]).to_dict("records")
    found = {name: row[name] for name in ("auc", "auc_low", "auc_high", "auc_truth")}
    wanted = {"auc": 7 / 12, "auc_low": 0, "auc_high": 1, "auc_truth": 2 / 3}
    assert found == pytest.approx(wanted)
    # by the true labels m1 has AUC 1, m3 0; of chance, below .5 with the interval, may be spoken
    names = ["n_failed", "n_foreseen", "n_cried", "predicted_error", "others_error"]
    assert [row[name] for name in names] == pytest.approx([1, 0, 0, (0.1 + 0.9) / 2, 0.5])
    assert row["said"] == "qc m1; shift m1, m3; chance"
    assert (row["n_should"], row["n_silent"], row["n_false"]) == (0, 5, 2)  # qc m1 and shift m1
    # where all mice have AUC 1, it may not, though by the labels on record all are at chance
    near = study_of(tmp_path / "b", record=(0, 1, 1, 0))
    for name in ("confounds", "chance"):
        write_table(made[name], near / f"tables/{name}.tsv")
    (row,) = suite.table([near]).to_dict("records")
    assert (row["said"], row["n_false"], row["auc_low"]) == ("qc m1; chance", 2, 0.5)


def test_stages_are_spoken_of_whose_tables_are_there(tmp_path):
    folder = study_of(tmp_path / "a")
    assert suite.table([folder])["not_made"][0] == "shift, confounds, chance"
    made = tables(confounds="flag", p=0.5)
    made["shift"] = made["shift"].assign(predicted_auc=0.25, others_auc=0.75)
    for at, (name, words) in enumerate(
        [("shift", "confounds, chance"), ("confounds", "chance"), ("chance", "-")]
    ):
        write_table(made[name], folder / f"tables/{name}.tsv")
        (row,) = suite.table([folder]).to_dict("records")
        assert row["not_made"] == words
        assert row["said"] == ("qc m1", "qc m1; confounds", "qc m1; confounds; chance")[at]
        # m1 and m2 are decoded without error by the true labels
        assert (row["predicted_error"], row["others_error"]) == (0.75, 0.25)


def test_what_first_minutes_gain_is_spoken_of_where_a_decoder_has_them(tmp_path):
    folder = study_of(tmp_path / "a")
    config = json.loads((folder / "config.json").read_text())
    early = {"adapted_from": "net", "coral": True, "first_unlabelled": 0.05}
    config["decoders"]["early"] = early
    (folder / "config.json").write_text(json.dumps(config))
    for path in (folder / "predictions/net").iterdir():
        item = predictions.read(path)
        dataclasses.replace(item, decoder="early").write(folder / "predictions/early" / path.name)
        if item.test_mouse == MICE[0]:  # to which net has given the wrong order
            ((name, one),) = item.sessions.items()
            turned = dataclasses.replace(one, probability=one.probability[::-1])
            dataclasses.replace(item, sessions={name: turned}).write(path)
    for name in ("auc", "calibration"):
        table = pd.read_csv(folder / f"tables/{name}.tsv", sep="\t")
        both = pd.concat([table, table.assign(decoder="early")])
        write_table(both, folder / f"tables/{name}.tsv")
    said = suite.table([folder]).set_index("decoder")["said"]
    assert said.to_dict() == {"net": "qc m1", "early": "qc m1; first m1"}


def test_a_caption_counts_cohorts_decoders_mice_and_allocations_each_by_its_own():
    rows = [("a", "net", 5, 12), ("b", "net", 3, 60), ("c", "net", 5, 12), ("a", "gru", 5, 20)]
    table = pd.DataFrame(rows, columns=["study", "decoder", "n_mice", "n_allocations"])
    table = table.assign(chance_precision=[0.08, np.nan, 0.123, 0.1], right=["yes", *["no"] * 3])
    said = suite_figure.caption(table)
    assert said.startswith(
        "Ground-truth benchmark: 3 cohorts of simulated mice, 2 decoders; n = 3 to 5 test mice, "
        "12 to 60 allocations a decoder. A: AUC"
    )
    assert "planted areas (by chance 0.08 to 0.12); · no" in said and said.endswith(" in 1 of 4.")
    assert "planted areas; · no" in suite_figure.caption(table.assign(chance_precision=np.nan))


def test_cells_of_the_page_are_of_their_decoder_and_cohort_in_the_order_of_the_table():
    """The later decoder has no row of the second cohort."""
    rows = [
        ("suite_turned", "net", "strict", 0.91, 0.12, 0.71, 2, 3, 1, 4),
        ("dim", "net", "leave-one-out", 0.82, 0.23, np.nan, 1, 1, 0, 5),
        ("suite_turned", "few", "per mouse", 1.0, 0.34, 0.05, 6, 6, 0, 7),
    ]
    names = ["study", "decoder", "protocol", *suite_figure.PANELS]
    table = pd.DataFrame(rows, columns=[*names, "n_hit", "n_should", "n_false", "n_silent"])
    axes = suite_figure.page(table).axes
    assert [[text.get_text() for text in axis.texts] for axis in axes] == [
        [".91", ".82", "1.00", "·"],
        [".12", ".23", ".34", "·"],
        [".71", "·", ".05", "·"],
        ["2/3 · 1/4", "1/1 · 0/5", "6/6 · 0/7", "·"],
    ]
    assert [one.get_text() for one in axes[2].get_yticklabels()] == [
        "net (strict, leave-one-out)",
        "few (per mouse)",
    ]
    assert [one.get_text() for one in axes[2].get_xticklabels()] == ["turned", "dim"]
    (cells,) = axes[0].collections
    np.testing.assert_array_equal(cells.get_array(), [[0.91, 0.82], [1.0, np.nan]])


def test_a_fault_that_was_missed_has_the_darkest_colour_whatever_else_was_said():
    rows = [("right", 1, 0), ("false", 1, 1), ("missed", 0, 0), ("both", 0, 2)]
    table = pd.DataFrame(rows, columns=["study", "n_hit", "n_false"])
    table = table.assign(decoder="net", protocol="strict", n_should=1, n_silent=5)
    table = table.assign(**dict.fromkeys(suite_figure.PANELS, 0.5))
    *_, axes = suite_figure.page(table).axes
    (cells,) = axes.collections
    colours = [to_hex(colour) for colour in cells.to_rgba(cells.get_array().ravel())]
    verdicts = ["all right", "false alarms only", "missed", "missed"]
    assert colours == [suite_figure.VERDICTS[name].lower() for name in verdicts]
    assert [text.get_text() for text in axes.texts] == [
        "1/1 · 0/5",
        "1/1 · 1/5",
        "0/1 · 0/5",
        "0/1 · 2/5",
    ]


@pytest.mark.parametrize("name", ["ceilings_gaps", "cohorts"])
def test_tables_that_a_study_asks_for_are_needed(tmp_path, name):
    folder = study_of(tmp_path / "a")
    config = json.loads((folder / "config.json").read_text())
    if name == "cohorts":
        config["cohorts"] = {"one": MICE[:1], "two": MICE[1:]}
    else:
        config["mice"] = {mouse: [f"{mouse}_s{i}" for i in (1, 2, 3)] for mouse in MICE}
        config["ceilings"]["decoders"] = ["net"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=rf"{name}\.tsv: no such table; make it"):
        suite.table([folder])


@pytest.mark.parametrize("maps", [{}, {"shap": {"decoder": "other"}}])
def test_a_decoder_without_a_map_has_no_marks_for_one(tmp_path, maps):
    folder = study_of(tmp_path / "a")
    config = json.loads((folder / "config.json").read_text())
    other = config["decoders"] | {"other": config["decoders"]["net"] | {"labels": "published"}}
    mice = {mouse: [f"{mouse}_s1", f"{mouse}_s2"] for mouse in MICE}  # permuted
    made = config | {"importance": maps, "decoders": other, "mice": mice}
    (folder / "config.json").write_text(json.dumps(made))
    (row,) = suite.table([folder]).to_dict("records")
    assert (row["decoder"], row["importance"], row["auc"]) == ("net", "-", 0.75)
    marks = [name for name in suite.COLUMNS if name.startswith(("relevance_", "time_"))]
    assert len(marks) == 6
    for name in (*marks, "average_precision", "chance_precision", "signs_right"):
        assert np.isnan(row[name])


def test_where_nothing_was_planted_there_is_nothing_to_find(tmp_path):
    (row,) = suite.table([study_of(tmp_path / "a", run_signal=0)]).to_dict("records")
    assert (row["importance"], row["should_say"]) == ("shap", "chance")
    names = [name for name in suite.COLUMNS if name.startswith(("relevance_", "time_"))]
    for name in (*names, "average_precision", "chance_precision", "signs_right"):
        assert np.isnan(row[name])


def test_a_map_of_masks_is_scored_by_what_was_planted_below_them(tmp_path, monkeypatch):
    folder = study_of(tmp_path / "a")
    config = json.loads((folder / "config.json").read_text())
    config["decoders"] = {"net": {"model": "logistic_regression"}}
    config["importance"] = {"cut": {"decoder": "net", "masks": "squares"}}
    (folder / "config.json").write_text(json.dumps(config))
    write_table(pd.DataFrame({"mean": [0.1, 0.4, 0.3]}), folder / "tables/importance_cut.tsv")
    monkeypatch.setattr(suite, "read_recording", lambda path: path)
    squares = SimpleNamespace(masks_of=lambda line, at: SimpleNamespace(areas=(line["masks"], at)))
    monkeypatch.setattr(suite, "cutout_masks", squares)
    asked = []

    def planted(truth, areas):
        asked.append((truth, areas))
        return np.array([0, 1, 0])

    monkeypatch.setattr(suite, "planted_masks", planted)
    (row,) = suite.table([folder]).to_dict("records")
    assert (row["importance"], row["average_precision"]) == ("cut", 1)
    assert row["chance_precision"] == pytest.approx(1 / 3) and np.isnan(row["time_precision"])
    ((truth, areas),) = asked
    assert areas == ("squares", folder / f"recordings/{MICE[0]}_s1.h5")
    assert truth == [folder / f"simulated/{mouse}_s1_truth.h5" for mouse in MICE]


def test_a_study_without_truth_or_tables_is_refused_in_one_line(tmp_path):
    folder = study_of(tmp_path / "a")
    with pytest.raises(UserError, match="suite9_a is there twice"):
        suite.table([folder, folder])
    (folder / "tables/qc.tsv").unlink()
    with pytest.raises(UserError, match=r"qc\.tsv: no such table; make it: snakemake benchmark"):
        suite.table([folder])
    config = json.loads((folder / "config.json").read_text())
    del config["simulate"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="mice that were not simulated"):
        suite.table([folder])


# The cohorts that come with the project ----------------------------------------------------------


def merged(*names: str, folder: Path = SUITE) -> dict:
    """The config of several files, later ones on top, as Snakemake reads them."""

    def update(old, new):
        for key, value in new.items():
            both = isinstance(value, dict) and isinstance(old.get(key), dict)
            old[key] = update(old[key], value) if both else value
        return old

    config: dict = {}
    for name in names:
        update(config, yaml.safe_load((folder / f"{name}.yaml").read_text()))
    return config


COHORTS = {  # docs/benchmark-suite.md
    "clean": "-",
    "shifted": "shift m1",
    "artefacts": "qc m1, m2",
    "movement": "confounds",
    "hemodynamics": "confounds",
    "label_noise": "qc all",
    "no_signal": "chance",
}


@pytest.mark.parametrize("size", [["suite"], ["suite", "full"]])
@pytest.mark.parametrize("name", COHORTS)
def test_cohorts_of_the_suite_are_studies_of_their_own(size, name):
    study = studies.resolve(merged(*size, name))
    assert study.name == f"suite1_{name}"
    should = COHORTS[name].replace("all", ", ".join(study.mice))
    assert suite.words(suite.expected(study.config["simulate"], list(study.mice)).should) == should
    assert set(decoder_table.protocols_of(study.config, study.decoders).values()) == {
        "transductive",
        "strict",
        "few_shot 2 min" if "full" in size else "few_shot 0.2 min",
    }
    assert study.config["confounds"]["decoders"] == list(study.decoders)


def test_make_runs_every_cohort():
    made = (ROOT / "Makefile").read_text().split("COHORTS := ")[1].splitlines()[0].split()
    files = {path.stem for path in SUITE.glob("*.yaml")}
    assert made == list(COHORTS) and files == {*COHORTS, "suite", "full"}


SUITE2 = ROOT / "benchmarks" / "suite2"
COHORTS2 = {
    **{"failures_gone": "shift m1", "failures_kept": "shift m1", "failures_slow": "shift m1"},
    **{"ceilings_own": "ceilings gap", "ceilings_alike": "-", "ceilings_drift": "ceilings days"},
    **{"first_turned": "shift m1", "first_alike": "-"},
    **{"labs_unlike": "cohorts loss", "labs_alike": "-"},
}


@pytest.mark.parametrize("name", COHORTS2)
def test_cohorts_of_suite_2_are_studies_of_their_own(name):
    study = studies.resolve(merged(name.split("_")[0], name, folder=SUITE2))
    assert study.name == f"suite2_{name}"
    assert suite.words(suite.expected_of(study, "linear").should) == COHORTS2[name]


def test_make_runs_every_cohort_of_suite_2():
    lines = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    made = lines.split("COHORTS2 := ")[1].splitlines()[0].split()
    files = {path.stem for path in SUITE2.glob("*_*.yaml")}
    assert made == list(COHORTS2) and files == set(COHORTS2)
    shared = {path.stem for path in SUITE2.glob("*.yaml")} - files
    assert shared == {name.split("_")[0] for name in COHORTS2}


@pytest.mark.e2e
def test_a_study_from_simulation_to_the_table_under_one_start_of_python(tmp_path):
    config = {
        "study": "tiny",
        "simulate": {
            **{"n_frames": 300, "image_size": 32, "cycle_s": 3, "run_signal": 0.1},
            "by_mouse": {"m2": {"rotation": 40, "flipped_bouts": 0.2}},
        },
        "mice": {mouse: [f"{mouse}_s1"] for mouse in MICE},
        "allocation": {"train": 1, "choose": "each_test"},
        "decoders": {"linear": {"model": "logistic_regression", "pixels": 8}},
        "circular_shifts": 9,
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(config))
    line = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", ROOT / "Snakefile"]
    line += ["benchmark", "--configfile", "tiny.yaml"]
    done = fresh.Process("mesodecode.cli:main", "warm", *line, folder=tmp_path).finish()
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = suite.table([tmp_path / "results" / "tiny"]).to_dict("records")
    auc = pd.read_csv(tmp_path / "results/tiny/tables/auc.tsv", sep="\t").set_index("test_mouse")
    assert row["auc"] == pytest.approx(auc["auc"].mean(), abs=1e-5) and row["auc"] > 0.7
    assert row["auc_truth"] != pytest.approx(row["auc"], abs=1e-3)  # of m2 they differ
    assert row["should_say"] == "qc m2; shift m2"
    assert re.search("shift [^;]*m2", row["said"])  # of sessions of 10 s other mice differ, too
    assert row["not_made"] == "confounds" and row["n_silent"] <= 5  # two mice twice, and chance
