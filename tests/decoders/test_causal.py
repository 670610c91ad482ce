"""Causal decoders: nothing of a later frame, and the same as going through the frames slowly."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from scipy.special import expit

from make_decoders import N_FEATURES, TINY, refused, trained_cnn
from make_decoders import run as verb
from mesodecode.base import windows
from mesodecode.base.files import UserError
from mesodecode.decoders import (
    applied,
    extraction,
    inputs,
    networks,
    predict,
    predictions,
    roi_networks,
    weights,
)
from mesodecode.decoders.adapt import adapted
from mesodecode.decoders.fitted import linear, roi_classical
from mesodecode.decoders.linear_networks import Pixels, of_windows
from mesodecode.decoders.passed import Passed
from mesodecode.recordings import baseline, roi_signals, sample
from mesodecode.recordings.recording import read_recording
from mesodecode.study import schema
from mesodecode.study.targets import Target

RATE, WARM = 10.0, 1.5  # frames/s; s
SIDE = 32
HOW = {"causal": True, "normalise_from": "past", "warm_up": WARM}
CUT = np.repeat([0, 1], [55, 25])  # a gap after 55 frames
IMAGES = ("pixels", "cnn", "finetuned", "frozen")
TREES = ("gradient_boosting",)
ROIS = ("gru", "tcn", "logistic_regression", "gradient_boosting")


def recording(session="t1", mouse="t", n=80, seed=0, segment=CUT):
    """Frames and ROI signals, brighter in one place while the mouse runs."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) // 7 % 2).astype(np.uint8)
    frames = rng.normal(1000, 40, (n, SIDE, SIDE))
    frames[:, 3:9, 3:9] += 60 * labels[:, None, None]
    rois = rng.normal(10, 1, (n, 3)).astype(np.float32)
    rois[:, 1] += 1.5 * labels
    return _of(session, mouse, frames.astype(np.uint16), rois, labels, segment)


def _of(session, mouse, frames, rois, labels, segment):
    mean, sd = frames.mean(0).astype(np.float32), float(frames.std())
    about = Path(f"{session}.h5"), session, mouse, RATE, labels, None, segment, rois, mean, sd
    return sample.Sample(*about, shape=frames.shape, frames=frames)


def changed_from(one, t):
    """A recording that is another after frame t, with all that is known of the whole of it."""
    rng = np.random.default_rng(9)
    frames, rois = one.frames.copy(), one.rois.copy()
    frames[t + 1 :] = rng.integers(0, 4000, frames[t + 1 :].shape)
    rois[t + 1 :] = rng.normal(0, 90, rois[t + 1 :].shape)
    return _of(one.session, one.mouse, frames, rois, one.labels, one.segment)


TRAINING = [recording(m, m, 140, seed, None) for seed, m in enumerate("ab", 10)]


@functools.cache
def once_trained():
    return trained_cnn()


def decoder_of(kind, w=2, base=None, **how):
    """A decoder of a kind; its settings; and its own code's predictions of recordings."""
    how = HOW | how | {"baseline": base}
    if kind == "pixels":
        settings = {"pixels": SIDE, "C": 0.1, "frame_step": 1} | how
        model = linear.fit_linear(TRAINING, **settings)
        network = Pixels(linear.weights_of(model, settings, ("a", "b"))).eval()
        own = {"pixels": SIDE} | how
        return applied.ImageDecoder(network, None, "cpu", how), lambda mine: linear.predict_linear(
            model, mine, **own
        )
    if kind in IMAGES:
        cnn = once_trained()
        cnn = replace(cnn, settings=cnn.settings | how)
        if kind == "cnn":
            decoder = applied.ImageDecoder(cnn.build(), None, "cpu", how)
            return decoder, lambda mine: predict.predict(cnn, mine)
        torch.manual_seed(5)
        rnn = networks.RNNDecoder(N_FEATURES, cell="gru", hidden_size=8)
        both = networks.CNNRNNDecoder(cnn.build(), rnn).eval()
        decoder = applied.ImageDecoder(both, w, "cpu", how)
        sizes = {"rnn": "gru", "hidden_size": 8, "num_layers": 1, "bidirectional": False}
        settings = cnn.settings | sizes | {"dropout": 0.0, "half_window": w}
        made = replace(cnn, kind="finetuned", settings=settings, state=both.state_dict())
        return decoder, lambda mine: predict.predict(made, mine)
    if kind in ("gru", "tcn"):
        settings = schema.defaults("roi_rnn", input="rois", rnn=kind, half_window=w) | how
        settings |= {"hidden_size": 5, "dropped": []}
        torch.manual_seed(2)
        network = networks.rnn_decoder(3, settings).eval()
        return applied.SignalDecoder(network, settings), lambda mine: roi_networks.predict(
            network, roi_signals.signals_of(mine, settings), settings
        )
    settings = schema.defaults("roi_classical", input="rois", model=kind, half_window=w) | how
    settings |= {"frame_step": 1, "trees": 5, "dropped": []}
    model = roi_classical.fit_classical(roi_signals.signals_of(TRAINING, settings), settings)
    decoder = applied.SignalDecoder(of_windows(model).eval(), settings)
    return decoder, lambda mine: roi_classical.predict_classical(
        model, roi_signals.signals_of(mine, settings), settings
    )


def run(decoder, recordings, known=TRAINING, **settings):
    return adapted.predict(
        decoder, recordings, known, schema.defaults("adapted", adapted_from="x") | settings
    )


@pytest.mark.parametrize("base", [None, 30])
@pytest.mark.parametrize("kind", ["pixels", "cnn", "finetuned", *ROIS])
def test_no_later_frame_changes_a_probability(kind, base):
    decoder, own = decoder_of(kind, base=base)
    mine, t = recording(), 45
    plain, other = (own([one])["t1"] for one in (mine, changed_from(mine, t)))
    np.testing.assert_array_equal(plain.frame, other.frame)
    past = plain.frame <= t
    assert 0 < past.sum() < len(past)
    np.testing.assert_array_equal(plain.probability[past], other.probability[past])  # to the bit
    first = 5 if kind in TREES else 1  # which do not turn on every change
    assert (plain.probability[~past][:first] != other.probability[~past][:first]).any()  # t + 1
    again = run(decoder, [mine])["t1"]  # the door of all kinds
    np.testing.assert_array_equal(again.frame, plain.frame)
    np.testing.assert_allclose(again.probability, plain.probability, atol=2e-5)


def slow_frames(before, cut=CUT):
    """Frames whose window, of `before` frames more, is of one segment and beyond the warm-up."""
    skip = round(WARM * RATE)
    return [
        t
        for t in range(len(cut))
        if t - before >= skip and len({cut[k] for k in range(t - before, t + 1)}) == 1
    ]


def slow_image(frames, t, base):
    """The image of frame t: of t-2, t-1, t, by the frames before the block that t lies in."""
    length = round(RATE) if base is None else min(round(RATE), base // 10)
    known = frames[: t // length * length].astype(np.float64)
    mean = known if base is None else known[-(round(base / length) * length) :]
    three = frames[t - 2 : t + 1].astype(np.float64)
    return (three - mean.mean(axis=0)) / known.std()


@torch.inference_mode()
@pytest.mark.parametrize("base", [None, 30])
@pytest.mark.parametrize("kind", ["pixels", "cnn", "finetuned"])
def test_images_are_decoded_as_a_loop_over_frames_would(kind, base, monkeypatch):
    monkeypatch.setattr(linear, "BLOCK", 7)  # frames that are read at once
    decoder, own = decoder_of(kind, base=base)
    mine = recording()
    w = decoder.half_window or 0
    frames = slow_frames(2 * w + 2)
    expected = []
    for t in frames:
        images = [slow_image(mine.frames, s, base) for s in range(t - 2 * w, t + 1)]
        images = torch.tensor(np.array(images), dtype=torch.float32)
        if kind == "pixels":
            net = decoder.network
            logit = net.head((images[0, 2].flatten() - net.mean) / net.scale)[0]  # frame t itself
        elif kind == "cnn":
            logit = decoder.network(images)[0]
        else:
            logit = decoder.network.rnn(decoder.network.cnn.features(images)[None])[0]
        expected.append(expit(float(logit)))
    found = own([mine])["t1"]
    assert found.frame.tolist() == frames
    np.testing.assert_allclose(found.probability, expected, atol=3e-5)


@torch.inference_mode()
@pytest.mark.parametrize("base", [None, 30])
@pytest.mark.parametrize("normalise", ["minmax", "zscore", "dff"])
def test_signals_are_decoded_as_a_loop_over_frames_would(normalise, base):
    decoder, own = decoder_of("gru", base=base, normalise=normalise)
    mine, w = recording(), 2
    x = mine.rois.astype(np.float64)
    values, rows = [], []
    for t in range(len(x)):
        span = t + 1 if base is None else base
        mean = x[max(0, t + 1 - span) : t + 1].mean(axis=0)
        values.append(x[t] - (mean if base or normalise == "dff" else 0))
        known = np.array(values)
        low, scale = {
            "minmax": (known.min(0), np.ptp(known, axis=0)),
            "zscore": (known.mean(0), known.std(0)),
            "dff": (0, mean),
        }[normalise]
        rows.append((values[t] - low) / np.where(scale > 0, scale, 1))
    frames = slow_frames(2 * w)
    rows = torch.tensor(np.array(rows), dtype=torch.float32)
    logits = [float(decoder.network(rows[None, t - 2 * w : t + 1])) for t in frames]
    found = own([mine])["t1"]
    assert found.frame.tolist() == frames
    np.testing.assert_allclose(found.probability, expit(logits), atol=1e-5)


def test_frames_added_one_by_one_are_known_as_blocks_are():
    frames = recording(n=47).frames
    for window in (None, 7, 30):
        slow, fast = baseline.Past(5, window), baseline.Past(5, window)
        for t, frame in enumerate(frames):
            slow.add(frame[None])
            if t % 5 == 4:
                fast.add(frames[t - 4 : t + 1])
                np.testing.assert_allclose(slow.mean, fast.mean, rtol=1e-6)
                assert slow.sd == pytest.approx(fast.sd, rel=1e-9)


def test_signals_as_recorded_need_no_warm_up():
    _, own = decoder_of("gru", normalise="none")
    assert own([recording()])["t1"].frame[0] == 4


def test_a_frame_rate_above_the_warm_up_still_has_known_frames():
    """.2 s at 200 frames/s: blocks are of .2 s then, as in short recordings of voltage imaging."""
    one = replace(recording(segment=None), frame_rate=200.0)
    made = baseline.by_past(one, None, 0.2)
    assert made.skip == 40 and len(np.unique(made.baseline.before)) == 2
    np.testing.assert_allclose(made.subtracted().at(np.array([79])), [one.frames[:40].mean(0)])


# --- a reference recording of the mouse -----------------------------------------------------------


def pair(seed=3, **changed):
    first = recording("t0", n=60, seed=seed, segment=None)
    return [first, replace(recording(**changed), reference=first)]


@pytest.mark.parametrize("kind", ["cnn", "gru", "logistic_regression"])
def test_a_reference_normalises_and_is_not_scored(kind):
    how = {"normalise_from": "reference"}
    if kind in ROIS and kind != "gru":  # fitted to training mice, which need references too
        TRAINING[1] = replace(TRAINING[1], mouse="a", reference=TRAINING[0])
    try:
        decoder, own = decoder_of(kind, **how)
    finally:
        TRAINING[1] = replace(TRAINING[1], mouse="b", reference=None)
    both = pair()
    found = own(both)
    assert len(found["t0"].frame) == 0
    assert found["t1"].frame[0] == decoder.before  # known before the first frame: no warm-up
    later = [both[0], replace(changed_from(both[1], 45), reference=both[0])]
    past = found["t1"].frame <= 45
    again = own(later)["t1"]
    np.testing.assert_array_equal(found["t1"].probability[past], again.probability[past])
    other = pair(seed=4)[0]
    unlike = own([other, replace(both[1], reference=other)])["t1"]
    assert (unlike.probability != found["t1"].probability).any()
    with pytest.raises(UserError, match=r"t1\.h5: normalise_from: reference, but mouse t has this"):
        own([recording()])


def test_images_by_a_reference_are_by_its_mean_and_sd():
    first, one = pair()
    made = list(baseline.prepared([first, one], HOW | {"normalise_from": "reference"}))
    batch = inputs.Images(made).batch(torch.tensor([60 + 7]))[0]
    expected = (one.frames[5:8] - first.frames.mean(0)) / first.frames.std()
    np.testing.assert_allclose(batch, expected, atol=1e-4)


# --- what adapts ----------------------------------------------------------------------------------


def test_few_labels_fine_tune_and_later_frames_stay_unknown():
    decoder, _ = decoder_of("gru")
    mine = recording(segment=None)
    how = {"few_shot": 35 / 600, "finetune": "all", "passes": 2}  # 35 frames
    plain, other = (run(decoder, [one], **how)["t1"] for one in (mine, changed_from(mine, 60)))
    past = plain.frame <= 60
    assert plain.frame[0] == 35 + decoder.before and past.any()
    np.testing.assert_array_equal(plain.probability[past], other.probability[past])
    unlike = run(decoder, [mine])["t1"]
    assert np.abs(unlike.probability[-5:] - plain.probability[-5:]).max() > 1e-4


@pytest.mark.parametrize("kind", ["pixels", "gru"])
def test_statistics_of_the_first_minutes_know_no_later_frame(kind):
    decoder, _ = decoder_of(kind)
    mine = recording(segment=None)
    how = {"first_unlabelled": 35 / 600, "coral": True}
    known = [replace(one, frames=one.frames) for one in TRAINING]
    found = []
    for one in (mine, changed_from(mine, 60)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(applied, "sample", lambda recording, *_: recording)
            found.append(run(decoder, [one], known, **how)["t1"])
    plain, other = found
    past = plain.frame <= 60
    assert plain.frame[0] == 35 + decoder.before
    np.testing.assert_array_equal(plain.probability[past], other.probability[past])


# --- files and words ------------------------------------------------------------------------------


def test_what_is_left_out_is_said_once(capsys):
    windows._tell.cache_clear()
    decoder_of("gru")[1]([recording()])
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("causal:")]
    assert len(said) == 1 and "the first 19 frames of a recording and the first 4" in said[0]


def write(tmp_path, one, **attributes):
    import h5py

    path = tmp_path / f"{one.session}.h5"
    with h5py.File(path, "w") as file:
        for key in ("frames", "labels", "segment", "rois", "pixel_mean", "stack_sd"):
            if getattr(one, key) is not None:
                file[key] = getattr(one, key)
        file.attrs.update(session=one.session, mouse=one.mouse, frame_rate=RATE)
    return path


def test_a_frozen_pair_is_causal_in_both_files(tmp_path, capsys):
    cnn = trained_cnn(train_mice=("a",), valid_mice=("b",))
    replace(cnn, settings=cnn.settings | HOW | {"baseline": None}).save(tmp_path / "cnn.pt")
    paths = [write(tmp_path, one) for one in (*TRAINING, recording())]
    files = ["--recordings", *paths, "--features", tmp_path / "f.h5"]
    assert verb("extract", "--weights", tmp_path / "cnn.pt", *files) == 0
    made = ["--out", tmp_path / "rnn.pt", "--history", tmp_path / "h.tsv"]
    words = ["train-rnn", "--features", tmp_path / "f.h5", "--train-mice", "a", "--valid-mice", "b"]
    words += ["--rnn", "gru", "--half-window", "2", "--epochs", "1", *made]
    assert "causal: false, but true of the CNN" in refused(capsys, *words)
    assert verb(*words, "--causal") == 0
    kept = applied.load_trained(tmp_path / "rnn.pt", "cnn_rnn").settings
    assert {key: kept[key] for key in HOW} == HOW
    out = ["--decoder", "d", "--out", tmp_path / "rnn.h5"]
    features = ["--features", tmp_path / "f.h5", "--test-mice", "t"]
    assert verb("predict", "--weights", tmp_path / "rnn.pt", *features, *out) == 0
    own = ["--decoder", "c", "--out", tmp_path / "p.h5"]
    assert verb("predict", "--weights", tmp_path / "cnn.pt", *features, *own) == 0
    found = predictions.read(tmp_path / "rnn.h5")
    assert found.protocol == predictions.read(tmp_path / "p.h5").protocol == "strict"
    decoder = applied.load(tmp_path / "rnn.pt", tmp_path / "cnn.pt").decoder
    again = run(decoder, [recording()])["t1"]
    np.testing.assert_array_equal(again.frame, found.sessions["t1"].frame)
    assert again.frame.tolist() == slow_frames(6)
    alone = predictions.read(tmp_path / "p.h5").sessions["t1"]
    assert alone.frame.tolist() == slow_frames(2)
    whole = predict.predict(applied.load_trained(tmp_path / "cnn.pt", "cnn"), [recording()])["t1"]
    np.testing.assert_allclose(alone.probability, whole.probability, atol=1e-5)
    # no float16 in the file of features
    np.testing.assert_allclose(again.probability, found.sessions["t1"].probability, atol=1e-5)
    plain = replace(cnn, settings={"backbone": TINY, "pretrained": "none"})  # of an older version
    plain.save(tmp_path / "old.pt")
    assert not applied.load(tmp_path / "old.pt").decoder.causal
    with pytest.raises(UserError, match=r"old\.pt: of it and \S+rnn\.pt one is causal"):
        applied.load(tmp_path / "rnn.pt", tmp_path / "old.pt")
    trace = Target("pupil", unit="mm").settings()
    known = applied.load_trained(tmp_path / "cnn.pt", "cnn")
    replace(known, settings=known.settings | trace).save(tmp_path / "pupil.pt")
    with pytest.raises(UserError, match=r"rnn.pt: decodes run, but .* is pupil \(mm\)"):
        applied.load(tmp_path / "rnn.pt", tmp_path / "pupil.pt")
    assert "which it starts from, is not causal" in refused(
        capsys,
        *("finetune", "--start", tmp_path / "old.pt", "--train", paths[0], "--valid", paths[1]),
        *("--rnn", "gru", "--causal", "--out", tmp_path / "x.pt", "--history", tmp_path / "x.tsv"),
    )


def correct(path, corrections):
    """Have a recording say that it was corrected so."""
    with h5py.File(path, "a") as file:
        file.create_group("corrections").attrs["settings"] = json.dumps(corrections)


@pytest.mark.parametrize(
    ("corrections", "protocol"),
    [(None, "strict"), ({"binning": 2}, "strict"), ({"bleaching": True}, "transductive")],
)
def test_a_causal_decoder_of_a_test_mouse_corrected_by_later_frames_is_not_strict(
    tmp_path, corrections, protocol
):
    one, other, test = (write(tmp_path, each) for each in (*TRAINING, recording()))
    correct(other, {"bleaching": True})  # the validation mouse is none of its business
    if corrections:
        correct(test, corrections)
    words = ["fit-linear", "--pixels", 8, "--causal", "--warm-up", WARM, "--decoder", "linear"]
    words += ["--train", one, "--valid", other, "--test", test]
    assert verb(*words, "--out", tmp_path / "w.npz", "--predictions", tmp_path / "p.h5") == 0
    assert predictions.read(tmp_path / "p.h5").protocol == protocol


@pytest.mark.parametrize("corrected", ["v1", "t1", "t2"])
def test_a_protocol_knows_of_every_recording_of_the_test_mouse_and_of_no_other(tmp_path, corrected):
    """By whatever a decoder reads them: frames, features, ROI signals, or a pass of all epochs."""
    paths = {
        name: write(tmp_path, recording(name, name[0], 24, seed, None))
        for seed, name in enumerate(("v1", "t1", "t2"))
    }
    correct(paths[corrected], {"bleaching": True})
    cnn = once_trained()
    made = replace(cnn, settings=cnn.settings | HOW | {"baseline": None})
    replace(made, train_mice=("a",), valid_mice=("v",)).save(tmp_path / "cnn.pt")
    settings = schema.defaults("roi_rnn", input="rois", rnn="gru", half_window=1) | HOW
    settings |= {"dropped": [], "baseline": None, "hidden_size": 2, "roi_names": [""] * 3}
    state = networks.rnn_decoder(3, settings).state_dict()
    weights.Trained("roi_rnn", settings, ("a",), ("v",), state).save(tmp_path / "gru.pt")
    line = {"epoch": 1, "train_loss": 1.0}
    weights.TrainedEpochs("roi_rnn", settings, ("a",), [state], [line]).save(tmp_path / "all.pt")

    recorded = ["--recordings", *paths.values()]
    extracted = ["--features", tmp_path / "f.h5"]
    assert verb("extract", "--weights", tmp_path / "cnn.pt", *recorded, *extracted) == 0
    with h5py.File(tmp_path / "f.h5") as file:  # no float16, as at the rig there is none
        assert {group["features"].dtype for group in file.values()} == {np.dtype(np.float32)}
    out = ["--decoder", "d", "--out", tmp_path / "p.h5", "--validation", tmp_path / "v.h5"]
    for words in (
        ["predict", "--weights", tmp_path / "cnn.pt", *recorded],
        ["predict", "--weights", tmp_path / "cnn.pt", *extracted, "--test-mice", "t"],
        ["predict-rois", "--weights", tmp_path / "gru.pt", *recorded],
    ):
        assert verb(*words, *out) == 0
        found = predictions.read(tmp_path / "p.h5").protocol
        assert found == ("strict" if corrected == "v1" else "transductive")
    words = ["pass-signals", "--trained", tmp_path / "all.pt", "--out", tmp_path / "passed.h5"]
    assert verb(*words, "--recordings", paths["t1"], paths["t2"]) == 0
    assert Passed.read(tmp_path / "passed.h5").corrected == (corrected != "v1")
    mine = [read_recording(paths[name]) for name in ("t1", "t2")]
    extraction.extract({1: made}, mine, tmp_path / "epochs.h5")
    settings = schema.defaults("cnn_rnn", rnn="gru", half_window=1, hidden_size=2) | HOW
    state = networks.rnn_decoder(N_FEATURES, settings).state_dict()
    trained = weights.TrainedEpochs("cnn_rnn", settings, ("a",), [state], [line], [1])
    trained.save(tmp_path / "all.pt")
    words = ["pass-features", "--trained", tmp_path / "all.pt", "--out", tmp_path / "passed.h5"]
    assert verb(*words, "--features", tmp_path / "epochs.h5") == 0
    assert Passed.read(tmp_path / "passed.h5").corrected == (corrected != "v1")


def test_rois_that_another_recording_of_the_study_lacks_are_left_out(tmp_path):
    one, other, test = (write(tmp_path, each) for each in (*TRAINING, recording()))
    (tmp_path / "dropped.json").write_text("[2]")
    words = ["--train", one, "--valid", other, "--test", test, "--decoder", "d", "--drop"]
    words += ["--half-window", 0, "--frame-step", 1, "--predictions", tmp_path / "p.h5"]
    for n, (more, dropped) in enumerate(
        (([], []), (["--dropped", tmp_path / "dropped.json"], [2]))
    ):
        out = tmp_path / f"{n}.joblib"
        assert verb("fit-roi", "--model", "logistic_regression", *words, *more, "--out", out) == 0
        assert applied.load(out).settings["dropped"] == dropped
    for n, path in enumerate((one, other, test), 1):  # what any of them lacks is read of none
        with h5py.File(path, "a") as file:
            file["rois"][:, 1] = 5.0
        assert verb("fit-roi", "--model", "logistic_regression", *words, "--out", out) == 0
        assert applied.load(out).settings["dropped"] == [2], n
        write(tmp_path, (*TRAINING, recording())[n - 1])


CHAINS = {  # verb that trains alone, its flags; verb that passes a mouse; verb that keeps; reach
    "cnn": (
        (
            "train-cnn",
            "--backbone",
            TINY,
            "--pretrained",
            "none",
            "--epochs",
            1,
            "--batch-size",
            64,
        ),
        *("--all-epochs", "pass-images", "choose", ".pt", 2),
    ),
    "linear": (("fit-linear", "--pixels", 8), "--alone", "pass-pixels", "keep-fitted", ".npz", 2),
    "roi_gru": (
        ("train-roi", "--rnn", "gru", "--half-window", 2, "--epochs", 1),
        *("--all-epochs", "pass-signals", "choose", ".pt", 4),
    ),
    "roi_svm": (
        ("fit-roi", "--model", "linear_svm", "--half-window", 2, "--frame-step", 1),
        *("--alone", "pass-signals", "keep-fitted", ".joblib", 4),
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_verbs_train_pass_and_keep_causal_decoders(name, tmp_path):
    """As rules of the workflow do: what comes out is of the past, and says so; weights too."""
    words, alone, passing, keeping, suffix, before = CHAINS[name]
    one, other, test = (write(tmp_path, each) for each in (*TRAINING, recording()))
    trained, kept = tmp_path / f"trained{suffix}", tmp_path / f"kept{suffix}"
    how = ["--causal", "--warm-up", WARM]
    assert verb(words[0], "--train", one, *words[1:], *how, alone, trained) == 0
    correct(other, {"bleaching": True})
    passed = [path.with_suffix(".passed") for path in (other, test)]
    for path, out in zip((other, test), passed, strict=True):
        assert verb(passing, "--trained", trained, "--recordings", path, "--out", out) == 0
    files = ["--valid", passed[0], "--test", passed[1]]
    files += ["--decoder", name, "--predictions", tmp_path / "p.h5", "--out", kept]
    files += ["--history", tmp_path / "h.tsv"] if keeping == "choose" else []
    assert verb(keeping, "--trained", trained, *files) == 0
    found = predictions.read(tmp_path / "p.h5")
    assert found.protocol == "strict"
    assert found.sessions["t1"].frame.tolist() == slow_frames(before)
    loaded = applied.load(kept)
    assert (loaded.train_mice, loaded.valid_mice) == (("a",), ("b",))
    assert loaded.decoder.causal and {k: loaded.settings[k] for k in HOW} == HOW
    again = run(loaded.decoder, [recording()])["t1"]
    np.testing.assert_array_equal(again.frame, found.sessions["t1"].frame)
    np.testing.assert_allclose(again.probability, found.sessions["t1"].probability, atol=2e-5)
    with h5py.File(passed[1], "a") as file:  # as of a test recording that was corrected so
        file.attrs["corrected"] = True
    assert verb(keeping, "--trained", trained, *files) == 0
    assert predictions.read(tmp_path / "p.h5").protocol == "transductive"
