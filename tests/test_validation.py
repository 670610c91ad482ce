"""Predictions of validation mice: the same numbers as of a test mouse, without training again."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import test_roi_decoders as rois
import torch
from test_predict import (
    N_FEATURES,
    check,
    files_in,
    linear_words,
    refused,
    run,
    slow_cnn,
    slow_rnn,
    trained_cnn,
    trained_rnn,
    write_recording,
)

from mesodecode.base.files import UserError
from mesodecode.decoders import predict_validation, predictions, validation
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.recordings.recording import read_recordings

NAME = "train-m1.valid-m2.test-m3"


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def paths(tmp_path):
    """A session of the training, validation and test mouse each."""
    (tmp_path / "recordings").mkdir()
    names = {"m1_a": "m1", "m2_a": "m2", "m3_a": "m3"}
    return {
        name: write_recording(tmp_path / "recordings" / f"{name}.h5", mouse, seed=seed)
        for seed, (name, mouse) in enumerate(names.items())
    }


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "allocations.tsv"
    path.write_text(f"allocation\tvalid_mouse\n{NAME}\tm2\n")
    return path


def words(folder, table, *more):
    common = ("--models", folder, "--decoder", "d", "--allocations", table)
    return ["predict-validation", *common, "--out", folder / "out", *more]


def read(folder):
    return validation.read(folder / "out" / f"{NAME}.h5", NAME, "m2")


def test_a_cnn_predicts_its_validation_mouse_from_images_and_from_features(paths, tmp_path, table):
    trained = trained_cnn()
    trained.save(tmp_path / f"{NAME}.pt")
    (recording,) = read_recordings([paths["m2_a"]])
    frames, _, probability = slow_cnn(trained, recording)
    assert run(*words(tmp_path, table, "--recordings", *paths.values())) == 0
    check(read(tmp_path), "m2_a", recording, frames, probability)
    assert set(read(tmp_path)) == {"m2_a"}
    alone = [w for w in words(tmp_path, table, "--only", NAME) if w not in ("--allocations", table)]
    (tmp_path / "out" / f"{NAME}.h5").unlink()
    assert (
        run(*alone, "--recordings", paths["m2_a"]) == 0
    )  # of the validation mouse, without a table
    check(read(tmp_path), "m2_a", recording, frames, probability)

    weights = tmp_path / f"{NAME}.pt"
    extracted = (
        "--features",
        tmp_path / "features" / f"{NAME}.h5",
        "--predictions",
        tmp_path / "p",
    )
    assert run("extract", "--weights", weights, "--recordings", *paths.values(), *extracted) == 0
    assert run(*words(tmp_path, table, "--features", tmp_path / "features")) == 0
    found = read(tmp_path)["m2_a"]
    np.testing.assert_array_equal(found.frame, frames)
    np.testing.assert_array_equal(found.label, recording.labels[frames])
    np.testing.assert_allclose(found.probability, probability, atol=0.01)  # features are float16
    assert not np.allclose(found.probability, 0.5, atol=0.1)


def test_a_recurrent_decoder_predicts_its_validation_mouse(paths, tmp_path, table):
    trained = trained_rnn()
    trained.save(tmp_path / f"{NAME}.pt")
    features = np.random.default_rng(0).normal(size=(30, N_FEATURES)).astype(np.float16)
    (tmp_path / "f").mkdir()
    with h5py.File(tmp_path / "f" / f"{NAME}.h5", "w") as file:
        for session, mouse, seen in (("m2_a", "m2", True), ("m3_a", "m3", False)):
            group = file.create_group(session)
            group.attrs.update(mouse=mouse, seen=seen)
            group["features"], group["labels"] = features, np.arange(30, dtype=np.uint8) % 2
    assert run(*words(tmp_path, table, "--features", tmp_path / "f")) == 0
    (recording,) = read_recordings([paths["m2_a"]])
    frames, probability = slow_rnn(trained, features, None)
    found = read(tmp_path)
    assert set(found) == {"m2_a"}
    np.testing.assert_array_equal(found["m2_a"].frame, frames)
    np.testing.assert_array_equal(found["m2_a"].label, np.asarray(frames) % 2)
    np.testing.assert_allclose(found["m2_a"].probability, probability, atol=1e-5)
    assert len(recording) == 30


def as_test_mouse(path, to):
    """The same recording under the name of another mouse."""
    to.write_bytes(path.read_bytes())
    with h5py.File(to, "a") as file:
        file.attrs.update(mouse="m3", session=to.stem)
    return to


@pytest.mark.parametrize("pixels", [8, 64])
def test_the_linear_baseline_predicts_as_if_it_were_tested(paths, tmp_path, table, pixels):
    copy = as_test_mouse(paths["m2_a"], tmp_path / "copy.h5")
    assert run(*linear_words(paths, tmp_path, test=[copy], more=("--pixels", pixels))) == 0
    (tmp_path / "linear.npz").rename(tmp_path / f"{NAME}.npz")
    expected = predictions.read(tmp_path / "linear.h5").sessions["copy"]
    assert run(*words(tmp_path, table, "--recordings", *paths.values())) == 0
    found = read(tmp_path)["m2_a"]
    for key in ("frame", "label"):
        np.testing.assert_array_equal(getattr(found, key), getattr(expected, key))
    np.testing.assert_allclose(found.probability, expected.probability, atol=1e-6)


KINDS = {
    "gru": ("train-roi", ["--rnn", "gru", "--epochs", 1, "--frame-step", 20, "--threads", 1]),
    "ridge": ("fit-roi", ["--model", "ridge", "--frame-step", 20]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_roi_decoders_predict_as_if_they_were_tested(tmp_path, table, kind):
    """With permuted labels, a shift, ROIs left out and one that was dropped when training."""
    train, valid = rois.recordings()[:2], rois.recordings()[2:4]
    files = [rois.write(tmp_path, one) for one in (*train, *valid)]
    with h5py.File(files[0], "a") as file:
        file["rois"][:, 7] = 1.0  # constant in a training session only
    copies = [as_test_mouse(path, tmp_path / f"copy{i}.h5") for i, path in enumerate(files[2:])]
    verb, more = KINDS[kind]
    shape = ["--half-window", 3, "--shift", 2, "--drop", "--others", "drop"]
    shape += ["--rois", 6, 8, 31, 33]
    swap = ["m2_s1=m2_s2", "m2_s2=m2_s1"]
    model = tmp_path / f"{NAME}.{'pt' if kind == 'gru' else 'joblib'}"
    out = ["--decoder", "d", "--out", model, "--predictions", tmp_path / "p.h5"]
    out += ["--history", tmp_path / "h.tsv"] if kind == "gru" else []
    roles = ["--train", *files[:2], "--valid", *files[2:], "--test", *copies]
    both = ["--labels-of", *swap, "copy0=copy1", "copy1=copy0"]
    assert run(verb, *roles, *out, *shape, *more, *both) == 0
    expected = predictions.read(tmp_path / "p.h5").sessions
    given = ["--recordings", *files, "--labels-of", *swap]
    assert run(*words(tmp_path, table, *given)) == 0
    found = read(tmp_path)
    for name, copy in (("m2_s1", "copy0"), ("m2_s2", "copy1")):
        assert found[name].mouse == "m2"
        for key in ("frame", "label"):
            np.testing.assert_array_equal(getattr(found[name], key), getattr(expected[copy], key))
        np.testing.assert_allclose(found[name].probability, expected[copy].probability, atol=1e-6)


def test_only_validation_mice_are_predicted(paths, tmp_path, table, capsys):
    trained_cnn(valid_mice=("m9",)).save(tmp_path / f"{NAME}.pt")
    everything = ("--recordings", *paths.values())
    line = refused(capsys, *words(tmp_path, table, *everything))
    assert f"{NAME}.pt: was validated on mouse m9, not on m2" in line
    line = refused(capsys, *words(tmp_path, table, "--recordings", paths["m3_a"]))
    assert "--recordings: none of mouse m2, which validates" in line
    line = refused(capsys, *words(tmp_path, table, *everything, "--only", "other"))
    assert "allocations.tsv: no allocation other; check --only" in line
    others = words(tmp_path, table, "--features", tmp_path, "--only", NAME)
    line = refused(capsys, *[w for w in others if w not in ("--allocations", table)])
    assert "--allocations: give the table, or --only and --recordings" in line
    line = refused(capsys, *words(tmp_path / "none", table, *everything))
    assert f"{NAME}.pt: no such model" in line
    assert not [name for name in files_in(tmp_path) if "out" in name]


def sessions(probability, mouse="m2"):
    n = len(probability)
    return {"s": SessionPredictions(mouse, np.arange(n), np.arange(n) % 2, np.array(probability))}


ABOUT = {"decoder": "d", "allocation": NAME, "valid_mouse": "m2"}


def test_files_come_back_as_written_and_averaged(tmp_path):
    for name, values in {"a": [0.25, 0.5], "b": [0.75, 1.0]}.items():
        validation.write(tmp_path / name, sessions(values), **ABOUT)
    found = validation.read(tmp_path / "a", NAME, "m2")["s"]
    assert found.mouse == "m2" and found.probability.tolist() == [0.25, 0.5]
    assert found.label.tolist() == [0, 1] and found.frame.tolist() == [0, 1]
    mean = validation.read_mean([tmp_path / "a", tmp_path / "b"], NAME, "m2")
    assert mean["s"].probability.tolist() == [0.5, 0.75]
    (one,) = validation.read_mean([tmp_path / "b"], NAME, "m2").values()
    assert one.probability.tolist() == [0.75, 1.0]


def test_files_of_another_mouse_or_allocation_are_refused(tmp_path):
    validation.write(tmp_path / "a", sessions([0.5]), **ABOUT)
    with pytest.raises(
        UserError, match=r"predictions of mouse m2 .* needs the validation mouse m3"
    ):
        validation.read(tmp_path / "a", NAME, "m3")
    with pytest.raises(UserError, match="of another"):
        validation.read(tmp_path / "a", "another", "m2")
    (tmp_path / "b").write_text("not HDF5")
    with pytest.raises(UserError, match="not a file of `mesodecode predict-validation`"):
        validation.read(tmp_path / "b", NAME, "m2")
    with pytest.raises(FileNotFoundError, match="run `mesodecode predict-validation` first"):
        validation.read(tmp_path / "c", NAME, "m2")


def test_predicting_the_wrong_mouse_by_hand_is_refused(paths, tmp_path):
    trained_cnn().save(tmp_path / "a.pt")
    recordings = read_recordings([paths["m3_a"]])
    with pytest.raises(UserError, match="validated on mouse m2, not on m3"):
        predict_validation.from_recordings(tmp_path / "a.pt", recordings)
