"""A mouse is passed through a training of others only if its recordings are like theirs."""

import re

import h5py
import numpy as np
import pytest

from make_decoders import TINY, refused, run, write_recording
from mesodecode.decoders.fitted import linear
from mesodecode.decoders.fitted_files import load
from mesodecode.decoders.passed import Passed
from mesodecode.decoders.weights import load_epochs
from mesodecode.recordings.recording import told_frames

ONE_EPOCH = ["--epochs", 1, "--batch-size", 8]
CNN = ["train-cnn", "--backbone", TINY, "--pretrained", "none", *ONE_EPOCH]
ROI = ["train-roi", "--rnn", "gru", "--half-window", 2, "--baseline", "none", *ONE_EPOCH]
SVM = ["fit-roi", "--model", "linear_svm", "--half-window", 2, "--baseline", "none"]


def with_rois(path, names):
    """Give a recording signals of ROIs of these names."""
    rng = np.random.default_rng(len(path.name))
    with h5py.File(path, "a") as file:
        run = file["labels"][:][:, None]
        file["rois"] = (rng.normal(size=(len(run), len(names))) + 2 * run).astype(np.float32)
        file["rois"].attrs["names"] = names
    return path


@pytest.fixture
def mice(tmp_path):
    """Recordings of two training mice, whose frames are alike."""
    paths = [write_recording(tmp_path / f"{m}.h5", m, seed=i) for i, m in enumerate("ab")]
    return [with_rois(path, ["V1", "M1", "S1"]) for path in paths]


@pytest.mark.parametrize(
    ("train", "out", "verb"),
    [
        ([*CNN, "--frame-step", 1], "--all-epochs t.pt", "pass-images"),
        (["fit-linear", "--pixels", 8], "--alone t.npz", "pass-pixels"),
    ],
)
def test_a_mouse_of_another_frame_size_is_refused(tmp_path, capsys, mice, train, out, verb):
    flag, name = out.split()
    assert run(*train, "--train", *mice, flag, tmp_path / name) == 0
    line = [verb, "--trained", tmp_path / name, "--out", tmp_path / "c.out.h5", "--recordings"]
    larger = write_recording(tmp_path / "c.h5", "c", side=48)
    said = refused(capsys, *line, larger)
    assert "c.h5: frames of (48, 48) px" in said and "on (32, 32)" in said
    assert run(*line, write_recording(tmp_path / "d.h5", "d")) == 0
    assert Passed.read(tmp_path / "c.out.h5").mouse == "d"
    assert "frames/s" not in capsys.readouterr().err
    fast = write_recording(tmp_path / "e.h5", "e")
    with h5py.File(fast, "a") as file:
        file.attrs["frame_rate"] *= 2
    assert run(*line, fast) == 0
    assert re.search(r"e\.h5: 60 frames/s, but .* was trained at 30", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("train", "name", "size"),
    [
        ([*CNN, "--all-epochs"], "t.pt", (32, 32)),
        (["fit-linear", "--pixels", 8, "--alone"], "t.npz", (32, 32)),
        ([*ROI, "--all-epochs"], "t.pt", None),
        ([*SVM, "--alone"], "t.joblib", None),
    ],
)
def test_what_is_trained_says_size_and_rate_of_its_frames(tmp_path, mice, train, name, size):
    for path, rate in zip(mice, (20.0, 20.4), strict=True):
        with h5py.File(path, "a") as file:
            file.attrs["frame_rate"] = rate
    assert run(*train, tmp_path / name, "--train", *mice) == 0
    trained = load_epochs(tmp_path / name) if name == "t.pt" else load(tmp_path / name)
    found = told_frames(trained.settings)
    assert found == (size, pytest.approx(20.2))


@pytest.mark.parametrize(("train", "out"), [(ROI, "--all-epochs t.pt"), (SVM, "--alone t.joblib")])
def test_a_mouse_of_other_rois_is_refused(tmp_path, capsys, mice, train, out):
    flag, name = out.split()
    assert run(*train, "--train", *mice, flag, tmp_path / name) == 0
    line = ["pass-signals", "--trained", tmp_path / name, "--out", tmp_path / "c.out.h5"]

    def mouse(session, rois, **how):
        return with_rois(write_recording(tmp_path / f"{session}.h5", session[0], **how), rois)

    said = refused(capsys, *line, "--recordings", mouse("c", ["M1", "V1", "S1"]))
    assert "ROI 1 as 'V1', but it is 'M1' in the recordings" in said
    said = refused(capsys, *line, "--recordings", mouse("d", ["V1", "M1"]))
    assert "trained on 3 ROIs, but the recordings have 2" in said
    said = refused(capsys, *line, "--recordings", write_recording(tmp_path / "e.h5", "e"))
    assert "no ROI signals in it" in said
    # names are those of any of its sessions
    unnamed = mouse("g", ["V1", "M1", "S1"])
    with h5py.File(unnamed, "a") as file:
        del file["rois"].attrs["names"]
    later = mouse("g2", ["V1", "S1", "M1"])
    said = refused(capsys, *line, "--recordings", unnamed, later)
    assert "ROI 2 as 'M1', but it is 'S1' in the recordings" in said
    if name == "t.pt":  # older ones do not say their ROIs
        older = load_epochs(tmp_path / name)
        del older.settings["roi_names"]
        older.save(tmp_path / name)
        assert run(*line, "--recordings", unnamed) == 0
    # frames are not looked at, so that they may be of two sizes
    alike = [mouse("f", ["V1", "M1", "S1"]), mouse("f2", ["V1", "M1", "S1"], side=48)]
    assert run(*line, "--recordings", *alike) == 0


def test_a_baseline_of_before_does_not_say_its_size(tmp_path, mice):
    path = tmp_path / "t.npz"
    assert run("fit-linear", "--pixels", 8, "--train", *mice, "--alone", path) == 0
    with np.load(path) as file:
        np.savez(path, **{key: value for key, value in file.items() if key != "size"})
    assert linear.load(path).size == ()
    words = ("--trained", path, "--out", tmp_path / "c.out.h5", "--recordings")
    assert run("pass-pixels", *words, write_recording(tmp_path / "c.h5", "c")) == 0


def test_what_an_allocation_needs_is_asked_for_before_any_work(tmp_path, capsys, mice):
    said = refused(capsys, *CNN, "--train", *mice, "--out", tmp_path / "t.pt")
    assert "--valid, --history or --all-epochs: needed" in said
    both = ["--all-epochs", tmp_path / "t.pt", "--valid", mice[0]]
    assert "leave out --valid" in refused(capsys, *CNN, "--train", *mice, *both)
    rnn = ["train-rnn", "--features", "f.h5", "--rnn", "gru", "--train-mice", "a"]
    said = refused(capsys, *rnn, "--valid-mice", "b")
    assert "--out, --history or --all-epochs: needed" in said
    assert "leave out --train-mice" in refused(capsys, *rnn, "--all-epochs", tmp_path / "t.pt")
