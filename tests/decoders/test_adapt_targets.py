"""Decoders of traces and of named states adapted to a mouse that they have not seen."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import torch

from make_decoders import refused, run
from mesodecode.base.metrics import macro_auc, r2
from mesodecode.decoders import predictions
from mesodecode.decoders.fitted import linear
from mesodecode.decoders.networks import rnn_decoder
from mesodecode.decoders.weights import Trained
from mesodecode.recordings.recording import read_recording, with_labels_of
from mesodecode.study import schema
from mesodecode.study.targets import Target

N = 240
PX = Target("pupil", unit="px", mean=40.0, sd=5.0)
NAMED = Target("states", ("rest", "walk", "groom"))
TARGETS = pytest.mark.parametrize("target", [PX, NAMED], ids=lambda one: one.name)


def write(path, mouse, target, mix=None):
    """Signals of which the first is the trace, or each is a state's; of some mice mixed."""
    rng = np.random.default_rng(ord(mouse))
    rois = rng.standard_normal((N, 3))
    truth = (40 + 5 * rois[:, 0]).astype(np.float32)
    if target.states:
        truth = rois.argmax(axis=1).astype(np.uint8)
    rois = rois if mix is None else rois @ mix
    frames = np.full((N, 8, 8), 100, np.uint16)
    with h5py.File(path, "w") as file:
        file["frames"], file["labels"] = frames, (np.arange(N) // 6 % 2).astype(np.uint8)
        file["pixel_mean"], file["stack_sd"] = frames.mean(0).astype("f4"), np.float32(1)
        file["rois"], file["target"] = rois.astype(np.float32), truth
        file["target"].attrs.update(target.attributes())
        file.attrs.update(session=path.stem, mouse=mouse, frame_rate=30.0)
    return path


def study(folder, target, mix):
    """Weights of a decoder that reads the signals as they are, and recordings; of `t` mixed."""
    settings = schema.defaults(
        "roi_rnn", rnn="rnn", half_window=0, baseline=None, normalise="none", dropout=0.0
    )
    k = target.outputs
    settings |= {"dropped": [], "hidden_size": k} | target.settings()
    state = {key: 0 * value for key, value in rnn_decoder(3, settings).state_dict().items()}
    state["rnn.weight_ih_l0"][:] = 1e-3 * torch.eye(3)[:k]
    state["head.weight"][:] = 1000 * torch.eye(k)
    Trained("roi_rnn", settings, ("a",), ("v",), state).save(folder / "w.pt")
    files = [write(folder / f"{mouse}.h5", mouse, target) for mouse in "av"]
    return [*files, write(folder / "t.h5", "t", target, mix)]


def adapt(folder, files, *more):
    a, v, t = files
    words = ["--weights", folder / "w.pt", "--train", a, "--valid", v, "--test", t]
    out = folder / "o.h5"
    words += ["--decoder", "x", "--out", out, "--validation", folder / "valid.h5", *more]
    assert run("adapt", *words) == 0
    found = predictions.read(out, of_any=True)
    (one,) = found.sessions.values()
    return found.target, one


def score(target, one):
    return (macro_auc if target.states else r2)(one.label, one.probability)


@TARGETS
def test_as_it_is_a_decoder_predicts_as_without_adapting(tmp_path, target):
    files = study(tmp_path, target, None)
    told, one = adapt(tmp_path, files)
    assert run("predict-rois", "--weights", tmp_path / "w.pt", "--recordings", files[2],
               "--decoder", "x", "--out", tmp_path / "p.h5") == 0  # fmt: skip
    (other,) = predictions.read(tmp_path / "p.h5", of_any=True).sessions.values()
    np.testing.assert_allclose(one.probability, other.probability, rtol=1e-5)
    np.testing.assert_array_equal(one.label, other.label)
    assert told.attributes() == target.attributes() and score(target, one) > 0.99


@TARGETS
def test_aligned_signals_bring_back_what_a_mouse_with_other_signals_loses(tmp_path, target):
    mix = np.array([[3.0, 0, 0], [1.5, 0.4, 0], [0, 0, 0.2]])
    files = study(tmp_path, target, mix)
    _, plain = adapt(tmp_path, files)
    _, aligned = adapt(tmp_path, files, "--coral")
    assert score(target, aligned) > score(target, plain) + 0.02


@TARGETS
def test_a_network_is_fine_tuned_by_the_loss_of_its_target(tmp_path, target):
    swap = np.array([[0, 1.0, 0], [0, 0, 1.0], [1.0, 0, 0]])  # no statistics could tell
    files = study(tmp_path, target, swap)
    _, plain = adapt(tmp_path, files)
    few = ["--few-shot", 0.1, "--finetune", "all", "--passes", 60, "--max-lr", 0.02]
    _, tuned = adapt(tmp_path, files, *few)
    assert len(tuned.frame) == N - 180  # 0.1 min are 180 frames
    assert score(target, tuned) > score(target, plain) + 0.3


def test_recordings_of_another_target_and_linear_models_are_refused(tmp_path, capsys):
    a, v, t = study(tmp_path, PX, None)
    other = write(tmp_path / "s.h5", "t", NAMED)
    out = ["--decoder", "x", "--out", tmp_path / "o.h5", "--validation", tmp_path / "valid.h5"]
    words = ["adapt", "--weights", tmp_path / "w.pt", "--train", a, "--valid", v, "--test", other]
    assert "target" in refused(capsys, *words, *out)
    (tmp_path / "states").mkdir()
    a, v, t = study(tmp_path / "states", NAMED, None)
    fitted = tmp_path / "m.joblib"
    assert run("fit-roi", "--train", a, "--model", "logistic_regression", "--half-window", 0,
               "--baseline", "none", "--valid", v, "--test", t, "--predictions", tmp_path / "f.h5",
               "--decoder", "x", "--out", fitted) == 0  # fmt: skip
    words = ["adapt", "--weights", fitted, "--train", a, "--valid", v, "--test", t]
    said = refused(capsys, *words, "--few-shot", 0.1, *out)
    assert "few_shot: of states networks are fine-tuned, no linear models" in said


def test_a_linear_decoder_of_a_trace_is_ridge_of_every_nth_frame_standardised(tmp_path):
    """Against the normal equations: 1 / C on the diagonal, the mean trace as intercept."""
    path = write(tmp_path / "a.h5", "a", PX)
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 900, (N, 8, 8)).astype(np.uint16)
    with h5py.File(path, "a") as file:
        file["frames"][:], file["pixel_mean"][:] = frames, frames.mean(0)
        file["stack_sd"][()] = frames.std()
    (one,) = with_labels_of([read_recording(path)], None)
    model = linear.fit_linear([one], pixels=8, C=0.04, frame_step=3)
    at = np.arange(1, N - 1)[::3]
    x = frames[at].reshape(len(at), -1).astype(float)
    x = (x - x.mean(0)) / x.std(0)
    y = one.labels[at]
    weights = np.linalg.solve(x.T @ x + 25 * np.eye(64), x.T @ (y - y.mean()))
    np.testing.assert_allclose(model[-1].coef_, weights, rtol=1e-3, atol=1e-4)
    assert model[-1].intercept_ == pytest.approx(y.mean(), rel=1e-5)
