"""Decoders of an allocation that trained side by side with others, against those alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from make_decoders import refused, run
from make_recordings import recordings, write_rois
from mesodecode.base.files import UserError
from mesodecode.decoders import predictions, roi_stack, validation
from mesodecode.decoders.inputs import Windows
from mesodecode.decoders.stacked import Kept
from mesodecode.decoders.train import Epoch
from mesodecode.decoders.weights import load_trained
from mesodecode.recordings.roi_signals import SessionSignals
from mesodecode.study import schema

SETTINGS = "--rnn gru --half-window 3 --epochs 4 --frame-step 10 --batch-size 32 --hidden-size 8"
SETTINGS = f"{SETTINGS} --max-lr 0.03 --threads 1".split()
DONORS = {f"m{m}_s{a}": f"m{m}_s{b}" for m in range(1, 6) for a, b in ((1, 2), (2, 1))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Recordings of five mice, and a stack of three decoders on sets of m1, m2 and m3."""
    folder = tmp_path_factory.mktemp("stack")
    for one in recordings():
        write_rois(folder, one)
    labels = [f"null:{s}={other}" for s, other in DONORS.items() if s[:2] in ("m1", "m2", "m3")]
    assert stack(folder, "stack.pt", "--labels-of", *labels) == 0
    return folder


def of(folder, *mice):
    return [folder / f"{mouse}_s{number}.h5" for mouse in mice for number in (1, 2)]


def stack(folder, out, *more):
    words = ["--sets", "m1+m2", "m1+m3", "--decoders", "gru", "seed=7", "null", *more]
    return run(
        *("stack-roi", "--recordings", *of(folder, "m1", "m2", "m3"), *words, *SETTINGS),
        *("--out", folder / out, "--device", "cpu"),
    )


def results(folder, name, valid=("m4",)):
    return [
        *("--valid", *of(folder, *valid), "--test", *of(folder, "m5"), "--decoder", name),
        *("--predictions", folder / "p.h5", "--validation", folder / "v.h5"),
        *("--out", folder / "d.pt", "--history", folder / "d.tsv", "--device", "cpu", *SETTINGS),
    ]


def made(folder):
    sessions = predictions.read(folder / "p.h5")
    valid = validation.read(folder / "v.h5", sessions.allocation, "m4")
    both = [one.probability for one in (*sessions.sessions.values(), *valid.values())]
    history = pd.read_table(folder / "d.tsv")
    return sessions, both, history, load_trained(folder / "d.pt", "roi_rnn")


@pytest.mark.parametrize(("name", "seed"), [("gru", 123), ("seed", 7), ("null", 123)])
@pytest.mark.parametrize("stopping", [None, 1])
def test_an_allocation_ends_in_what_training_it_alone_gives(folder, name, seed, stopping):
    early = ["--early-stopping", stopping] if stopping else []
    mice = ("m1", "m2", "m4", "m5")
    swaps = [f"{s}={other}" for s, other in DONORS.items() if s[:2] in mice]
    labels = ["--labels-of", *swaps] if name == "null" else []
    alone = ["train-roi", "--train", *of(folder, "m1", "m2"), *labels, "--seed", seed]
    assert run(*alone, *results(folder, name), *early) == 0
    expected, rows, history, trained = made(folder)
    labels = [*labels[:1], *[w for w in labels[1:] if w[:2] in ("m4", "m5")]]
    read = ["choose-roi", "--stack", folder / "stack.pt", "--train-mice", "m1", "m2", *labels]
    assert run(*read, *results(folder, name), "--seed", seed, *early) == 0
    found, chosen, lines, model = made(folder)
    assert found.allocation == expected.allocation == "train-m1+m2.valid-m4.test-m5"
    assert found.sessions.keys() == expected.sessions.keys()
    for one, other in zip(chosen, rows, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    compared = ["epoch", "step", "train_loss", "valid_loss", "valid_auc", "lr"]
    assert list(lines) == list(history)
    np.testing.assert_allclose(lines[compared], history[compared], atol=1e-3)
    assert model.settings == trained.settings
    assert (model.train_mice, model.valid_mice) == (("m1", "m2"), ("m4",))


def test_what_a_stack_has_not_is_refused(folder, capsys):
    def choose(*words, mice=("m1", "m2"), file="stack.pt", name="gru", valid=("m4",)):
        words = [*results(folder, name, valid), *words]
        return refused(
            *(capsys, "choose-roi", "--stack", folder / file, "--train-mice", *mice, *words)
        )

    assert "no gru on m2+m3; it has gru on m1+m2, gru on m1+m3" in choose(mice=("m2", "m3"))
    assert "trained with half_window: 3, not 4; train it anew" in choose("--half-window", 4)
    assert "two roles" in choose(valid=("m2",))
    (folder / "half.pt").write_bytes((folder / "stack.pt").read_bytes()[:500])
    assert "half.pt: not a file of `mesodecode stack-roi`" in choose(file="half.pt")
    content = bytearray((folder / "stack.pt").read_bytes())
    content[len(content) // 2] ^= 1  # torch looks at no checksum
    (folder / "changed.pt").write_bytes(content)
    assert "were changed on the way; make it anew" in choose(file="changed.pt")
    assert "none.pt: No such file" in choose(file="none.pt")
    torch.save({"other": 1}, folder / "other.pt")
    assert "other.pt: not a file of `mesodecode stack-roi`" in choose(file="other.pt")


def test_other_rois_or_frames_are_refused(folder, capsys, tmp_path):
    content = torch.load(folder / "stack.pt", weights_only=True)
    line = ["choose-roi", "--stack", tmp_path / "s.pt", "--train-mice", "m1", "m2"]
    torch.save(content | {"rois": [""] * 49}, tmp_path / "s.pt")
    assert "trained on 49 ROIs, but the recordings have 50" in refused(
        capsys, *line, *results(folder, "gru")
    )
    frames = {"settings": content["settings"] | {"frame_size": [9, 7]}}
    torch.save(content | frames, tmp_path / "s.pt")
    assert "s.pt was trained on (9, 7)" in refused(capsys, *line, *results(folder, "gru"))


def test_a_set_without_recordings_and_settings_that_train_alone_are_refused(folder, capsys):
    line = ["stack-roi", "--recordings", *of(folder, "m1"), "--decoders", "d", *SETTINGS]
    line += ["--out", folder / "no.pt"]
    assert "d on m1+m9: no recordings of mouse m9" in refused(capsys, *line, "--sets", "m1+m9")
    assert "train alone" in refused(capsys, *line, "--sets", "m1", "--drop")
    assert not (folder / "no.pt").exists()


class Constant(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return self.bias.expand(len(x))


@pytest.mark.parametrize(("stopping", "epochs", "best"), [(None, 5, 4), (2, 5, 4), (1, 3, 2)])
def test_training_ends_where_it_would_have_ended(stopping, epochs, best):
    """As many runs as rests: the nearer the logit is to 0, the lower the loss."""
    logits = torch.tensor([1.0, 0.5, 2.0, 0.1, 0.3])
    nan = float("nan")
    lines = [Epoch(n, n, 0.7, nan, nan, 0.1, 1.0, 0.0, 1.0) for n in range(1, 6)]
    labels = (np.arange(40) % 2).astype(np.uint8)
    session = SessionSignals("s", "m", np.zeros((40, 1), np.float32), labels, None)
    options = {"frame_step": 1, "label_smoothing": 0.0, "early_stopping": stopping}
    kept = Kept({"bias": logits}, lines)
    fitted = roi_stack.best_epoch(kept, Constant(), Windows([session], 0, 0), **options)
    assert len(fitted.history) == epochs
    assert fitted.state["bias"] == logits[best - 1]
    losses = (np.log1p(np.exp(logits.numpy())) + np.log1p(np.exp(-logits.numpy()))) / 2
    found = [line.valid_loss for line in fitted.history]
    np.testing.assert_allclose(found, losses[:epochs], rtol=1e-6)
    flat = SessionSignals("s", "m", np.zeros((40, 1), np.float32), 0 * labels, None)
    with pytest.raises(UserError, match=r"40 validation frames .* fewer than two states"):
        roi_stack.best_epoch(kept, Constant(), Windows([flat], 0, 0), **options)


def test_a_stack_is_given_its_checkpoint_and_the_windows_of_its_mice(monkeypatch):
    def fit_stack(make, source, members, *, device, checkpoint, **how):
        assert {*how} == {*roi_stack.SETTINGS} and device == "cpu"
        return [(checkpoint, one.seed, one.centres.tolist()) for one in members]

    monkeypatch.setattr(roi_stack.stacked, "fit_stack", fit_stack)
    labels = np.arange(9) // 3 % 2
    sessions = [
        SessionSignals(f"{mouse}_s", mouse, np.ones((9, 2)), labels, None) for mouse in "abc"
    ]
    settings = schema.defaults("roi_rnn", half_window=3)
    models = {"one": (5, ["a", "c"], [labels] * 3), "two": (6, ["b"], [labels] * 3)}
    found = roi_stack.fit(sessions, models, settings, checkpoint="kept")
    ends = {"one": ("kept", 5, [3, 4, 5, 21, 22, 23]), "two": ("kept", 6, [12, 13, 14])}
    assert found == ends


def test_a_loss_that_is_not_finite_is_no_best_epoch():
    lines = [Epoch(n, n, 0.7, 0.0, 0.0, 0.1, 1.0, 0.0, 1.0) for n in range(1, 4)]
    labels = (np.arange(40) % 2).astype(np.uint8)
    session = SessionSignals("s", "m", np.zeros((40, 1), np.float32), labels, None)
    kept = Kept({"bias": torch.tensor([1.0, float("nan"), 0.5])}, lines)
    options = {"frame_step": 1, "label_smoothing": 0.0, "early_stopping": None}
    with pytest.raises(UserError, match="epoch 2: the loss is not finite"):
        roi_stack.best_epoch(kept, Constant(), Windows([session], 0, 0), **options)
