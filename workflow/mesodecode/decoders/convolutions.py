"""Convolutions of a CNN on a CPU, at less cost: depthwise ones in training, all of them in use.

oneDNN's gradient by the weights of a depthwise convolution falls back to plain loops where maps are
so small that every window reaches beyond them (5 × 5 weights on 4 × 4 positions, 3 × 3 on 2 × 2):
of an EfficientNet's training step on images of 64 px these few layers took half. In use, batch
normalisation is a scale and an offset, which the convolution before it can do itself.
Results differ from PyTorch's in the last bits, as any other order of sums does (benchmarks/cnn.py).
"""

import copy
import itertools

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d
from torch.nn.utils.fusion import fuse_conv_bn_eval

# Networks whose parts run in the order in which they are listed, each convolution before its norm.
IN_ORDER = ("timm.models.efficientnet", "timm.models._efficientnet_blocks")


class Depthwise(nn.Conv2d):
    """A depthwise convolution, whose gradient on small maps on a CPU is taken by `_Small`."""

    def _conv_forward(
        self, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        small = all(n <= 2 * p for n, p in zip(input.shape[2:], self.padding, strict=True))
        trained = torch.is_grad_enabled() and weight.requires_grad and bias is None
        if small and trained and input.device.type == "cpu" and input.dtype == weight.dtype:
            return _Small.apply(input, weight, self.stride, self.padding)
        return super()._conv_forward(input, weight, bias)


def with_depthwise(net: nn.Module) -> nn.Module:
    """Make each depthwise convolution of a network, in place, one of `Depthwise`; return it."""
    for part in net.modules():
        if (
            type(part) is nn.Conv2d
            and part.groups == part.in_channels == part.out_channels > 1
            and part.padding_mode == "zeros"
            and not isinstance(part.padding, str)
            and part.dilation == (1, 1)
        ):
            part.__class__ = Depthwise  # the same weights under the same names
    return net


class _Small(torch.autograd.Function):
    """Depthwise convolution of x (N, C, H, W) with weights (C, 1, I, J)."""

    @staticmethod
    def forward(ctx, x, weight, stride, padding):
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return conv2d(x, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        dx = torch.ops.aten.convolution_backward(
            gradient,
            x,
            weight,
            None,
            ctx.stride,
            ctx.padding,
            (1, 1),
            False,
            (0, 0),
            len(weight),
            (ctx.needs_input_grad[0], False, False),
        )[0]
        # channels last, as they lie in memory: a product of two positions is one run of C numbers
        x, gradient = x.permute(0, 2, 3, 1), gradient.permute(0, 2, 3, 1)
        n_rows, n_columns = weight.shape[2:]
        dw = weight.new_zeros(n_rows, n_columns, len(weight))
        for i in range(n_rows):
            rows = _meeting(i, x.shape[1], gradient.shape[1], ctx.stride[0], ctx.padding[0])
            for j in range(n_columns):
                columns = _meeting(j, x.shape[2], gradient.shape[2], ctx.stride[1], ctx.padding[1])
                met = x[:, rows[0], columns[0]] * gradient[:, rows[1], columns[1]]
                torch.sum(met, (0, 1, 2), out=dw[i, j])
        return dx, dw.permute(2, 0, 1)[:, None], None, None


def _meeting(offset: int, n_in: int, n_out: int, stride: int, padding: int) -> tuple[slice, slice]:
    """Return which of `n_in` positions the weight at `offset` reads, and for which of `n_out`."""
    shift = offset - padding  # output o reads input o * stride + shift
    first = max(0, -(shift // stride))
    last = max(first, min(n_out, (n_in - 1 - shift) // stride + 1))
    start = first * stride + shift
    return slice(start, start + (last - first) * stride, stride), slice(first, last)


def merged(network: nn.Module) -> nn.Module:
    """Return a network to be passed only, in evaluation mode and channels last.

    In EfficientNets each batch normalisation is merged into the convolution before it (a copy: the
    network given stays as it is); others are returned themselves.
    """
    network = network.to(memory_format=torch.channels_last).eval()
    if not any(type(part).__module__ in IN_ORDER for part in network.modules()):
        return network
    network = copy.deepcopy(network)
    for part in network.modules():
        if isinstance(part, nn.RNNBase):
            part.flatten_parameters()  # a copy's weights are not in one block, as cuDNN needs them
        if type(part).__module__ not in IN_ORDER:
            continue
        named = list(part.named_children())
        for (name, conv), (next_name, norm) in itertools.pairwise(named):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(part, name, fuse_conv_bn_eval(conv, norm))
                setattr(part, next_name, getattr(norm, "act", nn.Identity()))  # timm's has one
    return network
