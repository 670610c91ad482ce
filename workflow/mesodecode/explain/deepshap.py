"""Deep SHAP for recurrent and other decoders: which signals, at which frames, moved the output.

A window x is compared with references r, windows of a background. Each part of the network passes
the difference of its output on to its inputs, so that nothing is lost or made:

- linear layers: the weights, as they are;
- functions of single numbers, a = f(u), as sigmoid, tanh and ReLU: the rescale rule of DeepLIFT,
  (f(u_x) - f(u_r)) / (u_x - u_r) (Shrikumar et al. 2017);
- products, z = a b, of gates and states: the Shapley values of two players, each factor gets the
  other's mean over x and r: Δz = Δa (b_x + b_r) / 2 + Δb (a_x + a_r) / 2 (Lundberg & Lee 2017;
  Chen, Lundberg & Lee 2022, "Explaining a series of models by propagating Shapley values").

These multipliers run backward through time and layers, as gradients do; multiplied by x - r and
averaged over the background they are the values. `shap.DeepExplainer` and captum's DeepLiftShap
have no rule for `torch.nn.GRU`, `LSTM` and `RNN`, whose products of gates they pass by.

A network of one recurrent layer (`rnn`) and a head is explained by `mesodecode.explain.recurrent`,
any other by `mesodecode.explain.operations`. More in docs/deepshap.md.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mesodecode.base.files import UserError, first_line
from mesodecode.base.windows import IMAGE_REACH
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, TCNDecoder
from mesodecode.explain import operations, recurrent
from mesodecode.explain.cells import cell_of

OUTPUTS = ("probability", "logit")
COMPLETENESS = 1e-5  # largest miss of an output, in its units
SAME = 1e-4  # by how much two ways to compute an output may differ, of the largest
PASSED = 2**21  # numbers of windows that pass a network at once


@dataclass(frozen=True)
class Explanation:
    """Attributions of a decoder's output to its input.

    values, of the windows' shape, in units of the output; base, the mean output over the
    background; completeness_error, the largest |base + sum of a window's values - its output|.
    """

    values: Tensor
    base: float
    completeness_error: float


def deep_shap(
    decoder: nn.Module,
    windows: Tensor,
    background: Tensor,
    *,
    output: str = "probability",
    index: int | None = None,
) -> tuple[Tensor, float]:
    """Return the Deep SHAP values of windows (N, T, F), and the base.

    base + values.sum((1, 2)) equals the explained output of the windows within 1e-5. See
    `explain_deep` for the arguments and errors.
    """
    explanation = explain_deep(decoder, windows, background, output=output, index=index)
    return explanation.values, explanation.base


def explain_deep(
    decoder: nn.Module,
    windows: Tensor,
    background: Tensor,
    *,
    output: str = "probability",
    index: int | None = None,
) -> Explanation:
    """Return the Deep SHAP values of windows (N, T, F) against a background (B, T, F), B ≥ 2.

    `decoder`: a module with `rnn`, by this or another name (`nn.GRU`, `nn.LSTM`, `nn.RNN`; layers,
    directions and `batch_first` as you like) and `head` (`nn.Linear`, or a Sequential of Linear,
    ReLU, Tanh, Sigmoid, Dropout), which reads the final state, the output at the last frame, or
    the outputs' mean: which one is seen from what forward() returns. Other modules, such as a
    `TCNDecoder`, are explained by what their forward() does, more slowly. Of a `CNNRNNDecoder` the
    windows are its normalised frames (N, L + 2, height, width), of which it makes L images, and so
    are the values.

    forward() returns (N,), (N, 1), or (N, K), of which `index` names the one explained. `output`
    "logit" is that number, "probability" its sigmoid. If forward() ends in a sigmoid itself,
    "probability" is what it returns, and "logit" what the sigmoid is given.

    The decoder may be in any mode, of float32 or float64, and on any device; it is not changed.
    The arithmetic is float32 for a float32 decoder. If that misses an output by more than 5e-6
    (logits above 10, networks near chaos), all is computed again in float64, the decoder's own
    output too, and returned in it.

    Raises UserError if arguments do not fit each other or the decoder, hold values that are not
    finite, or the background is one window only; if the decoder has several outputs and no
    `index`, or an operation without a rule, such as LayerNorm or Softmax; and if the values miss
    the output in float64 too.

    Lundberg & Lee 2017, Shrikumar et al. 2017, Chen et al. 2022 (the module's words); used for
    decoders of cortical activity by Ajioka et al. 2024.
    """
    explained, windows, background = prepare(decoder, windows, background, output, index)
    explanation = _explain(explained, windows, background)
    # Half of it, as float32 knows the output itself, in another order of sums, no better.
    if not explanation.completeness_error <= COMPLETENESS / 2 and windows.dtype != torch.float64:
        explanation = _explain(explained.double(), windows.double(), background.double())
    if not explanation.completeness_error <= COMPLETENESS:  # so written for NaN
        raise UserError(
            f"Deep SHAP: the values miss the decoder's {output} by "
            f"{explanation.completeness_error:.1e}; does its forward() depend on something else "
            "than the window, or do its weights make it chaotic?"
        )
    return explanation


class Explained(nn.Module):
    """The one output of a network that is explained, (N,) of windows (N, T, F).

    `frames_first`: it takes windows (T, N, F); `squashed`: its results come out of a sigmoid.
    """

    def __init__(self, network: nn.Module, output: str, index: int | None) -> None:
        super().__init__()
        self.network, self.output, self.index = network, output, index
        self.frames_first = self.squashed = False

    def results(self, windows: Tensor) -> Tensor:
        """Return what the network returns of windows, (N,) or (N, K). Raises UserError."""
        try:
            made = self.network(windows.transpose(0, 1) if self.frames_first else windows)
        except UserError:
            raise
        except Exception as error:  # forward() may raise anything
            raise UserError(self._unfit(windows, error)) from error
        if isinstance(made, Tensor) and len(windows) == 1 and made.ndim < 2 and made.shape != (1,):
            made = made[None]  # of one window a bare squeeze() has taken its axis too
        shape = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
        if not isinstance(made, Tensor) or made.ndim not in (1, 2) or len(made) != len(windows):
            raise UserError(
                f"decoder: its forward() returns {shape} for {len(windows)} windows; needs one "
                "number, or one row of numbers, a window"
            )
        return made

    def _unfit(self, windows: Tensor, error: Exception) -> str:
        known = isinstance(self.network, TCNDecoder)
        wanted = self.network.n_features if known else _input_size(self.network)
        if wanted not in (None, windows.shape[2]):
            return f"windows: {windows.shape[2]} signals, but the decoder was trained on {wanted}"
        return (
            f"decoder: its forward() does not take {str(windows.dtype).removeprefix('torch.')} "
            f"windows of {tuple(windows.shape[1:])}: {first_line(error)}"
        )

    def forward(self, windows: Tensor) -> Tensor:
        """Return the explained output (N,)."""
        made = self.results(windows)
        one = made if made.ndim == 1 else made[:, self.index or 0]
        if self.squashed:
            return one if self.output == "probability" else one.logit()
        return one.sigmoid() if self.output == "probability" else one

    def taken_apart(self, windows: Tensor) -> recurrent.Recurrent | None:
        """Return the network as a recurrent layer and a head, if on `windows` it is no more."""
        rnn, head = _parts(self.network)
        layers = recurrent.flat_head(head)
        if cell_of(rnn) is None or layers is None:
            return None
        if self.squashed and isinstance(layers[-1], nn.Sigmoid):
            layers = layers[:-1]
        if self.output == "probability":
            layers = [*layers, nn.Sigmoid()]
        expected, found = self(windows), {}
        for readout in recurrent.READOUTS:
            network = recurrent.recurrent(rnn, layers, readout, self.index or 0)
            try:
                missed = (recurrent.outputs(network, windows) - expected).abs().max().item()
            except (RuntimeError, IndexError):  # layers that do not fit each other as this assumes
                return None
            found.setdefault(missed, network)
        least = min(found)
        return found[least] if least <= SAME * max(1.0, expected.abs().max().item()) else None


def _parts(network: nn.Module) -> tuple[nn.Module | None, nn.Module | None]:
    """Return a network's one recurrent layer and its one head, whatever they are called."""
    rnns = [part for part in network.children() if isinstance(part, nn.RNNBase)]
    heads = [part for part in network.children() if recurrent.flat_head(part) is not None]
    return tuple(part[0] if len(part) == 1 else None for part in (rnns, heads))


def _input_size(network: nn.Module) -> int | None:
    return getattr(_parts(network)[0], "input_size", None)


class _OfFrames(nn.Module):
    """A `CNNRNNDecoder` of normalised frames (N, L + 2, height, width), three an image."""

    def __init__(self, decoder: CNNRNNDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, frames: Tensor) -> Tensor:
        images = frames.unfold(1, 2 * IMAGE_REACH + 1, 1).permute(0, 1, 4, 2, 3)
        features = self.decoder.cnn.features(images.flatten(0, 1))
        return self.decoder.rnn(features.unflatten(0, images.shape[:2]))


def prepare(
    decoder: nn.Module,
    windows: Tensor,
    background: Tensor,
    output: str,
    index: int | None = None,
) -> tuple[Explained, Tensor, Tensor]:
    """Return the output of a copy of the decoder in evaluation mode, and both inputs as it takes.

    Raises UserError if something does not fit; see `explain_deep`.
    """
    if output not in OUTPUTS:
        raise UserError(f"output '{output}': must be one of {', '.join(OUTPUTS)}")
    if not isinstance(decoder, nn.Module):
        raise UserError(f"Deep SHAP: needs a torch.nn.Module as decoder, not {type(decoder)}")
    weight = next((p for p in decoder.parameters() if p.is_floating_point()), torch.zeros(1))
    dtype = torch.promote_types(weight.dtype, torch.float32)  # half precision cannot be complete
    of_frames = isinstance(decoder, CNNRNNDecoder)
    axes = "frames, height, width" if of_frames else "frames, signals"
    inputs = {"windows": windows, "background": background}
    for name, given in inputs.items():
        if isinstance(given, np.ndarray):  # torch takes no other order of bytes, nor steps back
            given = np.ascontiguousarray(given, given.dtype.newbyteorder("="))
        tensor = torch.as_tensor(given).detach().to(weight.device, dtype)
        if tensor.ndim != 3 + of_frames or 0 in tensor.shape:
            raise UserError(f"{name}: need (number, {axes}), got {tuple(tensor.shape)}")
        if not tensor.isfinite().all():
            raise UserError(f"{name}: holds values that are not finite (NaN or infinite)")
        inputs[name] = tensor
    windows, background = inputs.values()
    if windows.shape[1] != background.shape[1]:
        raise UserError(
            f"windows of {windows.shape[1]} frames, but a background of {background.shape[1]}"
        )
    if windows.shape[2:] != background.shape[2:]:
        sizes = (" x ".join(map(str, part.shape[2:])) for part in (windows, background))
        what = "pixels" if of_frames else "signals"
        raise UserError("windows of {} {what}, but a background of {}".format(*sizes, what=what))
    if len(background) < 2:
        raise UserError(
            "background: one window only; values would say how a window differs from that one, "
            "not from what is usual. Draw at least 2, better hundreds, of the training windows"
        )
    network = _copied(decoder).to(dtype).eval().requires_grad_(False)
    for part in network.modules():
        if isinstance(part, CNNDecoder):
            part.passed_in = None  # a reduced type, which cannot be complete
    explained = Explained(_OfFrames(network) if of_frames else network, output, index)
    _look(explained, torch.cat((windows[:2], background[:2])))
    return explained, windows, background


def _copied(decoder: nn.Module) -> nn.Module:
    """Return a copy of a decoder. Raises UserError if it holds what cannot be copied."""
    # What a module keeps of its last call, or makes anew at each (weight_norm), torch copies not.
    made = {
        id(one): one.detach()
        for part in decoder.modules()
        for one in vars(part).values()
        if isinstance(one, Tensor) and not one.is_leaf
    }
    try:
        return copy.deepcopy(decoder, made)
    except Exception as error:  # of anyone's classes
        raise UserError(
            f"decoder: it cannot be copied ({first_line(error)}); leave out what it keeps of calls"
        ) from error


@torch.no_grad()
def _look(explained: Explained, windows: Tensor) -> None:
    """See how a network takes windows and what it returns. Raises UserError if no one knows."""
    rnn, _ = _parts(explained.network)
    if rnn is not None and not rnn.batch_first:
        seen: list[Tensor] = []
        handle = rnn.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        try:
            explained.network(windows)
        except Exception:  # the other way is tried below
            seen.append(windows)
        finally:
            handle.remove()
        # it turns windows itself, or takes them turned
        taken = seen[0] if seen else None
        explained.frames_first = isinstance(taken, Tensor) and torch.equal(taken, windows)
    with exact_rnn(), _Sigmoids() as sigmoids:
        made = explained.results(windows)
    explained.squashed = sigmoids.made_by(made)
    n = made.shape[1] if made.ndim == 2 else 1
    if explained.index is None and n > 1:
        raise UserError(f"index: the decoder has {n} outputs; say which, from 0 to {n - 1}")
    if explained.index is not None and not 0 <= explained.index < n:
        raise UserError(f"index {explained.index}: the decoder has {n} outputs, 0 to {n - 1}")


class _Sigmoids(TorchFunctionMode):
    """Sees what comes out of sigmoids."""

    def __init__(self) -> None:
        super().__init__()
        self._made: list[Tensor] = []  # kept, lest memory be used again

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "").strip("_") == "sigmoid":
            self._made.append(made)
        return made

    def made_by(self, result: Tensor) -> bool:
        """Tell whether a result is, or is a part of, what a sigmoid made."""
        memory = result.untyped_storage().data_ptr()
        return any(made.untyped_storage().data_ptr() == memory for made in self._made)


@torch.no_grad()
def outputs(explained: Explained, windows: Tensor) -> Tensor:
    """Return the decoder's own output (N,) in float64. Raises UserError if it is not finite."""
    at_once = max(1, PASSED // windows[0].numel())
    with exact_rnn():
        made = torch.cat([explained(part) for part in windows.split(at_once)])
    if not made.isfinite().all():
        raise UserError("the decoder's output is not finite: its weights, or its input, are broken")
    return made.double()


@contextmanager
def exact_rnn() -> Iterator[None]:
    """Keep cuDNN out: it rounds to TF32, and has no gradients in evaluation mode."""
    # Not by `cudnn.flags`, which refuses to read TF32's switch where both layers are set to none.
    before, torch.backends.cudnn.enabled = torch.backends.cudnn.enabled, False
    try:
        yield
    finally:
        torch.backends.cudnn.enabled = before


def _explain(explained: Explained, windows: Tensor, background: Tensor) -> Explanation:
    """Return the explanation in the dtype of the arguments, complete or not."""
    base = outputs(explained, background).mean().item()
    expected = outputs(explained, windows)
    with exact_rnn():
        with torch.no_grad():
            network = explained.taken_apart(torch.cat((windows[:2], background[:2])))
        if network is not None:
            values = recurrent.values(network, windows, background)
        else:
            values = operations.values(explained, windows, background)
    missed = (base + values.flatten(1).sum(1) - expected).abs()
    return Explanation(values.to(windows.dtype), base, missed.max().item())
