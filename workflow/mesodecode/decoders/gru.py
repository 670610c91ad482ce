"""A GRU on a CPU: a layer for training, and one step for who decodes frame by frame.

The layer's backward pass gathers what PyTorch's spreads over steps, some 25 operators a
frame, with a sum of gradients in each. Here a step is a few operators on arrays that
stay in the cache; what needs no gradient is computed for all steps before, and weights' gradients
after them: 1.4 times the windows/s on one core (benchmarks/gru.py). Results differ from
PyTorch's in the last bits, as any other order of sums does.
"""

from collections.abc import Iterator

import numpy as np
import torch
from scipy.special import expit
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

_tanh_backward = torch.ops.aten.tanh_backward.grad_input  # gradient × (1 - n²) in one operator
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input


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
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    states = [_Layer.apply(x, *(getattr(rnn, name) for name in names))]
    if rnn.bidirectional:
        back = (getattr(rnn, f"{name}_reverse") for name in names)
        states.append(_Layer.apply(x.flip(1), *back))
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
    """Windows x (N, T, F) to the final state (N, H), with PyTorch's weights (gates r, z, n).

    Within, units come first and windows last, so that each gate of a frame is one block of memory.

    r, z = σ(W x + U h), n = tanh(W x + r q) with q = U h + b, and h' = n + z (h - n). As σ costs a
    third of tanh here, n is 2 σ(2 …) - 1.
    """

    @staticmethod
    def forward(ctx, x, w_ih, w_hh, b_ih, b_hh):
        (windows, steps, _), size = x.shape, w_hh.shape[1]
        frames = x.permute(1, 2, 0)  # (T, F, N), as it lies
        u = x.new_empty(steps, 3 * size, windows)  # r, z and q
        u.copy_(torch.cat((b_ih[: 2 * size] + b_hh[: 2 * size], b_hh[2 * size :]))[:, None])
        rz, q = u[:, : 2 * size], u[:, 2 * size :]
        rz.baddbmm_(w_ih[: 2 * size].expand(steps, -1, -1), frames)
        n = (2 * b_ih[2 * size :, None]).expand(steps, -1, windows)
        n = torch.baddbmm(n, (2 * w_ih[2 * size :]).expand(steps, -1, -1), frames)
        h = x.new_empty(steps + 1, size, windows)
        h[0].zero_()
        minus_one = x.new_tensor(-1.0)
        r, z = rz.chunk(2, dim=1)
        for ut, rzt, rt, zt, nt, qt, before, after in zip(
            *_frames(u, rz, r, z, n, q, h[:-1], h[1:]), strict=True
        ):
            ut.addmm_(w_hh, before)
            rzt.sigmoid_()
            nt.addcmul_(rt, qt, value=2).sigmoid_()
            torch.add(minus_one, nt, alpha=2, out=nt)
            torch.lerp(nt, before, zt, out=after)
        ctx.save_for_backward(x, w_ih, w_hh, u, n, h)
        return h[-1].t().contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        x, w_ih, w_hh, u, n, h = ctx.saved_tensors
        (windows, steps, _), size = x.shape, w_hh.shape[1]
        r, z, q = u.chunk(3, dim=1)
        # What a gradient by n gives q and r, and one by h' gives z and n; multiplied in their place
        # these become the gradients by q, r, z and n, of which the first three are those of U h,
        # the last three those of W x.
        d = x.new_empty(steps, 4, size, windows)
        of_q, of_r, of_z, of_n = d.unbind(1)
        of_q.copy_(r)
        _sigmoid_backward(q, r, grad_input=of_r)
        _sigmoid_backward(torch.sub(h[:-1], n, out=of_z), z, grad_input=of_z)
        _tanh_backward(torch.sub(x.new_tensor(1.0), z, out=of_n), n, grad_input=of_n)
        flat = d.flatten(1, 2)
        of_state, of_input = flat[:, : 3 * size], flat[:, size:]
        w = torch.cat((w_hh[2 * size :], w_hh[: 2 * size])).t().contiguous()
        dh = gradient.t().contiguous()
        arrays = d[:, :2], d[:, 2:], of_n, of_state, z
        for dqr, dzn, dn, dt, zt in zip(*map(reversed, _frames(*arrays)), strict=True):
            dzn.mul_(dh)
            dqr.mul_(dn)
            dh.mul_(zt).addmm_(w, dt)
        dw_ih = torch.addbmm(torch.zeros_like(w_ih), of_input, x.transpose(0, 1))
        dw_hh = torch.addbmm(torch.zeros_like(w_hh), of_state, h[:-1].transpose(1, 2))
        bias = flat.sum((0, 2))
        dx = (of_input.transpose(1, 2) @ w_ih).transpose(0, 1) if ctx.needs_input_grad[0] else None
        dw_hh = torch.cat((dw_hh[size:], dw_hh[:size]))
        return dx, dw_ih, dw_hh, bias[size:], torch.cat((bias[size : 3 * size], bias[:size]))


def _frames(*arrays: torch.Tensor) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yield each array (T, …) as its T frames."""
    return (array.unbind(0) for array in arrays)
