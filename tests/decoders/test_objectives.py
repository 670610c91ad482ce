"""Decoders of traces and of named states: losses by hand, planted truth found by every kind."""

from __future__ import annotations

from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from make_decoders import TINY, refused, run
from mesodecode.base.files import UserError
from mesodecode.base.metrics import correlation, macro_auc, r2, state_aucs
from mesodecode.base.roc_auc import roc_auc
from mesodecode.decoders import predictions, validation
from mesodecode.decoders.fitted import linear
from mesodecode.decoders.fitted_models import predicted_by
from mesodecode.decoders.objectives import loss_of, predicted, score_of, trained_on
from mesodecode.decoders.weights import load_trained
from mesodecode.recordings.recording import read_recordings, with_labels_of
from mesodecode.study.targets import Target

STATES = ("rest", "walk", "groom")
NAMED = Target("states", STATES)
SIDE = 32


def test_losses_and_outputs_are_those_of_the_formulas():
    target = Target("pupil", mean=2.0, sd=0.5)
    made, value = torch.tensor([0.0, 1, -2]), torch.tensor([2.0, 3, 1])
    # standardised values: 0, 2, -2
    assert loss_of(made, value, 0.3, target).item() == pytest.approx((0 + 1 + 0) / 3)
    assert predicted(made, target).tolist() == [2.0, 2.5, 1.0]
    made, state = torch.tensor([[0.0, np.log(2), 0], [1, 1, 1]]), torch.tensor([1.0, 2])
    by_hand = -(np.log(2 / 4) + np.log(1 / 3)) / 2
    assert loss_of(made, state, 0.0, NAMED).item() == pytest.approx(by_hand)
    np.testing.assert_allclose(predicted(made, NAMED), [[0.25, 0.5, 0.25], [1 / 3] * 3], rtol=1e-6)


def test_mean_and_sd_of_a_trace_have_the_precision_of_float64():
    values = np.array([2**24, 1, 1, 1], np.float32)  # which a sum of float32 would lose
    found = trained_on([SimpleNamespace(session="a", target=Target("pupil"), labels=values)])
    assert found.mean == 2**22 + 0.75
    assert found.sd == pytest.approx(np.sqrt(3) / 4 * (2**24 - 1), rel=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_labels_are_moved_inwards_by_the_smoothing(smoothing):
    """Of run and rest to s/2 and 1 - s/2; of K states s/K of each, and what is left of the own."""
    made, label = torch.tensor([0.4, -1.0, 2]), torch.tensor([1.0, 0, 0])
    p = 1 / (1 + np.exp([-0.4, 1, -2]))
    run = np.array([1 - smoothing / 2, smoothing / 2, smoothing / 2])
    by_hand = -(run * np.log(p) + (1 - run) * np.log(1 - p)).mean()
    assert loss_of(made, label, smoothing).item() == pytest.approx(by_hand, rel=1e-5)
    made, state = torch.tensor([[0.2, 1, -1], [0.5, 0, 2]]), torch.tensor([2.0, 0])
    log = np.log(np.exp(made.numpy()) / np.exp(made.numpy()).sum(1, keepdims=True))
    share = smoothing / 3 + (1 - smoothing) * np.eye(3)[[2, 0]]
    by_hand = -(share * log).sum(1).mean()
    assert loss_of(made, state, smoothing, NAMED).item() == pytest.approx(by_hand, rel=1e-5)


def test_a_trace_is_standardised_by_all_training_frames():
    sessions = [
        SimpleNamespace(session=name, target=Target("pupil", unit="px"), labels=np.array(values))
        for name, values in (("a", [0.0, 2]), ("b", [4.0, 6, 8]))
    ]
    found = trained_on(sessions)
    assert (found.mean, found.unit) == (4, "px") and found.sd == pytest.approx(np.sqrt(8))


def test_a_trace_that_never_changes_cannot_be_decoded():
    still = [
        SimpleNamespace(session=s, target=Target("pupil"), labels=np.full(3, 2.5)) for s in "ab"
    ]
    with pytest.raises(UserError, match="pupil is the same in all training frames; nothing to dec"):
        trained_on(still)


@pytest.mark.parametrize(
    "other", [Target("pupil", unit="mm"), Target("speed", unit="px"), Target("states", STATES)]
)
def test_sessions_of_two_targets_or_units_are_not_trained_on_together(other):
    made = [
        SimpleNamespace(session=name, target=target, labels=np.arange(3.0))
        for name, target in (("a", Target("pupil", unit="px")), ("b", other))
    ]
    with pytest.raises(UserError, match=r"b: decodes .*\), but a pupil \(px\); preprocess"):
        trained_on(made)


def test_scores_are_those_of_the_formulas():
    value, made = np.array([0.0, 1, 2, 3]), np.array([0.0, 1, 2, 5])
    assert r2(value, made) == pytest.approx(1 - 4 / 5)
    assert r2(value, np.full(4, 1.5)) == 0 and np.isnan(r2(made * 0, made))
    assert correlation(value, 7 - 2 * value) == pytest.approx(-1)
    assert correlation([1, 2], [5, 9]) == pytest.approx(1)  # two values are enough
    assert np.isnan(correlation([1], [5]))
    rng = np.random.default_rng(0)
    state, probability = rng.integers(0, 3, 60), rng.random((60, 3))
    slow = [roc_auc(state == k, probability[:, k]) for k in range(3)]
    assert macro_auc(state, probability) == pytest.approx(np.mean(slow))
    few = np.where(state == 2, 0, state)
    assert np.isnan(state_aucs(few, probability)[2])
    assert macro_auc(few, probability) == pytest.approx(np.mean(state_aucs(few, probability)[:2]))
    truth, made = torch.tensor([2.0, 3, 1]), torch.tensor([0.0, 2, -2])
    assert score_of(truth, made, Target("x", mean=2, sd=0.5)) == pytest.approx(1)


def truth_of(kind, n, rng):
    if kind == "states":
        return rng.permutation(np.arange(n) // 6 % 3).astype(np.uint8)
    return (5 + 2 * np.convolve(rng.standard_normal(n + 4), np.ones(5) / 5**0.5, "valid")).astype(
        np.float32
    )


def plant(folder, mouse, kind, n=150, noise=0.1):
    """A recording whose pixels and ROI signals carry the target: of a state its own patch or ROI.

    ROI signals rise by 1 with an SD (2) of a trace, or in a state; their noise has the SD `noise`.
    """
    rng = np.random.default_rng([ord(mouse[-1]), len(kind)])
    truth = truth_of(kind, n, rng)
    drive = np.eye(3)[truth] if kind == "states" else ((truth - 5) / 2)[:, None] * [1, 0, -1]
    rois = (drive + noise * rng.standard_normal((n, 3))).astype(np.float32)
    frames = 20000 + 200 * rng.standard_normal((n, SIDE, SIDE))
    for column in range(3):
        frames[:, 8:24, 10 * column : 10 * column + 8] += 900 * drive[:, column, None, None]
    frames = frames.astype(np.uint16)
    path = folder / f"{mouse}_{kind}.h5"
    with h5py.File(path, "w") as file:
        file["frames"], file["labels"] = frames, (np.arange(n) // 6 % 2).astype(np.uint8)
        file["pixel_mean"] = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
        file["stack_sd"], file["rois"] = np.float32(frames.std(dtype=np.float64)), rois
        file["target"] = truth
        target = NAMED if kind == "states" else Target(kind, unit="px")
        file["target"].attrs.update(target.attributes())
        file.attrs.update(session=path.stem, mouse=mouse, frame_rate=30.0)
    return path


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    return {
        kind: [plant(folder, f"m{i}", kind) for i in (1, 2, 3, 4)] for kind in ("pupil", "states")
    }


def score(path, kind):
    made = predictions.read(path, of_any=True)
    (session,) = made.sessions.values()
    assert made.target.name == kind
    with h5py.File(path) as file:
        assert [*file[next(iter(file))]] == (
            ["frame", *(f"probability_{s}" for s in sorted(STATES)), "state"]
            if kind == "states"
            else ["frame", "predicted", "value"]
        )
    return (macro_auc if kind == "states" else r2)(session.label, session.probability)


KINDS = ("pupil", "states")


@pytest.mark.parametrize("kind", KINDS)
def test_linear_decoder_finds_what_is_planted_and_keeps_it_in_its_file(planted, tmp_path, kind):
    a, b, valid, test = planted[kind]
    words = ["--train", a, b, "--pixels", 16, "--C", 0.01]
    out = tmp_path / "p.h5"
    assert run("fit-linear", *words, "--valid", valid, "--test", test,
               "--out", tmp_path / "l.npz", "--predictions", out,
               "--validation", tmp_path / "v.h5") == 0  # fmt: skip
    assert score(out, kind) > 0.9
    # as the workflow does it: alone, passed, kept
    trained = tmp_path / "alone.npz"
    assert run("fit-linear", *words, "--alone", trained) == 0
    for role, path in (("valid", valid), ("test", test)):
        passed = [
            "--trained",
            trained,
            "--recordings",
            path,
            "--out",
            tmp_path / f"{role}.passed.h5",
        ]
        assert run("pass-pixels", *passed) == 0
    kept = tmp_path / "kept.h5"
    assert run("keep-fitted", "--trained", trained, "--valid",
               tmp_path / "valid.passed.h5", "--test",
               tmp_path / "test.passed.h5", "--decoder", "linear", "--out", tmp_path / "k.npz",
               "--predictions", kept, "--validation", tmp_path / "kv.h5") == 0  # fmt: skip
    one, other = (
        predictions.read(path, of_any=True).sessions[f"m4_{kind}"] for path in (out, kept)
    )
    np.testing.assert_allclose(one.probability, other.probability, rtol=1e-5, atol=1e-6)
    assert [
        *validation.read(tmp_path / "kv.h5", predictions.read(kept, of_any=True).allocation, "m3")
    ] == [f"m3_{kind}"]


ROI = ["--half-window", 2, "--baseline", "none", "--normalise", "zscore"]
GRU = ["--rnn", "gru", "--hidden-size", 16, "--max-lr", 0.02, "--batch-size", 16]


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        *[("pupil", "ridge"), ("pupil", "gradient_boosting")],
        *[("states", "logistic_regression"), ("states", "gradient_boosting")],
    ],
)
def test_classical_roi_decoders_find_what_is_planted(planted, tmp_path, kind, model):
    a, b, valid, test = planted[kind]
    words = ["--train", a, b, "--model", model, *ROI, "--frame-step", 1]
    assert run("fit-roi", *words, "--alone", tmp_path / "m.joblib") == 0
    for role, path in (("valid", valid), ("test", test)):
        assert run("pass-signals", "--trained", tmp_path / "m.joblib", "--recordings", path,
                   "--out", tmp_path / f"{role}.h5") == 0  # fmt: skip
    out = tmp_path / "p.h5"
    assert run("keep-fitted", "--trained", tmp_path / "m.joblib", "--valid", tmp_path / "valid.h5",
               "--test", tmp_path / "test.h5", "--decoder", "x", "--out", tmp_path / "k.joblib",
               "--predictions", out, "--validation", tmp_path / "v.h5") == 0  # fmt: skip
    assert score(out, kind) > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_recurrent_roi_decoder_finds_what_is_planted(planted, tmp_path, capsys, kind):
    a, b, valid, test = planted[kind]
    words = ["--train", a, b, *ROI, *GRU, "--epochs", 12, "--all-epochs", tmp_path / "t.pt"]
    assert run("train-roi", *words) == 0
    for role, path in (("valid", valid), ("test", test)):
        assert run("pass-signals", "--trained", tmp_path / "t.pt", "--recordings", path,
                   "--out", tmp_path / f"{role}.h5") == 0  # fmt: skip
    out = tmp_path / "p.h5"
    assert run("choose", "--trained", tmp_path / "t.pt", "--valid", tmp_path / "valid.h5", "--test",
               tmp_path / "test.h5", "--decoder", "gru", "--out", tmp_path / "m.pt", "--history",
               tmp_path / "h.tsv", "--predictions", out) == 0  # fmt: skip
    assert score(out, kind) > 0.9
    history = pd.read_csv(tmp_path / "h.tsv", sep="\t")
    column = "valid_macro_auc" if kind == "states" else "valid_r2"
    assert history.loc[history["valid_loss"].idxmin(), column] > 0.9
    # the kept weights say all: predicted anew from the recordings, the same
    assert run("predict-rois", "--weights", tmp_path / "m.pt", "--recordings", test, "--decoder",
               "gru", "--out", tmp_path / "q.h5") == 0  # fmt: skip
    one, other = (
        predictions.read(path, of_any=True).sessions[f"m4_{kind}"]
        for path in (out, tmp_path / "q.h5")
    )
    np.testing.assert_allclose(one.probability, other.probability, rtol=1e-4, atol=1e-5)
    # labels of another target are no truth of it
    (stranger,) = {*KINDS} - {kind}
    words = ["--recordings", planted[stranger][3], "--out", tmp_path / "no.h5"]
    for verb in (
        ["predict-rois", "--weights", tmp_path / "m.pt", "--decoder", "gru"],
        ["pass-signals", "--trained", tmp_path / "t.pt"],
    ):
        assert run(*verb, *words) == 1
        assert "but the target of the recordings is" in capsys.readouterr().err
        assert not (tmp_path / "no.h5").exists()


def test_a_trace_is_standardised_by_training_mice_alone(planted, tmp_path, monkeypatch):
    """By verbs that read validation and test mice beside them, too."""
    a, b, valid, test = planted["pupil"]
    asked = []

    def told(*given, target=None, **_):
        settings = [one for one in given if isinstance(one, dict)]
        asked.append(target or Target.of_settings(settings[0]))
        raise UserError("told")

    for name in ("roi_networks.fit", "train.fit"):
        monkeypatch.setattr(f"mesodecode.decoders.{name}", told)
    words = ["--train", a, b, "--valid", valid, "--out", tmp_path / "m", "--history", tmp_path]
    roi = ["--test", test, "--decoder", "d", "--predictions", tmp_path / "p.h5", *ROI, *GRU]
    assert run("train-roi", *words, *roi) == 1
    assert run("train-cnn", *words, "--backbone", TINY, "--pretrained", "none") == 1
    values = []
    for path in (a, b):
        with h5py.File(path) as file:
            values = [*values, *file["target"][:].astype(np.float64)]
    assert [one.mean for one in asked] == pytest.approx([np.mean(values)] * 2)
    assert [one.sd for one in asked] == pytest.approx([np.std(values)] * 2)


@pytest.mark.parametrize("kind", KINDS)
def test_cnn_and_cnn_rnn_learn_and_predict_the_target(planted, tmp_path, kind):
    a, _, valid, test = planted[kind]
    words = ["--train", a, "--valid", valid, "--epochs", 1, "--batch-size", 16, "--device", "cpu"]
    cnn, gru, out = tmp_path / "cnn.pt", tmp_path / "gru.pt", tmp_path / "p.h5"
    assert run("train-cnn", *words, "--backbone", TINY, "--pretrained", "none", "--out", cnn,
               "--history", tmp_path / "h.tsv") == 0  # fmt: skip
    assert run("finetune", "--start", cnn, *words, "--rnn", "gru", "--half-window", 1, "--out", gru,
               "--hidden-size", 4, "--history", tmp_path / "g.tsv") == 0  # fmt: skip
    for weights in (cnn, gru):
        assert run("predict", "--weights", weights, "--recordings", test, "--decoder", "x",
                   "--out", out, "--device", "cpu") == 0  # fmt: skip
        assert np.isfinite(score(out, kind))
    # frozen: features know what they are for
    assert run("extract", "--weights", cnn, "--recordings", a, valid, test, "--features",
               tmp_path / "f.h5", "--device", "cpu") == 0  # fmt: skip
    assert run("train-rnn", "--features", tmp_path / "f.h5", "--train-mice", "m1", "--valid-mice",
               "m3", "--rnn", "gru", "--half-window", 1, "--hidden-size", 4, "--epochs", 1,
               "--out", tmp_path / "r.pt", "--history", tmp_path / "r.tsv") == 0  # fmt: skip
    assert run("predict", "--weights", tmp_path / "r.pt", "--features", tmp_path / "f.h5",
               "--test-mice", "m4", "--decoder", "x", "--out", out) == 0  # fmt: skip
    assert np.isfinite(score(out, kind))
    kept = Target.of_settings(load_trained(cnn, "cnn").settings)
    if kind == "pupil":
        with h5py.File(a) as file:
            values = file["target"][:].astype(np.float64)
        assert (kept.mean, kept.sd) == (pytest.approx(values.mean()), pytest.approx(values.std()))
    else:
        assert kept.states == STATES


def test_average_of_regressions_is_their_mean_and_of_two_targets_refused(planted, tmp_path, capsys):
    paths = {}
    for kind, model, name in (
        ("pupil", "ridge", "a"),
        ("pupil", "gradient_boosting", "b"),
        ("states", "gradient_boosting", "c"),
    ):
        a, b, valid, test = planted[kind]
        words = ["--train", a, b, "--valid", valid, "--test", test, "--model", model, *ROI]
        paths[name] = tmp_path / f"{name}.h5"
        assert run("fit-roi", *words, "--decoder", name, "--out", tmp_path / f"{name}.joblib",
                   "--predictions", paths[name]) == 0  # fmt: skip
    out = tmp_path / "mean.h5"
    words = ["average", "--decoder", "mean", "--out", out, "--predictions"]
    assert run(*words, paths["a"], paths["b"]) == 0
    a, b, mean = (
        predictions.read(path, of_any=True).sessions["m4_pupil"].probability
        for path in (paths["a"], paths["b"], out)
    )
    np.testing.assert_allclose(mean, (a + b) / 2, rtol=1e-5)
    assert "decodes states" in refused(capsys, *words, paths["a"], paths["c"])


def test_models_that_cannot_are_refused_and_missing_states_are_said(planted, tmp_path, capsys):
    a, *_ = planted["pupil"]
    words = ["fit-roi", "--train", a, "--alone", tmp_path / "m.joblib", *ROI, "--model"]
    assert "linear_svm tells states apart" in refused(capsys, *words, "linear_svm")
    words[2] = planted["states"][0]
    assert "no probability of each state" in refused(capsys, *words, "ridge")
    (one,) = with_labels_of(read_recordings([words[2]]), {})
    one.labels[one.labels == 2] = 0
    trained_on([one])
    assert "no training frame is groom" in capsys.readouterr().err


def test_probabilities_stand_under_the_states_that_were_trained():
    rows = np.repeat(np.eye(2), 9, axis=0)
    model = LogisticRegression().fit(rows, np.repeat([0, 2], 9))
    first, second = model.predict_proba(rows).T
    expected = np.stack([first, 0 * first, second], axis=1)
    np.testing.assert_allclose(predicted_by(model, rows, NAMED), expected)
    assert (expected[:9, 0] > 0.6).all() and (expected[9:, 2] > 0.6).all()
    assert predicted_by(model, rows[:0], NAMED).shape == (0, 3)


def test_a_state_that_was_never_trained_has_probability_0(planted, tmp_path):
    paths = []
    for path in planted["states"]:
        copy = tmp_path / path.name
        copy.write_bytes(path.read_bytes())
        with h5py.File(copy, "r+") as file:
            if path in planted["states"][:2]:
                file["target"][file["target"][:] == 1] = 0
        paths.append(copy)
    a, b, valid, test = paths
    words = ["--train", a, b, "--valid", valid, "--test", test]
    assert run("fit-linear", *words, "--pixels", 8, "--out", tmp_path / "l.npz",
               "--predictions", tmp_path / "p.h5") == 0  # fmt: skip
    (one,) = predictions.read(tmp_path / "p.h5", of_any=True).sessions.values()
    assert (one.probability[:, 1] == 0).all() and (one.probability.sum(1) > 0.999).all()
    (again,) = linear.load(tmp_path / "l.npz").predict(read_recordings([test])).values()
    np.testing.assert_allclose(again.probability, one.probability, atol=1e-6)
    known = one.label != 1  # the two others are told apart, each under its own name
    assert (one.probability.argmax(1) == one.label)[known].mean() > 0.8
