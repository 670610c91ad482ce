"""The GRU layer that trains on a CPU, against PyTorch's."""

import pytest
import torch
from torch import nn

from mesodecode.decoders import gru
from mesodecode.decoders.networks import RNNDecoder


def both(bidirectional, dtype=torch.float64, features=3):
    torch.manual_seed(0)
    rnn = nn.GRU(features, 4, batch_first=True, bidirectional=bidirectional).to(dtype)
    frames = gru.AT_ONCE + 3  # a block and a shorter one
    return rnn, torch.randn(5, frames, features, dtype=dtype, requires_grad=True)


def by_pytorch(rnn, x):
    return torch.cat(tuple(rnn(x)[1]), dim=1)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_states_and_all_gradients_are_pytorchs(bidirectional):
    rnn, x = both(bidirectional)
    inputs = [x, *rnn.parameters()]
    weights = torch.randn_like(by_pytorch(rnn, x))  # a loss that no symmetry of gates survives
    expected = torch.autograd.grad((by_pytorch(rnn, x) * weights).sum(), inputs)
    state = gru.final_state(rnn, x)
    found = torch.autograd.grad((state * weights).sum(), inputs)
    torch.testing.assert_close(state, by_pytorch(rnn, x), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-13)


def test_the_gradient_that_is_given_stays_as_it_was():
    """Of one window, too, which lies in memory as its transpose does."""
    rnn, x = both(False)
    given = torch.randn(1, 4, dtype=x.dtype)
    before = given.clone()
    torch.autograd.grad(gru.final_state(rnn, x[:1]), x, given)
    assert torch.equal(given, before)


def test_gradients_are_those_of_small_differences():
    rnn, x = both(False)
    assert torch.autograd.gradcheck(lambda x: gru.final_state(rnn, x), x)


def test_passes_of_one_shape_do_not_disturb_each_other():
    rnn, first = both(False)
    second = torch.randn_like(first).requires_grad_()
    expected = [torch.autograd.grad(by_pytorch(rnn, x).sum(), x)[0] for x in (first, second)]
    for _ in range(2):  # the second time in arrays that are left of the first
        states = [gru.final_state(rnn, x) for x in (first, second)]
        found = [
            torch.autograd.grad(state.sum(), x)[0]
            for state, x in zip(states, (first, second), strict=True)
        ]
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-13)


def test_both_directions_of_batches_of_two_sizes_have_arrays_that_stay(monkeypatch):
    made, begin = [], gru._Room.__init__
    monkeypatch.setattr(
        gru._Room, "__init__", lambda room, *given: made.append(given[-1]) or begin(room, *given)
    )
    gru._Room.free.clear()
    rnn, x = both(True)
    for n in (5, 4, 5, 4):
        torch.autograd.grad(gru.final_state(rnn, x[:n]).sum(), x)
    assert made == [5, 5, 4, 4]
    torch.autograd.grad(gru.final_state(rnn, x[:3]).sum(), x)
    assert len(gru._Room.free) == 4  # and those used longest ago are let go


def test_a_graph_whose_arrays_another_pass_took_is_refused():
    gru._Room.free.clear()
    rnn, x = both(False)
    total = gru.final_state(rnn, x).sum()
    torch.autograd.grad(total, x, retain_graph=True)
    gru.final_state(rnn, x)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(total, x)


def test_a_window_of_one_frame():
    rnn, x = both(True)
    x = x[:, :1]
    torch.testing.assert_close(gru.final_state(rnn, x), by_pytorch(rnn, x), rtol=1e-12, atol=1e-14)


def test_twenty_steps_of_training_end_in_pytorchs_weights(monkeypatch):
    def train():
        torch.manual_seed(1)
        model = RNNDecoder(6, cell="gru", hidden_size=8)
        windows, labels = torch.randn(64, 11, 6), (torch.rand(64) > 0.5).float()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(20):
            loss = nn.functional.binary_cross_entropy_with_logits(model(windows), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    own = train()
    monkeypatch.setattr(gru, "fits", lambda rnn, x: False)
    torch.testing.assert_close(own, train(), rtol=0, atol=1e-5)


def test_it_stands_in_for_one_layer_that_is_trained_on_a_cpu_and_for_nothing_else():
    x = torch.zeros(2, 3, 5)

    def fits(rnn, x=x):
        return gru.fits(rnn, x)

    assert fits(nn.GRU(5, 4))
    assert fits(nn.GRU(5, 4, bidirectional=True))
    assert not fits(nn.GRU(5, 4, num_layers=2))
    assert not fits(nn.LSTM(5, 4))
    assert not fits(nn.GRU(5, 4).eval())
    assert not fits(nn.GRU(5, 4), x.to("meta"))
    assert not fits(nn.GRU(5, 4), x.double())


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("n", [1, 3])
def test_a_step_is_the_last_of_pytorchs(layers, n):
    torch.manual_seed(1)
    rnn, x = nn.GRU(5, 7, layers, batch_first=True), torch.randn(n, 6, 5)
    with torch.inference_mode():
        expected = rnn(x)[1][-1]
        found = gru.last_step(rnn, rnn(x[:, :-1])[1], x[:, -1])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
