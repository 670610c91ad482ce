"""Deep SHAP through the largest of several numbers: max pooling, and a maximum over axes.

The maximum of K numbers is a game of K players: one that takes part is what it is in the window,
one that does not what it is in the reference. Its Shapley values have a closed form: above the
level that some number exceeds in both, let u numbers exceed level t in the window only and d in the
reference only. The maximum exceeds t unless all of the d take part and none of the u, so that each
of the u gains B(u, d + 1) dt and each of the d loses B(u + 1, d) dt (B: the beta function). shap
and captum share a maximum by DeepLIFT's rule instead, which gives all of it to the largest.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from scipy.special import beta
from torch import Tensor, nn

OVER_AXES = {"max", "amax"}
POOLS = {f"{kind}max_pool{axes}d": axes for kind in ("", "adaptive_") for axes in (1, 2, 3)}


class _Maximum(torch.autograd.Function):
    """The largest of numbers: (windows and references, …, K) → (windows and references, …)."""

    @staticmethod
    def forward(ctx, numbers):
        ctx.save_for_backward(numbers)
        return numbers.amax(-1)

    @staticmethod
    def backward(ctx, gradient):
        (numbers,) = ctx.saved_tensors
        x, r = numbers.chunk(2)
        moved = x - r
        # of what does not differ, the derivative: half at the window, half at the reference
        derivative = torch.zeros_like(x)
        for one in (x, r):
            largest = one.argmax(-1, keepdim=True)
            derivative.scatter_add_(-1, largest, torch.full_like(largest, 0.5, dtype=x.dtype))
        shares = shapley(x, r) / torch.where(moved == 0, 1, moved)
        multipliers = torch.where(moved == 0, derivative, shares)
        return gradient[..., None] * torch.cat((multipliers, multipliers))


def shapley(x: Tensor, r: Tensor) -> Tensor:
    """Return the share (…, K) of each number in max(x) - max(r), over the last axis of both."""
    floor = torch.minimum(x, r).amax(-1, keepdim=True)
    levels, order = torch.maximum(x, r).clamp(min=floor).sort(-1, descending=True)
    widths = -torch.cat((levels, floor), -1).diff()
    rises = (x > r).gather(-1, order)
    up, down = rises.cumsum(-1), (~rises).cumsum(-1)
    gains, losses = (table.to(x)[up, down] * widths for table in _tables(x.shape[-1]))
    from_here = torch.where(rises, _to_the_end(gains), -_to_the_end(losses))
    return torch.zeros_like(x).scatter_(-1, order, from_here)


def _to_the_end(numbers: Tensor) -> Tensor:
    return numbers.flip(-1).cumsum(-1).flip(-1)


@cache
def _tables(n: int) -> tuple[Tensor, Tensor]:
    """Return what one of u numbers gains and one of d loses, a unit of level: (n + 1, n + 1)."""
    u, d = np.ogrid[: n + 1, : n + 1]
    gain, loss = beta(u, d + 1.0), beta(u + 1.0, d)
    gain[0], loss[:, 0] = 0, 0  # there are none of them
    return torch.from_numpy(gain), torch.from_numpy(loss)


def over_axes(name: str, x: Tensor, *args: Any, **kwargs: Any) -> Any:
    """Return what torch's `max` or `amax` does over axes, or None if the first is among them."""
    asked = dict(zip(("dim", "keepdim"), args, strict=False)) | kwargs
    axes = asked.get("dim", ())
    axes = [axis % x.ndim for axis in ((axes,) if isinstance(axes, int) else axes)]
    if not axes or 0 in axes:
        return None
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    rows = x.permute(*kept, *axes).flatten(len(kept))
    made = _Maximum.apply(rows)
    places = rows.detach().argmax(-1)
    if asked.get("keepdim"):
        shape = [1 if axis in axes else length for axis, length in enumerate(x.shape)]
        made, places = made.view(shape), places.view(shape)
    return made if name == "amax" else torch.return_types.max((made, places))


def pooled(name: str, x: Tensor, made: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Return `made`, what a max pooling of torch's makes of x, as maxima of numbers of x."""
    n_axes = POOLS[name]
    own = nn.functional.pad(x, (0, 1) * n_axes, value=torch.finfo(x.dtype).min)
    for axis in range(n_axes):
        length, n = x.shape[axis - n_axes], made.shape[axis - n_axes]
        if name.startswith("adaptive"):
            places = _adaptive(length, n)
        else:
            places = _regular(n, axis, *args, **kwargs)
        places = np.where((places < 0) | (places >= length), length, places)
        # its axis becomes (n, numbers); the numbers go to the end
        at = x.ndim - n_axes + axis
        taken = own.index_select(at, torch.as_tensor(places.ravel(), device=x.device))
        own = taken.unflatten(at, places.shape).movedim(at + 1, -1)
    return _Maximum.apply(own.flatten(made.ndim))


def _adaptive(length: int, n: int) -> np.ndarray:
    """Return which of `length` numbers are in each of n parts (n, most), `length` for none."""
    starts = np.arange(n) * length // n
    ends = -(-np.arange(1, n + 1) * length // n)
    places = starts[:, None] + np.arange((ends - starts).max())
    return np.where(places < ends[:, None], places, length)


def _regular(
    n: int,
    axis: int,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,  # seen from n
    return_indices: bool = False,
) -> np.ndarray:
    """Return the places (n, kernel) of the numbers of each pool along an axis, some outside."""
    stride = kernel_size if stride is None or stride == [] else stride
    size, step, before, apart = (
        given if isinstance(given, int) else given[axis if len(given) > 1 else 0]
        for given in (kernel_size, stride, padding, dilation)
    )
    return np.arange(n)[:, None] * step - before + np.arange(size) * apart
