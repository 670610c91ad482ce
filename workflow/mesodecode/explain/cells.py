"""Recurrent cells for Deep SHAP: one step forward, and its multipliers backward.

Units come first, windows or references last: (K, M), and (K, n, b) for all pairs of n windows
with b references. Then the gates of a cell are one block of memory each, a layer is one matrix
product over all pairs, and elementwise work runs along the references.

The rules are those of `mesodecode.explain.deepshap`. What a step needs lies in one `Room`, in an
order in which neighbours are treated alike, so that few operators do it, each on memory that a
core's cache still holds.

A slope Δ after / Δ before is free of 0 / 0 as no window's `before` equals a reference's: the last
bit is set in references and not in windows (`_apart`), and `after` is what the function makes of
that. The quotient errs by eps / |Δ before|, but times Δ before it is right, and it stays in bounds,
as a sigmoid is taken less one half: both differences then are whole numbers of like last bits.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Weights(NamedTuple):
    """Of one layer and direction, gates stacked along the first axis.

    `ih_t`: transposed in memory, since a product with `weight.T` takes twice as long on a CPU;
    `back`: the recurrent weights in the same way, as the cell's `backward` multiplies with them.
    """

    ih: Tensor
    hh: Tensor
    b_ih: Tensor
    b_hh: Tensor
    ih_t: Tensor
    back: Tensor


def _apart(before: Tensor, reference: bool) -> None:
    """Give units, in place, a last bit that no unit of the other side of a pair has."""
    bits = before.view(torch.int32 if before.dtype == torch.float32 else torch.int64)
    if reference:
        before += 1e-30  # for zeros, whose next number may be flushed to zero
        bits |= 1
    else:
        bits &= -2


def _sigmoid(before: Tensor, out: Tensor) -> None:
    """Write sigmoid(before) - 1/2 to `out`."""
    torch.mul(before, 0.5, out=out).tanh_().mul_(0.5)


def _tanh(before: Tensor, out: Tensor) -> None:
    torch.tanh(before, out=out)


def _relu(before: Tensor, out: Tensor) -> None:
    torch.clamp(before, min=0, out=out)


Function = Callable[[Tensor, Tensor], None]
CURVES: dict[type[nn.Module], Function] = {nn.Sigmoid: _sigmoid, nn.Tanh: _tanh, nn.ReLU: _relu}


def curve(function: Function, before: Tensor, reference: bool) -> tuple[Tensor, Tensor]:
    """Return what a function of `CURVES` makes of units (K, M), and what is kept for `slopes`."""
    curves = before.new_empty(2 * len(before), before.shape[1])
    after, argument = curves.chunk(2)
    argument.copy_(before)
    _apart(argument, reference)
    function(argument, after)
    made = after + 0.5 if function is _sigmoid else after.clone()
    return made, kept(curves, curves, reference)


def slopes(x: Tensor, r: Tensor) -> Tensor:
    """Rescale rule for all pairs: Δ after / Δ before (K, n, b)."""
    after, before = (x + r).chunk(2)
    return after / before


def kept(made: Tensor, curves: Tensor, reference: bool) -> Tensor:
    """Return what is kept of M windows or references (K, M) in a shape that makes pairs by a sum.

    `curves`: the units of it that pairs differ by; those of references get their sign turned.
    """
    if reference:
        curves.neg_()
    return made[:, None] if reference else made[:, :, None]


# A cell's `forward` does one step for some windows (M): from the input's share of the gates and
# the state to the new state (its first tensor is the output) and what `backward` needs of it.
# `room` makes the arrays over pairs: `to`, multipliers (H, n, b) of the output; `states`, those of
# the whole state; and what a step writes. `backward` does one step in it for all pairs of windows
# `x` and references `r`, and returns the multipliers of the input's share of the gates.
# `WIDTH` x H numbers a pair is a room; `FACTORS` x H numbers a window is what `forward` keeps.
State = tuple[Tensor, ...]


def _room(width: int, size: int, n: int, b: int, like: Tensor) -> Callable[[int, int], Tensor]:
    """Return a function that returns the units from one multiple of `size` to another."""
    whole = like.new_empty(width * size, n, b)
    return lambda start, stop: whole[start * size : stop * size]


class _RNN:
    n_states, WIDTH, FACTORS = 1, 3, 2
    function = staticmethod(_tanh)

    class Room(NamedTuple):
        to: Tensor
        states: tuple[Tensor, ...]
        kept: Tensor
        slopes: Tensor
        differences: Tensor
        flat_to: Tensor
        flat_slopes: Tensor

    @staticmethod
    def back(hh: Tensor) -> Tensor:
        return hh.T.contiguous()

    @classmethod
    def forward(
        cls, inputs: Tensor, state: State, w: Weights, reference: bool
    ) -> tuple[State, Tensor]:
        before = inputs + torch.addmm(w.b_hh[:, None], w.hh, state[0])
        after, curves = curve(cls.function, before, reference)
        return (after,), curves

    @classmethod
    def room(cls, size: int, n: int, b: int, like: Tensor) -> Room:
        units = _room(cls.WIDTH, size, n, b, like)
        to, slopes = units(0, 1), units(1, 2)
        flat = to.flatten(1), slopes.flatten(1)
        return cls.Room(to, (to,), units(1, 3), slopes, units(2, 3), *flat)

    @staticmethod
    def backward(room: Room, x: Tensor, r: Tensor, w: Weights) -> Tensor:
        torch.add(x, r, out=room.kept)
        room.slopes.div_(room.differences).mul_(room.to)
        torch.mm(w.back, room.flat_slopes, out=room.flat_to)
        return room.slopes


class _ReluRNN(_RNN):
    function = staticmethod(_relu)


class _LSTM:
    n_states, WIDTH, FACTORS = 2, 18, 16

    class Room(NamedTuple):
        to: Tensor
        states: tuple[Tensor, ...]
        kept: Tensor  # slopes, differences and factors
        slopes: Tensor  # of the gates i, f, g, o, and of the state's tanh
        differences: Tensor
        shown: Tensor
        gates: Tensor
        by_gate: tuple[Tensor, ...]
        factors: tuple[Tensor, ...]  # i, f, g, o, the old state and the new one's tanh
        flat_to: Tensor
        flat_gates: Tensor

    @staticmethod
    def back(hh: Tensor) -> Tensor:
        return hh.T.contiguous()

    @staticmethod
    def forward(inputs: Tensor, state: State, w: Weights, reference: bool) -> tuple[State, Tensor]:
        output, cell = state
        size, many = cell.shape
        made = cell.new_empty(16 * size, many)
        curves, means = made.split((10 * size, 6 * size))
        after, before = (part.split((4 * size, size)) for part in curves.chunk(2))
        gates, shown = before
        torch.add(inputs, torch.addmm(w.b_hh[:, None], w.hh, output), out=gates)
        _apart(gates, reference)
        _sigmoid(gates, after[0])
        _tanh(gates[2 * size : 3 * size], after[0][2 * size : 3 * size])
        enter, keep, candidate, leave, old, seen = means.chunk(6)
        torch.add(after[0], 0.5, out=means[: 4 * size])
        candidate.copy_(after[0][2 * size : 3 * size])
        old.copy_(cell)
        torch.mul(keep, cell, out=shown).addcmul_(enter, candidate)
        _apart(shown, reference)
        _tanh(shown, after[1])
        seen.copy_(after[1])
        new = leave * seen, shown.clone()
        means.mul_(0.5)
        return new, kept(made, curves, reference)

    @classmethod
    def room(cls, size: int, n: int, b: int, like: Tensor) -> Room:
        units = _room(cls.WIDTH, size, n, b, like)  # to, to the cell, slopes, differences, factors
        to, gates = units(0, 1), units(2, 6)
        return cls.Room(
            to=to,
            states=(to, units(1, 2)),
            kept=units(2, 18),
            slopes=units(2, 7),
            differences=units(7, 12),
            shown=units(6, 7),
            gates=gates,
            by_gate=gates.chunk(4),
            factors=units(12, 18).chunk(6),
            flat_to=to.flatten(1),
            flat_gates=gates.flatten(1),
        )

    @staticmethod
    def backward(room: Room, x: Tensor, r: Tensor, w: Weights) -> Tensor:
        torch.add(x, r, out=room.kept)
        room.slopes.div_(room.differences)
        enter, keep, candidate, leave, cell, shown = room.factors
        to_enter, to_keep, to_candidate, to_leave = room.by_gate
        to, to_cell = room.states
        to_leave.mul_(shown.mul_(to))
        to_cell.add_(room.shown.mul_(leave.mul_(to)))
        to_enter.mul_(candidate.mul_(to_cell))
        to_keep.mul_(cell.mul_(to_cell))
        to_candidate.mul_(enter.mul_(to_cell))
        to_cell.mul_(keep)
        torch.mm(w.back, room.flat_gates, out=room.flat_to)
        return room.gates


class _GRU:
    """Gates r, z and the candidate n: h' = h - (1 - z) (h - n), n = tanh(… + r q), q = U h + b."""

    n_states, WIDTH, FACTORS = 1, 11, 10

    class Room(NamedTuple):
        to: Tensor  # h'
        states: tuple[Tensor, ...]
        kept: Tensor  # means of h - n, 1 - z, q and r, slopes, differences
        gap_share: Tensor  # means of h - n and 1 - z
        outer: Tensor  # the same (2, H, n, b)
        share: Tensor  # the second of them
        inner: Tensor  # means of q and r (2, H, n, b)
        gated: Tensor  # the first of them
        slopes: Tensor  # of r, z, n
        differences: Tensor
        to_reset: Tensor
        to_candidate: Tensor
        later: Tensor  # slopes of z and n
        flat_to: Tensor
        of_state: Tensor  # multipliers of q, and of r and z before their sigmoid, flat

    @staticmethod
    def back(hh: Tensor) -> Tensor:
        reset, update, candidate = hh.chunk(3)
        return torch.cat((candidate, reset, update)).T.contiguous()

    @staticmethod
    def forward(inputs: Tensor, state: State, w: Weights, reference: bool) -> tuple[State, Tensor]:
        (old,) = state
        size, many = old.shape
        made = old.new_empty(10 * size, many)
        means, curves = made.split((4 * size, 6 * size))
        (after, n), (gates, candidate) = (part.split((2 * size, size)) for part in curves.chunk(2))
        gap, share, gated, reset = means.chunk(4)
        recurrent = torch.addmm(w.b_hh[:, None], w.hh, old)
        torch.add(inputs[: 2 * size], recurrent[: 2 * size], out=gates)
        _apart(gates, reference)
        _sigmoid(gates, after)
        torch.add(after[:size], 0.5, out=reset)
        torch.neg(after[size:], out=share).add_(0.5)
        gated.copy_(recurrent[2 * size :])  # torch gates the candidate's term after its bias
        torch.addcmul(inputs[2 * size :], reset, gated, out=candidate)
        _apart(candidate, reference)
        _tanh(candidate, n)
        torch.sub(old, n, out=gap)
        new = torch.addcmul(old, share, gap, value=-1)
        means.mul_(0.5)
        return (new,), kept(made, curves, reference)

    @classmethod
    def room(cls, size: int, n: int, b: int, like: Tensor) -> Room:
        units = _room(cls.WIDTH, size, n, b, like)  # to, h - n, 1 - z, q, r, slopes, differences
        to = units(0, 1)
        return cls.Room(
            to=to,
            states=(to,),
            kept=units(1, 11),
            gap_share=units(1, 3),
            outer=units(1, 3).unflatten(0, (2, size)),
            share=units(2, 3),
            inner=units(3, 5).unflatten(0, (2, size)),
            gated=units(3, 4),
            slopes=units(5, 8),
            differences=units(8, 11),
            to_reset=units(5, 6),
            to_candidate=units(7, 8),
            later=units(6, 8),
            flat_to=to.flatten(1),
            of_state=units(4, 7).flatten(1),
        )

    @staticmethod
    def backward(room: Room, x: Tensor, r: Tensor, w: Weights) -> Tensor:
        torch.add(x, r, out=room.kept)
        room.slopes.div_(room.differences)
        room.outer.mul_(room.to)
        room.to.sub_(room.share)  # the rest of it goes to n
        room.later.mul_(room.gap_share)
        room.inner.mul_(room.to_candidate)
        room.to_reset.mul_(room.gated)
        room.flat_to.addmm_(w.back, room.of_state)
        return room.slopes


Cell = type[_RNN] | type[_LSTM] | type[_GRU]


def cell_of(rnn: nn.Module) -> Cell | None:
    """Return the cell of a recurrent layer of torch, or None if there is none."""
    if getattr(rnn, "proj_size", 0):
        return None
    if type(rnn) is nn.RNN:
        return _RNN if rnn.nonlinearity == "tanh" else _ReluRNN
    return {nn.LSTM: _LSTM, nn.GRU: _GRU}.get(type(rnn))


def weights_of(rnn: nn.Module) -> list[list[Weights]]:
    """Return the weights of a recurrent layer of torch by layer and direction."""
    suffixes = ("", "_reverse")[: 2 if rnn.bidirectional else 1]
    cell = cell_of(rnn)

    def weights(end: str) -> Weights:
        ih, hh = (getattr(rnn, name + end).detach() for name in ("weight_ih_l", "weight_hh_l"))
        biases = (
            getattr(rnn, name + end).detach() if rnn.bias else ih.new_zeros(len(ih))
            for name in ("bias_ih_l", "bias_hh_l")
        )
        return Weights(ih, hh, *biases, ih.T.contiguous(), cell.back(hh))

    return [[weights(f"{i}{suffix}") for suffix in suffixes] for i in range(rnn.num_layers)]
