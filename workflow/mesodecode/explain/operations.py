"""Deep SHAP through any network whose operations have a rule, by PyTorch's own backward pass.

Windows and references pass the network as one batch, the first half and the second. Gradients of
linear operations are their multipliers already; those of others are replaced as they are called:

- functions of single numbers (ReLU, tanh, SiLU …): Δ after / Δ before;
- products of two numbers that both depend on the input: each gets the other's mean over the pair;
- the largest of several numbers, by its Shapley values (`mesodecode.explain.maxima`);
- recurrent layers of torch: step by step, by the two rules above.

An operation that is none of these is refused by name. Every pair passes the whole network, so that
`mesodecode.explain.recurrent` is faster by far where it fits.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

from mesodecode.base.files import UserError
from mesodecode.explain import maxima

PAIR_NUMBERS = {"cpu": 2**18, "cuda": 2**21}  # of windows and references that pass at once
NEAR = 1e-6  # of two numbers nearer than this, the derivative between them is taken
SAME = 1e-4  # of sums of sizes, by which they may differ where references only do

_words = str.split
# Names of operations as torch calls them, without underscores around them.
CURVES = {
    *_words("relu relu6 leaky_relu elu selu celu gelu silu mish hardtanh hardswish hardsigmoid"),
    *_words("sigmoid logsigmoid log_sigmoid tanh softplus softsign tanhshrink threshold clamp"),
    *_words("exp expm1 log log1p logit sqrt rsqrt square abs pow erf sin cos"),
}
ADDITIVE = {
    *_words("add radd iadd sub rsub isub neg sum mean cat concat concatenate hstack vstack stack"),
    *_words("lerp cumsum"),
}
ONE_OF_THEM = {  # linear in one of what they are given
    *_words("mul rmul imul multiply div truediv itruediv divide matmul rmatmul mm bmm linear"),
    *_words("bilinear einsum tensordot addmm addmv baddbmm conv1d conv2d conv3d conv_transpose1d"),
    *_words("conv_transpose2d conv_transpose3d batch_norm avg_pool1d avg_pool2d avg_pool3d"),
    *_words("adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d dropout dropout1d"),
    *_words("dropout2d dropout3d feature_dropout alpha_dropout interpolate"),
}
MOVING = {
    *_words("reshape view view_as flatten unflatten permute transpose swapaxes t movedim squeeze"),
    *_words("unsqueeze expand expand_as repeat repeat_interleave tile getitem select index_select"),
    *_words("narrow chunk split unbind tensor_split unfold gather take_along_dim flip roll pad"),
    *_words("contiguous clone to float double type type_as cpu cuda get as_strided diagonal"),
    *_words("pixel_shuffle pixel_unshuffle channel_shuffle"),
}
PRODUCTS = {"mul", "rmul", "imul", "multiply"}
SIDEWAYS = (
    "Deep SHAP: the network puts another axis before the windows of a batch, or mixes them; its "
    "forward() must keep them first, and apart"
)
RECURRENT = {"gru": 3, "lstm": 4, "rnn_tanh": 1, "rnn_relu": 1}


def _tensors(given: Any) -> Iterator[Tensor]:
    """Yield the tensors in what an operation is given, or gives, that depend on the input."""
    if isinstance(given, Tensor):
        if given.requires_grad:
            yield given
    elif isinstance(given, dict):
        yield from _tensors(list(given.values()))
    elif isinstance(given, list | tuple):
        for one in given:
            yield from _tensors(one)


class Rules(TorchFunctionMode):
    """Has all operations of a network called under it pass differences on, over a batch of pairs.

    `network` is asked for names only; `batch`: windows and references together; `watched`: whether
    sums of what operations are given are kept.
    """

    def __init__(self, network: nn.Module, batch: int, watched: bool = False) -> None:
        super().__init__()
        self.network, self.batch, self.watched = network, batch, watched
        self.firsts: list[Tensor] = []  # sums over the first half of what operations are given

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = list(_tensors([args, kwargs]))
        name = getattr(func, "__name__", str(func)).strip("_")
        if not given:
            return func(*args, **kwargs)
        if name in RECURRENT:
            with self:
                return _unrolled(name, *args)
        if name in CURVES and len(given) == 1 and args and args[0] is given[0]:
            self._check(args[0])
            kwargs.pop("inplace", None)
            func = getattr(torch, name, func) if func.__name__ == f"{name}_" else func
            return _Curve.apply(args[0], lambda u: func(u, *args[1:], **kwargs))
        if name in PRODUCTS and len(given) == 2:
            self._check(*given)
            return _Product.apply(*given)
        if name in maxima.OVER_AXES and len(given) == 1 and args:
            self._check(args[0])
            largest = maxima.over_axes(name, *args, **kwargs)
            if largest is not None:
                return largest
        made = func(*args, **kwargs)
        if name in maxima.POOLS and isinstance(made, Tensor):
            self._check(args[0])
            return maxima.pooled(name, args[0], made.detach(), *args[1:], **kwargs)
        known = name in ADDITIVE | MOVING or (name in ONE_OF_THEM and len(given) == 1)
        if known and "div" in name:
            known = args[0] is given[0]  # not by what depends on the input
        if known or not list(_tensors(made)):
            return made
        raise UserError(
            f"Deep SHAP: no rule for {self._called(name)}, through which the network passes what "
            "it is given; there are rules for linear layers, ReLU, Tanh, Sigmoid and other "
            "functions of single numbers, products, maxima, and GRU, LSTM and RNN"
        )

    def _check(self, *given: Tensor) -> None:
        if any(tensor.ndim == 0 or len(tensor) % self.batch for tensor in given):
            raise UserError(SIDEWAYS)
        if self.watched:
            halves = [tensor.detach()[: len(tensor) // 2].double() for tensor in given]
            self.firsts += [torch.stack((half.sum(), half.abs().sum())) for half in halves]

    def _called(self, name: str) -> str:
        """Return the name of an operation, and of the layer that it is, if that can be told."""
        for where, part in self.network.named_modules():
            if type(part).__name__.lower() == name.replace("_", ""):
                return f"{type(part).__name__} (layer '{where}')"
        return f"'{name}'"


class _Curve(torch.autograd.Function):
    """A function of single numbers, by the rescale rule."""

    @staticmethod
    def forward(ctx, before, function):
        after = function(before.clone())  # which may work in place
        ctx.save_for_backward(before, after)
        ctx.function = function
        return after

    @staticmethod
    def backward(ctx, gradient):
        before, after = ctx.saved_tensors
        (x, r), (y, s) = before.chunk(2), after.chunk(2)
        moved = x - r
        with torch.enable_grad():
            middle = ((x + r) / 2).detach().requires_grad_()
            (derivative,) = torch.autograd.grad(ctx.function(middle.clone()).sum(), middle)
        near = moved.abs() < NEAR
        slope = torch.where(near, derivative, (y - s) / torch.where(near, 1.0, moved))
        return gradient * torch.cat((slope, slope)), None


class _Product(torch.autograd.Function):
    """A product of two, by the Shapley values of two players."""

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a * b

    @staticmethod
    def backward(ctx, gradient):
        a, b = ctx.saved_tensors
        return tuple(
            (gradient * _mean(other)).sum_to_size(own.shape) for own, other in ((a, b), (b, a))
        )


def _mean(factor: Tensor) -> Tensor:
    x, r = factor.chunk(2)
    return ((x + r) / 2).repeat(2, *[1] * (factor.ndim - 1))


def _unrolled(name: str, x: Tensor, state: Any, weights: Any, *rest: Any) -> tuple[Tensor, ...]:
    """Do what torch's function of a recurrent layer does, in operations that have rules."""
    if not isinstance(weights, list):  # of packed ones the state stands here, of LSTMs a tuple
        raise UserError("Deep SHAP: no rule for packed sequences; give windows of one length")
    biases, n_layers, _, _, both, batch_first = rest
    x = x.transpose(0, 1) if batch_first else x
    ways, finals, outputs_of = n_layers * (2 if both else 1), [], []
    each = len(weights) // ways
    states = state if name == "lstm" else (state,)
    for way in range(ways):
        direction = way % 2 if both else 0
        w_ih, w_hh, *others = weights[way * each : (way + 1) * each]
        b_ih, b_hh = others[:2] if biases else (None, None)
        project = others[-1] if len(others) % 2 else None
        now, seen = tuple(part[way] for part in states), []
        for frame in range(len(x))[:: -1 if direction else 1]:
            parts = [
                linear(given, w, b).chunk(RECURRENT[name], 1)
                for given, w, b in ((x[frame], w_ih, b_ih), (now[0], w_hh, b_hh))
            ]
            now = _step(name, *parts, now)
            if project is not None:
                now = (linear(now[0], project), *now[1:])
            seen.append(now[0])
        outputs = torch.stack(seen[:: -1 if direction else 1])
        finals.append(now)
        outputs_of = [*outputs_of, outputs] if direction else [outputs]
        if direction or not both:  # the last of its layer
            x = torch.cat(outputs_of, 2)
    last = [torch.stack(part) for part in zip(*finals, strict=True)]
    return (x.transpose(0, 1) if batch_first else x, *last)


def _step(name: str, of_input: Any, of_state: Any, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return the next state of a cell from the shares of input and state in its gates."""
    if name == "gru":
        (r, z, n), (r_h, z_h, n_h) = of_input, of_state
        reset, update = (r + r_h).sigmoid(), (z + z_h).sigmoid()
        candidate = (n + reset * n_h).tanh()
        return (candidate + update * (state[0] - candidate),)
    gates = [a + b for a, b in zip(of_input, of_state, strict=True)]
    if name == "lstm":
        enter, keep, leave = (gates[i].sigmoid() for i in (0, 1, 3))
        cell = keep * state[1] + enter * gates[2].tanh()
        return leave * cell.tanh(), cell
    return (gates[0].tanh() if name == "rnn_tanh" else gates[0].relu(),)


def _check_first(explained: nn.Module, window: Tensor, background: Tensor) -> None:
    """Raise UserError unless windows stay before any other axis, of whatever length.

    Then the first half of what each operation is given is the same whatever the reference is.
    """
    away = torch.stack([(one - window).abs().max() for one in background]).argmax()
    seen = []
    for reference in (window, background[away]):
        with torch.enable_grad(), Rules(explained, 2, watched=True) as rules:
            explained(torch.stack((window, reference)).requires_grad_())
        seen.append(torch.stack(rules.firsts) if rules.firsts else torch.zeros(1, 2))
    if len(seen[0]) != len(seen[1]):  # it goes other ways by what it is given
        return
    moved = (seen[0] - seen[1]).abs().amax(1)
    if (moved > SAME * seen[0][:, 1]).any():
        raise UserError(SIDEWAYS)


def values(explained: nn.Module, windows: Tensor, background: Tensor) -> Tensor:
    """Return the values of windows (N, …) float64, means over the background (B, …).

    `explained` gives one number a window. Raises UserError if an operation has no rule, or the
    network puts another axis before the windows.
    """
    _check_first(explained, windows[0], background)
    pairs = max(1, PAIR_NUMBERS[windows.device.type] // windows[0].numel())
    total = torch.zeros(windows.shape, dtype=torch.float64, device=windows.device)
    for window, value in zip(windows, total, strict=True):
        for references in background.split(pairs):
            n = len(references)
            both = torch.cat((window.expand_as(references), references)).requires_grad_()
            with torch.enable_grad():
                with Rules(explained, 2 * n):
                    result = explained(both)
                (multipliers,) = torch.autograd.grad(result[:n].sum(), both)
            value += (multipliers[:n] * (window - references)).sum(0, dtype=torch.float64)
    return total / len(background)
