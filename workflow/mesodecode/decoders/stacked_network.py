"""Many recurrent networks of one shape as one: weights (K, …), one batched product for all.

The backward pass through the frames is written by hand: it keeps what it needs of each, and sums
each weight's gradient in one product after the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from mesodecode.base.files import UserError
from mesodecode.decoders.networks import RNNDecoder

Maybe = torch.Tensor | None


@dataclass(frozen=True)
class Cell:
    """One frame of a recurrent layer, by elements, of K models and B windows at once.

    `forward` takes W x and U h of all gates (K, B, gates H), the state h (K, B, H) and an LSTM's c.
    It returns what `backward` needs, the new h and the new c. `backward` takes the gradients of
    those two, the old h and what was kept; it returns the gradients of W x, of U h, of the old h
    but for its part in U h (None if that is all), and of the old c.
    """

    forward: Callable[..., tuple[tuple[torch.Tensor, ...], torch.Tensor, Maybe]]
    backward: Callable[..., tuple[torch.Tensor, torch.Tensor, Maybe, Maybe]]
    two_states: bool = False

    def compiled(self) -> Cell:
        """Return the same with each function fused into a kernel."""
        forward, backward = (torch.compile(f, dynamic=False) for f in (self.forward, self.backward))
        return replace(self, forward=forward, backward=backward)


def _gru_forward(x, u, h, c):
    (xr, xz, xn), (ur, uz, q) = x.chunk(3, -1), u.chunk(3, -1)
    r, z = torch.sigmoid(xr + ur), torch.sigmoid(xz + uz)
    n = torch.tanh(xn + r * q)
    return (r, z, n, q), n + z * (h - n), None


def _gru_backward(dh, dc, h, r, z, n, q):
    dn = dh * (1 - z) * (1 - n * n)
    dz = dh * (h - n) * z * (1 - z)
    dr = dn * q * r * (1 - r)
    return torch.cat((dr, dz, dn), -1), torch.cat((dr, dz, dn * r), -1), dh * z, None


def _lstm_forward(x, u, h, c):
    i, f, g, o = (x + u).chunk(4, -1)
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    new = f * c + i * g
    return (i, f, g, o, c, torch.tanh(new)), o * torch.tanh(new), new


def _lstm_backward(dh, dc, h, i, f, g, o, c, squashed):
    dc = dc + dh * o * (1 - squashed * squashed)
    di, df = dc * g * i * (1 - i), dc * c * f * (1 - f)
    d = torch.cat((di, df, dc * i * (1 - g * g), dh * squashed * o * (1 - o)), -1)
    return d, d, None, dc * f


def _rnn_forward(x, u, h, c):
    new = torch.tanh(x + u)
    return (new,), new, None


def _rnn_backward(dh, dc, h, new):
    d = dh * (1 - new * new)
    return d, d, None, None


CELLS = {
    nn.GRU: Cell(_gru_forward, _gru_backward),
    nn.LSTM: Cell(_lstm_forward, _lstm_backward, two_states=True),
    nn.RNN: Cell(_rnn_forward, _rnn_backward),
}


class _Recurrence(torch.autograd.Function):
    """W x (K, B, T, G), U (K, G, H) and its bias (K, G) to states, from zero.

    `whole`: of every frame (K, B, T, H), else of the last one read (K, B, H); `back` reads the
    frames from the last to the first.
    """

    @staticmethod
    def forward(ctx, x, w, b, cell, back, whole):
        n_frames = x.shape[2]
        times = range(n_frames)[:: -1 if back else 1]
        transposed, bias = w.transpose(1, 2), b[:, None]
        h = x.new_zeros(*x.shape[:2], w.shape[2])
        c = torch.zeros_like(h) if cell.two_states else None
        saved, states = [], [h] * n_frames
        for t in times:
            kept, new, c = cell.forward(x[:, :, t], torch.baddbmm(bias, h, transposed), h, c)
            saved += [h, *kept]
            states[t] = h = new
        ctx.save_for_backward(w, *saved)
        ctx.cell, ctx.times, ctx.whole = cell, times, whole
        return torch.stack(states, 2) if whole else h.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        w, *saved = ctx.saved_tensors
        n_frames = len(ctx.times)
        each = len(saved) // n_frames
        dh = torch.zeros_like(saved[0]) if ctx.whole else gradient
        dc = torch.zeros_like(saved[0]) if ctx.cell.two_states else None
        dx, du = [gradient] * n_frames, []
        for i, t in reversed(list(enumerate(ctx.times))):
            dh = dh + gradient[:, :, t] if ctx.whole else dh
            kept = saved[each * i : each * (i + 1)]
            dx[t], d, part, dc = ctx.cell.backward(dh, dc, *kept)
            dh = torch.bmm(d, w) if part is None else torch.baddbmm(part, d, w)
            du.append(d)
        of_states = torch.cat(du[::-1], 1)  # (K, T B, G)
        dw = torch.bmm(of_states.transpose(1, 2), torch.cat(saved[::each], 1))
        return torch.stack(dx, 2), dw, of_states.sum(1), None, None, None


class Stack:
    """K networks of one shape; `weights` (K, P) hold those of a model in one row.

    A row is what the values of the model's state_dict are, one after another.
    Raises UserError if the networks are not recurrent ones (`RNNDecoder`).
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        first = models[0]
        if not isinstance(first, RNNDecoder):
            raise UserError("stack: only gru, lstm and rnn networks train side by side")
        self.rnn = first.rnn
        self.cell = CELLS[type(first.rnn)]
        self.shapes = {name: value.shape for name, value in first.state_dict().items()}
        rows = [
            torch.cat([v.flatten() for v in model.state_dict().values()]).detach()
            for model in models
        ]
        self.weights = torch.stack(rows)

    def apart(self, weights: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return weights (…, P) by name, each (…, its own shape), in memory of their own."""
        parts = weights.split([shape.numel() for shape in self.shapes.values()], -1)
        named = zip(self.shapes.items(), parts, strict=True)
        return {
            name: part.reshape(*weights.shape[:-1], *shape).contiguous()
            for (name, shape), part in named
        }

    def logits(
        self, weights: torch.Tensor, x: torch.Tensor, masks: Sequence[torch.Tensor] = ()
    ) -> torch.Tensor:
        """Map each model's windows (K, B, T, F) to logits (K, B).

        `masks` (K, B, T, directions H) multiply what a layer but the last hands on (dropout).
        """
        named = self.apart(weights)
        layers, ends = self.rnn.num_layers, ("", "_reverse")[: 1 + self.rnn.bidirectional]
        for layer in range(layers):
            whole = layer < layers - 1
            x = torch.cat([self._read(named, x, f"l{layer}{end}", whole) for end in ends], -1)
            if whole and masks:
                x = x * masks[layer]
        head = named["head.weight"].transpose(1, 2)
        return torch.baddbmm(named["head.bias"][:, None], x, head)[..., 0]

    def _read(
        self, named: dict[str, torch.Tensor], x: torch.Tensor, end: str, whole: bool
    ) -> torch.Tensor:
        w_ih, w_hh, b_ih, b_hh = (
            named[f"rnn.{kind}_{end}"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        k, batch, n_frames, n_features = x.shape
        flat = x.reshape(k, batch * n_frames, n_features)
        of_inputs = torch.baddbmm(b_ih[:, None], flat, w_ih.transpose(1, 2))
        of_inputs = of_inputs.view(k, batch, n_frames, -1)
        return _Recurrence.apply(of_inputs, w_hh, b_hh, self.cell, end.endswith("reverse"), whole)
