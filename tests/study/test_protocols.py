"""What a decoder has of its test mouse: named by its settings, carried by tables, kept apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml

from mesodecode.base.files import UserError
from mesodecode.base.tables import write_table
from mesodecode.cli import main
from mesodecode.decoders import average, predictions
from mesodecode.decoders.predictions import Predictions, SessionPredictions
from mesodecode.scores import auc
from mesodecode.study import causality, correction_table, decoder_table, protocols, schema
from mesodecode.study import study as studies

STUDY = """
study: s
recordings: {movie: "{session}.tif", behavior: "{session}.mat", rois: "{session}_roi.mat"}
mice: {a: [a1, a2], b: [b1, b2], c: [c1, c2], d: [d1, d2], e: [e1, e2]}
decoders:
  linear: {model: logistic_regression}
  cnn: {}
  gru: {start_from: cnn, rnn: gru, cnn_weights: frozen}
  roi: {input: rois, rnn: gru}
  roi_raw: {like: roi, baseline: null, normalise: none}
  roi_based: {like: roi, baseline: 90, normalise: none}
  roi_scaled: {like: roi, baseline: null, normalise: zscore}
  roi_raw_drop: {like: roi_raw, drop: true}
  live: {causal: true}
  live_gru: {like: gru, start_from: live, causal: true}
  live_linear: {like: linear, causal: true}
  live_roi: {like: roi, causal: true}
  live_known: {like: roi, causal: true, normalise_from: reference}
  known: {causal: true, normalise_from: reference}
  known_gru: {like: gru, start_from: known, causal: true}
  live_two: {adapted_from: live_gru, few_shot: 2}
  live_norm: {adapted_from: live, batch_norm: true, first_unlabelled: 2.5}
  known_again: {adapted_from: known_gru}
  first_known: {adapted_from: known, first_unlabelled: 5, batch_norm: true}
  mean_live: {average_of: [live_gru, live_roi]}
  past: {adapted_from: cnn, normalise: past}
  past_gru: {adapted_from: gru, normalise: past}
  norm: {adapted_from: cnn, batch_norm: true}
  past_norm: {like: past, batch_norm: true}
  coral: {adapted_from: gru, coral: true}
  first: {adapted_from: cnn, first_unlabelled: 5}
  first_norm: {like: past_norm, first_unlabelled: 0.5}
  roi_mean: {like: roi, normalise: dff, baseline: null}
  first_mean: {adapted_from: roi_mean, first_unlabelled: 2.5}
  first_roi: {adapted_from: roi, first_unlabelled: 2.5}
  first_raw_drop: {adapted_from: roi_raw_drop, first_unlabelled: 5, coral: true}
  two: {adapted_from: cnn, few_shot: 2}
  past_half: {like: past, few_shot: 0.5}
  roi_svm: {input: rois, model: linear_svm}
  past_linear: {adapted_from: linear, normalise: past}
  past_roi: {adapted_from: roi, normalise: past}
  past_svm: {adapted_from: roi_svm, normalise: past}
  past_raw_drop: {adapted_from: roi_raw_drop, normalise: past}
  raw_again: {adapted_from: roi_raw}
  raw_coral: {adapted_from: roi_raw, coral: true}
  two_linear: {adapted_from: linear, few_shot: 2}
  one_session: {adapted_from: roi, few_shot: 1 session}
  mean: {average_of: [past, cnn]}
  mean_few: {average_of: [norm, two]}
  mean_first: {average_of: [past, first, first_roi]}
  mean_session: {average_of: [two, one_session]}
"""


def study(**changes):
    return studies.resolve(yaml.safe_load(STUDY) | changes)


def test_protocols_follow_from_settings():
    made = study()
    found = decoder_table.protocols_of(made.config, made.decoders)
    strict = {"roi_raw", "past", "past_gru", "past_linear", "past_roi", "past_svm", "raw_again"}
    strict |= {"live", "live_gru", "live_linear", "live_roi", "mean_live"}
    few = {"two": "few_shot 2 min", "past_half": "few_shot 0.5 min", "mean_few": "few_shot 2 min"}
    few |= {"two_linear": "few_shot 2 min", "live_two": "few_shot 2 min"}
    few |= dict.fromkeys(
        ["live_known", "known", "known_gru", "known_again", "first_known"], "reference"
    )
    few |= {name: "first_unlabelled 5 min" for name in ("first", "mean_first")}
    few |= {"first_norm": "first_unlabelled 0.5 min", "first_roi": "first_unlabelled 2.5 min"}
    few["first_mean"] = "first_unlabelled 2.5 min"
    few["live_norm"] = "first_unlabelled 2.5 min"
    few |= dict.fromkeys(["one_session", "mean_session"], "few_shot 1 session")
    assert found == {
        name: few.get(name, "strict" if name in strict else "transductive")
        for name in made.decoders
    }


def test_corrections_by_later_frames_take_the_recording_so_nothing_is_strict():
    made = study(corrections={"bleaching": True})
    found = decoder_table.protocols_of(made.config, made.decoders).values()
    assert not {"strict", "first_unlabelled 5 min"} & {*found}
    cohorts = {"lab": ["a", "b", "c"], "rig": ["d", "e"]}  # one of them is enough
    for own, common in ((True, False), (False, True)):
        rig = {"rig": {"corrections": {"bleaching": own}}}
        part = study(corrections={"bleaching": common}, cohorts=cohorts, by_cohort=rig)
        assert [*decoder_table.protocols_of(part.config, part.decoders).values()] == [*found]
    alone = study(corrections={"binning": 2, "dark_offset": 100})  # of each frame alone
    plain = study()
    found = decoder_table.protocols_of(alone.config, alone.decoders)
    assert found == decoder_table.protocols_of(plain.config, plain.decoders)


@pytest.mark.parametrize(
    ("few_shot", "part", "words"),
    [
        (2.5, (2.5, 0), "2.5 min"),
        ("1 session", (0, 1), "1 session"),
        ("3 sessions", (0, 3), "3 sessions"),
    ],
)
def test_what_is_labelled_is_minutes_or_whole_sessions(few_shot, part, words):
    assert protocols.labelled_part(few_shot) == part
    assert protocols.part_in_words(few_shot) == words


def test_a_protocol_cannot_be_claimed():
    decoders = yaml.safe_load(STUDY)["decoders"]
    decoders["cnn"] = {"protocol": "strict"}
    with pytest.raises(UserError, match=r"decoders.cnn.protocol: no such key"):
        study(decoders=decoders)


def test_weakest_takes_most():
    assert protocols.weakest(["strict", "transductive"]) == "transductive"
    first = ["first_unlabelled 5 min", "strict", "first_unlabelled 10 min"]
    assert protocols.weakest(first) == "first_unlabelled 10 min"
    assert protocols.weakest([*first, "transductive"]) == "transductive"
    few = ["few_shot 2 min", "transductive", "few_shot 10 min", *first]
    assert protocols.weakest(few) == "few_shot 10 min"
    more = [*few, "few_shot 2 sessions", "few_shot 10 sessions", "few_shot 1 session"]
    assert protocols.weakest(more) == "few_shot 10 sessions"


def test_comparisons_across_protocols_are_refused_unless_asked_for():
    pair = {"decoders": ["cnn", "past"]}
    with pytest.raises(UserError, match=r"comparisons.x: .*cnn is transductive, past is strict"):
        study(comparisons={"x": pair})
    study(comparisons={"x": pair | {"across_protocols": True}})
    study(comparisons={"x": {"decoders": ["past", "past_gru"]}})
    with pytest.raises(UserError, match="different protocols"):  # 2 min against 0.5 min
        study(comparisons={"x": {"decoders": ["two", "past_half"]}})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"adapted_from": "lin"}, "'lin' is no decoder that was trained; known: linear, cnn"),
        ({"adapted_from": "mean"}, "'mean' is no decoder that was trained"),
        ({"adapted_from": "past"}, "'past' is no decoder that was trained"),
        ({"adapted_from": "roi", "register": True}, "register: roi reads ROI signals, not frames"),
        ({"adapted_from": "roi", "batch_norm": True}, "batch_norm: roi has no BatchNorm layer"),
        ({"adapted_from": "linear", "batch_norm": True}, "linear has no BatchNorm layer"),
        (
            {"adapted_from": "roi_svm", "few_shot": 1},
            "roi_svm is linear_svm; only networks and logistic_regression are fine-tuned",
        ),
        (
            {"adapted_from": "roi", "few_shot": 1, "finetune": "norm"},
            "finetune: norm, but roi has no normalisation layer",
        ),
        (
            {"adapted_from": "linear", "few_shot": 1, "finetune": "all"},
            "finetune: all, but linear is one layer of weights",
        ),
        ({"adapted_from": "cnn", "few_shot": "2 sessions"}, "2 sessions, but mouse a has 2"),
        ({"adapted_from": "cnn", "few_shot": "2 days"}, "few_shot: '2 days' is not min (2), or"),
        ({"adapted_from": "moving_linear", "normalise": "past"}, "reads frames less a moving mean"),
        ({"adapted_from": "cnn", "few_shot": 1, "coral": True}, "choose coral or few_shot"),
        (
            {"adapted_from": "cnn", "first_unlabelled": 5, "few_shot": 1},
            "first_unlabelled: few_shot takes the whole recording; choose one",
        ),
        ({"adapted_from": "moving", "first_unlabelled": 5}, "less a moving mean, which takes"),
        (
            {"adapted_from": "cnn", "first_unlabelled": 5, "normalise": "past"},
            "leave it out, with normalise past, or ask for coral, batch_norm or register",
        ),
        ({"adapted_from": "roi_raw", "first_unlabelled": 5}, "roi_raw takes no statistics of the"),
        ({"adapted_from": "roi_based", "first_unlabelled": 5}, "normalise past, or ask for coral"),
        ({"adapted_from": "dff_based", "first_unlabelled": 5}, "normalise past, or ask for coral"),
        ({"adapted_from": "cnn", "first_unlabelled": -5}, "first_unlabelled"),
        ({"adapted_from": "cnn", "batch_norms": True}, "did you mean 'batch_norm'"),
        ({"adapted_from": "moving", "normalise": "past"}, "less a moving mean, which takes later"),
        (
            {"adapted_from": "on_moving", "normalise": "past"},
            "less a moving mean, which takes later",
        ),
    ],
)
def test_bad_adaptations_are_named(line, words):
    moving = {"moving": {"like": "cnn", "baseline": 9}}
    moving["moving_linear"] = {"like": "linear", "baseline": 9}
    moving["dff_based"] = {"like": "roi", "normalise": "dff", "baseline": 90}
    moving["on_moving"] = {"start_from": "moving", "rnn": "gru"}
    decoders = yaml.safe_load(STUDY)["decoders"] | moving | {"bad": line}
    with pytest.raises(UserError, match=r"decoders\.bad") as error:
        study(decoders=decoders)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            {"like": "live_roi", "shift": -3},
            "shift: -3, but with causal windows end at",
        ),
        ({"like": "live_roi", "drop": True}, "drop: takes whole recordings"),
        ({"like": "roi", "warm_up": 3}, "warm_up: 3 is of causal decoders"),
        ({"like": "cnn", "normalise_from": "reference"}, "reference is of causal decoders"),
        ({"like": "live_known", "normalise": "none"}, "no frame is normalised by it"),
        ({"like": "live", "normalise_from": "recording"}, "is not one of past, reference"),
        ({"like": "live", "normalise": "recording"}, "bad.normalise: no such key"),
        ({"like": "gru", "causal": True}, "causal: true, but cnn, which it starts from, is not"),
        (
            {"like": "gru", "start_from": "live"},
            "causal: false, but live, which it starts",
        ),
        (
            {"adapted_from": "live_roi", "normalise": "past"},
            "past, but live_roi is causal",
        ),
        (
            {"adapted_from": "live_gru", "normalise": "past"},
            "past, but live_gru is causal",
        ),
        (
            {"adapted_from": "live", "batch_norm": True},
            "batch_norm: takes whole recordings",
        ),
        ({"adapted_from": "live_roi", "coral": True}, "take it of the first minutes"),
        ({"adapted_from": "live_gru", "few_shot": 1, "register": True}, "register: takes whole"),
        (
            {"adapted_from": "live", "first_unlabelled": 5},
            "takes no statistics of the",
        ),
    ],
)
def test_what_looks_ahead_of_a_causal_decoder_is_named(line, words):
    decoders = yaml.safe_load(STUDY)["decoders"] | {"bad": line}
    with pytest.raises(UserError, match=r"decoders\.bad") as error:
        study(decoders=decoders)
    assert words in str(error.value)


def test_a_reference_needs_another_session():
    made = yaml.safe_load(STUDY)
    made["decoders"] = {"known": {"causal": True, "normalise_from": "reference"}}
    made["mice"]["b"] = ["b1"]
    with pytest.raises(UserError, match=r"known\.normalise_from: mouse b has one session"):
        studies.resolve(made)


@pytest.mark.parametrize(
    ("corrections", "ahead"),
    [
        ({"channels": 2, "reference_channel": 2, "dark_offset": 90, "binning": 2}, False),
        ({"brain_mask": "brain.tif"}, False),
        ({"brain_mask": "brain.tif", "outside": "mean"}, True),
        ({"motion": True}, True),
        ({"bleaching": True}, True),
        ({"dff": "mean"}, True),
        ({"dff": "percentile", "baseline_window": 30}, True),
        ({"dff": "percentile", "baseline_window": 30, "baseline_causal": True}, False),
        ({"hemodynamics": "ratio"}, True),  # each over its mean
        (
            {"hemodynamics": "ratio", "dff": "mean", "baseline_window": 9, "baseline_causal": True},
            False,
        ),
        ({"hemodynamics": "regression"}, True),
        ({"reference_lowpass": 5.0}, True),
    ],
)
def test_which_corrections_take_later_frames(corrections, ahead):
    full = schema.defaults("corrections", **corrections)
    assert bool(correction_table.looks_ahead(corrections)) is ahead
    assert bool(correction_table.looks_ahead(full)) is ahead


# --- what carries it ----------------------------------------------------------------------------


def item(decoder, protocol=protocols.TRANSDUCTIVE, seed=0):
    rng = np.random.default_rng(seed)
    session = SessionPredictions("e", np.arange(50), np.arange(50) % 2, rng.random(50))
    about = "train-a+b+c.valid-d.test-e", "a+b+c", "d", "e"
    return Predictions(decoder, *about, {"e1": session}, protocol)


def test_files_tables_and_averages_carry_the_protocol(tmp_path):
    paths = [tmp_path / f"{name}.h5" for name in "ab"]
    item("a", "strict").write(paths[0])
    item("b", "few_shot 2 min").write(paths[1])
    assert predictions.read(paths[0]).protocol == "strict"
    assert average.average(paths, "m").protocol == "few_shot 2 min"
    for table in (auc.auc_table, auc.session_table):
        made = table([predictions.read(path) for path in paths])
        assert made["protocol"].tolist() == ["strict", "few_shot 2 min"]
        assert list(made)[-1] == "protocol"  # after the columns that other tools read


def test_files_of_before_are_transductive(tmp_path):
    import h5py

    item("a").write(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file.attrs["protocol"]
    assert predictions.read(tmp_path / "a.h5").protocol == "transductive"


@pytest.mark.parametrize("verb", ["compare", "inference"])
def test_verbs_refuse_what_the_config_would(tmp_path, capsys, verb):
    rows = [
        (name, f"m{mouse}", mouse, 0.8 + 0.01 * mouse + 0.02 * (name == "b"), protocol)
        for name, protocol in (("a", "strict"), ("b", "transductive"), ("c", "strict"))
        for mouse in range(4)
    ]
    names = ["decoder", "allocation", "test_mouse", "auc", "protocol"]
    table = pd.DataFrame(rows, columns=names).assign(valid_mouse="v")
    write_table(table, tmp_path / "auc.tsv")
    words = [verb, "--auc", str(tmp_path / "auc.tsv"), "--by", "decoder"]
    words += ["--out", str(tmp_path / "out.tsv"), "--only", "a"]
    assert main([*words, "b"]) == 1
    error = capsys.readouterr().err
    assert "a is strict, b is transductive" in error and "--across-protocols" in error
    assert main([*words, "c"]) == 0
    assert main([*words, "b", "--across-protocols"]) == 0
    write_table(table.drop(columns="protocol"), tmp_path / "auc.tsv")
    assert main([*words, "b"]) == 0  # tables of other tools say nothing of protocols


def test_a_correction_that_nobody_spoke_of_is_taken_to_look_ahead(monkeypatch):
    properties = schema.properties("corrections")
    monkeypatch.setitem(properties, "despeckle", {"default": "none"})
    assert correction_table.looks_ahead(schema.defaults("corrections")) == []
    (named,) = correction_table.looks_ahead(schema.defaults("corrections", despeckle="median"))
    assert named.startswith("despeckle (not known")
    assert set(properties) >= correction_table.KNOWN  # no word that no setting has


def test_a_reference_normalises_nothing_where_nothing_is_normalised():
    settings = {"causal": True, "normalise": "none", "normalise_from": "past"}
    causality.check(settings, "--")
    causality.check(settings | {"normalise": "zscore", "normalise_from": "reference"}, "--")
    with pytest.raises(
        UserError, match=r"^--normalise-from: reference, but with normalise none no"
    ):
        causality.check(settings | {"normalise_from": "reference"}, "--")
    causality.check({"normalise_from": "reference"}, "--")  # of a kind that is not trained
