"""Deep SHAP for recurrent decoders: which signals, at which frames, moved the output.

A window x is compared with references r, windows of a background. Each part of the network passes
the difference of its output on to its inputs, so that nothing is lost or made:

- linear layers: the weights, as they are;
- sigmoid and tanh, a = f(u): the rescale rule of DeepLIFT, (f(u_x) - f(u_r)) / (u_x - u_r), the
  derivative where both are equal (Shrikumar et al. 2017);
- products, z = a b, of gates and states: the Shapley values of two players, each factor gets the
  other's mean over x and r: Δz = Δa (b_x + b_r) / 2 + Δb (a_x + a_r) / 2 (Lundberg & Lee 2017;
  Chen, Lundberg & Lee 2022, "Explaining a series of models by propagating Shapley values").

These multipliers run backward through time and layers, as gradients do; multiplied by x - r and
averaged over the background they are the values. `shap.DeepExplainer` and captum's DeepLiftShap
have no rule for `torch.nn.GRU`, `LSTM` and `RNN`, whose products of gates they pass by.

Cost: the activations of each window and of each reference are computed once; only the backward
pass is done for all pairs, in blocks of at most `BLOCK_BYTES` an array. Memory: the activations of
the whole background (about 14 x hidden_size numbers a reference, frame, layer and direction).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mesodecode.base.files import UserError
from mesodecode.decoders.networks import RNNDecoder
from mesodecode.explain.cells import (
    CELLS,
    Activation,
    Weights,
    difference,
    sigmoid,
    slope,
    times,
)

OUTPUTS = {"probability": torch.sigmoid, "logit": lambda logits: logits}
COMPLETENESS = 1e-5  # largest miss of an output, in its units
# Of one array over pairs: what stays in a core's cache; on a GPU, what keeps it busy.
BLOCK_BYTES = {"cpu": 2**21, "cuda": 2**26}


@dataclass(frozen=True)
class Explanation:
    """Attributions of a decoder's output to its input.

    values (N, T, F), in units of the output; base, the mean output over the background;
    completeness_error, the largest |base + sum of a window's values - its output|.
    """

    values: Tensor
    base: float
    completeness_error: float


def deep_shap(
    decoder: RNNDecoder, windows: Tensor, background: Tensor, *, output: str = "probability"
) -> tuple[Tensor, float]:
    """Return the Deep SHAP values of windows (N, T, F), and the base.

    base + values.sum((1, 2)) equals `output` of the windows ("probability" of run or "logit")
    within 1e-5. See `explain_deep` for the arguments and errors.
    """
    explanation = explain_deep(decoder, windows, background, output=output)
    return explanation.values, explanation.base


def explain_deep(
    decoder: RNNDecoder, windows: Tensor, background: Tensor, *, output: str = "probability"
) -> Explanation:
    """Return the Deep SHAP values of windows (N, T, F) against a background (B, T, F), B ≥ 2.

    The decoder may be in any mode, of float32 or float64, and on any device; it is not changed.
    The arithmetic is float32 for a float32 decoder. If that misses an output by more than 1e-5
    (logits above 10, networks near chaos), all is computed again in float64, the decoder's own
    output too, and returned in it.

    Raises UserError if arguments do not fit each other, hold values that are not finite, or the
    background is one window only; also if the values miss the output in float64 too, which means
    that the decoder computes something else than its `rnn` and `head` say.

    Lundberg & Lee 2017, Shrikumar et al. 2017, Chen et al. 2022 (the module's words); used for
    decoders of cortical activity by Ajioka et al. 2024.
    """
    decoder, windows, background = prepare(decoder, windows, background, output)
    explanation = _explain(decoder, windows, background, output)
    if not explanation.completeness_error <= COMPLETENESS and windows.dtype != torch.float64:
        explanation = _explain(decoder.double(), windows.double(), background.double(), output)
    if not explanation.completeness_error <= COMPLETENESS:  # so written for NaN
        raise UserError(
            f"Deep SHAP: the values miss the decoder's {output} by "
            f"{explanation.completeness_error:.1e}; does its forward() do more than pass the "
            "final state of `rnn` through `head`, or do its weights make it chaotic?"
        )
    return explanation


def prepare(
    decoder: RNNDecoder, windows: Tensor, background: Tensor, output: str
) -> tuple[RNNDecoder, Tensor, Tensor]:
    """Return a copy of the decoder in evaluation mode, and both inputs as it takes them.

    Raises UserError if something does not fit; see `explain_deep`.
    """
    if output not in OUTPUTS:
        raise UserError(f"output '{output}': must be one of {', '.join(OUTPUTS)}")
    rnn = getattr(decoder, "rnn", None)
    if type(rnn) not in CELLS or not isinstance(getattr(decoder, "head", None), nn.Linear):
        raise UserError(f"Deep SHAP: needs an RNNDecoder (GRU, LSTM, RNN), not {type(decoder)}")
    plain = rnn.batch_first and rnn.bias and not rnn.proj_size
    if not plain or getattr(rnn, "nonlinearity", "tanh") != "tanh":
        raise UserError("Deep SHAP: knows batch-first cells with biases, tanh and no projection")
    weight = decoder.head.weight
    dtype = torch.promote_types(weight.dtype, torch.float32)  # half precision cannot be complete
    inputs = {"windows": windows, "background": background}
    for name, given in inputs.items():
        tensor = torch.as_tensor(given).detach().to(weight.device, dtype)
        if tensor.ndim != 3 or 0 in tensor.shape:
            raise UserError(f"{name}: need (number, frames, signals), got {tuple(tensor.shape)}")
        if tensor.shape[2] != rnn.input_size:
            raise UserError(
                f"{name}: {tensor.shape[2]} signals, but the decoder was trained on "
                f"{rnn.input_size}"
            )
        if not tensor.isfinite().all():
            raise UserError(f"{name}: holds values that are not finite (NaN or infinite)")
        inputs[name] = tensor
    windows, background = inputs.values()
    if windows.shape[1] != background.shape[1]:
        raise UserError(
            f"windows of {windows.shape[1]} frames, but a background of {background.shape[1]}"
        )
    if len(background) < 2:
        raise UserError(
            "background: one window only; values would say how a window differs from that one, "
            "not from what is usual. Draw at least 2, better hundreds, of the training windows"
        )
    return copy.deepcopy(decoder).to(dtype).eval(), windows, background


@torch.no_grad()
def outputs(decoder: RNNDecoder, windows: Tensor, output: str) -> Tensor:
    """Return the decoder's own output (N,) in float64. Raises UserError if it is not finite."""
    with exact_rnn():
        logits = torch.cat([decoder(part) for part in windows.split(4096)])
    if not logits.isfinite().all():
        raise UserError("the decoder's output is not finite: its weights, or its input, are broken")
    return OUTPUTS[output](logits.double())


@contextmanager
def exact_rnn() -> Iterator[None]:
    """Keep cuDNN out: it rounds to TF32, and has no gradients in evaluation mode."""
    with torch.backends.cudnn.flags(enabled=False):
        yield


def _explain(decoder: RNNDecoder, windows: Tensor, background: Tensor, output: str) -> Explanation:
    """Return the explanation in the dtype of the arguments, complete or not."""
    base = outputs(decoder, background, output).mean().item()
    expected = outputs(decoder, windows, output)
    values = _values(decoder, windows, background, output)
    missed = (base + values.sum((1, 2), dtype=torch.float64) - expected).abs()
    return Explanation(values, base, missed.max().item())


# --- the network -------------------------------------------------------------------------------


class Trace(NamedTuple):
    """What M windows do in the network.

    `frames` (T, F, M): the windows; steps[layer][direction][step]: what the cell keeps, in the
    order in which it reads the frames; `output`: the logit (1, M) and its probability.
    """

    frames: Tensor
    steps: list[list[list[tuple]]]
    output: Activation


def _weights(rnn: nn.Module) -> list[list[Weights]]:
    """Return the weights by layer and direction."""
    suffixes = ("", "_reverse")[: 2 if rnn.bidirectional else 1]
    names = ("weight_ih_l", "weight_hh_l", "bias_ih_l", "bias_hh_l")

    def weights(end: str) -> Weights:
        ih, hh, b_ih, b_hh = (getattr(rnn, name + end) for name in names)
        return Weights(ih, hh, b_ih, b_hh, ih.T.contiguous(), hh.T.contiguous())

    return [[weights(f"{i}{suffix}") for suffix in suffixes] for i in range(rnn.num_layers)]


def _trace(decoder: RNNDecoder, windows: Tensor) -> Trace:
    """Pass windows (M, T, F) through the network."""
    cell = CELLS[type(decoder.rnn)]
    steps, frames = [], windows.permute(1, 2, 0).contiguous()
    zero = windows.new_zeros(decoder.rnn.hidden_size, len(windows))
    read = frames
    for layer in _weights(decoder.rnn):
        steps.append([])
        seen, finals = [], []
        for direction, w in enumerate(layer):
            order = -1 if direction else 1
            state, kept, outputs = (zero,) * cell.n_states, [], []
            for frame in range(len(read))[::order]:
                inputs = torch.addmm(w.b_ih[:, None], w.ih, read[frame])
                state, keep = cell.forward(inputs, state, w)
                kept.append(keep)
                outputs.append(state[0])
            steps[-1].append(kept)
            seen.append(torch.stack(outputs[::order]))
            finals.append(state[0])
        read = torch.cat(seen, dim=1)
    head = decoder.head
    return Trace(frames, steps, sigmoid(head.weight @ torch.cat(finals) + head.bias))


def _pair_values(decoder: RNNDecoder, x: Trace, r: Trace, output: str) -> Tensor:
    """Return the values (T, F, n) of n windows, summed over b references."""
    cell, size = CELLS[type(decoder.rnn)], decoder.rnn.hidden_size
    n_frames, n, b = len(x.frames), x.frames.shape[2], r.frames.shape[2]
    zero = x.frames.new_zeros(size, n, b)
    to_logit = slope(x.output, r.output) if output == "probability" else zero[:1] + 1
    to_final = (decoder.head.weight[0][:, None, None] * to_logit).split(size)
    values = torch.zeros_like(x.frames)
    above = None  # multipliers (T, K, n, b) of the frames that the layer above reads
    for i, layer in reversed(list(enumerate(_weights(decoder.rnn)))):
        below = x.frames.new_zeros(n_frames, layer[0].ih.shape[1], n, b) if i else None
        for direction, w in enumerate(layer):
            to_output = to_final[direction] if above is None else zero
            to_state = (to_output, *(zero,) * (cell.n_states - 1))
            for step in reversed(range(n_frames)):
                frame = n_frames - 1 - step if direction else step
                if above is not None:
                    read = above[frame, direction * size : (direction + 1) * size]
                    to_state = (to_state[0] + read, *to_state[1:])
                kept = x.steps[i][direction][step], r.steps[i][direction][step]
                to_gates, to_state = cell.backward(to_state, *kept, w)
                to_frame = times(w.ih_t, to_gates)
                if below is not None:
                    below[frame] += to_frame
                else:
                    moved = difference(x.frames[frame], r.frames[frame])
                    values[frame] += moved.mul_(to_frame).sum(2)
        above = below
    return values


@torch.no_grad()
def _values(decoder: RNNDecoder, windows: Tensor, background: Tensor, output: str) -> Tensor:
    """Return the values (N, T, F), means over the background, block by block of pairs."""
    width = max(decoder.rnn.weight_hh_l0.shape[0], decoder.rnn.input_size)
    block = BLOCK_BYTES["cuda" if windows.is_cuda else "cpu"] // windows.element_size()
    pairs = max(1, block // width)
    references = [_trace(decoder, part) for part in background.split(pairs)]
    parts = []
    for part in windows.split(max(1, pairs // len(background))):
        x = _trace(decoder, part)
        total = sum(_pair_values(decoder, x, r, output) for r in references)
        parts.append(total.permute(2, 0, 1) / len(background))
    return torch.cat(parts)
