"""A GRU on a CPU: a layer for training, and one step for who decodes frame by frame.

The layer's backward pass gathers what PyTorch's spreads over steps, some 25 operators a
frame, with a sum of gradients in each. Here a step is a few operators on arrays that
stay in the cache: for some frames at once the inputs' share of the gates is computed before their
steps, and weights' gradients after them. Arrays are kept from pass to pass (benchmarks/README.md).
Results differ from PyTorch's in the last bits, as any other order of sums does.
"""

from collections import deque
from typing import ClassVar

import numpy as np
import torch
from scipy.special import expit
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

_tanh_backward = torch.ops.aten.tanh_backward.grad_input  # gradient × (1 - n²) in one operator
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
AT_ONCE = 8  # frames of a block: more leave the cache, fewer take more operators


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


class _Block:
    """Views of some frames in the arrays of a `_Room`: as a whole, and frame by frame."""

    def __init__(self, frames: slice, u: torch.Tensor, h: torch.Tensor, d: torch.Tensor) -> None:
        size = h.shape[1]
        self.frames, self.u, self.before, self.d = frames, u[frames], h[:-1][frames], d
        q, r, z, n = self.gates = self.u.chunk(4, dim=1)
        self.of_state, self.of_input = self.u[:, : 3 * size], self.u[:, size:]
        rz, after = self.u[:, size : 3 * size], h[1:][frames]
        self.forward = _frames(self.of_state, rz, q, r, z, n, self.before, after)
        flat = d.flatten(1, 2)
        self.d_state, self.d_input = flat[:, : 3 * size], flat[:, size:]
        self.backward = _frames(d[:, :2], d[:, 2:], d[:, 3], self.d_state, z)[::-1]


class _Room:
    """The arrays of a pass of `_Layer`, which are used again by a later one of the same shape.

    Fresh memory costs some 500 page faults a pass, and views of frames as much as some products.
    """

    free: ClassVar[deque["_Room"]] = deque(maxlen=4)  # both directions of batches of two sizes

    def __init__(self, like: torch.Tensor, steps: int, size: int, windows: int) -> None:
        self.u = like.new_empty(steps, 4 * size, windows)  # q, r, z and n of each frame
        self.h = like.new_zeros(steps + 1, size, windows)  # before the first frame, and after each
        d = like.new_empty(min(AT_ONCE, steps), 4, size, windows)  # gradients by q, r, z and n
        starts = range(0, steps, AT_ONCE)
        parts = [slice(start, min(start + AT_ONCE, steps)) for start in starts]
        self.blocks = [_Block(p, self.u, self.h, d[: p.stop - p.start]) for p in parts]

    @classmethod
    def taken(cls, like: torch.Tensor, steps: int, size: int, windows: int) -> "_Room":
        """Return a room that no pass needs any more, or a new one."""
        for _ in range(len(cls.free)):
            room = cls.free.popleft()
            if room.u.shape == (steps, 4 * size, windows) and room.u.dtype == like.dtype:
                return room
            cls.free.append(room)
        return cls(like, steps, size, windows)

    def leave(self) -> None:
        """Let another pass have the room."""
        if self not in self.free:
            self.free.append(self)


def _frames(*arrays: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
    """Return views of each frame of arrays (T, …)."""
    return list(zip(*(array.unbind(0) for array in arrays), strict=True))


class _Layer(torch.autograd.Function):
    """Windows x (N, T, F) to the final state (N, H), with PyTorch's weights (gates r, z, n).

    Within, units come first and windows last, so that each gate of a frame is one block of memory.

    r, z = σ(W x + U h), n = tanh(W x + r q) with q = U h + b, and h' = n + z (h - n). In the order
    q, r, z, n the first three are of U h, the last three of W x. As σ costs a third of tanh here, n
    is 2 σ(2 …) - 1.
    """

    @staticmethod
    def forward(ctx, x, w_ih, w_hh, b_ih, b_hh):
        (windows, steps, _), size = x.shape, w_hh.shape[1]
        room = _Room.taken(x, steps, size, windows)
        rz, n = slice(2 * size), slice(2 * size, None)
        bias = torch.cat((b_hh[n], b_ih[rz] + b_hh[rz], 2 * b_ih[n]))[:, None]
        by_input = torch.cat((w_ih[rz], 2 * w_ih[n])).expand(steps, -1, -1)
        by_state = torch.cat((w_hh[n], w_hh[rz]))
        read = x.permute(1, 2, 0)  # (T, F, N), as it lies
        minus_one = x.new_tensor(-1.0)
        for block in room.blocks:
            block.u.copy_(bias)
            block.of_input.baddbmm_(by_input[block.frames], read[block.frames])
            for ut, rzt, qt, rt, zt, nt, before, after in block.forward:
                ut.addmm_(by_state, before)
                rzt.sigmoid_()
                nt.addcmul_(rt, qt, value=2).sigmoid_()
                torch.add(minus_one, nt, alpha=2, out=nt)
                torch.lerp(nt, before, zt, out=after)
        # Saved, so that PyTorch refuses a second backward pass once another pass had the room.
        ctx.save_for_backward(x, w_ih, by_state, room.u, room.h)
        ctx.room = room
        return room.h[-1].t().contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        x, w_ih, by_state, *_ = ctx.saved_tensors
        size = by_state.shape[1]
        dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        dw_ih, dw_hh = torch.zeros_like(w_ih), torch.zeros_like(by_state)
        bias, one = x.new_zeros(4, size), x.new_tensor(1.0)
        w = by_state.t().contiguous()
        # A copy: of one window it would be the caller's own, which may be used again.
        dh = gradient.t().clone(memory_format=torch.contiguous_format)
        for block in reversed(ctx.room.blocks):
            q, r, z, n = block.gates
            # What a gradient by n gives q and r, and one by h' gives z and n; multiplied in their
            # place these become the gradients by q, r, z and n.
            of_q, of_r, of_z, of_n = block.d.unbind(1)
            of_q.copy_(r)
            _sigmoid_backward(q, r, grad_input=of_r)
            _sigmoid_backward(torch.sub(block.before, n, out=of_z), z, grad_input=of_z)
            _tanh_backward(torch.sub(one, z, out=of_n), n, grad_input=of_n)
            for dqr, dzn, dn, dt, zt in block.backward:
                dzn.mul_(dh)
                dqr.mul_(dn)
                dh.mul_(zt).addmm_(w, dt)
            dw_ih.addbmm_(block.d_input, x[:, block.frames].transpose(0, 1))
            dw_hh.addbmm_(block.d_state, block.before.transpose(1, 2))
            bias += block.d.sum((0, 3))
            if dx is not None:
                dx[:, block.frames] = (block.d_input.transpose(1, 2) @ w_ih).transpose(0, 1)
        ctx.room.leave()
        dw_hh = torch.cat((dw_hh[size:], dw_hh[:size]))
        return dx, dw_ih, dw_hh, bias[1:].flatten(), torch.cat((bias[1], bias[2], bias[0]))
