"""Settings are searched for without the test mouse, go on after a kill, and reach the decoders."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shlex
import shutil
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import optuna
import pandas as pd
import pytest
import torch

from make import LINEAR, STUDY, add_files, check_commands, plan, snakemake
from mesodecode.base.files import UserError
from mesodecode.base.metrics import macro_auc, r2
from mesodecode.cli import main
from mesodecode.decoders import one_step, tune
from mesodecode.decoders.augment import Augment
from mesodecode.recordings.preprocess import preprocess
from mesodecode.recordings.recording import read_recordings
from mesodecode.report import methods
from mesodecode.simulation import simulate
from mesodecode.study import schema, tuning
from mesodecode.study import study as studies
from mesodecode.study.allocation import Allocation
from mesodecode.study.targets import RUN, Target

GRU = {"input": "rois", "rnn": "gru"}
ROIS = {"recordings": STUDY["recordings"] | {"rois": "my data/{session}_roi.mat"}}


def study(search, **decoders) -> studies.Study:
    decoders = {"linear": LINEAR, "gru": GRU, "cnn": {}} | decoders
    return studies.resolve(STUDY | ROIS | {"decoders": decoders, "tune": search})


WRONG = {
    "no decoder": ({"gro": {"search": {"seed": [1, 2]}}}, "tune.gro: no decoder 'gro'; known: li"),
    "kind": ({"frozen": {"search": {"rnn": ["gru", "lstm"]}}}, "kind cnn_rnn are not searched"),
    "setting": ({"gru": {"search": {"depth": [1, 2]}}}, "search.depth: no setting of roi_rnn tha"),
    "list": ({"gru": {"search": {"rois": [[1], [2]]}}}, "search.rois: no setting of roi_rnn that"),
    "type": ({"gru": {"search": {"epochs": [1.5, 3]}}}, "search.epochs: 1.5 is not of type 'int"),
    "choice": ({"gru": {"search": {"rnn": ["gru", "elman"]}}}, "'elman' is not one of gru, lstm"),
    "limit": ({"linear": {"search": {"C": [0, 1]}}}, "search.C: 0 is less than or equal to the mi"),
    "backwards": ({"gru": {"search": {"hidden_size": [64, 8]}}}, r"\[64, 8\] is no \[low, high\]"),
    "one value": ({"gru": {"search": {"hidden_size": [64]}}}, r"search.hidden_size: \[64\] is too"),
    "nothing": ({"gru": {"trials": 3}}, "tune.gru: 'search' is missing"),
    "trials": ({"gru": {"trials": 1, "search": {"seed": [1, 2]}}}, "trials: 1 is less than the m"),
}


@pytest.mark.parametrize(("search", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_line_is_named(search, words):
    frozen = {"start_from": "cnn", "rnn": "gru", "cnn_weights": "frozen"}
    with pytest.raises(UserError, match=words):
        study(search, frozen=frozen)


def test_two_numbers_are_a_range_and_wide_ones_are_logarithmic():
    assert tuning.is_range([1, 5]) and tuning.is_range([1e-4, 0.1])
    assert not tuning.is_range([1, 5, 9]) and not tuning.is_range([True, False])
    assert not tuning.is_range([None, 5]) and not tuning.is_range(["gru", "lstm"])
    assert tuning.is_log([0.001, 0.01]) and not tuning.is_log([8, 64]) and not tuning.is_log([0, 9])


SETTINGS = {"C": 0.5, "pixels": 16, "frame_step": 2}
LINE = {"search": {"C": [0.001, 1000], "pixels": [4, 8, 16]}, "seed": 1}
SPLITS = [("t1", "v1"), ("t2", "v2")]


def best_at_ten(training, validation, settings):
    """1 at C = 10 and 8 pixels, less by the distance on a log scale; the splits differ by .02."""
    loss = 0.1 * abs(np.log10(settings["C"]) - 1) + 0.1 * (settings["pixels"] != 8)
    assert settings["frame_step"] == 2  # not searched
    return 1 - loss + (0.01 if validation == "v1" else -0.01)


def test_the_search_finds_what_is_best_and_goes_on_after_a_kill(tmp_path):
    calls = []

    def score(training, validation, settings):
        if len(calls) == 13:
            calls.append("killed")
            raise KeyboardInterrupt
        calls.append((validation, settings["C"], settings["pixels"]))
        return best_at_ten(training, validation, settings)

    with pytest.raises(KeyboardInterrupt):
        tune.search(score, SETTINGS, LINE | {"trials": 40}, SPLITS, tmp_path / "t.journal")
    assert calls[:2] == [("v1", 0.5, 16), ("v2", 0.5, 16)]  # first what the config has
    before = len(calls) - 1
    found = tune.search(score, SETTINGS, LINE | {"trials": 40}, SPLITS, tmp_path / "t.journal")
    table = tune.table(found)
    assert len(table) == 40 and len(calls) - 1 - before >= 40 - 7
    first = table.iloc[0]
    assert first["auc"] == pytest.approx(1 - 0.1 * (1 - np.log10(0.5)) - 0.1)  # mean of the two
    assert set(table["state"]) == {"complete", "pruned"}
    assert (table["n_splits"][table["state"] == "pruned"] == 1).all()
    assert found.best_value > 0.95 and found.best_params["pixels"] == 8
    assert found.best_value == table["auc"][table["state"] == "complete"].max()
    again = tune.search(score, SETTINGS, LINE | {"trials": 40}, SPLITS, tmp_path / "t.journal")
    assert len(again.trials) == len(found.trials)  # nothing is left to try


def test_settings_that_all_splits_have_scored_are_complete_however_bad(tmp_path):
    found = tune.search(
        best_at_ten, SETTINGS, LINE | {"trials": 20}, SPLITS[:1], tmp_path / "t.journal"
    )
    assert tune.table(found)["state"].tolist() == ["complete"] * 20


def stopped(at, how):
    """A score that ends its process, or is interrupted, the `at`-th time that it is asked."""
    calls = []

    def score(training, validation, settings):
        calls.append(settings)
        if len(calls) == at:
            how()
        return best_at_ten(training, validation, settings)

    return score


def interrupt():
    raise KeyboardInterrupt


@pytest.mark.parametrize("at", [1, 2, 5, 24])  # the first trial, another at random, one by the TPE
@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_a_search_that_was_stopped_is_the_one_that_was_not(tmp_path, at, how):
    line = LINE | {"trials": 16}
    whole = tune.table(tune.search(best_at_ten, SETTINGS, line, SPLITS, tmp_path / "whole"))
    assert whole["C"].nunique() == len(whole) and list(whole["trial"]) == list(range(16))
    broken = tmp_path / "broken"
    if how == "interrupted":
        with pytest.raises(KeyboardInterrupt):
            tune.search(stopped(at, interrupt), SETTINGS, line, SPLITS, broken)
    else:
        process = multiprocessing.get_context("fork").Process(
            target=tune.search,
            args=(stopped(at, lambda: os._exit(9)), SETTINGS, line, SPLITS, broken),
        )
        process.start()
        process.join()
        assert process.exitcode == 9
    found = tune.search(best_at_ten, SETTINGS, line, SPLITS, broken)
    pd.testing.assert_frame_equal(tune.table(found), whole, check_exact=True)
    longer = tune.search(best_at_ten, SETTINGS, LINE | {"trials": 18}, SPLITS, broken)
    pd.testing.assert_frame_equal(tune.table(longer)[:16], whole, check_exact=True)
    shorter = tune.search(best_at_ten, SETTINGS, LINE | {"trials": 4}, SPLITS, broken)
    pd.testing.assert_frame_equal(tune.table(shorter), whole[:4], check_exact=True)
    assert shorter.best_value == whole["auc"][:4].max() < longer.best_value


def test_trials_of_other_settings_or_data_are_not_counted(tmp_path, capsys):
    line, storage = LINE | {"trials": 3}, tmp_path / "t"
    first = tune.table(tune.search(best_at_ten, SETTINGS, line, SPLITS, storage, ["a: 9 frames"]))
    assert "not counted" not in capsys.readouterr().err
    calls = []

    def score(training, validation, settings):
        calls.append(settings)
        return 0.5

    same = tune.search(score, SETTINGS, line, SPLITS, storage, ["a: 9 frames"])
    assert not calls and "not counted" not in capsys.readouterr().err
    pd.testing.assert_frame_equal(tune.table(same), first)
    tune.search(score, SETTINGS, line, SPLITS, storage, ["a: 8 frames"])
    assert len(calls) == 6
    assert "t: its trials are of other settings, data or code" in capsys.readouterr().err
    other = line | {"search": LINE["search"] | {"pixels": [4, 8]}}
    tune.search(score, SETTINGS, other, SPLITS, storage, ["a: 9 frames"])
    assert len(calls) == 12
    tune.search(score, SETTINGS, line | {"seed": 2}, SPLITS, storage, ["a: 9 frames"])
    assert len(calls) == 18
    tune.search(score, SETTINGS | {"frame_step": 3}, line, SPLITS, storage, ["a: 9 frames"])
    assert len(calls) == 24 and calls[-1]["frame_step"] == 3


def test_settings_that_cannot_be_fitted_are_passed_over_and_none_at_all_is_an_error(
    tmp_path, capsys
):
    def score(training, validation, settings):
        if settings["pixels"] != 8:
            raise UserError("too few frames")
        return best_at_ten(training, validation, settings)

    line = LINE | {"trials": 12}
    found = tune.search(score, SETTINGS, line, SPLITS, tmp_path / "a.journal")
    assert found.best_params["pixels"] == 8
    table, said = tune.table(found), capsys.readouterr().err
    assert table["state"][0] == "fail" and np.isnan(table["auc"][0])
    assert "trial 1/12: {'C': 0.5, 'pixels': 16} fail, AUC -\n" in said
    best = tune.table(found).iloc[int(table["auc"].argmax())]
    assert (
        f"trial {best.trial + 1}/12: {{'C': {float(best.C)!r}, 'pixels': 8}} complete, AUC " in said
    )
    line = line | {"search": {"C": [0.1, 1.0]}}
    with pytest.raises(UserError, match="none of 12 settings could be scored"):
        tune.search(score, SETTINGS, line, SPLITS, tmp_path / "b.journal")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A session of five mice each, of which three have lists."""
    folder = tmp_path_factory.mktemp("recordings")
    settings = schema.defaults("simulate", n_frames=150, image_size=32)
    for mouse in "abcde":
        made = simulate.simulate_session(
            mouse=mouse, session=f"{mouse}1", run_share=0.5, **settings
        )
        simulate.write_session(made, folder)
        sources = {"movie": ".tif", "behavior": "_behavior.mat", "rois": "_roi.mat"}
        preprocess(
            folder / f"{mouse}1.h5",
            **{kind: folder / f"{mouse}1{ending}" for kind, ending in sources.items()},
            **{"session": f"{mouse}1", "mouse": mouse, "frame_rate": 30},
        )
        (folder / f"{mouse}.txt").write_text(f"{folder}/{mouse}1.h5\n")
    return folder


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("linear", {}),
        ("cnn", {"backbone": "test_efficientnet", "pretrained": "none", "epochs": 1}),
        ("roi_rnn", {"rnn": "gru", "epochs": 1, "half_window": 2}),
        ("roi_classical", {"model": "logistic_regression", "half_window": 1}),
    ],
)
def test_every_kind_is_scored_on_its_validation_mice(recordings, kind, settings):
    a, b, c = read_recordings([recordings / f"{mouse}.txt" for mouse in "abc"])
    settings = schema.defaults(kind, **settings)
    score = tune.scorer(kind, "cpu")
    assert 0 <= score([a, b], [c], settings) <= 1
    c.labels[:] = 1  # without a state there is no AUC
    with pytest.raises(UserError) if "epochs" in settings else nullcontext():
        assert np.isnan(score([a, b], [c], settings))


def test_a_network_is_scored_as_after_the_epoch_whose_weights_are_kept(monkeypatch):
    """Of the lowest loss, the first of several; a later one of a better AUC is not kept."""
    epochs = [(0.5, 0.7), (0.4, 0.6), (0.6, 0.9), (0.4, 0.8)]
    history = [SimpleNamespace(valid_loss=loss, valid_auc=auc) for loss, auc in epochs]
    monkeypatch.setattr(one_step, "fit", lambda *_: (None, history))
    assert tune.scorer("roi_rnn", "cpu")([], [], {}) == 0.6


@pytest.mark.parametrize("amounts", [(0.1, 20, 0.3), (0, 0, 0)])
def test_training_images_alone_are_augmented_in_one_step(monkeypatch, amounts):
    given = []

    def make(recordings, device, augment=None):
        given.append((recordings, device, augment))

    def fit(make, training, validation, **how):
        assert how["run_length"] == 1 and how["batch_size"] == 7
        raise UserError("seen")

    monkeypatch.setattr(one_step, "images_read", lambda settings: make)
    monkeypatch.setattr(one_step.train, "fit", fit)
    names = [f"augment_{name}" for name in ("shift", "rotation", "intensity")]
    settings = schema.defaults("cnn", batch_size=7) | dict(zip(names, amounts, strict=True))
    mine, other = (
        SimpleNamespace(session=name, baseline="known", target=RUN) for name in ("mine", "other")
    )
    with pytest.raises(UserError, match="seen"):
        one_step.fit("cnn", settings, [mine], [other], "gpu")
    augment = Augment(*amounts) if any(amounts) else None
    assert given == [([mine], "gpu", augment), ([other], "gpu", None)]


PX, NAMED = Target("pupil", unit="px"), Target("states", ("rest", "slow", "fast"))


def values_of(one, target):
    """A trace that all ROIs carry, or states of it: rest, and run where it is low or high."""
    trace = one.rois.mean(axis=1)
    trace = (trace - trace.mean()) / trace.std()
    if target is PX:
        return (40 + 5 * trace).astype(np.float32)
    return np.where(one.labels, 1 + (trace > np.median(trace)), 0).astype(np.uint8)


@pytest.mark.parametrize("target", [PX, NAMED])
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("linear", {"C": 1e-4}),
        ("cnn", {"backbone": "test_efficientnet", "pretrained": "none", "epochs": 1}),
        ("roi_rnn", {"rnn": "gru", "epochs": 8, "half_window": 1, "max_lr": 0.03}),
        ("roi_classical", {"half_window": 1, "C": 1e-3}),
    ],
)
def test_every_kind_is_scored_by_the_metric_of_its_target(recordings, kind, settings, target):
    read = read_recordings([recordings / f"{mouse}.txt" for mouse in "abc"])
    a, b, c = (replace(one, labels=values_of(one, target), target=target) for one in read)
    if kind == "roi_classical":
        settings = settings | {"model": "ridge" if target is PX else "logistic_regression"}
    settings = schema.defaults(kind, **settings, **({} if kind == "linear" else {"baseline": None}))
    found = tune.scorer(kind, "cpu")([a, b], [c], settings)
    predict, _ = one_step.fit(kind, settings, [a, b], [c], "cpu")
    (one,) = predict([c]).values()
    assert one.probability.shape[1:] == (() if target is PX else (3,))
    if kind.startswith("roi"):
        with pytest.raises(UserError, match="but the recordings have"):
            predict([replace(c, rois=c.rois[:, 1:])])
    score = r2 if target is PX else macro_auc
    assert found == pytest.approx(score(one.label, one.probability), abs=1e-4)
    if kind == "linear" and target is PX:  # the mean of the training mice: no AUC, which is 0.5
        nothing = tune.scorer(kind, "cpu")([a, b], [c], settings | {"C": 1e-12})
        assert -0.1 < nothing < 0.01


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("roi_rnn", {"rnn": "gru", "epochs": 1, "half_window": 1}),
        ("roi_classical", {"model": "logistic_regression", "half_window": 1}),
    ],
)
def test_rois_to_do_without_are_not_read(recordings, kind, settings):
    a, b, c = read_recordings([recordings / f"{mouse}.txt" for mouse in "abc"])
    settings = schema.defaults(kind, **settings, baseline=None)
    predict, _ = one_step.fit(kind, settings, [a, b], [c], torch.device("cpu"), dropped=[2])

    def turned(roi):
        rois = c.rois.copy()
        rois[:, roi - 1] = rois[::-1, roi - 1]
        (one,) = predict([replace(c, rois=rois)]).values()
        return one.probability

    (plain,) = predict([c]).values()
    np.testing.assert_array_equal(turned(2), plain.probability)
    assert not np.array_equal(turned(1), plain.probability)


def test_a_search_of_a_trace_is_kept_by_its_metric(recordings, tmp_path, capsys):
    files = {}
    for mouse in "abcde":
        files[mouse] = str(shutil.copy(recordings / f"{mouse}1.h5", tmp_path))
        (one,) = read_recordings([files[mouse]])
        with h5py.File(files[mouse], "a") as file:
            file["target"] = values_of(one, PX)
            file["target"].attrs.update(PX.attributes())
    line = {"trials": 2, "search": {"C": [1e-12, 1e-3]}}
    config = STUDY | {"decoders": {"linear": {"model": "ridge"}}, "target": "pupil"}
    config |= {"mice": {m: [f"{m}1"] for m in "abcde"}, "tune": {"linear": line}}
    part = tuning.part_of(studies.resolve(config).config, "linear")
    assert part["target"] == "pupil"
    (tmp_path / "study.json").write_text(json.dumps(part))
    words = ["tune", "--config", tmp_path / "study.json", "--decoder", "linear", "--test-mice", "e"]
    words += ["--recordings", *(files[m] for m in "abcd"), "--out", tmp_path / "best.json"]
    assert main([str(word) for word in [*words, "--trials-table", tmp_path / "t.tsv"]]) == 0
    assert ", R² " in capsys.readouterr().err
    trials = pd.read_csv(tmp_path / "t.tsv", sep="\t")
    best = json.loads((tmp_path / "best.json").read_text())
    assert [*trials][:4] == ["trial", "state", "r2", "n_splits"]
    assert best["valid_r2"] == pytest.approx(trials["r2"].max(), rel=1e-5)
    found = studies.resolve(part).config
    assert "mean R² of the validation mice" in methods.searches(found)


def test_a_search_needs_no_variant_of_its_decoder():
    """Whose recordings it is handed, and which is none of the part that it reads."""
    line = {"model": "logistic_regression", "variant": "small"}
    config = STUDY | {"decoders": {"linear": line}, "variants": {"small": {"image_size": 32}}}
    config |= {"mice": {m: [f"{m}1"] for m in "abcde"}}
    config |= {"tune": {"linear": {"trials": 2, "search": {"C": [1e-12, 1e-3]}}}}
    part = tuning.part_of(studies.resolve(config).config, "linear")
    assert part["decoders"]["linear"]["model"] == "logistic_regression"
    assert not studies.resolve(part).decoders["linear"].settings.get("variant")


def test_splits_are_of_the_mice_of_each_allocation(recordings):
    read = read_recordings([recordings / f"{mouse}.txt" for mouse in "abc"])
    allocations = [Allocation(("a", "b"), ("c",), ("e",)), Allocation(("c", "a"), ("b",), ("e",))]
    splits = tune.splits_of(allocations, read)
    assert [[[r.mouse for r in role] for role in split] for split in splits] == [
        [["a", "b"], ["c"]],
        [["a", "c"], ["b"]],
    ]
    with pytest.raises(UserError, match=r"none of mouse d, which train-a\.valid-d\.test-e has"):
        tune.splits_of([Allocation(("a",), ("d",), ("e",))], read)


def test_what_is_found_replaces_the_settings_of_a_decoder(recordings, tmp_path, capsys):
    config = STUDY | {"decoders": {"linear": LINEAR}, "mice": {m: [f"{m}1"] for m in "abcde"}}
    config |= {"tune": {"linear": {"trials": 3, "search": {"pixels": [4, 8, 16], "C": [0.01, 1]}}}}
    (tmp_path / "study.json").write_text(json.dumps(config))
    lists = {mouse: str(recordings / f"{mouse}.txt") for mouse in "abcde"}
    words = ["tune", "--config", str(tmp_path / "study.json"), "--decoder", "linear"]
    words += ["--out", str(tmp_path / "best.json"), "--trials-table", str(tmp_path / "t.tsv")]
    words += ["--test-mice", "e", "--recordings", *(lists[m] for m in "abcd")]
    assert main([*words, lists["e"]]) == 1
    assert "of test mouse e, which no choice may see" in capsys.readouterr().err
    assert main(words) == 0
    best = json.loads((tmp_path / "best.json").read_text())
    assert best["mice"] == list("abcd") and best["trials"] == 3
    trials = pd.read_csv(tmp_path / "t.tsv", sep="\t")
    assert best["valid_auc"] == pytest.approx(trials["auc"][trials["state"] == "complete"].max())
    chosen = best["settings"]
    fit = ["fit-linear", "--train", lists["a"], lists["b"], "--valid-mice", "c"]
    fit += ["--test", lists["e"], "--predictions"]
    tuned = ["--tuned", str(tmp_path / "best.json"), "--out", str(tmp_path / "tuned.npz")]
    typed = ["--pixels", str(chosen["pixels"]), f"--C={chosen['C']!r}"]
    assert main([*fit, str(tmp_path / "p1.h5"), *tuned]) == 0
    assert main([*fit, str(tmp_path / "p2.h5"), *typed, "--out", str(tmp_path / "t.npz")]) == 0
    with h5py.File(tmp_path / "p1.h5") as one, h5py.File(tmp_path / "p2.h5") as other:
        np.testing.assert_array_equal(one["e1"]["probability"][:], other["e1"]["probability"][:])
    (tmp_path / "best.json").write_text('{"pixels": 4}')
    assert main([*fit, str(tmp_path / "p1.h5"), *tuned]) == 1
    assert "best.json: no file of `mesodecode tune`" in capsys.readouterr().err


def test_no_search_reads_its_test_mouse(lab):
    search = {"trials": 4, "search": {"hidden_size": [8, 64]}}
    config = STUDY | ROIS | {"decoders": {"linear": LINEAR, "gru": GRU}, "tune": {"gru": search}}
    add_files(lab, config)
    jobs, lines = plan(lab, config=config)
    check_commands(lines, jobs)
    searches = [line for line in lines if line.startswith("mesodecode tune ")]
    assert len(searches) == jobs["tune"] == 5  # one for each test mouse
    (e,) = [line for line in searches if "--test-mice e " in line]
    lists = " ".join(f"results/lab/recordings/{mouse}.txt" for mouse in "abcd")
    assert f"--recordings {lists} " in e and "--out results/lab/tune/gru/test-e.json" in e
    assert "--config results/lab/tune/gru/config.json " in e
    fits = [line for line in lines if line.startswith("mesodecode train-roi")]
    tuned = [line for line in fits if "--tuned results/lab/tune/gru/test-e.json " in line]
    assert len(fits) == 5 and len(tuned) == 1 and all(".tuned-e.pt" in line for line in tuned)
    assert not [line for line in lines if "fit-linear" in line and "--tuned" in line]


def test_a_search_is_told_of_mice_and_of_its_decoder_only(lab):
    search = {"trials": 4, "search": {"C": [0.1, 1]}}
    decoders = {"linear": LINEAR, "gru": GRU}
    config = STUDY | ROIS | {"decoders": decoders, "tune": {"linear": search}}
    add_files(lab, config)
    target = "results/lab/tune/linear/config.json"
    done = snakemake(lab, "-n", "-p", target, config=config)
    written = re.search(rf"(printf .*) > {target} 2> ", done.stdout + done.stderr)[1]
    (text,) = [word for word in shlex.split(written) if word.startswith("{")]
    study, whole = studies.resolve(json.loads(text)), studies.resolve(config)
    assert study.config["tune"] == whole.config["tune"]
    assert study.decoders == {"linear": whole.decoders["linear"]}
    assert (study.mice, study.allocations) == (whole.mice, whole.allocations)


def test_whole_numbers_and_choices_are_suggested_as_the_decoder_takes_them():
    asked = {"epochs": [1, 5], "rnn": ["gru", "lstm"], "max_lr": [0.001, 0.1]}
    asked |= {"dropout": [0.1, 0.5], "hidden_size": [8, 128]}  # wide ranges are logarithmic
    given = {"epochs": 3, "rnn": "lstm", "max_lr": 0.01, "dropout": 0.2, "hidden_size": 9}
    trial = optuna.trial.FixedTrial(given)
    assert {key: tune.suggest(trial, key, values) for key, values in asked.items()} == given
    of = optuna.distributions
    assert trial.distributions == {
        "epochs": of.IntDistribution(1, 5),
        "rnn": of.CategoricalDistribution(("gru", "lstm")),
        "max_lr": of.FloatDistribution(0.001, 0.1, log=True),
        "dropout": of.FloatDistribution(0.1, 0.5),
        "hidden_size": of.IntDistribution(8, 128, log=True),
    }


def test_windows_are_searched_in_seconds_too():
    found = study({"gru": {"search": {"half_window": ["0.1 s", "0.5 s"]}}})
    assert found.config["tune"]["gru"]["search"]["half_window"] == [3, 15]  # at 30 frames/s
    with pytest.raises(UserError, match=r"tune.gru.search.half_window: 0.01 s is no frame at 30"):
        study({"gru": {"search": {"half_window": ["0.01 s", "0.5 s"]}}})


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"settings": 3}', '{"settings": "ab"}', '{"settings": null}']
)
def test_a_file_that_holds_no_settings_is_named(tmp_path, text):
    (tmp_path / "best.json").write_text(text)
    with pytest.raises(
        UserError, match=r"best\.json: no file of `mesodecode tune` .*make it again"
    ):
        tuning.read(tmp_path / "best.json")
    (tmp_path / "best.json").write_text('{"settings": {"C": 3}, "trials": 2}')
    assert tuning.read(tmp_path / "best.json") == {"C": 3}
