"""Recurrent cells for Deep SHAP: one step forward, and its multipliers backward.

Units come first, windows or references last: (K, M), and (K, n, b) for all pairs of n windows
with b references. Then the gates of a cell are one block of memory each, a layer is one matrix
product over all pairs, and elementwise work runs along the references.

The rules are those of `mesodecode.explain.deepshap`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Weights(NamedTuple):
    """Of one layer and direction, gates stacked along the first axis; and both transposed.

    Transposed in memory, since a product with `weight.T` takes twice as long on a CPU.
    """

    ih: Tensor
    hh: Tensor
    b_ih: Tensor
    b_hh: Tensor
    ih_t: Tensor
    hh_t: Tensor


class Activation(NamedTuple):
    """Units before and after sigmoid or tanh (K, M), and their derivative times `_width`."""

    before: Tensor
    after: Tensor
    derivative: Tensor


def _width(dtype: torch.dtype) -> float:
    """Return the square of the difference below which a quotient turns into the derivative.

    Quotient and derivative are blended with weights d² and this: no branches, which are slow.
    The blend errs by about `_width` / 12 of itself, less than rounding does, and only this harms
    completeness. A quotient of rounded numbers errs by eps / |d|, at worst eps / √`_width`
    (2e-4, 1e-9), but times d it is right.
    """
    return 1e-7 if dtype == torch.float32 else 1e-14


def sigmoid(before: Tensor) -> Activation:
    """Units (K, M) that end in a sigmoid."""
    after = before.sigmoid()
    return Activation(before, after, after * (1 - after) * _width(after.dtype))


def tanh(before: Tensor) -> Activation:
    """Units (K, M) that end in tanh."""
    after = before.tanh()
    return Activation(before, after, (1 - after * after) * _width(after.dtype))


def _join(*parts: Activation) -> Activation:
    return Activation(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def slope(x: Activation, r: Activation) -> Tensor:
    """Rescale rule for all pairs: Δ after / Δ before (K, n, b), free of 0 / 0."""
    before = difference(x.before, r.before)
    slopes = mean(x.derivative, r.derivative).addcmul_(before, difference(x.after, r.after))
    return slopes.div_(before.square_().add_(_width(before.dtype)))


def difference(x: Tensor, r: Tensor) -> Tensor:
    """Windows (K, n) minus references (K, b), for all pairs (K, n, b)."""
    return x[:, :, None] - r[:, None]


def mean(x: Tensor, r: Tensor) -> Tensor:
    """Mean over a window (K, n) and a reference (K, b), for all pairs (K, n, b)."""
    return torch.lerp(x[:, :, None], r[:, None], 0.5)


def times(weight_t: Tensor, multipliers: Tensor) -> Tensor:
    """Multiply `weight_t` (K, G) with multipliers (G, n, b) of a layer's result: its input's."""
    return (weight_t @ multipliers.flatten(1)).unflatten(1, multipliers.shape[1:])


# A cell's `forward` does one step for some windows (M): from the input's share of the gates and
# the state to the new state (its first tensor is the output) and what `backward` needs of it.
# `backward` does one step for all pairs of windows `x` and references `r`: from the multipliers
# (H, n, b) of the new state to those of the input's share of the gates and of the old state. What
# is kept: the activations, and last (where there are products) the factors whose mean is needed.
# Multipliers of gates are built in place of the slopes.
State = tuple[Tensor, ...]


class _RNN:
    n_states = 1

    @staticmethod
    def forward(inputs: Tensor, state: State, w: Weights) -> tuple[State, tuple]:
        gates = tanh(inputs + torch.addmm(w.b_hh[:, None], w.hh, state[0]))
        return (gates.after,), (gates,)

    @staticmethod
    def backward(to: State, x: tuple, r: tuple, w: Weights) -> tuple[Tensor, State]:
        to_gates = slope(x[0], r[0]).mul_(to[0])
        return to_gates, (times(w.hh_t, to_gates),)


class _LSTM:
    n_states = 2

    @staticmethod
    def forward(inputs: Tensor, state: State, w: Weights) -> tuple[State, tuple]:
        output, cell = state
        before = inputs + torch.addmm(w.b_hh[:, None], w.hh, output)
        first, second, third, fourth = before.chunk(4)
        gates = _join(sigmoid(first), sigmoid(second), tanh(third), sigmoid(fourth))
        enter, keep, candidate, leave = gates.after.chunk(4)
        shown = tanh(keep * cell + enter * candidate)
        factors = torch.cat((gates.after, cell, shown.after))
        return (leave * shown.after, shown.before), (gates, shown, factors)

    @staticmethod
    def backward(to: State, x: tuple, r: tuple, w: Weights) -> tuple[Tensor, State]:
        enter, keep, candidate, leave, cell, shown = mean(x[-1], r[-1]).chunk(6)
        to_cell = slope(x[1], r[1]).mul_(to[0]).mul_(leave).add_(to[1])
        to_gates = slope(x[0], r[0])
        to_enter, to_keep, to_candidate, to_leave = to_gates.chunk(4)
        to_enter.mul_(to_cell).mul_(candidate)
        to_keep.mul_(to_cell).mul_(cell)
        to_candidate.mul_(to_cell).mul_(enter)
        to_leave.mul_(to[0]).mul_(shown)
        return to_gates, (times(w.hh_t, to_gates), to_cell.mul_(keep))


class _GRU:
    n_states = 1

    @staticmethod
    def forward(inputs: Tensor, state: State, w: Weights) -> tuple[State, tuple]:
        (old,) = state
        size = len(old)
        recurrent = torch.addmm(w.b_hh[:, None], w.hh, old)
        both = sigmoid(inputs[: 2 * size] + recurrent[: 2 * size])
        reset, update = both.after.chunk(2)
        gated = recurrent[2 * size :]  # torch gates the candidate's term after its bias
        candidate = tanh(inputs[2 * size :] + reset * gated)
        gap = old - candidate.after
        factors = torch.cat((both.after, gated, gap))
        return (candidate.after + update * gap,), (_join(both, candidate), factors)

    @staticmethod
    def backward(to: State, x: tuple, r: tuple, w: Weights) -> tuple[Tensor, State]:
        reset, update, gated, gap = mean(x[-1], r[-1]).chunk(4)
        to_old = to[0] * update
        to_gates = slope(x[0], r[0])
        to_reset, to_update, to_candidate = to_gates.chunk(3)
        to_candidate.mul_(to[0] - to_old)
        to_update.mul_(to[0]).mul_(gap)
        to_reset.mul_(to_candidate).mul_(gated)
        split = 2 * len(reset)
        to_old += times(w.hh_t[:, :split], to_gates[:split])
        to_old += times(w.hh_t[:, split:], reset.mul_(to_candidate))
        return to_gates, (to_old,)


CELLS: dict[type[nn.Module], type] = {nn.RNN: _RNN, nn.LSTM: _LSTM, nn.GRU: _GRU}
