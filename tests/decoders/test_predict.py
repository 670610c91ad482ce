"""From recordings to predictions: every number against a slow computation, every leak refused."""

import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from make_decoders import (
    HALF_WINDOW,
    N_FEATURES,
    RNN,
    SIDE,
    TINY,
    check,
    linear_words,
    refused,
    run,
    slow_centres,
    slow_cnn,
    slow_rnn,
    trained_cnn,
    trained_rnn,
    write_recording,
)
from mesodecode.base import windows
from mesodecode.base.files import UserError, write_checksum
from mesodecode.decoders import extraction, predict, predictions, train
from mesodecode.decoders.extraction import extract
from mesodecode.decoders.feature_files import read_features
from mesodecode.decoders.fitted import linear
from mesodecode.decoders.networks import CNNDecoder, cnn_rnn_decoder
from mesodecode.decoders.weights import Trained, load_trained
from mesodecode.recordings.recording import read_recording, read_recordings
from mesodecode.study.targets import RUN, Target

pytestmark = pytest.mark.usefixtures("one_thread")


def write_sessions(folder):
    """Sessions of mice m1 (train), m2 (valid), m3 (test, one with segments)."""
    folder.mkdir()
    return {
        "m1_a": write_recording(folder / "m1_a.h5", "m1", seed=1),
        "m2_a": write_recording(folder / "m2_a.h5", "m2", seed=2),
        "m3_a": write_recording(folder / "m3_a.h5", "m3", seed=3, n_frames=40),
        "m3_b": write_recording(
            folder / "m3_b.h5", "m3", seed=4, n_frames=26, segment=[0] * 7 + [1] * 2 + [0] * 17
        ),
    }


@pytest.fixture
def paths(tmp_path):
    return write_sessions(tmp_path / "recordings")


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# --- a CNN -------------------------------------------------------------------------------------


def test_a_cnn_predicts_every_decodable_frame(paths):
    trained = trained_cnn()
    recordings = read_recordings([paths["m3_a"], paths["m3_b"]])
    got = predict.predict_cnn(trained, recordings)
    assert list(got) == ["m3_a", "m3_b"]
    for recording in recordings:
        frames, _, probability = slow_cnn(trained, recording)
        assert np.ptp(probability) > 0.1  # else agreement would mean nothing
        check(got, recording.session, recording, frames, probability)


def test_batches_do_not_change_predictions(paths, monkeypatch):
    recordings = read_recordings([paths["m3_a"]])
    whole = predict.predict_cnn(trained_cnn(), recordings)["m3_a"]
    monkeypatch.setitem(predict.BATCH, "cpu", 7)
    parts = predict.predict_cnn(trained_cnn(), recordings)["m3_a"]
    np.testing.assert_array_equal(whole.frame, parts.frame)
    np.testing.assert_allclose(whole.probability, parts.probability, atol=1e-5)


@pytest.mark.parametrize("segment", [None, [0, 0, 1, 1, 2]], ids=["short", "segments"])
def test_a_session_without_a_window_is_predicted_at_no_frame(paths, tmp_path, capsys, segment):
    windows._tell.cache_clear()
    n_frames = 2 if segment is None else 5
    short = write_recording(tmp_path / "m3_c.h5", "m3", n_frames=n_frames, segment=segment)
    recordings = read_recordings([short, paths["m3_a"]])
    together = cnn_rnn_decoder(CNNDecoder(TINY), RNN)
    finetuned = Trained(
        *("finetuned", RNN | {"backbone": TINY, "half_window": HALF_WINDOW}),
        *(("m1",), ("m2",), together.state_dict()),
    )
    extract({None: trained_cnn()}, recordings, tmp_path / "f.h5")
    for found in (
        predict.predict_cnn(trained_cnn(), recordings),
        predict.predict_finetuned(finetuned, recordings),
        predict.predict_cnn(trained_cnn(), read_features(tmp_path / "f.h5")),
        predict.predict_rnn(trained_rnn(), read_features(tmp_path / "f.h5")),
    ):
        assert len(found["m3_c"].frame) == 0 and found["m3_c"].probability.shape == (0,)
        assert len(found["m3_a"].frame) > 0
    words = "extract", "--recordings", short, paths["m3_a"], "--weights"
    trained_cnn().save(tmp_path / "cnn.pt")
    assert run(*words, tmp_path / "cnn.pt", "--features", tmp_path / "g.h5") == 0
    assert "session m3_c: left out, as all segments are shorter" in capsys.readouterr().err


def test_extract_writes_features_of_all_and_what_the_cnn_makes_of_them(paths, tmp_path):
    trained = trained_cnn()
    recordings = read_recordings(list(paths.values()))
    extract({None: trained}, recordings, tmp_path / "f.h5")
    others = read_features(tmp_path / "f.h5", ["m2", "m3"])  # m1 was trained on, m2 validates
    sessions = predict.predict_cnn(trained, others)
    assert sorted(sessions) == ["m2_a", "m3_a", "m3_b"]
    rnn, every = trained_rnn(("m4",), ("m2",)), read_features(tmp_path / "f.h5")
    for listed in (every, every[::-1]):  # the mouse that was seen first, and last
        with pytest.raises(UserError, match="mice m1: the CNN of these features was trained"):
            predict.predict_cnn(trained, listed)
        with pytest.raises(UserError, match="mice m1: the CNN of these features was trained"):
            predict.predict_rnn(rnn, listed)
    another = trained.with_state({k: v + 1 for k, v in trained.state.items()})
    with pytest.raises(UserError, match="m2_a: its features are not of this CNN"):
        predict.predict_cnn(another, others)
    with h5py.File(tmp_path / "f.h5") as file:
        assert sorted(file) == sorted(paths)
        for recording in recordings:
            group = file[recording.session]
            frames, features, probability = slow_cnn(trained, recording)
            assert group.attrs["mouse"] == recording.mouse
            rows = group["features"][:]
            assert rows.dtype == np.float16
            assert rows.shape == (len(recording), N_FEATURES)
            np.testing.assert_allclose(rows[frames], features, rtol=2e-3, atol=1e-3)
            assert np.abs(features).max() > 0.1
            others = np.setdiff1d(np.arange(len(recording)), frames)
            assert not rows[others].any()
            np.testing.assert_array_equal(group["labels"][:], recording.labels)
            assert ("segment" in group) == (recording.segment is not None)
            if recording.mouse != "m1":
                check(sessions, recording.session, recording, frames, probability)


def test_each_image_passes_the_cnn_once(paths, tmp_path, monkeypatch):
    trained, passed, original = trained_cnn(), [], CNNDecoder.features

    def count(self, images):
        passed.append(len(images))
        return original(self, images)

    monkeypatch.setattr(CNNDecoder, "features", count)
    recordings = read_recordings(list(paths.values()))
    extract({None: trained}, recordings, tmp_path / "f.h5")
    expected = [len(slow_centres(len(r), 1, r.segment)) for r in recordings]
    assert sum(passed) == sum(expected)


def test_extract_and_predict_say_the_same(paths, tmp_path):
    trained_cnn().save(tmp_path / "cnn.pt")
    tests = [paths["m3_a"], paths["m3_b"]]
    weights, features = ["--weights", tmp_path / "cnn.pt"], ["--features", tmp_path / "f.h5"]
    assert run("extract", *weights, "--recordings", *paths.values(), *features) == 0
    predict_ = ["predict", *weights, "--decoder", "c", "--out"]
    assert run(*predict_, tmp_path / "a.h5", *features, "--test-mice", "m3") == 0
    assert run(*predict_, tmp_path / "b.h5", "--recordings", *tests) == 0
    a, b = predictions.read(tmp_path / "a.h5"), predictions.read(tmp_path / "b.h5")
    for one in (a, b):
        assert (one.decoder, one.allocation) == ("c", "train-m1.valid-m2.test-m3")
        assert (one.train_mice, one.valid_mouse, one.test_mouse) == ("m1", "m2", "m3")
        assert sorted(one.sessions) == ["m3_a", "m3_b"]
    for name, session in a.sessions.items():
        np.testing.assert_array_equal(session.frame, b.sessions[name].frame)
        np.testing.assert_array_equal(session.label, b.sessions[name].label)
        np.testing.assert_allclose(session.probability, b.sessions[name].probability, atol=1e-6)


@pytest.mark.parametrize("told", [True, False])
def test_frames_of_another_size_than_in_training_are_refused_where_weights_say_it(
    tmp_path, capsys, told
):
    trained = trained_cnn()
    size = {"frame_size": [32, 32]} if told else {}  # older weights do not
    replace(trained, settings=trained.settings | size).save(tmp_path / "cnn.pt")
    larger = write_recording(tmp_path / "m3_a.h5", "m3", side=48)
    line = ["--weights", tmp_path / "cnn.pt", "--recordings", larger]
    for verb in (["predict", "--decoder", "c", "--out"], ["extract", "--features"]):
        words = *verb, tmp_path / "out.h5", *line
        if told:
            said = refused(capsys, *words)
            assert "m3_a.h5: frames of (48, 48) px" in said
            assert "cnn.pt was trained on (32, 32)" in said
        else:
            assert run(*words) == 0


# --- a recurrent decoder -----------------------------------------------------------------------


def test_a_recurrent_decoder_predicts_every_window(paths, tmp_path):
    recordings = read_recordings(list(paths.values()))
    extract({None: trained_cnn()}, recordings, tmp_path / "f.h5")
    trained = trained_rnn()
    got = predict.predict_rnn(trained, read_features(tmp_path / "f.h5", ["m3"]))
    assert sorted(got) == ["m3_a", "m3_b"]
    for recording in recordings[2:]:
        with h5py.File(tmp_path / "f.h5") as file:
            features = file[recording.session]["features"][:]
        frames, probability = slow_rnn(trained, features, recording.segment)
        check(got, recording.session, recording, frames, probability)
        assert np.ptp(probability) > 1e-3
    assert got["m3_a"].frame.tolist() == list(range(3, 37))
    assert got["m3_b"].frame.tolist() == [3, *range(12, 23)]  # segments of 7, 2 and 17 frames


def test_a_test_session_too_short_for_a_window_is_empty_not_fatal(paths, tmp_path):
    folder = tmp_path / "short"
    folder.mkdir()
    short = write_recording(folder / "m3_c.h5", "m3", n_frames=5, labels=[0, 1, 0, 1, 0])
    bare = write_recording(folder / "m3_d.h5", "m3", n_frames=4, segment=[0, 0, 1, 1])
    tests = [paths["m3_a"], short, bare]
    trained_cnn().save(tmp_path / "cnn.pt")
    trained_rnn().save(tmp_path / "rnn.pt")
    weights, features = ["--weights", tmp_path / "cnn.pt"], ["--features", tmp_path / "f.h5"]
    assert run("extract", *weights, "--recordings", *tests, *features) == 0
    out = ["--decoder", "cnn", "--out", tmp_path / "cnn.h5"]
    assert run("predict", *weights, *features, *out) == 0
    rnn = ["--weights", tmp_path / "rnn.pt", "--features", tmp_path / "f.h5"]
    assert run("predict", *rnn, "--decoder", "rnn", "--out", tmp_path / "rnn.h5") == 0
    assert run(*linear_words(paths, tmp_path, test=tests)) == 0
    counts = {
        name: [len(predictions.read(tmp_path / f"{name}.h5").sessions[s].frame) for s in names]
        for name in ("cnn", "rnn", "linear")
        for names in [("m3_a", "m3_c", "m3_d")]
    }
    assert counts == {"cnn": [38, 3, 0], "rnn": [34, 0, 0], "linear": [38, 3, 0]}
    files = [tmp_path / f"{name}.h5" for name in counts]
    tables = ["--out", tmp_path / "auc.tsv", "--sessions", tmp_path / "session_auc.tsv"]
    assert run("auc", "--predictions", *files, *tables) == 0
    auc = pd.read_csv(tmp_path / "auc.tsv", sep="\t")
    assert auc["n_frames"].tolist() == [41, 34, 41]
    assert auc["auc"].notna().all()


# --- the linear baseline -----------------------------------------------------------------------


def slow_pixels(recording, frames, pixels):
    stack = recording.read_frames().astype(np.float64)
    x = ((stack - stack.mean(axis=0)) / stack.std())[frames].astype(np.float32)
    if pixels < SIDE:
        size = (pixels, pixels)
        x = np.stack([np.asarray(Image.fromarray(f).resize(size, Image.BILINEAR)) for f in x])
    return x.reshape(len(x), -1)


@pytest.mark.parametrize(("pixels", "C", "frame_step"), [(8, 1.0, 1), (64, 0.01, 3)])
def test_the_linear_baseline_equals_scikit_learn_on_pixels(
    paths, tmp_path, monkeypatch, pixels, C, frame_step
):
    monkeypatch.setattr(linear, "BLOCK", 11)  # blocks that split a recording
    more = ["--pixels", pixels, "--C", C, "--frame-step", frame_step]
    train = [paths["m1_a"], paths["m2_a"]]
    assert run(*linear_words(paths, tmp_path, train=train, valid="m9", more=more)) == 0
    rows, labels = [], []
    for recording in read_recordings(train):
        frames = slow_centres(len(recording), 1, recording.segment)[::frame_step]
        rows.append(slow_pixels(recording, frames, pixels))
        labels.append(recording.labels[frames])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
    model.fit(np.concatenate(rows), np.concatenate(labels))
    got = predictions.read(tmp_path / "linear.h5")
    assert got.allocation == "train-m1+m2.valid-m9.test-m3"
    for name in ("m3_a", "m3_b"):
        recording = read_recording(paths[name])
        frames = slow_centres(len(recording), 1, recording.segment)  # all, whatever frame_step
        expected = model.predict_proba(slow_pixels(recording, frames, pixels))[:, 1]
        assert np.ptp(expected) > 0.1
        session = got.sessions[name]
        np.testing.assert_array_equal(session.frame, frames)
        np.testing.assert_array_equal(session.label, recording.labels[frames])
        np.testing.assert_allclose(session.probability, expected, atol=1e-3)


def test_the_linear_baseline_decodes_the_frames_of_the_cnn(paths, tmp_path):
    recordings = read_recordings([paths["m3_a"], paths["m3_b"]])
    cnn = predict.predict_cnn(trained_cnn(), recordings)
    model = linear.fit_linear(read_recordings([paths["m1_a"]]), pixels=8, C=1.0, frame_step=1)
    assert (model[-1].C, model[-1].max_iter) == (1.0, 1000)  # steps, as of ROI signals
    got = linear.predict_linear(model, recordings, pixels=8)
    for name, session in cnn.items():
        np.testing.assert_array_equal(session.frame, got[name].frame)
        np.testing.assert_array_equal(session.label, got[name].label)


@pytest.mark.parametrize("name", ["linear.npz", "linear.weights"])
def test_the_linear_weights_make_the_predictions(paths, tmp_path, name):
    """The file holds all that is needed, under the name that was asked for."""
    (tmp_path / "w").mkdir()
    words = linear_words(paths, tmp_path, more=["--pixels", 8])
    words[words.index("--out") + 1] = tmp_path / "w" / name
    assert run(*words) == 0
    assert files_in(tmp_path / "w") == [name]
    with np.load(tmp_path / "w" / name) as file:
        w = dict(file)
    assert [w[f"{role}_mice"].tolist() for role in ("train", "valid")] == [["m1"], ["m2"]]
    session = predictions.read(tmp_path / "linear.h5").sessions["m3_a"]
    x = slow_pixels(read_recording(paths["m3_a"]), session.frame, 8)
    logit = (x - w["mean"]) / w["scale"] @ w["coef"] + w["intercept"]
    np.testing.assert_allclose(session.probability, 1 / (1 + np.exp(-logit)), atol=1e-4)


@pytest.mark.parametrize(
    "target", [RUN, Target("pupil", unit="px"), Target("states", ("a", "b", "c"))]
)
def test_linear_weights_read_back_as_they_were(tmp_path, target):
    rng, k = np.random.default_rng(0), target.outputs
    coef = rng.normal(size=(k, 4) if target.states else 4)
    arrays = coef, rng.normal(size=k), rng.normal(size=4), rng.uniform(1, 2, 4)
    how = {"baseline": 30, "size": (24, 32), "causal": True, "normalise_from": "reference"}
    how |= {"warm_up": 2.5, "frame_rate": 20.5, "target": target}
    made = linear.LinearWeights(*arrays, 2, ("a", "b"), ("c",), **how)
    made.save(tmp_path / "w.npz")
    found = linear.load(tmp_path / "w.npz")
    plain = {name: value for name, value in vars(made).items() if not isinstance(value, np.ndarray)}
    assert {name: getattr(found, name) for name in plain} == plain
    pipeline, rows = found.pipeline(), rng.normal(size=(5, 4))
    logits = (rows - made.mean) / made.scale @ made.coef.T + made.intercept
    if target.kind.name == "regression":
        np.testing.assert_allclose(pipeline.predict(rows), logits)
        return
    p = softmax(logits, axis=1) if target.states else np.c_[expit(-logits), expit(logits)]
    np.testing.assert_allclose(pipeline.predict_proba(rows), p)


def test_linear_weights_of_earlier_versions_are_not_causal_and_name_no_size(tmp_path):
    path = tmp_path / "w.npz"
    made = linear.LinearWeights(np.ones(4), np.zeros(1), np.zeros(4), np.ones(4), 2, ("a",), ("b",))
    made.save(path)
    with np.load(path) as file:
        content = dict(file)
    kept = ("coef", "intercept", "mean", "scale", "pixels", "train_mice", "valid_mice")
    np.savez(path, **{key: content[key] for key in kept})
    old = linear.load(path)
    assert (old.causal, old.normalise_from, old.warm_up) == (False, "past", 5.0)
    assert (old.baseline, old.size, old.frame_rate, old.target) == (None, (), None, RUN)
    assert (old.pixels, old.train_mice, old.valid_mice) == (2, ("a",), ("b",))


def test_a_linear_fit_to_one_state_is_refused(paths, tmp_path, capsys):
    rest = np.zeros(30, bool)
    rest[0] = True  # run in the first frame only, which has no image
    one = write_recording(tmp_path / "m4_a.h5", "m4", labels=rest)
    message = refused(capsys, *linear_words(paths, tmp_path, train=[one]))
    assert "state" in message
    assert not (tmp_path / "linear.npz").exists()
    assert not (tmp_path / "linear.h5").exists()


def test_a_linear_fit_to_no_frames_is_refused(paths, tmp_path, capsys):
    short = write_recording(tmp_path / "m4_a.h5", "m4", n_frames=4, segment=[0, 0, 1, 1])
    refused(capsys, *linear_words(paths, tmp_path, train=[short]))
    assert not (tmp_path / "linear.h5").exists()


# --- a mouse has one role ----------------------------------------------------------------------


def train_cnn_words(out, train, valid, *more):
    settings = ["--backbone", TINY, "--pretrained", "none", "--epochs", 1, "--batch-size", 16]
    return [
        *("train-cnn", "--train", *train, "--valid", *valid, *settings, "--threads", 1),
        *("--out", out / "cnn.pt", "--history", out / "cnn.tsv", *more),
    ]


def train_rnn_words(features, out, train, valid, *more):
    settings = ["--rnn", "gru", "--half-window", HALF_WINDOW, "--hidden-size", 8, "--epochs", 1]
    return [
        *("train-rnn", "--features", features, "--train-mice", *train, "--valid-mice", *valid),
        *(*settings, "--threads", 1, "--out", out / "rnn.pt", "--history", out / "rnn.tsv", *more),
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Weights of a CNN and an RNN, and the CNN's features, in a folder that tests only read."""
    folder = tmp_path_factory.mktemp("inputs")
    trained_cnn().save(folder / "cnn.pt")
    trained_rnn().save(folder / "rnn.pt")
    sessions = write_sessions(folder / "recordings")
    extract({None: trained_cnn()}, read_recordings(list(sessions.values())), folder / "f.h5")
    return folder


@pytest.mark.parametrize("seen", ["m1_a", "m2_a"])
def test_no_verb_tests_a_mouse_that_its_network_saw(paths, tmp_path, trained, capsys, seen):
    mouse, out = seen[:2], tmp_path / "out"
    tests = [paths["m3_a"], paths[seen]]
    cnn = ["--weights", trained / "cnn.pt", "--decoder", "c", "--out", out / "p.h5"]
    rnn = ["--weights", trained / "rnn.pt", "--decoder", "c", "--out", out / "p.h5"]
    features = ["--features", trained / "f.h5"]
    other = write_recording(tmp_path / "m1_b.h5", "m1", seed=5)
    more_linear = linear_words(paths, out, train=[other], valid="m2", test=tests)
    for words in (
        ["predict", *cnn, "--recordings", *tests],
        ["predict", *rnn, *features, "--test-mice", "m3", mouse],
        ["predict", *rnn, *features],  # all mice in it
        more_linear,
        train_cnn_words(out, [paths["m1_a"], paths["m3_a"]], [paths["m2_a"], paths["m3_b"]]),
        train_rnn_words(trained / "f.h5", out, ["m1", mouse], ["m2", mouse]),
    ):
        assert "two roles" in refused(capsys, *words)
        assert not out.exists() or files_in(out) == []


def test_features_of_a_cnn_that_saw_the_test_mouse_are_refused(paths, tmp_path, capsys):
    """The RNN never saw m1, but the CNN that made its features was trained on it."""
    extract({None: trained_cnn()}, read_recordings(list(paths.values())), tmp_path / "f.h5")
    trained_rnn(("m3",), ("m2",)).save(tmp_path / "rnn.pt")
    rnn = ["--weights", tmp_path / "rnn.pt", "--features", tmp_path / "f.h5", "--test-mice", "m1"]
    message = refused(capsys, "predict", *rnn, "--decoder", "c", "--out", tmp_path / "p.h5")
    assert "m1" in message
    assert "saw" in message
    assert not (tmp_path / "p.h5").exists()


def test_features_of_a_seen_mouse_alone_predict_nothing(paths, tmp_path, trained, capsys):
    out, weights = tmp_path / "p.h5", ["--weights", trained / "cnn.pt"]
    features = ["--features", tmp_path / "f.h5"]
    assert run("extract", *weights, "--recordings", paths["m1_a"], *features) == 0
    message = refused(capsys, "predict", *weights, *features, "--decoder", "c", "--out", out)
    assert "two roles" in message and not out.exists()


def test_the_same_session_twice_is_refused(paths, tmp_path, trained, capsys):
    words = ["predict", "--weights", trained / "cnn.pt", "--decoder", "c", "--out", tmp_path / "p"]
    twice = ["--recordings", paths["m3_a"], paths["m3_a"]]
    assert "given twice" in refused(capsys, *words, *twice)


# --- bad input of the verbs --------------------------------------------------------------------


def test_bad_input_gets_one_line_and_no_output(paths, tmp_path, trained, capsys):
    out, bad = tmp_path / "out", tmp_path / "bad"
    bad.mkdir()
    (bad / "text.h5").write_text("no HDF5")
    (bad / "text.pt").write_text("no weights")
    small = write_recording(bad / "m4_small.h5", "m4", side=16)
    m3, text = paths["m3_a"], bad / "text.h5"
    cnn = ["--weights", trained / "cnn.pt"]
    extract = ["--features", out / "f.h5"]
    predicted = ["--decoder", "c", "--out", out / "p.h5"]
    rnn = ["predict", "--weights", trained / "rnn.pt", *predicted]
    cases = [
        (["extract", "--weights", bad / "text.pt", "--recordings", m3, *extract], "text.pt"),
        (["extract", "--weights", bad / "none.pt", "--recordings", m3, *extract], "none.pt"),
        (["extract", "--weights", trained / "rnn.pt", "--recordings", m3, *extract], "rnn.pt"),
        (["extract", *cnn, "--recordings", m3, text, *extract], "text.h5"),
        (["extract", *cnn, "--recordings", m3, bad / "none.h5", *extract], "none.h5"),
        (["extract", *cnn, "--recordings", m3, small, *extract], "m4_small.h5"),
        (["predict", *cnn, "--recordings", text, *predicted], "text.h5"),
        (["predict", *cnn, "--features", bad / "none.h5", *predicted], "none.h5"),
        ([*rnn, "--recordings", m3], "rnn.pt"),
        ([*rnn, "--features", text], "text.h5"),
        ([*rnn, "--features", bad / "none.h5"], "none.h5"),
        ([*rnn, "--features", trained / "f.h5", "--test-mice", "m3", "m8"], "m8"),
        (train_cnn_words(out, [paths["m1_a"]], [text]), "text.h5"),
        (train_cnn_words(out, [paths["m1_a"]], [small]), "m4_small.h5"),
        (train_cnn_words(out, [paths["m1_a"]], [m3], "--backbone", "resnet_x"), "resnet_x"),
        (train_cnn_words(out, [paths["m1_a"]], [m3], "--pretrained", "maybe"), "--pretrained"),
        (train_cnn_words(out, [paths["m1_a"]], [m3], "--max-lr", "0"), "--max-lr"),
        (train_cnn_words(out, [paths["m1_a"]], [m3], "--frame-step", 40), "frame_step"),
        (train_rnn_words(trained / "f.h5", out, ["m1", "m8"], ["m2"]), "m8"),
        (train_rnn_words(trained / "f.h5", out, ["m1"], ["m8"]), "m8"),
        (train_rnn_words(text, out, ["m1"], ["m2"]), "text.h5"),
        (train_rnn_words(trained / "f.h5", out, ["m1"], ["m2"], "--half-window", 20), "window"),
        (linear_words(paths, out, train=[text]), "text.h5"),
        (linear_words(paths, out, test=[m3, small]), "m4_small.h5"),
        (linear_words(paths, out, more=["--pixels", "0"]), "--pixels"),
    ]
    for words, named in cases:
        assert named in refused(capsys, *words), words
        assert not out.exists() or files_in(out) == [], words


def test_a_cnn_is_fine_tuned_on_the_mice_that_it_was_trained_and_validated_on(
    paths, tmp_path, trained, capsys
):
    words = ["finetune", "--start", trained / "cnn.pt", "--train", paths["m1_a"], "--epochs", 1]
    words += ["--rnn", "gru", "--out", tmp_path / "o.pt", "--history", tmp_path / "h.tsv"]
    said = refused(capsys, *words, "--valid", paths["m3_a"])
    assert "cnn.pt: trained on m1 and validated on m2; --train and --valid must hold" in said
    said = refused(capsys, *words[:4], paths["m3_a"], *words[5:], "--valid", paths["m2_a"])
    assert "cnn.pt: trained on m1 and validated on m2" in said


def test_flags_that_do_not_go_together_are_refused(paths, tmp_path, trained, capsys):
    words = ["predict", "--weights", trained / "cnn.pt", "--decoder", "c", "--out", tmp_path / "p"]
    message = refused(capsys, *words, "--recordings", paths["m3_a"], "--test-mice", "m3")
    assert "--test-mice" in message


# --- training by hand --------------------------------------------------------------------------


def test_training_verbs_write_what_is_read_back(paths, tmp_path):
    recordings = paths["m1_a"], paths["m2_a"]
    assert run(*train_cnn_words(tmp_path, recordings[:1], recordings[1:], "--seed", 5)) == 0
    cnn = load_trained(tmp_path / "cnn.pt", "cnn")
    assert (cnn.train_mice, cnn.valid_mice) == (("m1",), ("m2",))
    assert (cnn.settings["backbone"], cnn.settings["seed"]) == (TINY, 5)
    history = pd.read_csv(tmp_path / "cnn.tsv", sep="\t")
    assert history["epoch"].tolist() == [1]
    extract({None: cnn}, read_recordings(list(paths.values())), tmp_path / "f.h5")
    assert run(*train_rnn_words(tmp_path / "f.h5", tmp_path, ["m1"], ["m2"])) == 0
    rnn = load_trained(tmp_path / "rnn.pt", "cnn_rnn")
    assert (rnn.train_mice, rnn.valid_mice) == (("m1",), ("m2",))
    assert rnn.settings["half_window"] == HALF_WINDOW
    assert rnn.build().rnn.input_size == N_FEATURES


def test_the_same_command_trains_the_same_weights(paths, tmp_path):
    for name in ("a", "b"):
        assert run(*train_cnn_words(tmp_path / name, [paths["m1_a"]], [paths["m2_a"]])) == 0
    a, b = (load_trained(tmp_path / name / "cnn.pt", "cnn").state for name in ("a", "b"))
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.slow
def test_every_verb_in_turn_on_simulated_mice(tmp_path, capsys):
    """simulate → preprocess → train-cnn → extract → train-rnn → predict → auc."""
    size = ["--n-frames", 150, "--image-size", SIDE, "--run-signal", 1.0, "--cycle-s", 1.5]
    raw, folder = tmp_path / "raw", tmp_path / "recordings"
    assert run("simulate", "--mice", 3, "--sessions", 2, "--out", raw, "--seed", 1, *size) == 0
    recordings = {}
    for mouse in ("m1", "m2", "m3"):
        for session in (f"{mouse}_s1", f"{mouse}_s2"):
            files = ["--movie", raw / f"{session}.tif", "--rois", raw / f"{session}_roi.mat"]
            files += ["--behavior", raw / f"{session}_behavior.mat"]
            about = ["--session", session, "--mouse", mouse, "--out", folder / f"{session}.h5"]
            assert run("preprocess", *files, *about) == 0
            recordings.setdefault(mouse, []).append(folder / f"{session}.h5")
    everything = [path for paths in recordings.values() for path in paths]
    assert run("cohort", "--recordings", *everything, "--out", tmp_path / "cohort.tsv") == 0
    assert len((tmp_path / "cohort.tsv").read_text().splitlines()) == 7
    cnn = train_cnn_words(tmp_path, recordings["m1"], recordings["m2"], "--max-lr", 0.01)
    assert run(*cnn, "--epochs", 4) == 0
    weights, features = ["--weights", tmp_path / "cnn.pt"], ["--features", tmp_path / "f.h5"]
    assert run("extract", *weights, *features, "--recordings", *everything, "--threads", 1) == 0
    out = ["--test-mice", "m3", "--decoder", "cnn", "--out", tmp_path / "p_cnn.h5"]
    assert run("predict", *weights, *features, *out) == 0
    rnn = train_rnn_words(tmp_path / "f.h5", tmp_path, ["m1"], ["m2"], "--max-lr", 0.01)
    assert run(*rnn, "--epochs", 3) == 0
    weights = ["--weights", tmp_path / "rnn.pt", "--features", tmp_path / "f.h5"]
    out = ["--test-mice", "m3", "--decoder", "cnn_gru", "--out", tmp_path / "p_rnn.h5"]
    assert run("predict", *weights, *out) == 0
    assert (
        run(
            *("fit-linear", "--train", *recordings["m1"], "--valid-mice", "m2", "--pixels", 16),
            *("--test", *recordings["m3"], "--out", tmp_path / "l.npz"),
            *("--predictions", tmp_path / "p_linear.h5"),
        )
        == 0
    )
    files = [tmp_path / f"p_{name}.h5" for name in ("cnn", "rnn", "linear")]
    tables = ["--out", tmp_path / "auc.tsv", "--sessions", tmp_path / "session_auc.tsv"]
    assert run("auc", "--predictions", *files, *tables) == 0
    auc = pd.read_csv(tmp_path / "auc.tsv", sep="\t").set_index("decoder")
    assert set(auc.index) == {"cnn", "cnn_gru", "linear"}
    assert (auc["allocation"] == "train-m1.valid-m2.test-m3").all()
    # Two sessions of 150 frames: images lose 1 frame at each end, windows of ±2 images 3.
    assert auc["n_frames"].to_dict() == {"cnn": 296, "cnn_gru": 288, "linear": 296}
    for path in files:
        read = predictions.read(path)
        labels = np.concatenate([s.label for s in read.sessions.values()])
        probability = np.concatenate([s.probability for s in read.sessions.values()])
        row = auc.loc[read.decoder]
        assert row["auc"] == pytest.approx(roc_auc_score(labels, probability), abs=1e-5)
        assert row["n_run"] == labels.sum()
    assert auc["auc"].max() > 0.8  # a strong signal was planted
    assert len(pd.read_csv(tmp_path / "session_auc.tsv", sep="\t")) == 6


@pytest.mark.parametrize("backbone", ["efficientnet_lite0", "resnet10t", "convnext_atto"])
def test_any_timm_backbone_by_name(paths, tmp_path, backbone):
    """train-cnn → extract → train-rnn → predict, a network of each of three families."""
    name = ["--backbone", backbone, "--frame-step", 2]
    assert run(*train_cnn_words(tmp_path, [paths["m1_a"]], [paths["m2_a"]], *name)) == 0
    words = ["--weights", tmp_path / "cnn.pt", "--features", tmp_path / "f.h5"]
    assert run("extract", *words, "--recordings", *paths.values(), "--threads", 1) == 0
    out = ["--test-mice", "m3", "--decoder", "cnn", "--out", tmp_path / "p_cnn.h5"]
    assert run("predict", *words, *out) == 0
    assert run(*train_rnn_words(tmp_path / "f.h5", tmp_path, ["m1"], ["m2"])) == 0
    words = ["--weights", tmp_path / "rnn.pt", "--features", tmp_path / "f.h5", "--test-mice", "m3"]
    assert run("predict", *words, "--decoder", "rnn", "--out", tmp_path / "p_rnn.h5") == 0
    # m3_a: 40 frames; m3_b: segments of 7, 2 and 17 frames
    for path, n_frames in (("p_cnn.h5", 38 + 5 + 15), ("p_rnn.h5", 34 + 1 + 11)):
        sessions = predictions.read(tmp_path / path).sessions
        probability = np.concatenate([s.probability for s in sessions.values()])
        assert len(probability) == n_frames
        assert np.ptp(probability) > 0


def test_a_backbone_of_one_image_size_is_refused_by_name(paths, tmp_path, capsys):
    words = train_cnn_words(tmp_path / "out", [paths["m1_a"]], [paths["m2_a"]])
    line = refused(capsys, *words, "--backbone", "swin_tiny_patch4_window7_224")
    assert "'swin_tiny_patch4_window7_224': does not take images of 32 x 32 px" in line
    assert "set image_size in the config to 224" in line
    assert not (tmp_path / "out").exists()


def test_training_from_a_damaged_file_is_refused_by_name(paths, tmp_path, capsys):
    weights = tmp_path / "weights.pt"
    torch.save(CNNDecoder(TINY).net.state_dict(), weights)
    write_checksum(weights)
    words = train_cnn_words(tmp_path / "out", [paths["m1_a"]], [paths["m2_a"]])
    words += ["--pretrained", f"file:{weights}"]
    weights.write_bytes(weights.read_bytes()[:-1])
    assert f"{weights}: does not have the SHA-256" in refused(capsys, *words)
    assert not (tmp_path / "out").exists()


def test_fine_tuning_takes_runs_of_the_length_that_is_set(paths, tmp_path, monkeypatch):
    trained_cnn().save(tmp_path / "cnn.pt")
    asked = {}

    def fit(*_, **settings):
        asked.update(settings)
        raise UserError("seen")

    monkeypatch.setattr(train, "fit", fit)
    words = ["finetune", "--start", tmp_path / "cnn.pt", "--rnn", "gru", "--half-window", 2]
    words += ["--train", paths["m1_a"], "--valid", paths["m2_a"], "--run-length", 7]
    assert run(*words, "--out", tmp_path / "o.pt", "--history", tmp_path / "h.tsv") == 1
    assert asked["run_length"] == 7


def test_the_command_ends_with_the_status_of_its_verb(tmp_path):
    """Typed by hand: no traceback, one line, status 1."""
    done = subprocess.run(
        [sys.executable, "-m", "mesodecode", "cohort", "--recordings", "none.h5", "--out", "c.tsv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "none.h5" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_a_decoder_leaves_no_predictions(paths, tmp_path, monkeypatch):
    """A failure half way, after some sessions: nothing is left under either name."""
    done, original = [], predict.cnn_outputs

    def fail_later(*args):
        done.append(args)
        if len(done) > 2:
            raise UserError("out of light")
        return original(*args)

    monkeypatch.setattr(extraction, "cnn_outputs", fail_later)
    trained_cnn().save(tmp_path / "cnn.pt")
    out = tmp_path / "out"
    words = ["extract", "--weights", tmp_path / "cnn.pt", "--recordings", *paths.values()]
    assert run(*words, "--features", out / "f.h5") == 1
    assert files_in(out) == []
