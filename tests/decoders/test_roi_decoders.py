"""ROI decoders find what was planted in the simulated cohort, and nothing where nothing is."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from types import SimpleNamespace

import h5py
import joblib
import numpy as np
import pytest
import torch

from make import Hostile
from make_recordings import LEAD, PLANTED, recordings, write_rois
from mesodecode.base.files import UserError
from mesodecode.cli import main
from mesodecode.decoders import predictions, roi_networks
from mesodecode.decoders.fitted import roi_classical
from mesodecode.decoders.fitted.roi_classical import (
    Fitted,
    decodable,
    fit_classical,
    flat_windows,
    make_model,
    predict_classical,
)
from mesodecode.decoders.networks import RNNDecoder
from mesodecode.decoders.predictions import bind
from mesodecode.decoders.weights import load_trained
from mesodecode.recordings.recording import with_labels_of
from mesodecode.recordings.roi_signals import session_signals
from mesodecode.scores.auc import auc_table
from mesodecode.study import schema
from mesodecode.study import study as studies
from mesodecode.study.allocation import ROLES

REDUCED = {"half_window": 6, "epochs": 8, "batch_size": 64, "max_lr": 0.01, "frame_step": 4}


def study(**decoder) -> studies.Study:
    mice = {f"m{m}": [f"m{m}_s1", f"m{m}_s2"] for m in range(1, 6)}
    return studies.resolve(
        {
            **{"study": "truth", "mice": mice, "allocation": {"choose": "each_test"}},
            **{"simulate": {}, "decoders": {"d": {"input": "rois", **decoder}}},
        }
    )


def aucs(tested: int = 5, **decoder) -> np.ndarray:
    """The test AUCs of the first `tested` allocations of one line of the decoder table."""
    table = study(**decoder)
    settings, found = table.decoders["d"].settings, []
    given = with_labels_of(recordings(), table.label_donors("d"))
    signals, dropped = session_signals(given, settings)
    assert dropped == []
    by_name = {one.session: one for one in signals}
    for allocation in list(table.allocations.values())[:tested]:
        roles = [[by_name[s] for s in table.sessions(allocation.id, role)] for role in ROLES]
        if "model" in decoder:
            model = fit_classical(roles[0], settings)
            predicted = predict_classical(model, roles[2], settings)
        else:
            predicted = gru(*roles, settings)
        pooled = auc_table([bind("d", allocation, predicted)])
        found.append(pooled["auc"][0])
    return np.array(found)


def gru(train, valid, test, settings):
    fitted = roi_networks.fit(train, valid, settings)
    sizes = {key: settings[key] for key in ("hidden_size", "bidirectional")}
    model = RNNDecoder(train[0].features.shape[1], cell=settings["rnn"], **sizes)
    model.load_state_dict(fitted.state)
    return roi_networks.predict(model, test, settings)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.e2e
def test_a_gru_finds_the_planted_areas_and_the_planted_lag():
    decoder = {"rnn": "gru", "tested": 1} | REDUCED
    full = aucs(**decoder).mean()
    limb = aucs(rois=PLANTED, **decoder).mean()
    others = [roi for roi in range(1, 51) if roi not in PLANTED]
    rest = aucs(rois=others, **decoder).mean()
    assert full > 0.85
    assert limb - 0.5 >= 0.95 * (full - 0.5)  # the limb areas alone tell all that is known
    assert rest < limb - 0.2 and abs(rest - 0.5) < 0.1
    shifted = {shift: aucs(shift=shift, **decoder).mean() for shift in (-30, -LEAD, LEAD, 30)}
    assert max(shifted[-30], shifted[30]) < full - 0.2
    assert shifted[LEAD] < shifted[-LEAD] < full  # activity leads: a later window sees less of it


@pytest.mark.e2e
def test_exchanged_labels_cannot_be_decoded():
    found = aucs(rnn="gru", labels="permuted_between_sessions", **REDUCED)
    assert abs(found.mean() - 0.5) <= 3 * found.std(ddof=1) / np.sqrt(len(found))


@pytest.mark.slow
@pytest.mark.parametrize("model", schema.properties("roi_classical")["model"]["enum"])
def test_classical_decoders_find_the_signal(model):
    fewer = {"half_window": 4, "frame_step": 6, "rois": PLANTED, "others": "drop", "trees": 20}
    assert aucs(model=model, **fewer).mean() > 0.85


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("rnn", ["gru", "lstm", "rnn"])
def test_every_recurrent_decoder_of_the_paper_trains(rnn, bidirectional):
    settings = REDUCED | {"epochs": 1, "frame_step": 20, "half_window": 3}
    line = study(rnn=rnn, bidirectional=bidirectional, **settings).decoders["d"].settings
    signals, _ = session_signals(recordings()[:6], line)
    predicted = gru(signals[:2], signals[2:4], signals[4:], line)
    assert [len(one.frame) for one in predicted.values()] == [900 - 6, 900 - 6]
    for one in predicted.values():
        assert ((one.probability > 0) & (one.probability < 1)).all()


def test_windows_are_views_of_one_array_and_shift_against_their_label():
    line = study(rnn="gru", half_window=4, shift=-7).decoders["d"].settings
    signals, _ = session_signals(recordings()[:2], line)
    source = roi_networks.windows(signals, line)
    kept = [a + t for a in (0, 900) for t in range(11, 900)]  # t-11 … t-3, and t itself
    assert source.centres.tolist() == kept
    at = torch.tensor([kept[0], kept[-1]])
    expected = [signals[0].features[0:9], signals[1].features[888:897]]
    np.testing.assert_array_equal(source.batch(at).numpy(), np.stack(expected))
    assert source.labels[at].tolist() == [signals[0].labels[11], signals[1].labels[899]]
    held = sum(t.numel() for t in vars(source).values() if isinstance(t, torch.Tensor))
    assert held < 2 * 900 * 50 * 1.1  # one value a frame and ROI, whatever the window


def test_a_decoder_of_some_rois_reads_their_windows():
    few, zero = (
        study(rnn="gru", half_window=2, rois=[8, 3, 31], others=others).decoders["d"].settings
        for others in ("drop", "zero")
    )
    (signals, _), (whole, _) = (session_signals(recordings()[:2], line) for line in (few, zero))
    source, at = roi_networks.windows(signals, few), [2, 500, 897, 902, 1700]
    both = np.concatenate([one.features for one in whole])[:, [7, 2, 30]]
    expected = [both[t - 2 : t + 3] for t in at]
    assert source.n_features == 3 and both.std(axis=0).min() > 0.01
    np.testing.assert_array_equal(source.batch(torch.tensor(at)).numpy(), expected)


def test_classical_windows_are_those_of_recurrent_decoders():
    line = study(rnn="gru", half_window=3, shift=2).decoders["d"].settings
    signals, _ = session_signals(recordings()[:1], line)
    source = roi_networks.windows(signals, line)
    assert decodable(signals[0], line).tolist() == source.centres.tolist()
    rows = flat_windows(signals[0], decodable(signals[0], line), line)
    np.testing.assert_array_equal(rows, source.batch(source.centres).flatten(1).numpy())


def test_a_classical_decoder_is_fitted_to_every_nth_window_from_the_first_on(monkeypatch):
    line = study(model="ridge", half_window=3, frame_step=20).decoders["d"].settings
    signals, _ = session_signals(recordings()[:2], line)
    given = []
    model = SimpleNamespace(fit=lambda *rows_and_labels: given.append(rows_and_labels))
    monkeypatch.setattr(roi_classical, "make_model", lambda settings: model)
    fit_classical(signals, line)
    ((rows, labels),) = given
    at = range(3, 897, 20)
    assert labels.tolist() == [one.labels[t] for one in signals for t in at]
    expected = [one.features[t - 3 : t + 4].ravel() for one in signals for t in at]
    np.testing.assert_array_equal(rows, expected)


def test_a_classical_decoder_learns_from_training_recordings_and_without_rois_that_others_lack():
    line = study(model="ridge", half_window=1, frame_step=20, drop=True).decoders["d"].settings
    train, other = recordings()[:2], recordings()[4]
    lacks = replace(other, rois=other.rois.copy())
    lacks.rois[:, 6] = 1.0
    given = [((), None, []), ([other], None, []), ([lacks], None, [7]), ((), [3, 7], [3, 7])]
    for others, dropped, without in given:
        model = roi_classical.fit(train, line, others, dropped)
        assert (model.train_mice, model.valid_mice) == (("m1",), ())
        assert model.settings["dropped"] == without
        (signals, _) = session_signals(train, line)
        for one in signals:
            one.features[:, [roi - 1 for roi in without]] = 0
        expected = fit_classical(signals, line)[-1].coef_
        np.testing.assert_allclose(model.model[-1].coef_, expected, atol=1e-9)
        unread = (model.model[-1].coef_.reshape(3, 50) == 0).all(axis=0)
        assert (np.flatnonzero(unread) + 1).tolist() == without


def test_verbs_train_predict_and_refuse_a_mouse_in_two_roles(tmp_path, capsys):
    paths = [write_rois(tmp_path, one) for one in recordings()[:6]]
    roles = ["--train", *paths[:2], "--valid", *paths[2:4], "--test", *paths[4:]]
    out = ["--predictions", tmp_path / "p.h5", "--decoder", "d"]
    for half in (1, 3):  # as `mesodecode tune` writes what it found
        (tmp_path / f"{half}.json").write_text(json.dumps({"settings": {"half_window": half}}))
    small = ["--epochs", 1, "--frame-step", 20, "--half-window", 5, "--threads", 1]
    small += ["--tuned", tmp_path / "3.json", "--checkpoint", tmp_path / "c.pt"]
    gru_out = [*out, "--out", tmp_path / "d.pt", "--history", tmp_path / "d.tsv", "--rnn", "gru"]
    swap = ["--labels-of", "m3_s1=m3_s2", "m3_s2=m3_s1"]
    line = [*map(str, ["train-roi", *roles, *gru_out, *small, *swap])]
    assert main(line) == 0
    found = predictions.read(tmp_path / "p.h5")
    assert found.allocation == "train-m1.valid-m2.test-m3"
    other = recordings()[5]  # m3_s2, whose labels m3_s1 was given
    np.testing.assert_array_equal(found.sessions["m3_s1"].label, other.labels[3:-3])
    assert load_trained(tmp_path / "d.pt", "roi_rnn").train_mice == ("m1",)

    capsys.readouterr()
    assert main(line) == 0  # what a job did before it was killed is not done again
    assert f"trained before: taken from {tmp_path / 'c.finished.pt'}" in capsys.readouterr().err
    again = ["predict-rois", "--weights", tmp_path / "d.pt", "--recordings", *paths[4:], *swap]
    again += ["--decoder", "d", "--out", tmp_path / "again.h5", "--threads", 1]
    assert main([*map(str, again)]) == 0
    same = predictions.read(tmp_path / "again.h5").sessions
    for name, session in found.sessions.items():
        for key in ("frame", "label", "probability"):
            np.testing.assert_array_equal(getattr(session, key), getattr(same[name], key))

    capsys.readouterr()
    with h5py.File(paths[4], "a") as file:  # which the weights know without their names
        file["rois"].attrs["names"] = [f"area {n}" for n in range(50)]
    trained = load_trained(tmp_path / "d.pt", "roi_rnn")
    named = trained.settings | {"roi_names": ["M1", *[""] * 49]}
    replace(trained, settings=named).save(tmp_path / "d.pt")
    assert main([*map(str, again)]) == 1
    assert "d.pt: trained on ROI 1 as 'M1', but it is 'area 0'" in capsys.readouterr().err

    classical = [*out, "--out", tmp_path / "d.joblib", "--model", "ridge", "--half-window", 4]
    classical += ["--tuned", tmp_path / "1.json"]
    assert main([*map(str, ["fit-roi", *roles, *classical])]) == 0
    assert len(predictions.read(tmp_path / "p.h5").sessions["m3_s1"].frame) == 898

    capsys.readouterr()
    twice = ["--train", paths[0], "--valid", paths[2], "--test", paths[1]]
    assert main([*map(str, ["train-roi", *twice, *gru_out, *small])]) == 1
    assert "two roles" in capsys.readouterr().err
    foreign = ["--labels-of", "m3_s1=m1_s1"]
    assert main([*map(str, ["train-roi", *roles, *gru_out, *small, *foreign])]) == 1
    assert "two sessions of one mouse" in capsys.readouterr().err


TREES = {"max_iter": 30, "early_stopping": False, "random_state": 5}
TRACE = {"name": "pupil", "states": [], "unit": "mm", "mean": 1.0, "sd": 2.0}


@pytest.mark.parametrize(
    ("model", "target", "name", "asked"),
    [
        ("logistic_regression", None, "LogisticRegression", {"C": 0.25, "max_iter": 1000}),
        ("linear_svm", None, "LinearSVC", {"C": 0.25, "random_state": 5}),
        ("ridge", None, "RidgeClassifier", {"alpha": 4}),
        ("ridge", TRACE, "Ridge", {"alpha": 4}),
        ("gradient_boosting", None, "HistGradientBoostingClassifier", TREES),
        ("gradient_boosting", TRACE, "HistGradientBoostingRegressor", TREES),
    ],
)
def test_models_are_made_of_the_settings(model, target, name, asked):
    """The seed draws coordinates in their turn; of more than 200,000 windows, those of the bins."""
    settings = schema.defaults("roi_classical", model=model, C=0.25, seed=5, trees=30)
    made = make_model(settings | ({"target": target} if target else {}))
    last = made[-1] if hasattr(made, "steps") else made
    assert type(last).__name__ == name
    usual = type(last)().get_params()
    found = {key: value for key, value in last.get_params().items() if value != usual[key]}
    assert found == asked


@pytest.mark.filterwarnings("error")
def test_signals_that_are_much_alike_are_fitted_to_the_end():
    """Directions that differ by a factor of 1,000 in size take some 460 steps."""
    rng, n, size = np.random.default_rng(0), 400, 60
    turned = np.linalg.qr(rng.normal(size=(size, size)))[0]
    rows = rng.normal(size=(n, size)) * np.geomspace(1, 1e-3, size) @ turned
    labels = rows @ np.linalg.pinv(rows) @ rng.normal(size=n) + rng.normal(size=n) > 0
    model = make_model(schema.defaults("roi_classical", model="logistic_regression", C=100.0))
    model.fit(rows, labels)


@pytest.mark.parametrize("model", ["logistic_regression", "linear_svm", "gradient_boosting"])
def test_training_frames_of_one_state_are_refused_with_what_to_do(model):
    settings = schema.defaults("roi_classical", model=model, half_window=2, frame_step=30)
    one = replace(session_signals(recordings()[:1], settings | {"drop": False})[0][0])
    resting = replace(one, labels=np.zeros_like(one.labels))
    with pytest.raises(UserError, match=r"30 training frames .* lower frame_step or half_window"):
        fit_classical([resting], settings)


@pytest.mark.parametrize(
    "model", ["logistic_regression", "linear_svm", "ridge", "gradient_boosting"]
)
def test_a_fitted_model_reads_back_as_it_was(tmp_path, model):
    rows = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    settings = {"model": model, "C": 1.0, "seed": 1, "trees": 5}
    fitted = make_model(settings).fit(rows.copy(), rows[:, 0] > 0)  # which scales in place
    Fitted(fitted, settings, ("a", "b"), ("c",)).save(tmp_path / "m.joblib")
    back = roi_classical.load(tmp_path / "m.joblib")
    assert (back.settings, back.train_mice, back.valid_mice) == (settings, ("a", "b"), ("c",))
    np.testing.assert_array_equal(back.model.predict(rows.copy()), fitted.predict(rows.copy()))


@pytest.mark.parametrize(
    "dump", [lambda content, path: path.write_bytes(pickle.dumps(content)), joblib.dump]
)
@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: np.array([one], object)])
def test_code_in_a_fitted_model_is_never_run(tmp_path, dump, wrap):
    path, sentinel = tmp_path / "m.joblib", tmp_path / "sentinel"
    dump({"model": wrap(Hostile(sentinel)), "settings": {}, "train_mice": ("a",)}, path)
    with pytest.raises(UserError, match=r"m.joblib: not a model .*fit it again") as caught:
        roi_classical.load(path)
    assert not sentinel.exists()
    hostile = Hostile(sentinel).__reduce__()[0]
    known = f"{hostile.__module__}.{hostile.__qualname__}", "joblib.numpy_pickle.NumpyArrayWrapper"
    assert any(f"(it names {one})" in str(caught.value) for one in known)
    joblib.load(path)  # the trap itself works
    assert sentinel.exists()


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04", b"text", pickle.dumps([1]), pickle.dumps({})]
)
def test_a_fitted_model_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "m.joblib").write_bytes(content)
    with pytest.raises(UserError, match=r"m.joblib: .*fit it again"):
        roi_classical.load(tmp_path / "m.joblib")
