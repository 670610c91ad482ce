"""Predictions of validation mice: from the pass of the test mice, and the same numbers."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from make_decoders import (
    N_FEATURES,
    check,
    linear_words,
    refused,
    run,
    slow_cnn,
    slow_rnn,
    trained_cnn,
    trained_rnn,
    write_recording,
)
from make_recordings import recordings, write_rois
from mesodecode.base.files import UserError
from mesodecode.decoders import predictions, validation
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.recordings.recording import read_recordings
from mesodecode.study.allocation import Allocation

NAME = "train-m1.valid-m2.test-m3"


pytestmark = pytest.mark.usefixtures("one_thread")


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
def out(tmp_path):
    """The flags of what is written."""
    return ["--out", tmp_path / "p.h5", "--validation", tmp_path / "v.h5"]


def read(folder):
    return validation.read(folder / "v.h5", NAME, "m2")


def of_test(folder):
    return predictions.read(folder / "p.h5").sessions


def test_a_cnn_predicts_both_mice_from_images_in_either_verb(paths, tmp_path, out):
    trained = trained_cnn()
    trained.save(tmp_path / "cnn.pt")
    cnn = ["--weights", tmp_path / "cnn.pt", "--decoder", "d"]
    assert run("predict", *cnn, *out, "--recordings", paths["m2_a"], paths["m3_a"]) == 0
    for recording, found in zip(
        read_recordings([paths["m2_a"], paths["m3_a"]]),
        (read(tmp_path), of_test(tmp_path)),
        strict=True,
    ):
        frames, _, probability = slow_cnn(trained, recording)
        check(found, recording.session, recording, frames, probability)
        assert set(found) == {recording.session}
    before = read(tmp_path)["m2_a"].probability, of_test(tmp_path)["m3_a"].probability
    (tmp_path / "v.h5").unlink()
    features = ["--features", tmp_path / "f.h5"]
    assert run("extract", *cnn[:2], *features, "--recordings", *paths.values()) == 0
    assert run("predict", *cnn, *features, "--test-mice", "m3", *out) == 0
    assert set(read(tmp_path)) == {"m2_a"} and set(of_test(tmp_path)) == {"m3_a"}
    np.testing.assert_array_equal(read(tmp_path)["m2_a"].probability, before[0])
    np.testing.assert_array_equal(of_test(tmp_path)["m3_a"].probability, before[1])


def test_validation_changes_nothing_of_the_test_mouse(paths, tmp_path, out):
    trained_cnn().save(tmp_path / "cnn.pt")
    words = ["predict", "--weights", tmp_path / "cnn.pt", "--decoder", "d", *out[:2]]
    assert run(*words, "--recordings", paths["m3_a"]) == 0
    alone = of_test(tmp_path)["m3_a"].probability
    assert run(*words, *out[2:], "--recordings", paths["m3_a"], paths["m2_a"]) == 0
    np.testing.assert_array_equal(of_test(tmp_path)["m3_a"].probability, alone)


def test_a_recurrent_decoder_predicts_both_mice_from_features(tmp_path, out):
    trained = trained_rnn()
    trained.save(tmp_path / "rnn.pt")
    rng, features = np.random.default_rng(0), {}
    with h5py.File(tmp_path / "f.h5", "w") as file:
        for mouse, seen in (("m1", True), ("m2", True), ("m3", False)):
            features[mouse] = rng.normal(size=(30, N_FEATURES)).astype(np.float16)
            group = file.create_group(f"{mouse}_a")
            group.attrs.update(mouse=mouse, seen=seen)
            group["features"], group["labels"] = features[mouse], np.arange(30, dtype=np.uint8) % 2
    words = ["--weights", tmp_path / "rnn.pt", "--decoder", "d", "--features", tmp_path / "f.h5"]
    assert run("predict", *words, "--test-mice", "m3", *out) == 0
    for mouse, found in (("m2", read(tmp_path)), ("m3", of_test(tmp_path))):
        frames, probability = slow_rnn(trained, features[mouse], None)
        assert set(found) == {f"{mouse}_a"}
        np.testing.assert_array_equal(found[f"{mouse}_a"].frame, frames)
        np.testing.assert_array_equal(found[f"{mouse}_a"].label, np.asarray(frames) % 2)
        np.testing.assert_allclose(found[f"{mouse}_a"].probability, probability, atol=1e-5)


def as_mouse(path, to, mouse="m3"):
    """The same recording under the name of another mouse."""
    to.write_bytes(path.read_bytes())
    with h5py.File(to, "a") as file:
        file.attrs.update(mouse=mouse, session=to.stem)
    return to


@pytest.mark.parametrize("pixels", [8, 64])
def test_the_linear_baseline_predicts_as_if_it_were_tested(paths, tmp_path, pixels):
    copy = as_mouse(paths["m2_a"], tmp_path / "copy.h5")
    words = linear_words(paths, tmp_path, test=[copy], more=("--pixels", pixels))
    at = words.index("--valid-mice")
    words[at : at + 2] = ["--valid", paths["m2_a"]]
    assert run(*words, "--validation", tmp_path / "v.h5") == 0
    expected = predictions.read(tmp_path / "linear.h5").sessions["copy"]
    np.testing.assert_array_equal(read(tmp_path)["m2_a"].frame, expected.frame)
    np.testing.assert_array_equal(read(tmp_path)["m2_a"].probability, expected.probability)


KINDS = {
    "gru": ("train-roi", ["--rnn", "gru", "--epochs", 1, "--frame-step", 20, "--threads", 1]),
    "ridge": ("fit-roi", ["--model", "ridge", "--frame-step", 20]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_roi_decoders_predict_as_if_they_were_tested(tmp_path, kind):
    """With permuted labels, a shift, ROIs left out and one that was dropped when training."""
    train, valid = recordings()[:2], recordings()[2:4]
    files = [write_rois(tmp_path, one) for one in (*train, *valid)]
    with h5py.File(files[0], "a") as file:
        file["rois"][:, 7] = 1.0  # constant in a training session only
    copies = [as_mouse(path, tmp_path / f"copy{i}.h5") for i, path in enumerate(files[2:])]
    verb, more = KINDS[kind]
    shape = ["--half-window", 3, "--shift", 2, "--drop", "--others", "drop"]
    shape += ["--rois", 6, 8, 31, 33]
    out = ["--decoder", "d", "--out", tmp_path / "model", "--predictions", tmp_path / "p.h5"]
    out += ["--validation", tmp_path / "v.h5"]
    out += ["--history", tmp_path / "h.tsv"] if kind == "gru" else []
    roles = ["--train", *files[:2], "--valid", *files[2:], "--test", *copies]
    swap = ["--labels-of", "m2_s1=m2_s2", "m2_s2=m2_s1", "copy0=copy1", "copy1=copy0"]
    assert run(verb, *roles, *out, *shape, *more, *swap) == 0
    found, expected = read(tmp_path), of_test(tmp_path)
    assert set(found) == {"m2_s1", "m2_s2"} and set(expected) == {"copy0", "copy1"}
    for name, copy in (("m2_s1", "copy0"), ("m2_s2", "copy1")):
        assert found[name].mouse == "m2"
        for key in ("frame", "label", "probability"):
            np.testing.assert_array_equal(getattr(found[name], key), getattr(expected[copy], key))


def test_only_validation_mice_validate(paths, tmp_path, out, capsys):
    trained_cnn().save(tmp_path / "cnn.pt")
    words = ["predict", "--weights", tmp_path / "cnn.pt", "--decoder", "d", *out, "--recordings"]
    line = refused(capsys, *words, paths["m3_a"])
    assert f"--validation: no recording of mouse m2, which validates {NAME}" in line
    assert "two roles" in refused(capsys, *words, *paths.values())  # m1 was trained on
    line = refused(
        capsys,
        *linear_words(paths, tmp_path, test=[paths["m3_a"]]),
        "--validation",
        tmp_path / "v.h5",
    )
    assert "--validation: give the recordings of the validation mice (--valid)" in line
    assert not (tmp_path / "p.h5").exists() and not (tmp_path / "v.h5").exists()


def sessions(probability, mouse="m2", name="s"):
    n = len(probability)
    return {name: SessionPredictions(mouse, np.arange(n), np.arange(n) % 2, np.array(probability))}


ABOUT = {"decoder": "d", "allocation": NAME, "valid_mouse": "m2"}


def test_roles_are_told_apart_by_their_mice(tmp_path):
    both = sessions([0.25, 0.5]) | sessions([0.75, 1.0], "m3", "t")
    allocation = Allocation(("m1",), ("m2",), ("m3",))
    validation.write_roles(both, "d", allocation, tmp_path / "p.h5", tmp_path / "v.h5", "strict")
    found = read(tmp_path)["s"]
    assert found.mouse == "m2" and found.probability.tolist() == [0.25, 0.5]
    assert found.label.tolist() == [0, 1] and found.frame.tolist() == [0, 1]
    made = predictions.read(tmp_path / "p.h5")
    assert made.protocol == "strict" and made.sessions["t"].probability.tolist() == [0.75, 1.0]
    assert set(made.sessions) == {"t"}


def test_files_of_another_mouse_or_allocation_are_refused(tmp_path):
    validation.write(tmp_path / "a", sessions([0.5]), **ABOUT)
    with pytest.raises(
        UserError, match=r"predictions of mouse m2 .* needs the validation mouse m3"
    ):
        validation.read(tmp_path / "a", NAME, "m3")
    with pytest.raises(UserError, match="of another"):
        validation.read(tmp_path / "a", "another", "m2")
    both = sessions([0.5]) | sessions([0.25], "m3", "t")  # with the test mouse
    validation.write(tmp_path / "d", both, **ABOUT)
    with pytest.raises(UserError, match=r"of mouse m2, m3 .* needs the validation mouse m2 of"):
        validation.read(tmp_path / "d", NAME, "m2")
    assert set(validation.read(tmp_path / "d", NAME, "m2+m3")) == {"s", "t"}  # if both validate
    with pytest.raises(UserError, match=r"of mouse m2 in .* needs the validation mouse m2\+m4 of"):
        validation.read(tmp_path / "a", NAME, "m2+m4")  # one of two that validate
    (tmp_path / "b").write_text("not HDF5")
    with pytest.raises(UserError, match="not predictions of validation mice"):
        validation.read(tmp_path / "b", NAME, "m2")
    with pytest.raises(FileNotFoundError, match="run its decoder with --validation"):
        validation.read(tmp_path / "c", NAME, "m2")
    # they are no predictions of a test mouse
    with pytest.raises(UserError, match="not a predictions file"):
        predictions.read(tmp_path / "a")


DAMAGES = {
    "a session of no mouse": lambda file: file["s"].attrs.pop("mouse"),
    "no probabilities": lambda file: file["s"].pop("probability"),
    "no allocation": lambda file: file.attrs.pop("allocation"),
    "numbers beside the sessions": lambda file: file.create_dataset("t", data=[1.0]),
    "a group of frames": lambda file: (file["s"].pop("frame"), file["s"].create_group("frame")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_files_of_predictions_that_lack_something_are_refused(tmp_path, damage):
    tested = Allocation(("m1",), ("m3",), ("m2",))
    validation.write(tmp_path / "v.h5", sessions([0.5]), **ABOUT)
    predictions.bind("d", tested, sessions([0.5])).write(tmp_path / "p.h5")
    for name, read, what in (
        ("v.h5", lambda path: validation.read(path, NAME, "m2"), "predictions of validation mice"),
        ("p.h5", predictions.read, "a predictions file"),
    ):
        read(tmp_path / name)
        with h5py.File(tmp_path / name, "a") as file:
            DAMAGES[damage](file)
        with pytest.raises(UserError, match=rf"{name}: not {what} \(.+\); .*again$"):
            read(tmp_path / name)
