"""Deep SHAP: cases worked by hand, a slow reference by automatic rules, and what must hold."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import fresh
from mesodecode.base.files import UserError
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder, TCNDecoder
from mesodecode.explain import attributions, deepshap, operations, recurrent
from mesodecode.explain.attributions import explain
from mesodecode.explain.deepshap import deep_shap, explain_deep

KINDS = ["gru", "lstm", "rnn"]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def make(cell, *, layers=1, bidirectional=False, features=4, hidden=3, scale=1.0, seed=0):
    torch.manual_seed(seed)
    decoder = RNNDecoder(
        features, cell=cell, hidden_size=hidden, num_layers=layers, bidirectional=bidirectional
    )
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.mul_(scale)
    return decoder.eval()


def data(n=3, b=4, frames=5, features=4, dtype=torch.float32):
    return torch.randn(n, frames, features, dtype=dtype), torch.randn(
        b, frames, features, dtype=dtype
    )


# --- by hand -----------------------------------------------------------------------------------


def test_a_product_is_shared_as_between_two_players():
    """One frame, one unit; signal 1 moves the update gate z only, signal 2 the candidate n only.

    h = (1 - z) n; window z = .75, n = .5; references z = .25, n = .2. The four coalitions are
    .125 (both), .05 (z only), .375 (n only), .15 (none), hence Shapley values
    z: ((.05 - .15) + (.125 - .375)) / 2 = -.175 and n: ((.375 - .15) + (.125 - .05)) / 2 = .15.
    """
    decoder = make("gru", features=2, hidden=1, scale=0).double()
    with torch.no_grad():
        decoder.rnn.weight_ih_l0.copy_(torch.tensor([[0.0, 0], [1, 0], [0, 1]]))
        decoder.head.weight.fill_(1)
    window = torch.tensor([[[np.log(3), np.arctanh(0.5)]]])
    reference = torch.tensor([[[-np.log(3), np.arctanh(0.2)]]])
    values, base = deep_shap(decoder, window, reference.repeat(2, 1, 1), output="logit")
    assert base == pytest.approx(0.15, abs=1e-12)
    np.testing.assert_allclose(values[0, 0], [-0.175, 0.15], rtol=0, atol=1e-9)
    # The output's sigmoid rescales both alike.
    rescaled, base = deep_shap(decoder, window, reference.repeat(2, 1, 1))
    slope = (1 / (1 + np.exp(-0.125)) - 1 / (1 + np.exp(-0.15))) / (0.125 - 0.15)
    np.testing.assert_allclose(rescaled[0, 0], [-0.175 * slope, 0.15 * slope], rtol=0, atol=1e-9)
    assert base == pytest.approx(1 / (1 + np.exp(-0.15)), abs=1e-12)


def test_a_linear_network_gives_weights_times_differences():
    """Where tanh is as good as linear, head · W_hh^(T-1-t) · W_ih · (x - mean reference)."""
    decoder = make("rnn").double()
    with torch.no_grad():
        decoder.rnn.weight_ih_l0.mul_(1e-4)
        decoder.rnn.bias_ih_l0.zero_()
        decoder.rnn.bias_hh_l0.zero_()
    windows, background = data(dtype=torch.float64)
    values, _ = deep_shap(decoder, windows, background, output="logit")
    inner, recurrent = decoder.rnn.weight_ih_l0.detach(), decoder.rnn.weight_hh_l0.detach()
    for t in range(5):
        weights = decoder.head.weight.detach() @ torch.matrix_power(recurrent, 4 - t) @ inner
        expected = weights * (windows[:, t] - background[:, t].mean(0))
        np.testing.assert_allclose(values[:, t], expected, rtol=1e-4, atol=1e-11)


# --- a slow reference --------------------------------------------------------------------------


class Tape:
    """DeepLIFT by automatic rules: every number of a window and one reference is a node.

    A node knows both its values; its inputs' shares of a difference follow from the rule of the
    operation that made it. Scalars, float64, one pair at a time; nothing is taken from the package.
    """

    def __init__(self):
        self.nodes = []

    def node(self, x, r, sources=()):
        node = {"x": x, "r": r, "sources": sources, "multiplier": 0.0}
        self.nodes.append(node)
        return node

    def affine(self, weights, inputs, bias):
        x = sum(w * node["x"] for w, node in zip(weights, inputs, strict=True)) + bias
        r = sum(w * node["r"] for w, node in zip(weights, inputs, strict=True)) + bias
        return self.node(x, r, list(zip(inputs, weights, strict=True)))

    def curve(self, function, derivative, node):
        x, r = function(node["x"]), function(node["r"])
        change = node["x"] - node["r"]
        middle = (node["x"] + node["r"]) / 2
        slope = derivative(middle) if abs(change) < 1e-5 else (x - r) / change
        return self.node(x, r, [(node, slope)])

    def sigmoid(self, node):
        def sigmoid(u):
            return 1 / (1 + np.exp(-u))

        return self.curve(sigmoid, lambda u: sigmoid(u) * (1 - sigmoid(u)), node)

    def tanh(self, node):
        return self.curve(np.tanh, lambda u: 1 - np.tanh(u) ** 2, node)

    def times(self, a, b):
        shares = [(a, (b["x"] + b["r"]) / 2), (b, (a["x"] + a["r"]) / 2)]
        return self.node(a["x"] * b["x"], a["r"] * b["r"], shares)

    def add(self, a, b):
        return self.affine([1, 1], [a, b], 0)

    def backward(self, result):
        result["multiplier"] = 1.0
        for node in reversed(self.nodes):
            for source, multiplier in node["sources"]:
                source["multiplier"] += node["multiplier"] * multiplier


def slow_step(tape, cell, x, h, c, w):
    size = len(h)

    def linear(kind, row, inputs):
        return tape.affine(w[f"weight_{kind}"][row], inputs, w[f"bias_{kind}"][row])

    def gate(k, unit):
        row = k * size + unit
        return tape.add(linear("ih", row, x), linear("hh", row, h))

    new_h, new_c = [], []
    for unit in range(size):
        if cell == "rnn":
            new_h.append(tape.tanh(gate(0, unit)))
        elif cell == "lstm":
            i, f, o = (tape.sigmoid(gate(k, unit)) for k in (0, 1, 3))
            g = tape.tanh(gate(2, unit))
            new_c.append(tape.add(tape.times(f, c[unit]), tape.times(i, g)))
            new_h.append(tape.times(o, tape.tanh(new_c[-1])))
        else:
            reset, update = (tape.sigmoid(gate(k, unit)) for k in (0, 1))
            row = 2 * size + unit
            n = tape.tanh(tape.add(linear("ih", row, x), tape.times(reset, linear("hh", row, h))))
            keep = tape.affine([-1], [update], 1)
            new_h.append(tape.add(tape.times(keep, n), tape.times(update, h[unit])))
    return new_h, new_c


def slow_values(decoder, cell, window, reference, output):
    """Return the values (T, F) of one window against one reference."""
    rnn, tape = decoder.rnn, Tape()
    weights = {name: p.detach().numpy() for name, p in rnn.named_parameters()}
    inputs = [
        [tape.node(x, r) for x, r in zip(*rows, strict=True)]
        for rows in zip(window, reference, strict=True)
    ]
    sequence = inputs
    for layer in range(rnn.num_layers):
        finals, outputs = [], []
        for suffix in ["", "_reverse"][: 1 + rnn.bidirectional]:
            end = f"_l{layer}{suffix}"
            w = {key.removesuffix(end): v for key, v in weights.items() if key.endswith(end)}
            h, c = ([tape.node(0, 0) for _ in range(rnn.hidden_size)] for _ in range(2))
            seen = []
            for x in sequence[::-1] if suffix else sequence:
                h, c = slow_step(tape, cell, x, h, c, w)
                seen.append(h)
            finals += h
            outputs.append(seen[::-1] if suffix else seen)
        sequence = [[n for part in frame for n in part] for frame in zip(*outputs, strict=True)]
    head = decoder.head
    result = tape.affine(head.weight.detach().numpy()[0], finals, head.bias.item())
    tape.backward(tape.sigmoid(result) if output == "probability" else result)
    return np.array([[n["multiplier"] * (n["x"] - n["r"]) for n in row] for row in inputs])


@pytest.mark.parametrize("output", ["probability", "logit"])
@pytest.mark.parametrize("cell", KINDS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_values_equal_those_of_automatic_rules(cell, layers, bidirectional, output):
    decoder = make(cell, layers=layers, bidirectional=bidirectional, scale=2.0).double()
    windows, background = data(n=2, b=3, frames=4, dtype=torch.float64)
    background[:, 1] = windows[0, 1]  # some differences are zero
    values, _ = deep_shap(decoder, windows, background, output=output)
    assert values.dtype == torch.float64
    explained, *both = deepshap.prepare(decoder, windows, background, output)
    others = operations.values(explained, *both)  # the way of other networks
    for value, other, window in zip(values, others, windows.numpy(), strict=True):
        pairs = [slow_values(decoder, cell, window, r, output) for r in background.numpy()]
        np.testing.assert_allclose(value, np.mean(pairs, axis=0), rtol=0, atol=1e-9)
        np.testing.assert_allclose(other, np.mean(pairs, axis=0), rtol=0, atol=1e-9)


# --- what must hold ----------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    cell=st.sampled_from(KINDS),
    layers=st.integers(1, 3),
    bidirectional=st.booleans(),
    output=st.sampled_from(["probability", "logit"]),
    sizes=st.tuples(*[st.integers(1, 6)] * 4),
    scale=st.sampled_from([0.1, 1.0, 3.0, 6.0]),
    seed=st.integers(0, 2**16),
)
def test_values_and_base_add_up_to_the_output_in_float32(
    cell, layers, bidirectional, output, sizes, scale, seed
):
    n, frames, features, hidden = sizes
    decoder = make(
        cell,
        layers=layers,
        bidirectional=bidirectional,
        features=features,
        hidden=hidden,
        scale=scale,
        seed=seed,
    )
    windows, background = data(n, 2 + seed % 5, frames, features)
    values, base = deep_shap(decoder, windows, background, output=output)
    with torch.no_grad():  # float64 where float32 did not do, for the decoder as for its values
        logits = decoder.to(values.dtype)(windows.to(values.dtype))
    expected = torch.sigmoid(logits) if output == "probability" else logits
    assert values.shape == windows.shape
    assert isinstance(base, float)
    missed = (base + values.double().sum((1, 2)) - expected).abs()
    assert missed.max() <= 1e-5
    if scale <= 1:
        assert values.dtype == torch.float32


@pytest.mark.parametrize("cell", KINDS)
def test_a_signal_that_is_not_used_or_does_not_differ_gets_exactly_nothing(cell):
    decoder = make(cell, layers=2, bidirectional=True)
    with torch.no_grad():
        decoder.rnn.weight_ih_l0[:, 1] = 0
        decoder.rnn.weight_ih_l0_reverse[:, 1] = 0
    windows, background = data()
    windows[:, :, 2] = background[:, :, 2] = torch.randn(5)
    values, _ = deep_shap(decoder, windows, background)
    assert (values[:, :, 1:3] == 0).all()
    assert (values[:, :, [0, 3]] != 0).all()


@pytest.mark.parametrize("cell", KINDS)
def test_signals_that_play_the_same_part_get_the_same(cell):
    decoder = make(cell)
    with torch.no_grad():
        decoder.rnn.weight_ih_l0[:, 1] = decoder.rnn.weight_ih_l0[:, 0]
    windows, background = data()
    windows[:, :, 1], background[:, :, 1] = windows[:, :, 0], background[:, :, 0]
    values, _ = deep_shap(decoder, windows, background)
    np.testing.assert_allclose(values[:, :, 1], values[:, :, 0], rtol=0, atol=1e-8)


@pytest.mark.parametrize("cell", KINDS)
def test_blocks_of_pairs_change_nothing(cell, monkeypatch):
    decoder = make(cell, layers=2, bidirectional=True).double()
    windows, background = data(n=7, b=9, dtype=torch.float64)
    whole, base = deep_shap(decoder, windows, background)
    traced = []
    trace = recurrent.trace

    def spied(network, part, *rest, reference):
        traced.append(len(part))
        return trace(network, part, *rest, reference=reference)

    monkeypatch.setattr(recurrent, "trace", spied)
    monkeypatch.setattr(recurrent, "RUN", 2)
    for pairs, threads in ((1, 1), (4, 1), (8, 2)):
        size = pairs * recurrent.cell_of(decoder.rnn).WIDTH * 3 * 8
        monkeypatch.setitem(recurrent.BLOCK_BYTES, "cpu", size)
        monkeypatch.setitem(recurrent.TRACE_BYTES, "cpu", size)
        torch.set_num_threads(threads)
        parts, same = deep_shap(decoder, windows, background)
        assert torch.get_num_threads() == threads
        assert max(traced[1:]) < 9  # never the whole background; the first call looks at four
        assert same == base
        np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-12)


def test_tiny_differences_keep_their_precision():
    """Where window and reference nearly agree, the values are those of the gradient."""
    decoder = make("gru", scale=2.0)
    windows, _ = data()
    background = windows[:1].repeat(2, 1, 1)
    moved = windows[:1] + 1e-3
    values, _ = deep_shap(decoder, moved, background, output="logit")
    middle = ((moved + background[:1]) / 2).requires_grad_()
    (gradient,) = torch.autograd.grad(decoder(middle).sum(), middle)
    np.testing.assert_allclose(values, gradient * (moved - background[:1]), rtol=1e-3, atol=1e-7)


def test_float64_takes_over_where_float32_misses_the_output(monkeypatch):
    decoder = make("lstm")
    windows, background = data()
    first = explain_deep(decoder, windows, background)
    assert first.values.dtype == torch.float32
    assert first.completeness_error <= 1e-5
    monkeypatch.setattr(deepshap, "COMPLETENESS", 1e-10)
    second = explain_deep(decoder, windows, background)
    assert second.values.dtype == torch.float64
    assert second.completeness_error <= 1e-10
    np.testing.assert_allclose(first.values, second.values, rtol=0, atol=1e-6)


@pytest.mark.parametrize("miss", [1e-4, 1.1e-5, float("nan")])
def test_a_miss_of_a_ten_thousandth_is_computed_again(monkeypatch, miss):
    explain = deepshap._explain
    seen = []

    def missing(decoder, windows, *rest):
        seen.append(windows.dtype)
        return replace(explain(decoder, windows, *rest), completeness_error=misses[windows.dtype])

    monkeypatch.setattr(deepshap, "_explain", missing)
    misses = {torch.float32: miss, torch.float64: 9e-6}
    found = explain_deep(make("gru"), *data())
    assert found.values.dtype == torch.float64 and seen == [torch.float32, torch.float64]
    for half, dtype in ((4.9e-6, torch.float32), (5.1e-6, torch.float64)):
        misses = {torch.float32: half, torch.float64: 9e-6}
        assert explain_deep(make("gru"), *data()).values.dtype == dtype
    misses = dict.fromkeys((torch.float32, torch.float64), miss)
    with pytest.raises(UserError, match="the values miss the decoder's probability"):
        explain_deep(make("gru"), *data())


def test_the_decoder_is_left_as_it_was():
    decoder = RNNDecoder(4, cell="gru", hidden_size=3, num_layers=2, dropout=0.5).train()
    before = {name: tensor.clone() for name, tensor in decoder.state_dict().items()}
    windows, background = data()
    first, _ = deep_shap(decoder, windows, background)
    again, _ = deep_shap(decoder, windows.numpy(), background.numpy())
    assert torch.equal(first, again)  # dropout does not act
    assert all(part.training for part in decoder.modules())
    assert all(one.requires_grad and one.dtype == torch.float32 for one in decoder.parameters())
    assert not first.requires_grad
    assert all(parameter.grad is None for parameter in decoder.parameters())
    assert all(torch.equal(before[name], now) for name, now in decoder.state_dict().items())


def test_arrays_may_lie_in_memory_as_they_like():
    decoder, (windows, background) = make("gru"), data()
    expected, _ = deep_shap(decoder, windows, background)
    back = windows.numpy()[:, ::-1].copy()[:, ::-1]
    for array in (back, windows.numpy().astype(">f4")):
        assert torch.equal(deep_shap(decoder, array, background)[0], expected)


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_what_a_decoder_keeps_of_its_calls_does_not_hinder():
    decoder, (windows, background) = make("gru"), data()
    expected, _ = deep_shap(decoder, windows, background)
    decoder.head = nn.utils.weight_norm(decoder.head)
    decoder.kept = decoder(windows)
    found, _ = deep_shap(decoder, windows, background)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    decoder.list_kept = [decoder.kept * 2]
    with pytest.raises(
        UserError, match=r"decoder: it cannot be copied .*; leave out what it keeps"
    ):
        deep_shap(decoder, windows, background)


# --- anyone's network --------------------------------------------------------------------------


class Anyone(nn.Module):
    """A recurrent layer and a head, joined in one of the ways in which people do it.

    `read`: what of the layer the head reads; `turns`: forward() takes windows first, the layer
    frames first; `then`: what is done with the head's result.
    """

    def __init__(self, rnn, head, read, turns=False, then=None):
        super().__init__()
        self.rnn, self.head, self.read, self.turns, self.then = rnn, head, read, turns, then

    def forward(self, x):
        x = x.transpose(0, 1) if self.turns else x
        ways, n = self.rnn.num_layers * (1 + self.rnn.bidirectional), x.shape[1]
        zeros = x.new_zeros(ways, x.shape[0] if self.rnn.batch_first else n, 3)
        if isinstance(self.rnn, nn.LSTM):
            zeros = zeros[:, :, : self.rnn.proj_size or 3], zeros
        seen, state = self.rnn(x, zeros)
        state = state[0] if isinstance(state, tuple) else state
        seen = seen if self.rnn.batch_first else seen.transpose(0, 1)
        read = {
            "state": lambda: torch.cat(tuple(state[-1 - self.rnn.bidirectional :]), 1),
            "last": lambda: seen[:, -1],
            "mean": lambda: seen.mean(1),
            "active": lambda: torch.relu(seen[:, -1]),
            "largest": lambda: seen.amax(1),
        }[self.read]()
        made = self.head(read)
        return self.then(made) if self.then else made


def anyones(kind=nn.GRU, head=None, read="last", turns=False, then=None, **settings):
    torch.manual_seed(3)
    rnn = kind(4, 3, **({"batch_first": True} | settings))
    n = 3 * (1 + rnn.bidirectional)
    return Anyone(rnn, head(n) if head else nn.Linear(n, 1), read, turns, then).double()


def deep_head(n):
    inner = nn.Sequential(nn.ReLU(), nn.Linear(6, 5), nn.Sigmoid(), nn.Dropout(0.5))
    return nn.Sequential(nn.Dropout(0.5), nn.Linear(n, 6), inner, nn.Linear(5, 1), nn.Tanh())


ANYONES = {
    "final state": anyones(nn.GRU, read="state", num_layers=2, bidirectional=True),
    "last frame": anyones(nn.LSTM, read="last", bidirectional=True),
    "mean": anyones(nn.RNN, read="mean", num_layers=2),
    "no biases": anyones(nn.LSTM, bias=False, num_layers=2, bidirectional=True),
    "relu": anyones(nn.RNN, nonlinearity="relu", read="mean", bidirectional=True),
    "frames first": anyones(nn.GRU, batch_first=False),
    "turned inside": anyones(nn.GRU, batch_first=False, turns=True),
    "dropout": anyones(nn.GRU, num_layers=2, dropout=0.5).train(),
    "head of layers": anyones(nn.GRU, deep_head, bidirectional=True).train(),
    "squeezed": anyones(then=lambda made: made[:, 0]),
    "head ends in a sigmoid": anyones(
        head=lambda n: nn.Sequential(nn.Linear(n, 1), nn.Sigmoid(), nn.Identity())
    ),
    "sigmoid in place": anyones(then=lambda made: made.sigmoid_()),
    "forward ends in a sigmoid": anyones(then=lambda made: torch.sigmoid(made).squeeze(1)),
}
OTHERS = {  # by what their forward() does
    "projected": anyones(nn.LSTM, lambda n: nn.Linear(2, 1), proj_size=2),
    "gelu": anyones(head=lambda n: nn.Sequential(nn.Linear(n, 4), nn.GELU(), nn.Linear(4, 1))),
    "normed": anyones(head=lambda n: nn.Sequential(nn.BatchNorm1d(n), nn.Linear(n, 1))),
    "active": anyones(read="active"),
    "largest": anyones(read="largest"),
    "doubled": anyones(then=lambda made: 2 * made),
}


def complete(decoder, windows, background, output, function, **index):
    """Return values that were seen to add up to `function` of what the decoder returns."""
    values, base = deep_shap(decoder, windows, background, output=output, **index)
    with torch.no_grad():
        expected, usual = (function(decoder.eval()(x)).flatten() for x in (windows, background))
    assert base == pytest.approx(usual.mean().item(), abs=1e-12)
    np.testing.assert_allclose(base + values.flatten(1).sum(1), expected, rtol=0, atol=1e-9)
    return values


@pytest.mark.parametrize("output", ["probability", "logit"])
@pytest.mark.parametrize("name", [*ANYONES, *OTHERS])
def test_anyones_network_is_explained_as_it_is_written(name, output, monkeypatch):
    decoder, first = {**ANYONES, **OTHERS}[name], "first" in name
    windows, background = data(n=3, b=4, dtype=torch.float64)
    explained, *both = deepshap.prepare(decoder, windows, background, output)
    assert explained.frames_first == first
    squashed = "sigmoid" in name
    function = {
        (False, "probability"): torch.sigmoid,
        (True, "logit"): torch.logit,
    }.get((squashed, output), lambda made: made)
    slow = None if first else operations.values(explained, *both)
    if name in ANYONES:  # by the fast way
        monkeypatch.setattr(operations, "values", None)
    else:
        monkeypatch.setattr(recurrent, "values", None)
    turned = Turned(decoder) if first else decoder
    values, base = deep_shap(decoder, windows, background, output=output)
    with torch.no_grad():
        expected, usual = (function(turned.eval()(x)).flatten() for x in (windows, background))
    assert base == pytest.approx(usual.mean().item(), abs=1e-12)
    np.testing.assert_allclose(base + values.sum((1, 2)), expected, rtol=0, atol=1e-9)
    if not first:
        np.testing.assert_allclose(values, slow, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("outputs", "index"), [(1, None), (3, 1)])
def test_one_window_is_explained_as_several_by_a_network_that_ends_in_a_squeeze(outputs, index):
    decoder = anyones(head=lambda n: nn.Linear(n, outputs), then=lambda made: made.squeeze())
    windows, background = data(n=2, b=3, dtype=torch.float64)
    both, base = deep_shap(decoder, windows, background, index=index)
    one, its_base = deep_shap(decoder, windows[:1], background, index=index)
    np.testing.assert_allclose(one, both[:1], rtol=0, atol=1e-12)
    assert its_base == base


class Tutorial(nn.Module):
    """As many write it: other names, dropout between, two directions read at the last frame."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 3, num_layers=2, batch_first=True, bidirectional=True)
        self.dropout, self.fc = nn.Dropout(0.5), nn.Linear(6, 1)

    def forward(self, x):
        return self.fc(self.dropout(self.lstm(x)[0][:, -1, :]))


def test_names_of_layers_do_not_matter_and_the_nearest_way_to_read_is_taken(monkeypatch):
    torch.manual_seed(1)
    decoder = Tutorial().double()
    with torch.no_grad():
        decoder.fc.weight.mul_(1e-4)  # so that all ways to read give nearly the same
    windows, background = data(dtype=torch.float64)
    monkeypatch.setattr(operations, "values", None)
    complete(decoder, windows, background, "logit", lambda made: made)


def test_packed_sequences_are_refused_by_name():
    class Packed(Anyone):
        def forward(self, x):
            lengths = [x.shape[1]] * len(x)
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
            return self.head(self.rnn(packed)[1][-1])

    decoder = Packed(nn.GRU(4, 3), nn.Sequential(nn.Linear(3, 1), nn.GELU()), "state")
    with pytest.raises(UserError, match=r"no rule for .*pack"):
        deep_shap(decoder, *data())


@pytest.mark.parametrize("layer", [nn.GRU, nn.LSTM, nn.RNN])
def test_packed_sequences_of_ones_own_making_are_refused_too(layer):
    class Packed(Anyone):
        def forward(self, x):
            frames = x.transpose(0, 1)
            sizes = torch.full(frames.shape[:1], len(x))
            packed = nn.utils.rnn.PackedSequence(frames.reshape(-1, x.shape[2]), sizes)
            return self.head(self.rnn(packed)[0].data[-len(x) :])

    decoder = Packed(layer(4, 3), nn.Sequential(nn.Linear(3, 1), nn.GELU()), "state")
    words = "^Deep SHAP: no rule for packed sequences; give windows of one length$"
    with pytest.raises(UserError, match=words):
        deep_shap(decoder, *data())


def test_a_network_that_refuses_windows_first_is_given_frames_first():
    class Strict(Anyone):
        def forward(self, x):
            if len(x) != 5:
                raise ValueError("5 frames first")
            return super().forward(x)

    decoder = anyones(nn.GRU, batch_first=False)
    strict = Strict(decoder.rnn, decoder.head, decoder.read).double()
    both = data(dtype=torch.float64)
    values, base = deep_shap(strict, *both, output="logit")
    expected, known = deep_shap(decoder, *both, output="logit")
    np.testing.assert_array_equal(values, expected)
    assert base == known


def test_a_layer_that_is_used_without_being_called_is_explained_all_the_same():
    class Uncalled(Anyone):
        def forward(self, x):
            return self.head(self.rnn.forward(x.transpose(0, 1))[0][-1])

    decoder = anyones(nn.GRU, turns=True, batch_first=False)
    uncalled = Uncalled(decoder.rnn, decoder.head, decoder.read).double()
    both = data(dtype=torch.float64)
    values, base = deep_shap(uncalled, *both, output="logit")
    expected, known = deep_shap(decoder, *both, output="logit")
    np.testing.assert_array_equal(values, expected)
    assert base == known


class Turned(nn.Module):
    def __init__(self, decoder):
        super().__init__()
        self.decoder = decoder

    def forward(self, windows):
        return self.decoder(windows.transpose(0, 1))


SIDEWAYS = {
    "a curve": torch.tanh,
    "a product": lambda x: x * x,
    "a maximum": lambda x: x.amax(2, keepdim=True),
    "a pool": lambda x: nn.functional.max_pool1d(x, 2),
}


@pytest.mark.parametrize("frames", [5, 8, 24, 30])
@pytest.mark.parametrize("made", SIDEWAYS.values(), ids=SIDEWAYS)
def test_an_axis_before_that_of_the_windows_is_refused(made, frames):
    """Of any length: also of 8, four references and a window with each, and of 24, of all three."""

    class Sideways(nn.Module):
        def forward(self, windows):
            return made(windows.transpose(0, 1)).sum((0, 2))

    with pytest.raises(UserError, match="puts another axis before the windows of a batch"):
        deep_shap(Sideways(), *data(frames=frames))


@pytest.mark.parametrize("frames", [5, 8])
def test_frames_flattened_before_the_windows_are_refused_and_after_them_are_not(frames):
    class Flattened(nn.Module):
        def forward(self, windows):
            found = windows if self.first else windows.transpose(0, 1)
            found = found.reshape(-1, windows.shape[2]).tanh().unflatten(0, found.shape[:2])
            return found.sum((1, 2) if self.first else (0, 2))

    network = Flattened()
    network.first = True
    windows, background = data(frames=frames)
    values, base = deep_shap(network, windows, background, output="logit")
    np.testing.assert_allclose(base + values.sum((1, 2)), network(windows), atol=1e-5)
    network.first = False
    with pytest.raises(UserError, match="puts another axis before the windows of a batch"):
        deep_shap(network, windows, background)


@pytest.mark.parametrize("output", ["probability", "logit"])
def test_one_of_several_outputs_is_that_output_alone(output):
    decoder = anyones(head=lambda n: nn.Sequential(nn.Linear(n, 4), nn.Tanh(), nn.Linear(4, 3)))
    windows, background = data(dtype=torch.float64)
    with pytest.raises(UserError, match="index: the decoder has 3 outputs; say which, from 0 to 2"):
        deep_shap(decoder, windows, background, output=output)
    for index in range(3):
        alone = anyones(head=lambda n: nn.Sequential(nn.Linear(n, 4), nn.Tanh(), nn.Linear(4, 1)))
        state = decoder.state_dict()
        for name in ("head.2.weight", "head.2.bias"):
            state[name] = state[name][index : index + 1]
        alone.load_state_dict(state)
        found, _ = deep_shap(decoder, windows, background, output=output, index=index)
        expected, _ = deep_shap(alone, windows, background, output=output)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    with pytest.raises(UserError, match="index 3: the decoder has 3 outputs, 0 to 2"):
        deep_shap(decoder, windows, background, output=output, index=3)


def test_one_of_outputs_that_are_put_together_is_explained():
    windows, background = data(dtype=torch.float64)
    decoder = anyones(then=lambda made: torch.cat((-made, made), 1))
    found, _ = deep_shap(decoder, windows, background, index=1)
    expected, _ = deep_shap(anyones(), windows, background)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_numbers_in_order_of_size_have_no_rule():
    decoder = anyones(then=lambda made: torch.cat((made, -made), 1).sort(1).values[:, 0])
    with pytest.raises(UserError, match="no rule for 'sort'"):
        deep_shap(decoder, *data(dtype=torch.float64))


@pytest.mark.parametrize(
    "then",
    [
        lambda made: 2 / (made.exp() + 1),
        lambda made: made / (made.exp() + 1),
        lambda made: torch.div(1.0, made.exp() + 1),
    ],
    ids=["a number by it", "it by it", "div"],
)
def test_what_is_divided_by_what_depends_on_the_window_has_no_rule(then):
    with pytest.raises(UserError, match=r"no rule for '.*div"):
        deep_shap(anyones(then=then), *data(dtype=torch.float64))


def test_divided_by_a_number_is_a_share_of_it():
    windows, background = data(dtype=torch.float64)
    whole, base = deep_shap(anyones(), windows, background, output="logit")
    quarter = anyones(then=lambda made: made / 4.0)
    share, lower = deep_shap(quarter, windows, background, output="logit")
    np.testing.assert_allclose(share, whole / 4, rtol=0, atol=1e-15)
    assert float(lower) == pytest.approx(float(base) / 4)


def test_windows_that_share_frames_with_references_keep_their_precision():
    """Where both are equal, quotients of rounded numbers are of no use."""
    decoder = make("gru", features=4, hidden=8, scale=2.0)
    windows = torch.randn(4, 20, 4)
    background = windows.repeat(5, 1, 1)
    background[:, 12:] = torch.randn(20, 8, 4)
    found = explain_deep(decoder, windows, background)
    exact = explain_deep(decoder.double(), windows.double(), background.double())
    assert found.values.dtype == torch.float32
    np.testing.assert_allclose(found.values, exact.values, rtol=0, atol=1e-5)


# --- networks of other operations --------------------------------------------------------------


def test_a_tcn_adds_up():
    torch.manual_seed(1)
    decoder = TCNDecoder(4, hidden_size=6, num_layers=3, dropout=0.5).double()
    windows, background = data(n=3, b=5, frames=9, dtype=torch.float64)
    for output, function in (("probability", torch.sigmoid), ("logit", lambda made: made)):
        values = complete(decoder, windows, background, output, function)
        assert values.shape == windows.shape


def test_a_tcn_whose_units_are_all_active_gives_weights_times_differences():
    decoder = TCNDecoder(4, hidden_size=6, num_layers=2).double()
    with torch.no_grad():
        for layer in decoder.layers:
            layer.bias.fill_(100)  # every ReLU passes what it is given
    windows, background = data(dtype=torch.float64)
    values, _ = deep_shap(decoder, windows, background, output="logit")
    moved = windows.clone().requires_grad_()
    (weights,) = torch.autograd.grad(decoder(moved).sum(), moved)
    np.testing.assert_allclose(values, weights * (windows - background.mean(0)), rtol=0, atol=1e-9)


class OnePixel(nn.Module):
    """A CNN whose only feature is pixel (2, 3) of an image's middle frame."""

    def features(self, images):
        return images[:, 1, 2, 3, None]


def test_pixels_by_time_of_a_cnn_rnn_are_those_that_it_sees():
    rnn = make("gru", features=1).double()
    windows, background = (torch.randn(n, 7, 4, 5, dtype=torch.float64) for n in (2, 3))
    values, base = deep_shap(CNNRNNDecoder(OnePixel(), rnn), windows, background)
    seen = [part[:, 1:-1, 2, 3, None] for part in (windows, background)]
    expected, same = deep_shap(rnn, *seen)
    assert base == pytest.approx(same, abs=1e-12)
    np.testing.assert_allclose(values[:, 1:-1, 2, 3], expected[..., 0], rtol=0, atol=1e-9)
    values[:, 1:-1, 2, 3] = 0
    assert (values == 0).all()


def test_a_cnn_rnn_adds_up_from_pixels_to_output():
    torch.manual_seed(0)
    cnn = CNNDecoder("test_efficientnet")  # SiLU, squeeze and excitation, batch normalisation
    cnn.passed_in = torch.bfloat16  # of `precision: mixed`
    decoder = CNNRNNDecoder(cnn, RNNDecoder(256, cell="gru", hidden_size=3)).eval()
    windows, background = torch.randn(1, 4, 32, 32), torch.randn(2, 4, 32, 32)
    windows[..., 8:16, 8:16] = background[..., 8:16, 8:16] = 0.5  # nothing happens there
    found = explain_deep(decoder, windows, background, output="logit")
    images = windows.unfold(1, 3, 1).permute(0, 1, 4, 2, 3)
    cnn.passed_in = None
    with torch.no_grad():
        expected = decoder.rnn(decoder.cnn.features(images[0])[None]).item()
    assert found.values.shape == windows.shape
    assert found.base + found.values.sum().item() == pytest.approx(expected, abs=2e-5)
    assert (found.values[..., 8:16, 8:16] == 0).all() and (found.values != 0).any()
    with pytest.raises(UserError, match=r"need \(number, frames, height, width\), got"):
        deep_shap(decoder, windows[0], background)


# --- the door, and memory ----------------------------------------------------------------------


def test_the_rooms_one_name_brings_torch_only_where_it_is_used():
    code = (
        "import sys, mesodecode.explain as room; assert 'torch' not in sys.modules; "
        "from mesodecode.explain import deep_shap; from mesodecode.explain.deepshap import "
        "deep_shap as same; assert deep_shap is same; room.shallow_shap"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "module 'mesodecode.explain' has no attribute 'shallow_shap'" in done.stderr


@pytest.mark.slow
def test_a_large_background_stays_within_a_gigabyte():
    """Activations of 4,000 references would take 1 GB, and pairs of one window as much."""
    code = (
        "import resource, torch; from mesodecode.explain import deep_shap; "
        "from mesodecode.models import RNNDecoder; torch.set_num_threads(1); "
        "most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "decoder = RNNDecoder(50, cell='lstm', hidden_size=64, bidirectional=True); "
        "explain = lambda n: deep_shap(decoder, torch.randn(1, 31, 50), torch.randn(n, 31, 50)); "
        "explain(9); before = most(); explain(4_000); print(most() - before)"
    )
    done = fresh.Process("fresh:execute", code).finish()
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 900_000  # kB; what libraries take is there before


# --- the other methods -------------------------------------------------------------------------


def test_every_method_explains_the_same_output():
    decoder = make("gru", bidirectional=True)
    windows, background = data()
    results = {
        "deep": explain(decoder, windows, background),
        "integrated": explain(decoder, windows, background, method="integrated"),
        "gradient": explain(decoder, windows, background, method="gradient", samples=500, seed=1),
    }
    allowed = {"deep": 1e-5, "integrated": 1e-5, "gradient": 0.05}
    expected = torch.sigmoid(decoder(windows)).detach()
    for method, result in results.items():
        assert result.values.dtype == torch.float32
        assert result.base == results["deep"].base
        missed = (result.base + result.values.sum((1, 2)) - expected).abs().max().item()
        assert missed <= allowed[method], method
        assert result.completeness_error == pytest.approx(missed, abs=1e-6)
    deep, other = (results[m].values.flatten().numpy() for m in ("deep", "integrated"))
    assert np.corrcoef(deep, other)[0, 1] > 0.95


def test_random_gradients_follow_their_seed_and_leave_numpys_alone():
    decoder = make("rnn")
    windows, background = data()
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    how = {"method": "gradient", "samples": 20}
    first, again, other = (
        explain(decoder, windows, background, seed=seed, **how).values for seed in (1, 1, 2)
    )
    assert np.random.random() == expected
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("samples", [1, 3])
def test_random_gradients_are_the_mean_over_as_many_samples_as_asked_for(samples):
    """Of a sum, with references of 0 and of 1: how many samples were of the first."""

    class Sum(nn.Module):
        def forward(self, windows):
            return windows.sum((1, 2))

    references = torch.arange(2.0)[:, None, None].expand(2, 5, 4)
    found = attributions._expected_gradients(Sum(), torch.ones(40, 5, 4), references, samples, 1)
    counts = (found[:, 0, 0] * samples).numpy()
    np.testing.assert_allclose(found, np.broadcast_to(found[:, :1, :1], (40, 5, 4)))
    np.testing.assert_allclose(counts, counts.round(), atol=1e-5)
    assert {*counts.round()} == {*range(samples + 1)}


def test_integrated_gradients_of_a_float64_decoder_are_complete():
    windows, background = data(dtype=torch.float64)
    result = explain(make("lstm").double(), windows, background, method="integrated", steps=20)
    assert result.values.dtype == torch.float64
    assert result.completeness_error < 1e-9


@pytest.mark.parametrize("numbers", [41, 5])  # of 20 a window: two of them, or less than one
@pytest.mark.parametrize("method", ["deep", "integrated", "operations"])
def test_windows_and_references_of_several_passes_are_those_of_one(monkeypatch, method, numbers):
    decoder, both = make("gru").double(), data(n=3, b=5, dtype=torch.float64)
    if method == "operations":
        decoder = anyones(head=lambda n: nn.Sequential(nn.Linear(n, 1), nn.GELU()))
        method = "deep"
    once = explain(decoder, *both, method=method, steps=6)
    monkeypatch.setattr(deepshap, "PASSED", numbers)
    monkeypatch.setattr(attributions, "BATCH", numbers // 3)  # of 6 steps: two references, or none
    monkeypatch.setitem(operations.PAIR_NUMBERS, "cpu", numbers)
    parts = explain(decoder, *both, method=method, steps=6)
    np.testing.assert_allclose(parts.values, once.values, rtol=0, atol=1e-12)
    assert parts.base == pytest.approx(once.base, abs=1e-12)
    assert parts.completeness_error == pytest.approx(once.completeness_error, abs=1e-12)


def test_integrated_gradients_are_taken_at_as_many_points_as_asked_for():
    windows, background = data()
    seen = []

    def output(points):
        seen.append(len(points))
        return points.sum((1, 2))

    attributions._integrated_gradients(output, windows, background, 7)
    assert sum(seen) == len(windows) * len(background) * 7


def test_the_centre_of_a_background_is_the_value_itself_where_a_signal_is_constant():
    background = torch.tensor([[[0.1, 1.0]], [[0.1, 2.0]], [[0.1, 6.0]]])
    centre = recurrent._centre(background)
    assert torch.equal(centre, torch.tensor([[0.1, 3.0]]))
    many = torch.full((10_001, 1, 2), 0.1, dtype=torch.float64)
    many[0, 0, 1] = 0.2  # not constant, so that the first signal alone is exact
    assert recurrent._centre(many)[0, 0] == many[0, 0, 0]


# --- errors ------------------------------------------------------------------------------------


class Elsewhere(RNNDecoder):
    def forward(self, x):
        return super().forward(x) + x.detach().sum((1, 2))


class Failing(RNNDecoder):
    def forward(self, x):
        raise RuntimeError("out of luck")


class Normed(RNNDecoder):
    def __init__(self, layer, *given, **settings):
        super().__init__(*given, **settings)
        self.head = nn.Sequential(nn.Linear(3, 4), layer, nn.Linear(4, 1))

    def forward(self, x):
        return self.head(self.rnn(x)[1][-1])


def headed(layer):
    return Normed(layer, 4, cell="gru", hidden_size=3)


def broken(decoder, value=float("nan")):
    with torch.no_grad():
        decoder.head.bias.fill_(value)
    return decoder


NAN = torch.full((3, 5, 4), float("nan"))
X, R = torch.zeros(3, 5, 4), torch.ones(2, 5, 4)


class Shaped(nn.Module):
    """A decoder whose forward() is a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.function(self.weight * x)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"background": R[:1]}, "background: one window only"),
        ({"background": R[:0]}, r"background: need .* got \(0, 5, 4\)"),
        ({"windows": X[0]}, r"windows: need .* got \(5, 4\)"),
        (
            {"windows": X[:, :, :3], "background": R[:, :, :3]},
            "windows: 3 signals, but the decoder was trained on 4",
        ),
        ({"background": R[:, :, :3]}, "windows of 4 signals, but a background of 3"),
        ({"background": R[:, :4]}, "windows of 5 frames, but a background of 4"),
        ({"windows": X[:, :4]}, "windows of 4 frames, but a background of 5"),
        ({"windows": X[:, :, :3]}, "windows of 3 signals, but a background of 4"),
        ({"windows": X[None]}, r"windows: need .* got \(1, 3, 5, 4\)"),
        ({"windows": NAN}, "windows: holds values that are not finite"),
        ({"background": NAN}, "background: holds values that are not finite"),
        ({"windows": X + float("inf")}, "windows: holds values that are not finite"),
        ({"output": "class"}, "output 'class': must be one of probability, logit"),
        (
            {"decoder": CNNDecoder("test_efficientnet")},
            r"does not take float32 windows of \(5, 4\)",
        ),
        (
            {"decoder": Failing(4, cell="gru", hidden_size=3)},
            r"does not take float32 windows of \(5, 4\): out of luck",
        ),
        ({"decoder": nn.Linear(4, 1)}, r"forward\(\) returns \(4, 5, 1\) for 4 windows"),
        ({"decoder": nn.GRU(4, 3)}, r"forward\(\) returns tuple for 4 windows"),
        ({"decoder": Shaped(lambda x: x.sum())}, r"forward\(\) returns \(\) for 4 windows"),
        ({"decoder": Shaped(lambda x: x[1:, 0, 0])}, r"forward\(\) returns \(3,\) for 4 windows"),
        (
            {"decoder": Shaped(lambda x: x[:, 0, :].flatten())},
            r"forward\(\) returns \(16,\) for 4 windows",
        ),
        ({"decoder": "gru"}, "needs a torch.nn.Module"),
        ({"decoder": broken(make("gru"))}, "output is not finite"),
        ({"index": 1}, "index 1: the decoder has 1 outputs, 0 to 0"),
        ({"index": 3}, "^index 3: the decoder has 1 outputs, 0 to 0$"),
        ({"index": -1}, "^index -1: the decoder has 1 outputs, 0 to 0$"),
        ({"decoder": Elsewhere(4, cell="gru", hidden_size=3)}, "miss the decoder's probability"),
        ({"decoder": headed(nn.LayerNorm(4))}, r"no rule for LayerNorm \(layer 'network.head.1'\)"),
        ({"decoder": headed(nn.Softmax(1))}, r"no rule for Softmax"),
        ({"decoder": headed(nn.GroupNorm(2, 4))}, r"no rule for GroupNorm"),
    ],
)
def test_bad_input_is_named(arguments, message):
    given = {"decoder": make("gru"), "windows": X, "background": R, **arguments}
    with pytest.raises(UserError, match=message) as refused:
        deep_shap(**given)
    assert "\n" not in str(refused.value)
    if "miss" not in message and "rule" not in message:  # gradients work with any forward
        with pytest.raises(UserError, match=message):
            explain(**given, method="integrated")


def test_an_unknown_method_is_named():
    with pytest.raises(UserError, match="method 'kernel': must be one of deep, gradient"):
        explain(make("gru"), X, R, method="kernel")


@pytest.mark.parametrize("enabled", [True, False])
def test_cudnn_is_on_or_off_as_it_was(monkeypatch, enabled):
    monkeypatch.setattr(torch.backends.cudnn, "enabled", enabled)
    with pytest.raises(KeyError), deepshap.exact_rnn():  # whatever happens within
        assert not torch.backends.cudnn.enabled
        raise KeyError
    assert torch.backends.cudnn.enabled == enabled


def test_a_gru_is_explained_where_cudnn_was_told_to_round_nothing():
    """Then torch's own way to leave cuDNN out raises, on a CPU too."""
    cudnn = torch.backends.cudnn
    layers = cudnn.conv, cudnn.rnn
    before = [layer.fp32_precision for layer in layers]
    torch.manual_seed(0)
    decoder, windows = RNNDecoder(3, cell="gru", hidden_size=4), torch.randn(2, 5, 3)
    background = torch.randn(6, 5, 3)
    expected = explain_deep(decoder, windows, background)
    try:
        for layer in layers:
            layer.fp32_precision = "ieee"
        found = explain_deep(decoder, windows, background)
        assert [layer.fp32_precision for layer in layers] == ["ieee", "ieee"] and cudnn.enabled
    finally:
        for layer, kind in zip(layers, before, strict=True):
            layer.fp32_precision = kind
    torch.testing.assert_close(found.values, expected.values)
