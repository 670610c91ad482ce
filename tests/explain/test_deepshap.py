"""Deep SHAP: cases worked by hand, a slow reference by automatic rules, and what must hold."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mesodecode.base.files import UserError
from mesodecode.decoders.networks import CNNDecoder, RNNDecoder
from mesodecode.explain import deepshap
from mesodecode.explain.attributions import explain
from mesodecode.explain.deepshap import deep_shap, explain_deep

KINDS = ["gru", "lstm", "rnn"]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
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
    for value, window in zip(values, windows.numpy(), strict=True):
        pairs = [slow_values(decoder, cell, window, r, output) for r in background.numpy()]
        np.testing.assert_allclose(value, np.mean(pairs, axis=0), rtol=0, atol=1e-9)


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
    for size in (1, 2**9, 2**11):
        monkeypatch.setitem(deepshap.BLOCK_BYTES, "cpu", size)
        parts, same = deep_shap(decoder, windows, background)
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
    misses = {torch.float32: 9e-6}
    assert explain_deep(make("gru"), *data()).values.dtype == torch.float32
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
    assert decoder.training
    assert not first.requires_grad
    assert all(parameter.grad is None for parameter in decoder.parameters())
    assert all(torch.equal(before[name], now) for name, now in decoder.state_dict().items())


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


def test_integrated_gradients_of_a_float64_decoder_are_complete():
    windows, background = data(dtype=torch.float64)
    result = explain(make("lstm").double(), windows, background, method="integrated", steps=20)
    assert result.values.dtype == torch.float64
    assert result.completeness_error < 1e-9


# --- errors ------------------------------------------------------------------------------------


class Doubled(RNNDecoder):
    def forward(self, x):
        return 2 * super().forward(x)


def broken(decoder, value=float("nan")):
    with torch.no_grad():
        decoder.head.bias.fill_(value)
    return decoder


NAN = torch.full((3, 5, 4), float("nan"))
X, R = torch.zeros(3, 5, 4), torch.ones(2, 5, 4)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"background": R[:1]}, "background: one window only"),
        ({"background": R[:0]}, r"background: need .* got \(0, 5, 4\)"),
        ({"windows": X[0]}, r"windows: need .* got \(5, 4\)"),
        ({"windows": X[:, :, :3]}, "windows: 3 signals, but the decoder was trained on 4"),
        ({"background": R[:, :, :3]}, "background: 3 signals"),
        ({"background": R[:, :4]}, "windows of 5 frames, but a background of 4"),
        ({"windows": NAN}, "windows: holds values that are not finite"),
        ({"background": NAN}, "background: holds values that are not finite"),
        ({"windows": X + float("inf")}, "windows: holds values that are not finite"),
        ({"output": "class"}, "output 'class': must be one of probability, logit"),
        ({"decoder": CNNDecoder("test_efficientnet")}, "needs an RNNDecoder"),
        ({"decoder": torch.nn.Linear(4, 1)}, "needs an RNNDecoder"),
        ({"decoder": broken(make("gru"))}, "output is not finite"),
        ({"decoder": Doubled(4, cell="gru", hidden_size=3)}, "miss the decoder's probability"),
    ],
)
def test_bad_input_is_named(arguments, message):
    given = {"decoder": make("gru"), "windows": X, "background": R, **arguments}
    with pytest.raises(UserError, match=message):
        deep_shap(**given)
    if "miss" not in message:  # gradients work with any forward
        with pytest.raises(UserError, match=message):
            explain(**given, method="integrated")


def test_cells_that_are_not_known_are_refused():
    decoder = make("rnn")
    decoder.rnn = torch.nn.RNN(4, 3, batch_first=True, nonlinearity="relu")
    with pytest.raises(UserError, match="tanh"):
        deep_shap(decoder, X, R)


def test_an_unknown_method_is_named():
    with pytest.raises(UserError, match="method 'kernel': must be one of deep, gradient"):
        explain(make("gru"), X, R, method="kernel")
