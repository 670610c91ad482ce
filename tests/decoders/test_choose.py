"""A training of all epochs, and a choice among them, is the training of one allocation."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mesodecode.base.files import UserError
from mesodecode.cli.decoders import _chosen
from mesodecode.decoders import choose, pass_mice, passed, roi_networks
from mesodecode.decoders.weights import TrainedEpochs
from mesodecode.recordings.roi_signals import SessionSignals
from mesodecode.study import schema

SETTINGS = {
    "half_window": 2,
    "hidden_size": 4,
    "epochs": 6,
    "batch_size": 16,
    "max_lr": 0.05,
    "frame_step": 2,
    "label_smoothing": 0.1,
    "early_stopping": 2,
}


def settings(**changed):
    return (
        schema.defaults("roi_rnn", input="rois", rnn="gru") | SETTINGS | {"dropped": []} | changed
    )


def session(name, mouse, seed, n=120, noise=1.0):
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) // 15 % 2).astype(np.uint8)
    signals = (labels[:, None] + noise * rng.normal(size=(n, 3))).astype(np.float32)
    return SessionSignals(name, mouse, signals, labels, None)


TRAIN = [session("a1", "a", 0), session("b1", "b", 1)]
VALID = [session("c1", "c", 2, noise=3.0), session("c2", "c", 3, n=97, noise=3.0)]


def trained(**changed):
    made = settings(**changed)
    fitted = roi_networks.fit(TRAIN, [], made)
    lines = [vars(line) for line in fitted.history]
    return TrainedEpochs("roi_rnn", made, ("a", "b"), fitted.states, lines)


def passed_through(training, sessions):
    sources = {one.session: roi_networks.windows([one], training.settings) for one in sessions}
    return passed.Passed(sessions[0].mouse, False, pass_mice.pass_sessions(training, sources))


@pytest.mark.parametrize(("run_length", "frame_step"), [(1, 2), (1, 7), (4, 3)])
def test_frames_that_judge_go_on_from_session_to_session(run_length, frame_step):
    """Every frame_step-th run of the mouse's decodable frames, as if they were one recording."""
    training = trained(epochs=1, frame_step=frame_step)
    training = replace(training, settings=training.settings | {"run_length": run_length})
    found = passed_through(training, VALID).sessions
    frames = [(one.session, t) for one in VALID for t in range(2, len(one.labels) - 2)]
    kept = [pair for i, pair in enumerate(frames) if i // run_length % frame_step == 0]
    assert [(name, t) for name, one in found.items() for t in one.frame] == kept
    for one in VALID:
        label = found[one.session].label
        np.testing.assert_array_equal(label, one.labels[found[one.session].frame])
        assert label.dtype == np.uint8  # as predictions have it, though networks learn floats


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"frame_step": 1},
        {"early_stopping": None},
        {"ema_decay": 0.9},
        {"num_layers": 2, "dropout": 0.3},
        {"rnn": "lstm", "max_lr": 0.2},
    ],
)
def test_the_epoch_chosen_afterwards_is_that_of_a_training_that_validated(changed):
    alone = roi_networks.fit(TRAIN, VALID, settings(**changed))
    training = trained(**changed)
    best, history = choose.choose(training, [passed_through(training, VALID)])
    assert len(training.states) == 6
    for name, value in alone.state.items():
        assert torch.equal(value, training.states[best][name])
    untimed = ["epoch", "step", "train_loss", "lr"]
    assert [[getattr(e, k) for k in untimed] for e in history] == [
        [getattr(e, k) for k in untimed] for e in alone.history
    ]
    for found, expected in zip(history, alone.history, strict=True):
        assert found.valid_loss == pytest.approx(expected.valid_loss, rel=1e-6)
        assert found.valid_auc == pytest.approx(expected.valid_auc, abs=1e-12)


def test_epochs_after_the_end_are_not_looked_at():
    training = trained(early_stopping=1)
    mouse = passed_through(training, VALID)
    logits = np.concatenate([one.logit for one in mouse.sessions.values()], axis=1)
    labels = np.concatenate([one.label for one in mouse.sessions.values()])
    right = np.where(labels == 1, 1.0, -1.0)  # the larger their product, the lower the loss
    ranks = [2.0, 3.0, 1.0, 9.0, 9.0, 9.0]  # better, worse: ended; later ones would be best
    made, start = {}, 0
    for name, one in mouse.sessions.items():
        stop = start + len(one.frame)
        here = np.outer(ranks, right[start:stop]).astype(np.float32)
        made[name], start = replace(one, logit=here), stop
    assert logits.shape == (6, start)
    best, history = choose.choose(training, [replace(mouse, sessions=made)])
    assert (best, len(history)) == (1, 3)


def test_the_first_of_equal_epochs_is_chosen():
    training = trained(early_stopping=None)
    mouse = passed_through(training, VALID)
    same = {
        name: replace(one, logit=np.repeat(one.logit[:1], 6, axis=0))
        for name, one in mouse.sessions.items()
    }
    assert choose.choose(training, [replace(mouse, sessions=same)])[0] == 0


def test_two_validation_mice_choose_by_all_their_frames_together():
    training = trained(early_stopping=None)
    mice = [passed_through(training, VALID), passed_through(training, [session("d1", "d", 9)])]
    labels = torch.from_numpy(passed.joined(mice, "label")).float()
    logits = torch.from_numpy(passed.joined(mice, "logit")).double()
    smooth = labels.double() * 0.9 + 0.05
    p = torch.sigmoid(logits)
    losses = -(smooth * p.log() + (1 - smooth) * (1 - p).log()).mean(1)
    best, history = choose.choose(training, mice)
    assert best == int(losses.argmin())
    assert [e.valid_loss for e in history] == pytest.approx(losses.tolist(), rel=1e-5)


def test_which_files_choose_together_is_told_by_commas(monkeypatch):
    """A word an allocation, as the workflow writes them."""
    training, asked = trained(epochs=1), []
    monkeypatch.setattr(
        passed.Passed, "read", lambda name: SimpleNamespace(name=name, mouse=name[0])
    )
    monkeypatch.setattr(
        choose, "chosen_epochs", lambda _, of: asked.extend([one.name for one in p] for p in of)
    )
    _chosen.epochs(SimpleNamespace(chosen_by=["c.h5,d.h5", "d.h5"]), training)
    assert asked == [["c.h5", "d.h5"], ["d.h5"]]
    with pytest.raises(UserError, match=r"^b\.h5: of mouse b, which the CNN was trained on"):
        _chosen.epochs(SimpleNamespace(chosen_by=["c.h5,b.h5"]), training)


def test_validation_mice_of_one_state_are_refused():
    training = trained()
    still = session("c1", "c", 2)
    still.labels[:] = 0
    with pytest.raises(UserError, match="fewer than two states"):
        choose.choose(training, [passed_through(training, [still])])


def test_files_come_back_as_they_were(tmp_path):
    training = trained()
    mouse = passed_through(training, VALID)
    mouse.write(tmp_path / "c.h5")
    again = passed.Passed.read(tmp_path / "c.h5")
    assert (again.mouse, again.corrected, list(again.sessions)) == ("c", False, ["c1", "c2"])
    for name, one in mouse.sessions.items():
        for key in ("frame", "label", "logit"):
            np.testing.assert_array_equal(getattr(again.sessions[name], key), getattr(one, key))
    probability = again.sessions["c1"].predictions("c", 3).probability
    np.testing.assert_allclose(probability, 1 / (1 + np.exp(-mouse.sessions["c1"].logit[3])), 1e-6)


def test_a_history_of_no_epochs_is_refused_by_the_name_of_its_file():
    training = trained(epochs=1)
    other = replace(training, history=[{"loss": 1.0}], path="w.pt")
    with pytest.raises(UserError, match=r"^w\.pt: its history is of no epochs; train it anew$"):
        choose.choose(other, [passed_through(training, VALID)])


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "c.h5").write_text("no HDF5")
    with pytest.raises(UserError, match="pass-images"):
        passed.Passed.read(tmp_path / "c.h5")
