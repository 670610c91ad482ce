"""Adapting linear, recurrent and classical decoders: what holds for CNNs holds for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mesodecode.base import windows
from mesodecode.base.files import UserError
from mesodecode.cli import main
from mesodecode.decoders import applied, inputs, networks, predictions, roi_networks, validation
from mesodecode.decoders import linear_networks as adapted_linear
from mesodecode.decoders.adapt import adapted, few_shot
from mesodecode.decoders.fitted import linear, roi_classical
from mesodecode.recordings import roi_signals, sample
from mesodecode.recordings.recording import read_recording
from mesodecode.recordings.roi_signals import signals_of
from mesodecode.shift import adapted_features
from mesodecode.study import schema
from mesodecode.study.allocation import Allocation

DEFAULTS = schema.defaults("adapted", adapted_from="x") | {"warm_up": 1}
RATE = 10.0
KINDS = ("pixels", "gru", "logistic_regression", "linear_svm", "ridge", "gradient_boosting")
FITTED = ("pixels", "gru", "logistic_regression")  # that labels of the mouse can change


def recording(mouse="t", session="t1", n=80, seed=0):
    """Frames and ROI signals that are brighter in one place while the mouse runs."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) // 7 % 2).astype(np.uint8)
    frames = rng.normal(1000, 40, (n, 12, 12))
    frames[:, 3:6, 3:6] += 60 * labels[:, None, None]
    frames = frames.astype(np.uint16)
    rois = rng.normal(10, 1, (n, 4)).astype(np.float32)
    rois[:, 1] += 1.5 * labels
    mean, sd = frames.mean(0).astype(np.float32), float(frames.std())
    about = Path(f"{session}.h5"), session, mouse, RATE, labels, None, None, rois, mean, sd
    return sample.Sample(*about, shape=frames.shape, frames=frames)


ALLOCATION = Allocation(("a", "b"), ("v",), ("t",))
TRAINING = [recording(mouse, mouse, 140, seed) for seed, mouse in enumerate("ab", 10)]


@pytest.fixture(autouse=True)
def samples_in_memory(monkeypatch):
    monkeypatch.setattr(applied, "sample", lambda recording, *_: recording)


def settings_of(kind, **changed):
    table = {"rnn": "gru"} if kind == "gru" else {"model": kind}
    name = "roi_rnn" if kind == "gru" else "roi_classical"
    made = schema.defaults(name, input="rois", half_window=3, baseline=30, **table)
    return made | {"hidden_size": 5, "frame_step": 1, "trees": 5, "dropped": []} | changed


def fitted(kind, **changed):
    """A trained decoder, its half-window, and what it predicts unadapted, by its own code."""
    if kind == "pixels":
        model = linear.fit_linear(TRAINING, pixels=6, C=0.1, frame_step=1)
        weights = linear.weights_of(model, {"pixels": 6, "baseline": None}, ("a", "b"))
        decoder = applied.ImageDecoder(adapted_linear.Pixels(weights).eval())
        return decoder, lambda mine: linear.predict_linear(model, mine, pixels=6)
    settings = settings_of(kind, **changed)

    def given_signals(mine):
        return signals_of(mine, settings)

    if kind == "gru":
        torch.manual_seed(2)
        network = networks.rnn_decoder(4, settings).eval()
        return applied.SignalDecoder(network, settings), lambda mine: roi_networks.predict(
            network, given_signals(mine), settings
        )
    model = roi_classical.fit_classical(given_signals(TRAINING), settings)
    decoder = applied.SignalDecoder(adapted_linear.of_windows(model).eval(), settings)
    return decoder, lambda mine: roi_classical.predict_classical(
        model, given_signals(mine), settings
    )


def run(decoder, recordings, **settings):
    return adapted.predict(decoder, recordings, TRAINING, DEFAULTS | settings)


def test_a_model_that_gives_probabilities_only_is_applied_by_their_logit():
    x = np.random.default_rng(0).normal(size=(40, 6)).astype("f4")
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(5)).fit(x, x[:, 0] > 0)
    logits = adapted_linear.of_windows(model)(torch.as_tensor(x.reshape(40, 3, 2)))
    assert logits.dtype == torch.float32 and logits.isfinite().all()
    np.testing.assert_allclose(logits.sigmoid(), model.predict_proba(x)[:, 1], atol=1e-6)


# --- ROI signals normalised by the past -----------------------------------------------------------


def slowly(x, baseline, normalise):
    """One frame after the other, of one ROI, from the definition in docs/shift.md."""
    values, made = [], []
    for t in range(len(x)):
        span = t + 1 if baseline is None else baseline
        base = np.mean(x[max(0, t + 1 - span) : t + 1])
        values.append(x[t] - (0 if baseline is None and normalise != "dff" else base))
        low, scale = {
            "minmax": (min(values), max(values) - min(values)),
            "zscore": (np.mean(values), np.std(values)),
            "dff": (0, base),
            "none": (0, 1),
        }[normalise]
        made.append((values[t] - low) / scale if scale > 1e-9 else 0)
    return made


@pytest.mark.parametrize("normalise", ["minmax", "zscore", "dff", "none"])
@pytest.mark.parametrize("baseline", [None, 2, 7, 100])
def test_past_normalisation_is_that_of_a_slow_implementation(baseline, normalise):
    x = np.random.default_rng(5).uniform(1, 3, (25, 2))
    made = roi_signals.past_normalised(x, baseline=baseline, normalise=normalise)
    expected = np.stack([slowly(column, baseline, normalise) for column in x.T], axis=1)
    np.testing.assert_allclose(made, expected, atol=1e-5)


def test_past_normalisation_by_hand():
    x = np.array([[2.0], [4.0], [3.0], [9.0]])
    # less the mean of the last two: 0, 1, -0.5, 3; then within the least and the most so far
    made = roi_signals.past_normalised(x, baseline=2, normalise="minmax")[:, 0]
    assert made.tolist() == [0, 1, 0, 1]
    assert roi_signals.past_normalised(x, baseline=2, normalise="none")[:, 0].tolist() == [
        *(0, 1, -0.5, 3)
    ]
    assert roi_signals.past_normalised(x, baseline=None, normalise="dff")[1, 0] == pytest.approx(
        1 / 3
    )


@given(
    at=st.integers(0, 19),
    baseline=st.sampled_from([None, 3, 50]),
    normalise=st.sampled_from(["minmax", "zscore", "dff", "none"]),
    value=st.floats(0.1, 1e6),
)
def test_past_normalisation_does_not_change_with_a_later_frame(at, baseline, normalise, value):
    x = np.random.default_rng(at).uniform(1, 3, (20, 1))
    other = x.copy()
    other[at] = value
    how = {"baseline": baseline, "normalise": normalise}
    a, b = (roi_signals.past_normalised(each, **how) for each in (x, other))
    assert np.array_equal(a[:at], b[:at])


def slowly_by_first(x, baseline, normalise, first):
    """One frame after the other, of one ROI, from the definition in docs/shift.md."""
    base = [
        0 if baseline is None else np.mean(x[max(0, t + 1 - baseline) : t + 1])
        for t in range(len(x))
    ]
    values = x - np.array(base)
    if normalise == "dff":
        base = np.full(len(x), np.mean(x[:first])) if baseline is None else np.array(base)
        return (x - base) / base
    early = values[:first]
    low, scale = {
        "minmax": (min(early), max(early) - min(early)),
        "zscore": (np.mean(early), np.std(early)),
        "none": (0, 1),
    }[normalise]
    return (values - low) / scale


@pytest.mark.parametrize("normalise", ["minmax", "zscore", "dff", "none"])
@pytest.mark.parametrize("baseline", [None, 2, 7, 100])
def test_normalisation_by_first_frames_is_that_of_a_slow_implementation(baseline, normalise):
    x = np.random.default_rng(5).uniform(1, 3, (25, 2))
    how = {"baseline": baseline, "normalise": normalise}
    made = roi_signals.first_normalised(replace(recording(), first=10), x, **how)
    expected = np.stack([slowly_by_first(c, first=10, **how) for c in x.T], axis=1)
    np.testing.assert_allclose(made, expected, atol=1e-5)


def test_an_roi_that_does_not_vary_in_the_first_minutes_is_refused():
    mine = recording()
    mine.rois[:35, 2] = 3.0
    decoder, _ = fitted("logistic_regression", baseline=None)
    with pytest.raises(UserError, match=r"t1.h5: in its first 30 frames .* does not vary"):
        run(decoder, [mine], first_unlabelled=3 / 60)


# --- every kind -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_without_adaptation_it_predicts_as_it_did(kind):
    decoder, own = fitted(kind)
    mine = [recording(), recording(session="t2", seed=1)]
    made = run(decoder, mine)
    for name, session in own(mine).items():
        assert np.array_equal(made[name].frame, session.frame)
        assert made[name].probability == pytest.approx(session.probability, abs=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_strict_sees_nothing_after_the_window(kind):
    shift = {} if kind == "pixels" else {"shift": 1}
    decoder, _ = fitted(kind, **shift)
    before, after = (1, 1) if kind == "pixels" else (2, 4)
    first, rng = recording(), np.random.default_rng(9)
    frames, rois = first.frames.copy(), first.rois.copy()
    frames[50:] = rng.integers(0, 4000, frames[50:].shape)
    rois[50:] = rng.uniform(1, 90, rois[50:].shape)
    other = replace(
        first, frames=frames, rois=rois, pixel_mean=frames.mean(0), stack_sd=frames.std()
    )
    a, b = (run(decoder, [each], normalise="past")["t1"] for each in (first, other))
    assert a.frame[0] == 10 + before  # 1 s of warm-up at 10 frames/s
    same = a.frame + after < 50
    assert np.array_equal(a.probability[same], b.probability[same])
    assert not np.array_equal(a.probability[~same], b.probability[~same])
    usual, changed = (run(decoder, [each])["t1"].probability[:20] for each in (first, other))
    assert not np.array_equal(usual, changed)  # by the whole recording: what comes later counts


@pytest.mark.parametrize("coral", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_minutes_are_all_that_is_known(kind, coral):
    shift = {} if kind == "pixels" else {"shift": 1}
    decoder, _ = fitted(kind, **shift)
    before, after = (1, 1) if kind == "pixels" else (2, 4)
    mine, rng = recording(), np.random.default_rng(9)
    frames, rois = mine.frames.copy(), mine.rois.copy()
    frames[50:] = rng.integers(0, 4000, frames[50:].shape)
    rois[50:] = rng.uniform(1, 90, rois[50:].shape)
    other = replace(
        mine, frames=frames, rois=rois, pixel_mean=frames.mean(0), stack_sd=frames.std()
    )
    how = {"first_unlabelled": 3 / 60, "coral": coral}
    a, b = (run(decoder, [each], **how)["t1"] for each in (mine, other))
    assert a.frame.tolist() == [*range(30 + before, 80 - after)]
    same = a.frame + after < 50
    assert same.any() and np.array_equal(a.probability[same], b.probability[same])
    assert not np.array_equal(a.probability[~same], b.probability[~same])


@pytest.mark.parametrize("kind", FITTED)
def test_few_shot_scores_no_labelled_frame_and_reads_no_other_label(kind):
    decoder, _ = fitted(kind)
    before = 1 if kind == "pixels" else 3
    mine = [recording(n=60), recording(session="t2", n=60, seed=1)]
    swapped = [replace(one, labels=1 - one.labels) for one in mine]  # states that it must relearn
    settings = {"few_shot": 8 / 60, "passes": 40, "max_lr": 0.05, "C": 1.0}
    made = run(decoder, swapped, **settings)
    assert list(made) == ["t2"] and made["t2"].frame[0] == 20 + before
    hidden = [swapped[0], swapped[1]]
    hidden[1] = replace(swapped[1], labels=np.r_[swapped[1].labels[:20], mine[1].labels[20:]])
    assert np.array_equal(
        run(decoder, hidden, **settings)["t2"].probability, made["t2"].probability
    )

    def loss(session):
        own = np.where(session.label > 0, session.probability, 1 - session.probability)
        return -np.log(own).mean()

    plain = run(decoder, swapped)["t2"]
    kept = np.isin(plain.frame, made["t2"].frame)
    plain = replace(plain, label=plain.label[kept], probability=plain.probability[kept])
    assert loss(made["t2"]) < loss(plain) - 0.005


def test_windows_of_labelled_frames_do_not_reach_into_the_score():
    decoder, _ = fitted("gru", shift=2)  # t-1 … t+5
    assert run(decoder, [recording()], few_shot=4 / 60)["t1"].frame[0] == 40 + 1
    fit = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapted, "fine_tune", lambda network, sources, parts, *_: fit.extend(parts))
        run(decoder, [recording()], few_shot=4 / 60)
    assert fit[0].max() == 39 - 5


@pytest.mark.parametrize("kind", FITTED)
def test_labelled_sessions_are_never_scored(kind):
    decoder, _ = fitted(kind)
    mine = [recording(session=f"t{number}", seed=number) for number in (1, 2, 3)]
    made = run(decoder, mine, few_shot="2 sessions")
    assert list(made) == ["t3"] and len(made["t3"].frame) == 80 - (2 if kind == "pixels" else 6)
    with pytest.raises(UserError, match="few_shot: 3 sessions, but mouse t has 3"):
        run(decoder, mine, few_shot="3 sessions")
    assert few_shot.labelled_frames(mine, "1 session") == [80, 0, 0]
    assert few_shot.labelled_frames(mine, 10 / 60) == [80, 20, 0]
    mine[1] = replace(mine[1], frame_rate=20.0)  # 8 s, 4 s, and 2 of 8 s
    assert few_shot.labelled_frames(mine, 14 / 60) == [80, 80, 20]


@pytest.mark.parametrize("finetune", ["head", "all"])
def test_of_a_recurrent_decoder_only_what_is_asked_for_is_tuned(finetune):
    decoder, _ = fitted("gru")
    settings = DEFAULTS | {"few_shot": 3 / 60, "finetune": finetune}
    tuned = adapted.adapted(decoder, [recording()], TRAINING, settings).decoder.network
    changed = {
        name
        for (name, old), new in zip(
            decoder.network.state_dict().items(), tuned.state_dict().values(), strict=True
        )
        if not torch.equal(old, new)
    }
    assert {"head.weight", "head.bias"} <= changed
    assert any(name.startswith("rnn") for name in changed) == (finetune == "all")


@pytest.mark.parametrize("kind", ["gru", "logistic_regression", "gradient_boosting"])
def test_coral_undoes_what_an_affine_change_of_signals_did(kind):
    decoder, _ = fitted(kind, baseline=None, normalise="none")
    known = [replace(one, session=f"{one.session}2", mouse="t") for one in TRAINING]
    turn = np.linalg.qr(np.random.default_rng(6).normal(size=(4, 4)))[0]
    stretched = (turn * [1, 1, 2, 2]) @ turn.T  # symmetric, as the root of a covariance is
    # the training mice have covariances near 1, so that what CORAL undoes is this
    moved = [replace(one, rois=(one.rois @ stretched + 7).astype(np.float32)) for one in known]
    plain, off, aligned = (
        np.concatenate([s.probability for s in run(decoder, mine, coral=coral).values()])
        for mine, coral in ((known, False), (moved, False), (moved, True))
    )
    missed = [np.abs(each - plain).mean() for each in (off, aligned)]
    assert missed[1] < missed[0] / 3


# --- refitting logistic regression ----------------------------------------------------------------


def data(n=60, features=5):
    rng = np.random.default_rng(7)
    x = rng.normal(size=(n, features))
    return x, (x[:, 0] + rng.normal(size=n) > 0).astype(float)


def test_drawn_to_zero_it_is_scikit_learns():
    x, y = data()
    coef, intercept = adapted_linear.refit(x, y, np.zeros(5), 0.3, C=0.7)
    usual = LogisticRegression(C=0.7, tol=1e-8).fit(x, y)
    assert coef == pytest.approx(usual.coef_[0], abs=1e-3)
    assert intercept == pytest.approx(usual.intercept_[0], abs=1e-3)


def test_weights_stay_where_labels_do_not_pull_them():
    x, y = data()
    first = np.array([1.0, -2, 0.5, 0, 3])
    coef, _ = adapted_linear.refit(x, y, first, 0.0, C=1e-9)
    assert coef == pytest.approx(first, abs=1e-5)
    coef, intercept = adapted_linear.refit(x, y, first, 0.0, C=0.2)
    p = 1 / (1 + np.exp(-(x @ coef + intercept)))
    # at the least loss the pull of the labels is that of the prior; the intercept has none
    assert coef - first == pytest.approx(0.2 * x.T @ (y - p), abs=2e-3)
    assert (y - p).sum() == pytest.approx(0, abs=2e-3)


# --- the verb -------------------------------------------------------------------------------------


@pytest.fixture
def recorded(tmp_path):
    """Recordings of mice a, b and t (two sessions) on disk."""
    made = [*TRAINING, recording(n=140), recording(session="t2", seed=1)]
    for one in made:
        with h5py.File(tmp_path / one.path, "w") as file:
            for name in ("frames", "labels", "rois", "pixel_mean", "stack_sd"):
                file[name] = getattr(one, name)
            file.attrs.update(session=one.session, mouse=one.mouse, frame_rate=RATE)
    return tmp_path


def verb(folder, name, *words, test=("t1", "t2")):
    roles = {"train": ["a"], "valid": ["b"], "test": test}
    if name == "fit-linear":
        words = [*words, "--valid-mice", "b"]
        del roles["valid"]
    files = [w for role, names in roles.items() for w in (f"--{role}", *names)]
    paths = [folder / f"{w}.h5" if len(w) < 3 else w for w in files]
    return main([*map(str, [name, *paths, "--decoder", "d", *words])])


def test_the_verb_applies_models_of_every_file(recorded, monkeypatch, capsys):
    monkeypatch.chdir(recorded)
    monkeypatch.setattr(applied, "sample", sample.sample)
    small = ["--half-window", "3"]
    made = {
        "m.npz": ["fit-linear", "--pixels", "6", "--out", "m.npz", "--predictions", "p.h5"],
        "m.joblib": [
            *("fit-roi", "--model", "logistic_regression", *small, "--predictions", "p.h5"),
            *("--out", "m.joblib"),
        ],
        "m.pt": [
            *("train-roi", "--rnn", "gru", *small, "--epochs", "1", "--predictions", "p.h5"),
            *("--out", "m.pt", "--history", "h.tsv", "--threads", "1"),
        ],
    }
    out = ["--out", "o.h5", "--validation", "v.h5", "--threads", "1"]
    for name, words in made.items():
        assert verb(recorded, *words) == 0, capsys.readouterr().err
        plain = predictions.read("p.h5")
        apply = ["adapt", "--weights", name, *out]
        assert verb(recorded, *apply) == 0, capsys.readouterr().err
        again = predictions.read("o.h5")
        assert again.protocol == "transductive" and again.allocation == plain.allocation
        for session, one in plain.sessions.items():
            assert again.sessions[session].probability == pytest.approx(one.probability, abs=2e-5)
        assert verb(recorded, *apply, "--normalise", "past", "--warm-up", "2") == 0
        assert predictions.read("o.h5").protocol == "strict"
        assert [*validation.read("v.h5", plain.allocation, "b")] == ["b"]
        assert verb(recorded, *apply, "--few-shot", "1 session") == 1  # b has one only
        assert "few_shot: 1 session, but mouse b has 1" in capsys.readouterr().err
        assert verb(recorded, *apply, "--few-shot", "0.1") == 0
        assert predictions.read("o.h5").protocol == "few_shot 0.1 min"
        assert verb(recorded, *apply, "--first-unlabelled", "0.1") == 0
        assert predictions.read("o.h5").protocol == "first_unlabelled 0.1 min"
        assert verb(recorded, *apply, "--batch-norm") == 1
        assert f"--batch-norm: {name} has no BatchNorm layer" in capsys.readouterr().err
        assert verb(recorded, *apply, test=["a"]) == 1
        assert "two roles" in capsys.readouterr().err


@pytest.mark.parametrize("which", ["t1", "t2"])
def test_a_protocol_knows_that_any_of_the_test_recordings_was_corrected(
    recorded, monkeypatch, which
):
    monkeypatch.chdir(recorded)
    monkeypatch.setattr(applied, "sample", sample.sample)
    with h5py.File(f"{which}.h5", "a") as file:
        file.create_group("corrections")  # of an older version: taken to see later frames
    words = ["--model", "logistic_regression", "--half-window", "3", "--normalise", "none"]
    files = ["--predictions", "p.h5", "--out", "m.joblib"]
    assert verb(recorded, "fit-roi", *words, "--baseline", "none", *files) == 0
    assert predictions.read("p.h5").protocol == "transductive"
    apply = ["adapt", "--weights", "m.joblib", "--out", "o.h5", "--validation", "v.h5"]
    assert verb(recorded, *apply, "--first-unlabelled", "0.1", "--coral") == 0
    assert predictions.read("o.h5").protocol == "transductive"


# --- what the shift report reads ------------------------------------------------------------------


def read(decoder, mine, n=40, **settings):
    """Features of the last layer of sessions, by session; training mice are a and b."""
    made = adapted_features.AdaptedFeatures(n, DEFAULTS | settings).of(decoder, mine, ["a", "b"])
    return {each.session: each for each in made}


def on_disk(folder):
    return [read_recording(folder / f"{name}.h5") for name in ("a", "b", "t1", "t2")]


@pytest.mark.parametrize("kind", KINDS)
def test_unadapted_features_are_those_of_the_plain_decoder(kind, recorded, monkeypatch):
    monkeypatch.setattr(applied, "sample", sample.sample)
    decoder, _ = fitted(kind)
    found = read(decoder, on_disk(recorded), few_shot=1.0)  # labels change no feature
    mine = on_disk(recorded)[2]
    source = decoder.source(mine)
    at = inputs.spread(source.centres, 40)
    if kind == "gradient_boosting":
        expected = source.batch(at).flatten(1)
    elif kind == "pixels":
        fit = decoder.network
        expected = (fit.features(source.batch(at)) - fit.mean) / fit.scale
    else:
        expected = torch.from_numpy(applied.read_by_last_layer(decoder.network, source, at))
    np.testing.assert_allclose(found["t1"].features, expected.numpy(), atol=1e-4)
    assert np.array_equal(found["t1"].labels, mine.labels[at])


@pytest.mark.parametrize("kind", ["pixels", "gru"])
def test_features_of_a_strict_decoder_are_of_the_past(kind, recorded, monkeypatch):
    monkeypatch.setattr(applied, "sample", sample.sample)
    decoder, _ = fitted(kind)
    found = read(decoder, on_disk(recorded), normalise="past")["t1"]
    mine = on_disk(recorded)[2]
    settings = DEFAULTS | {"normalise": "past"}
    made = adapted.adapted(decoder, [mine], TRAINING, settings)
    at = made.scored()[0]
    with applied.inputs_of(applied.last_layer(made.decoder.network)) as seen:
        made.logits(made.sources[0], at)
    rows = torch.cat(seen).numpy()
    # a few of the frames that are decoded: each has its like among all of them
    nearest = [np.abs(rows - each).max(1).min() for each in found.features]
    assert len(nearest) == 40 and max(nearest) < 1e-3
    whole = read(decoder, on_disk(recorded))["t1"]
    assert min(np.abs(whole.features - found.features[0]).max(1)) > 1e-2


@pytest.mark.parametrize("coral", [False, True])
@pytest.mark.parametrize("kind", ["pixels", "gru"])
def test_features_by_the_first_minutes_are_those_decoded(kind, coral, recorded, monkeypatch):
    monkeypatch.setattr(applied, "sample", sample.sample)
    decoder, _ = fitted(kind)
    how = {"first_unlabelled": 6 / 60, "coral": coral}  # 60 of 140 frames
    found = read(decoder, on_disk(recorded), **how)["t1"]
    *known, first, second = on_disk(recorded)
    made = adapted.adapted(decoder, [first, second], known, DEFAULTS | how)
    at = made.scored()[0]
    with applied.inputs_of(applied.last_layer(made.decoder.network)) as seen:
        made.logits(made.sources[0], at)
    rows = torch.cat(seen).numpy()
    nearest = [np.abs(rows - each).max(1).min() for each in found.features]
    assert len(nearest) == 40 and max(nearest) < 1e-3
    whole = read(decoder, on_disk(recorded), coral=coral)["t1"]
    assert min(np.abs(whole.features - found.features[0]).max(1)) > 1e-3


def test_training_mice_are_adapted_to_the_others_as_the_test_mouse_is(recorded, monkeypatch):
    monkeypatch.setattr(applied, "sample", sample.sample)
    decoder, _ = fitted("logistic_regression", baseline=None, normalise="none")
    mine = on_disk(recorded)
    stretched = [replace(mine[0], rois=mine[0].rois * 3 + 5), *mine[1:]]
    made, plain = read(decoder, stretched, coral=True), read(decoder, mine)
    width = made["a"].features.std(0).mean()
    assert width == pytest.approx(plain["b"].features.std(0).mean(), rel=0.1)  # as b, alone
    wider = made["b"].features.std(0).mean()
    assert wider == pytest.approx(3 * plain["a"].features.std(0).mean(), rel=0.1)  # as a, stretched


# --- sessions too short for a window --------------------------------------------------------------


@pytest.mark.parametrize("segment", [None, np.repeat([0, 1, 2], 2)], ids=["short", "segments"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_leaves_a_session_out_that_has_no_window(kind, segment, tmp_path, capsys):
    """Windows are of 7 frames, those of pixels of 3."""
    decoder, own = fitted(kind)
    long, short = recording(), recording(session="t2", n=6 if kind != "pixels" else 2, seed=3)
    if segment is not None:
        short = replace(short, segment=segment[: len(short)])
    windows._tell.cache_clear()
    for found, alone in ((own([short, long]), own([long])), (run(decoder, [short, long]), None)):
        assert len(found["t2"].frame) == len(found["t2"].probability) == 0
        assert found["t2"].mouse == "t" and len(found["t1"].frame) > 0
        if alone is not None:
            np.testing.assert_array_equal(found["t1"].probability, alone["t1"].probability)
    if kind in ("pixels", "gru"):  # features are aligned by the other session
        both, alone = (run(decoder, ones, coral=True)["t1"] for ones in ([long, short], [long]))
        np.testing.assert_allclose(both.probability, alone.probability, atol=1e-6)
        assert not np.allclose(both.probability, found["t1"].probability, atol=1e-3)
    predictions.bind("d", ALLOCATION, found).write(tmp_path / "p.h5")
    assert "session t2: left out, as all segments are shorter" in capsys.readouterr().err
    assert len(predictions.read(tmp_path / "p.h5").sessions["t2"].frame) == 0
    with pytest.raises(UserError, match="no frame is left to decode"):
        run(decoder, [short], coral=kind in ("pixels", "gru"))
    with pytest.raises(UserError, match=r"p\.h5: no frame to decode in session t2: .* window"):
        predictions.bind("d", ALLOCATION, own([short])).write("p.h5")
    with pytest.raises(UserError, match=r"v\.h5: no frame to decode in session t2"):
        validation.write("v.h5", own([short]), decoder="d", allocation="a", valid_mouse="t")


def test_training_leaves_a_session_out_that_has_no_window(monkeypatch):
    short = recording("a", "a2", 6, seed=3)
    for kind in ("pixels", "logistic_regression"):
        expected = fitted(kind)[1]([recording()])["t1"].probability
        with monkeypatch.context() as patch:
            lone = replace(short, segment=np.arange(6))  # no image of it either
            patch.setitem(globals(), "TRAINING", [lone, *TRAINING])
            found = fitted(kind)[1]([recording()])["t1"].probability
        np.testing.assert_array_equal(found, expected)
