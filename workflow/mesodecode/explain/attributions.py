"""One call for all attributions of a recurrent decoder: Deep SHAP, and two by gradients."""

import numpy as np
import torch
from torch import Tensor, nn

from mesodecode.base.files import UserError
from mesodecode.explain.deepshap import (
    Explained,
    Explanation,
    exact_rnn,
    explain_deep,
    outputs,
    prepare,
)

METHODS = ("deep", "gradient", "integrated")
BATCH = 512  # windows passed at once for their gradients


def explain(
    decoder: nn.Module,
    windows: Tensor,
    background: Tensor,
    *,
    method: str = "deep",
    output: str = "probability",
    index: int | None = None,
    samples: int = 1000,
    steps: int = 32,
    seed: int = 0,
) -> Explanation:
    """Attribute a decoder's output for windows (N, T, F) to their signals, frame by frame.

    `method`:
    - "deep": Deep SHAP (`mesodecode.explain.deepshap`), complete to 1e-5;
    - "gradient": `shap.GradientExplainer`, expected gradients at `samples` random points a window
      between it and the background, drawn with `seed` (Erion et al. 2021);
    - "integrated": integrated gradients from every reference, at `steps` points of Gauss-Legendre
      quadrature, averaged over the background (Sundararajan et al. 2017).

    The last two are complete only as far as `samples` and `steps` reach: `completeness_error` of
    the result says how far. They compute in the decoder's dtype ("gradient": float32) and return
    it. Output and errors as in `explain_deep`; also UserError for an unknown method.
    """
    if method == "deep":
        return explain_deep(decoder, windows, background, output=output, index=index)
    if method not in METHODS:
        raise UserError(f"method '{method}': must be one of {', '.join(METHODS)}")
    explained, windows, background = prepare(decoder, windows, background, output, index)
    base = outputs(explained, background).mean().item()
    expected = outputs(explained, windows)
    with exact_rnn():
        if method == "gradient":
            values = _expected_gradients(explained, windows, background, samples, seed)
        else:
            values = _integrated_gradients(explained, windows, background, steps)
    missed = (base + values.sum((1, 2), dtype=torch.float64) - expected).abs()
    return Explanation(values, base, missed.max().item())


class _Column(nn.Module):
    """The explained output as shap wants it, (N, 1)."""

    def __init__(self, explained: Explained) -> None:
        super().__init__()
        self.explained = explained

    def forward(self, windows: Tensor) -> Tensor:
        return self.explained(windows)[:, None]


def _expected_gradients(
    explained: Explained, windows: Tensor, background: Tensor, samples: int, seed: int
) -> Tensor:
    import shap  # seconds, and only here

    column = _Column(explained.float())
    explainer = shap.GradientExplainer(column, background.float(), batch_size=BATCH)
    state = np.random.get_state()  # shap seeds numpy's global generator
    try:
        values = explainer.shap_values(windows.float(), nsamples=samples, rseed=seed)
    finally:
        np.random.set_state(state)
    return torch.as_tensor(np.asarray(values)).reshape(windows.shape).to(windows)


def _integrated_gradients(
    explained: Explained, windows: Tensor, background: Tensor, steps: int
) -> Tensor:
    nodes, weights = np.polynomial.legendre.leggauss(steps)  # on [-1, 1]
    nodes, weights = (torch.as_tensor(part).to(windows) / 2 for part in (nodes + 1, weights))
    values = torch.zeros_like(windows)
    for value, window in zip(values, windows, strict=True):
        for references in background.split(max(1, BATCH // steps)):
            difference = window - references
            points = references + nodes[:, None, None, None] * difference
            points.requires_grad_()
            (gradient,) = torch.autograd.grad(explained(points.flatten(0, 1)).sum(), points)
            value += (torch.tensordot(weights, gradient, 1) * difference).sum(0)
    return values / len(background)
