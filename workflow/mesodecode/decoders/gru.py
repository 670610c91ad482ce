"""A GRU on a CPU: a layer for training, and one step for who decodes frame by frame.

The layer's backward pass gathers what PyTorch's spreads over steps, some 25 operators a
frame, with a sum of gradients in each. Here a step is a few operators on arrays that
stay in the cache, and after the last step one product gives a weight's gradient: a third more
windows/s on one core (benchmarks/gru.py). Results differ from PyTorch's in the last bits, as any
other order of sums does.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.special import expit
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

_tanh_backward = torch.ops.aten.tanh_backward.grad_input  # gradient × (1 - n²) in one operator


def fits(rnn: nn.Module, x: torch.Tensor) -> bool:
    """Tell whether `final_state` stands in for a recurrent part, which is being trained, on `x`."""
    one_layer = isinstance(rnn, nn.GRU) and rnn.num_layers == 1
    return (
        one_layer and rnn.training and x.device.type == "cpu" and x.dtype == rnn.weight_ih_l0.dtype
    )


def final_state(rnn: nn.GRU, x: torch.Tensor) -> torch.Tensor:
    """Return the state (N, H) of a GRU of one layer after windows (N, T, F); (N, 2 H) if both ways.

    The second half is that of the backward direction, after the first frame.
    """
    x = x.transpose(0, 1).contiguous()
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    states = [_Layer.apply(x, *(getattr(rnn, name) for name in names))]
    if rnn.bidirectional:
        back = (getattr(rnn, f"{name}_reverse") for name in names)
        states.append(_Layer.apply(x.flip(0), *back))
    return torch.cat(states, dim=1)


def last_step(rnn: nn.GRU, state: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return the last layer's state (N, H) after a frame x (N, F), of `state` (L, N, H) before it.

    On a CPU, forward only, and without gradients. Of one window PyTorch's layer takes twice as long
    (benchmarks/README.md): calls cost more than sums, of NumPy the least.
    """
    n = rnn.hidden_size
    for layer, h in enumerate(state):
        w_ih, w_hh, b_ih, b_hh = rnn._flat_weights[4 * layer : 4 * layer + 4]
        of_x, of_h = linear(x, w_ih, b_ih).numpy(), linear(h, w_hh, b_hh).numpy()
        gates = expit(of_x[:, : 2 * n] + of_h[:, : 2 * n])
        new = np.tanh(of_x[:, 2 * n :] + gates[:, :n] * of_h[:, 2 * n :])
        x = torch.from_numpy(new + gates[:, n:] * (h.numpy() - new))
    return x


class _Layer(torch.autograd.Function):
    """Frames x (T, N, F) to the final state (N, H), with PyTorch's weights (gates r, z, n).

    r, z = σ(W x + U h), n = tanh(W x + r q) with q = U h + b, and h' = n + z (h - n). As σ costs a
    third of tanh here, n is 2 σ(2 …) - 1.
    """

    @staticmethod
    def forward(ctx, x, w_ih, w_hh, b_ih, b_hh):
        (steps, windows, _), size = x.shape, w_hh.shape[1]
        flat, gates = x.reshape(steps * windows, -1), 2 * size
        rz = torch.addmm(b_ih[:gates] + b_hh[:gates], flat, w_ih[:gates].t())
        rz = rz.view(steps, windows, gates)
        n = torch.addmm(2 * b_ih[gates:], flat, 2 * w_ih[gates:].t()).view(steps, windows, size)
        q = torch.empty_like(n)
        h = x.new_empty(steps + 1, windows, size)
        h[0].zero_()
        to_rz, to_n, bias = w_hh[:gates].t(), w_hh[gates:].t(), b_hh[gates:]
        minus_one = x.new_tensor(-1.0)
        r, z = rz[..., :size], rz[..., size:]
        for rzt, rt, zt, nt, qt, before, after in zip(
            *_frames(rz, r, z, n, q, h[:-1], h[1:]), strict=True
        ):
            rzt.addmm_(before, to_rz).sigmoid_()
            torch.addmm(bias, before, to_n, out=qt)
            nt.addcmul_(rt, qt, value=2).sigmoid_()
            torch.add(minus_one, nt, alpha=2, out=nt)
            torch.lerp(nt, before, zt, out=after)
        ctx.save_for_backward(x, w_ih, w_hh, rz, n, q, h)
        return h[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        x, w_ih, w_hh, rz, n, q, h = ctx.saved_tensors
        (steps, windows, _), size = x.shape, w_hh.shape[1]
        # Gradients by q, r, z and n: the first three are those of U h, the last three those of W x.
        d = x.new_empty(steps, windows, 4 * size)
        dq, dr, dz, dn = d.view(steps, windows, 4, size).unbind(2)
        of_state, of_input = d[..., : 3 * size], d[..., size:]
        w = torch.cat((w_hh[2 * size :], w_hh[: 2 * size]))
        dh = gradient.clone(memory_format=torch.contiguous_format)
        kept, part = torch.empty_like(dh), torch.empty_like(dh)
        arrays = dq, dr, dz, dn, of_state, rz[..., :size], rz[..., size:], n, q, h[:-1]
        for dqt, drt, dzt, dnt, dt, rt, zt, nt, qt, before in zip(
            *map(reversed, _frames(*arrays)), strict=True
        ):
            torch.mul(dh, zt, out=kept)
            dh.sub_(kept)  # (1 - z) dh
            _tanh_backward(dh, nt, grad_input=dnt)
            torch.mul(dnt, rt, out=dqt)
            torch.mul(dqt, qt, out=part)
            torch.addcmul(part, part, rt, value=-1, out=drt)
            torch.sub(before, nt, out=part).mul_(zt)
            torch.mul(part, dh, out=dzt)
            torch.addmm(kept, dt, w, out=dh)
        flat = d.view(steps * windows, 4 * size)
        dw_ih = flat[:, size:].t() @ x.reshape(steps * windows, -1)
        dw_hh = flat[:, : 3 * size].t() @ h[:-1].reshape(steps * windows, size)
        bias = flat.sum(0)
        dx = of_input @ w_ih if ctx.needs_input_grad[0] else None
        dw_hh = torch.cat((dw_hh[size:], dw_hh[:size]))
        return dx, dw_ih, dw_hh, bias[size:], torch.cat((bias[size : 3 * size], bias[:size]))


def _frames(*arrays: torch.Tensor) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yield each array (T, …) as its T frames."""
    return (array.unbind(0) for array in arrays)
