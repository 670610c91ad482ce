"""Models trained side by side on a GPU, as one graph, against the same steps plainly and alone."""

from __future__ import annotations

import os

import pytest
import torch

from mesodecode.decoders import stacked
from side_by_side import alone, furthest, maker, side_by_side

DEVICE = os.environ.get("MESODECODE_TEST_DEVICE", "cuda")  # with cpu the tests themselves are tried

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        DEVICE == "cuda" and not torch.cuda.is_available(), reason="torch sees no GPU here"
    ),
]
SHAPES = [{"cell": cell} for cell in ("gru", "lstm", "rnn")]
SHAPES.append({"cell": "gru", "num_layers": 2, "bidirectional": True})


@pytest.mark.parametrize("shape", SHAPES)
def test_twenty_steps_as_one_graph_are_those_on_a_cpu_alone(shape):
    make = maker(**shape)
    for k, kept in enumerate(side_by_side(make, batch_size=16, device=DEVICE)):
        assert furthest(make, kept.state(1), alone(make, k, batch_size=16)[0]) < 1e-5


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_a_graph_takes_the_steps_that_are_taken_one_by_one(monkeypatch, dropout):
    make = maker(num_layers=2, dropout=dropout)
    options = {"epochs": 2, "batch_size": 40, "ema_decay": 0.5, "device": DEVICE}
    captured = side_by_side(make, **options)
    monkeypatch.setattr(stacked._Run, "captured", lambda run: run.step)
    for one, other in zip(captured, side_by_side(make, **options), strict=True):
        assert furthest(make, one.state(-1), other.state(-1)) < 1e-5
        for line, same in zip(one.history, other.history, strict=True):
            assert line.train_loss == pytest.approx(same.train_loss, rel=1e-5)
