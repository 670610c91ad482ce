"""Training steps as CUDA graphs, and compiled, against the same steps taken one by one."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from make_decoders import TINY, Points, net, trained_cnn, write_recording
from mesodecode.decoders import compiling, predict, steps, train
from mesodecode.decoders.augment import Augment
from mesodecode.decoders.inputs import ImageWindows
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder
from mesodecode.recordings.recording import read_recordings

DEVICE = os.environ.get("MESODECODE_TEST_DEVICE", "cuda")  # with cpu the tests themselves are tried

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        DEVICE == "cuda" and not torch.cuda.is_available(), reason="torch sees no GPU here"
    ),
]


@pytest.fixture
def recordings(tmp_path):
    paths = [
        write_recording(tmp_path / f"{m}.h5", m, n_frames=120, seed=i) for i, m in enumerate("ab")
    ]
    return read_recordings(paths)


def windowed(recordings, feed):
    def make():
        rnn = RNNDecoder(256, cell="gru", hidden_size=4, num_layers=2, dropout=0.3)
        return CNNRNNDecoder(CNNDecoder(TINY), rnn)

    augment = Augment(intensity=0.1)
    source = ImageWindows(recordings, 2, device=DEVICE, feed=feed, augment=augment)
    return {"make": make, "source": source, "batch_size": 8, "run_length": 4, "epochs": 2}


def run(make=net, source=None, **changed):
    settings = {"epochs": 5, "batch_size": 20, "max_lr": 0.01, "frame_step": 1, "seed": 7}
    source = source or Points(device=DEVICE)
    return train.fit(make, source, None, device=DEVICE, **(settings | changed))


def assert_near(one, other, bound):
    for state, same in zip(one.states, other.states, strict=True):
        for name, value in state.items():
            distance = (value.double() - same[name].double()).abs().max().item()
            assert distance <= bound, (name, distance)


@pytest.mark.parametrize("kind", ["points", "average", "memory", "stream"])
def test_graphs_take_the_steps_that_are_taken_one_by_one(monkeypatch, capsys, recordings, kind):
    options = {"points": {}, "average": {"ema_decay": 0.8}}.get(kind)
    options = windowed(recordings, kind) if options is None else options
    captured = run(**options)
    assert "slower" not in capsys.readouterr().err
    monkeypatch.setattr(steps, "RECURS", 10**9)
    assert_near(captured, run(**options), 1e-4)


def test_no_step_waits_for_the_host(monkeypatch, recordings):
    if DEVICE == "cpu":
        pytest.skip("a CPU waits for itself")
    take = steps.Steps.take

    def watched(self, *fed):
        torch.cuda.set_sync_debug_mode("error" if self._graphs else "default")
        try:
            take(self, *fed)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(steps.Steps, "take", watched)
    run()
    run(**windowed(recordings, "memory"))


def test_a_step_that_cannot_be_captured_is_taken_as_it_is(monkeypatch, capsys):
    class Asking(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net()

        def forward(self, x):
            return self.net(x) * (1 if x[0, 0].item() > 0 else 2)

    found = run(make=Asking)
    if DEVICE == "cuda":
        assert "steps are not captured, slower (" in capsys.readouterr().err
    monkeypatch.setattr(steps, "RECURS", 10**9)
    assert_near(found, run(make=Asking), 1e-4)


def test_a_compiled_training_comes_near_to_that_of_a_plain_one(monkeypatch, capsys, recordings):
    options = windowed(recordings, "memory") | {"precision": "mixed"}
    plain = run(**options)
    monkeypatch.setattr(compiling, "COST", 0.0)
    compiled = run(**options)
    said = capsys.readouterr().err
    assert DEVICE == "cpu" or ("compiling" in said and "slower" not in said)
    for one, other in zip(plain.history, compiled.history, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, abs=0.05)


def test_probabilities_in_the_reduced_type_are_near_those_in_float32(recordings):
    trained = trained_cnn(train_mice=("x",), valid_mice=("y",))
    mixed = replace(trained, settings=trained.settings | {"precision": "mixed"})
    full, reduced = (predict.predict(one, recordings, DEVICE) for one in (trained, mixed))
    for name, session in full.items():
        difference = np.abs(session.probability - reduced[name].probability)
        assert difference.max() < 0.1  # outputs of this network reach both ends
