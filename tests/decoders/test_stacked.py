"""Networks trained side by side are those that train alone."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from cuda_rules import streams
from mesodecode.base.files import Stopped, UserError
from mesodecode.base.roc_auc import roc_auc
from mesodecode.decoders import stacked, stacked_network, train
from mesodecode.decoders.checkpoint import Checkpoint
from mesodecode.decoders.inputs import Windows
from mesodecode.decoders.networks import TCNDecoder
from mesodecode.decoders.stacked_network import Stack
from side_by_side import (
    HALF,
    ROIS,
    SETTINGS,
    VALID,
    Doubles,
    alone,
    furthest,
    maker,
    members,
    side_by_side,
    source_of,
)

SHAPES = [
    {"cell": cell, "num_layers": layers, "bidirectional": both}
    for cell in ("gru", "lstm", "rnn")
    for layers, both in ((1, False), (2, True))
]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_and_gradients_are_pytorchs(shape):
    models = []
    for seed in range(3):
        torch.manual_seed(seed)
        models.append(maker(torch.float64, **shape)().eval())
    x = torch.randn(3, 6, 2 * HALF + 1, ROIS, dtype=torch.float64)
    stack = Stack(models)
    weights = stack.weights.requires_grad_()
    expected = torch.stack([model(part) for model, part in zip(models, x, strict=True)])
    logits = stack.logits(weights, x)
    torch.testing.assert_close(logits, expected, rtol=1e-12, atol=1e-13)
    loss = torch.rand_like(expected)
    (found,) = torch.autograd.grad((logits * loss).sum(), weights)
    (expected * loss).sum().backward()
    for k, model in enumerate(models):
        rows = torch.cat([p.grad.flatten() for p in model.parameters()])
        torch.testing.assert_close(found[k], rows, rtol=1e-9, atol=1e-12)


def test_the_memory_of_a_training_is_told_in_mib(monkeypatch):
    for module in (stacked, train):
        monkeypatch.setattr(module, "peak_memory", lambda _: 3 * 2**20)
    lines = [*side_by_side(maker())[0].history, *alone(maker(), 0)[1]]
    assert {line.peak_memory_mb for line in lines} == {3}


def test_inputs_a_second_are_of_the_seconds_of_an_epoch(monkeypatch, capsys):
    """By a clock that is a second later whenever it is asked: at the start, a step, the end."""
    clock = itertools.count()
    monkeypatch.setattr(stacked, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    found = side_by_side(maker(), batch_size=11, epochs=2)
    rates = [[line.inputs_per_s for line in kept.history] for kept in found]
    assert rates == [[(202 + 366 + 164) / 35] * 2] * 3  # of 34 steps an epoch
    for value in found[0].state(0).values():
        assert not value.requires_grad  # else a file of it would, and its graph stayed in memory
    said = capsys.readouterr().err.splitlines()
    means = [np.mean([kept.history[epoch].train_loss for kept in found]) for epoch in (0, 1)]
    assert [line for line in said if line.startswith("epoch")] == [
        f"epoch {n}/2: 3 models side by side, mean train loss {mean:.4f}, 21 inputs/s"
        for n, mean in enumerate(means, 1)
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_after_twenty_steps_models_are_those_that_trained_alone(shape):
    make = maker(**shape)
    together = side_by_side(make, batch_size=11)  # 19, 34 and 15 steps
    start = Stack([make()]).shapes
    for k, kept in enumerate(together):
        state, _ = alone(make, k, batch_size=11)
        assert state.keys() == start.keys()
        assert kept.history[0].step in (19, 34, 15)
        assert furthest(make, kept.state(1), state) < 1e-5
    # so far apart are models of other seeds
    assert furthest(make, together[0].state(1), together[1].state(1)) > 0.05


def test_batches_of_one_size():
    """Epochs of 202, 366 and 164 windows in 2, 2 and 1 batches, the largest of 183."""
    make = maker()
    for k, kept in enumerate(side_by_side(make, batch_size=183)):
        assert kept.history[0].step == (2, 2, 1)[k]
        assert furthest(make, kept.state(1), alone(make, k, batch_size=183)[0]) < 1e-5


def test_after_two_hundred_steps_in_float64():
    options = {"epochs": 10, "batch_size": 10, "label_smoothing": 0.1}
    make = maker(torch.float64)
    for k, kept in enumerate(side_by_side(make, Doubles, **options)):
        state, history = alone(make, k, Doubles, **options)
        assert kept.history[-1].step >= 170
        assert furthest(make, kept.state(-1), state) < 1e-6
        for line, other in zip(kept.history, history, strict=True):
            assert (line.epoch, line.step) == (other.epoch, other.step)
            assert line.train_loss == pytest.approx(other.train_loss, rel=1e-7)
            assert line.lr == pytest.approx(other.lr, rel=1e-9)
            assert math.isnan(line.valid_loss)


def test_averaged_weights_and_every_nth_window():
    options = {"ema_decay": 0.8, "frame_step": 3, "epochs": 2}
    make = maker(torch.float64)
    for k, kept in enumerate(side_by_side(make, Doubles, **options)):
        assert furthest(make, kept.state(-1), alone(make, k, Doubles, **options)[0]) < 1e-6


def test_dropout_between_layers_is_each_models_own():
    make = maker(torch.float64, num_layers=3, dropout=0.4, bidirectional=True)
    for k, kept in enumerate(side_by_side(make, Doubles)):
        assert furthest(make, kept.state(-1), alone(make, k, Doubles)[0]) < 1e-6


def test_the_weights_of_each_epoch_are_kept():
    make = maker(torch.float64)
    kept = side_by_side(make, Doubles, epochs=3, schedule="constant")[1]
    assert len(kept.history) == 3
    for n in (1, 2, 3):  # at a constant rate what comes later does not matter
        state, _ = alone(make, 1, Doubles, epochs=n, schedule="constant")
        assert furthest(make, kept.state(n), state) < 1e-6


def test_labels_are_each_models_own():
    source = source_of((0, 1, 2))
    own, other = members(source)[1:]
    permuted = stacked.Member("permuted", own.seed, own.centres, 1 - source.labels)
    make = maker()
    found = [
        stacked.fit_stack(make, source, several, **SETTINGS)
        for several in ([own, permuted], [permuted, other])
    ]
    assert furthest(make, found[0][1].state(1), found[1][0].state(1)) < 1e-5
    assert furthest(make, found[0][0].state(1), found[0][1].state(1)) > 0.05


def test_whole_trainings_end_in_aucs_within_the_spread_of_seeds():
    options = {"epochs": 6, "batch_size": 32, "max_lr": 0.02}
    make, source = maker(), source_of((0, 1, 2))
    valid = Windows([VALID], HALF, HALF)

    def auc(state):
        model = make()
        model.load_state_dict(state)
        return roc_auc(VALID.labels[valid.centres], valid.logits(model, valid.centres).numpy())

    _, one, _ = members(source)
    several = [stacked.Member(f"{s}", s, one.centres, one.labels) for s in range(2, 7)]
    together = stacked.fit_stack(make, source, several, **(SETTINGS | options))
    aucs = np.array([auc(kept.state(-1)) for kept in together])
    same_seed = auc(alone(make, 1, **options)[0])
    assert aucs.min() > 0.75
    assert abs(aucs[0] - same_seed) <= max(np.ptp(aucs), 0.005)


@pytest.mark.parametrize("total", [2, 3, 4, 7, 10, 100])
def test_rates_are_those_of_torch(total):
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(1))], lr=0.3)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.3, total_steps=total)
    expected = []
    for step in range(total):
        expected.append((rate.get_last_lr()[0], optimizer.param_groups[0]["betas"][0]))
        optimizer.step()
        if step < total - 1:
            rate.step()
    found = np.transpose(stacked.one_cycle(np.arange(total), total, 0.3))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_step_of_nothing_moves_nothing(monkeypatch):
    """A GPU takes some before it captures one; models that wait for others take them too."""
    taken = stacked._Run.step

    def idle_first(run):
        moves, names = run.moves.clone(), ("weights", "mean1", "mean2", "average", "loss")
        before = [getattr(run, name).detach().clone() for name in names]
        run.moves.zero_()
        taken(run)
        assert all(map(torch.equal, before, (getattr(run, name) for name in names)))
        run.moves.copy_(moves)
        taken(run)
        assert not torch.equal(before[0], run.weights)

    monkeypatch.setattr(stacked._Run, "step", idle_first)
    side_by_side(maker(), ema_decay=0.5)


def test_where_nothing_is_compiled_or_captured_lines_say_so(monkeypatch, capsys):
    """As on a GPU: steps of nothing, then those of the training, which end in the same weights."""

    class Refused:
        def __init__(self, *_, **how):
            raise RuntimeError("out of memory\nand how much")

    def no_compiler(cell):
        raise OSError("no compiler")

    expected = side_by_side(maker())
    begun = stacked._Run.__init__

    def as_on_a_gpu(run, *given):
        begun(run, *given)
        run.step = run.captured()

    monkeypatch.setattr(stacked._Run, "__init__", as_on_a_gpu)
    monkeypatch.setattr(stacked_network.Cell, "compiled", no_compiler)
    capsys.readouterr()
    with streams(Refused):
        found = side_by_side(maker())
        side, main = torch.cuda.Stream(), torch.cuda.current_stream()
        side.wait_stream.assert_called_with(main)
        main.wait_stream.assert_called_with(side)
    lines = capsys.readouterr().err.splitlines()
    why = "not compiled, slower (no compiler)", "steps are not captured, slower (out of memory)"
    assert tuple(lines[:2]) == why
    for one, other in zip(found, expected, strict=True):
        assert all(torch.equal(other.state(1)[name], w) for name, w in one.state(1).items())


class Dies(Checkpoint):
    """A checkpoint that a signal reaches in the step after `steps` others."""

    def __init__(self, *given, steps):
        super().__init__(*given, every=1e9)
        self.steps = steps

    def due(self):
        self.steps -= 1
        self._stop = self.steps < 0
        return self._stop


def test_a_stack_that_was_ended_goes_on_to_the_same_bits(tmp_path, capsys):
    make = maker(num_layers=2, dropout=0.3)
    options = {"epochs": 3, "ema_decay": 0.5}
    whole = side_by_side(make, **options)
    path = tmp_path / "stack.pt"
    with pytest.raises(Stopped):  # in the second of 3 epochs of 24 steps
        side_by_side(make, checkpoint=Dies(path, {}, steps=31), **options)
    for finished in (False, True):  # the second time from what was finished
        for one, other in zip(
            side_by_side(make, checkpoint=Checkpoint(path, {}), **options), whole, strict=True
        ):
            assert [line.train_loss for line in one.history] == [
                line.train_loss for line in other.history
            ]
            assert all(torch.equal(one.weights[key], same) for key, same in other.weights.items())
        said = capsys.readouterr().err
        assert ("trained before: taken from" in said) == finished
        going = [line for line in said.splitlines() if line.startswith("going on")]
        assert going == ["going on at epoch 2, batch 9"] * (not finished)


def test_a_member_of_one_state_is_named():
    source = source_of((0, 1, 2))
    first, second, _ = members(source)
    second = stacked.Member("m1+m2", 2, second.centres, torch.zeros_like(second.labels))
    with pytest.raises(UserError, match=r"^m1\+m2: 366 training frames .* fewer than two states"):
        stacked.fit_stack(maker(), source, [first, second], **SETTINGS)


def test_a_loss_that_is_not_finite_is_named():
    with pytest.raises(UserError, match=r"^model 1: epoch 1: .* not finite; lower max_lr"):
        side_by_side(maker(cell="rnn"), max_lr=1e38)


def test_convolutions_are_not_stacked():
    with pytest.raises(UserError, match="only gru, lstm and rnn"):
        side_by_side(lambda: TCNDecoder(ROIS, hidden_size=4))
