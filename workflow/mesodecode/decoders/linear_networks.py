"""Models of scikit-learn as networks, so that one path applies and adapts them all.

A linear model is one layer on standardised inputs; on pixels, a "CNN" whose features are the pixels
of frame t. Any other, such as boosted trees, is a network without weights.
"""

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from torch import nn

from mesodecode.base.files import UserError
from mesodecode.decoders.fitted.linear import LinearWeights, averaging, of_states
from mesodecode.decoders.fitted_models import predicted_by
from mesodecode.study.targets import RUN, Target


class Readout(nn.Module):
    """A linear model: logit = (x - mean) / scale · weights + intercept.

    `forward` maps inputs (N, …), P numbers each, to logits (N,); mean, scale and coef are (P,).
    Of K states coef is (K, P), intercept (K,), and logits (N, K); of a trace logits are values in
    its unit.
    """

    def __init__(
        self, mean: np.ndarray, scale: np.ndarray, coef: np.ndarray, intercept: float | np.ndarray
    ) -> None:
        super().__init__()
        for name, value in (("mean", mean), ("scale", scale)):
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32))
        self.head = nn.Linear(coef.shape[-1], coef.size // coef.shape[-1])
        set_weights(self.head, coef, intercept)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (N, …) to logits (N,), (N, K) of states."""
        made = self.head((x.flatten(1) - self.mean) / self.scale)
        return made[:, 0] if made.shape[1] == 1 else made


class Pixels(Readout):
    """The linear baseline (`decoders.fitted.linear`) on pseudo-RGB images (N, 3, H, W)."""

    def __init__(self, fitted: LinearWeights) -> None:
        super().__init__(fitted.mean, fitted.scale, fitted.coef, fitted.intercept)
        # frame t itself is the last channel of a causal decoder's images
        self.pixels, self._channel = fitted.pixels, 2 if fitted.causal else 1

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (N, 3, H, W) to the pixels (N, P) of frame t, averaged down."""
        frames = images[:, self._channel]
        if self.pixels < min(frames.shape[1:]):
            rows, columns = (
                torch.as_tensor(averaging(extent, self.pixels)).to(frames)
                for extent in frames.shape[1:]
            )
            frames = rows @ frames @ columns.T
        return frames.flatten(1)

    def check_size(self, height: int, width: int) -> None:
        """Raise UserError if it was fitted to images of another size."""
        n = self.pixels**2 if self.pixels < min(height, width) else height * width
        if len(self.mean) != n:
            raise UserError(
                f"a linear decoder of {len(self.mean)} pixels does not fit images of {height} x "
                f"{width} px"
            )

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        """Map pixels (N, P) to logits (N,)."""
        return super().forward(features)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (N, 3, H, W) to logits (N,)."""
        return self.classify(self.features(images))


class NotLinear(nn.Module):
    """A model that is not linear: windows (N, T, F) to logits (N,). What `head` reads are windows.

    The logit of a model that gives probabilities only is theirs, at most ±16. Of a trace outputs
    are values, of states the logarithms of their probabilities (N, K).
    """

    def __init__(self, model: BaseEstimator, target: Target = RUN) -> None:
        super().__init__()
        self.model, self.head, self.target = model, nn.Identity(), target

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows (N, T, F) to logits (N,)."""
        rows = self.head(x.flatten(1)).cpu().numpy()
        if self.target != RUN:
            found = predicted_by(self.model, rows, self.target)
            found = np.log(np.clip(found, 1e-7, 1)) if self.target.states else found
        elif hasattr(self.model, "decision_function"):
            found = self.model.decision_function(rows)
        else:
            found = logit(np.clip(self.model.predict_proba(rows)[:, 1], 1e-7, 1 - 1e-7))
        return torch.as_tensor(found, dtype=torch.float32, device=x.device)


def of_windows(model: BaseEstimator, target: Target = RUN) -> Readout | NotLinear:
    """Return the network of a fitted model of `mesodecode.decoders.fitted.roi_classical`."""
    linear = isinstance(model, Pipeline) and hasattr(model[-1], "coef_")
    if not linear:
        return NotLinear(model, target)
    scaler, fitted = model.named_steps.values()
    return Readout(scaler.mean_, scaler.scale_, *of_states(fitted, target))


def set_weights(head: nn.Linear, coef: np.ndarray, intercept: float | np.ndarray) -> None:
    """Give a layer these weights (P,) and intercept; of K outputs (K, P) and (K,)."""
    with torch.no_grad():
        head.weight.copy_(torch.as_tensor(np.atleast_2d(coef)))
        head.bias.copy_(torch.as_tensor(np.atleast_1d(intercept)))


def refit(
    x: np.ndarray, y: np.ndarray, coef: np.ndarray, intercept: float, C: float
) -> tuple[np.ndarray, float]:
    """Return the weights (P,) and intercept of a logistic regression drawn towards given ones.

    They minimise |weights - coef|² / 2 + C · (sum of the log losses of rows x (N, P), states y
    (N,)): a normal prior about the weights of other mice, of variance C (Chelba & Acero 2004,
    EMNLP 285-292). The intercept is free, as in scikit-learn's.
    """
    start = np.r_[np.asarray(coef, np.float64), intercept]
    rows = np.column_stack([x, np.ones(len(x))])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        z, moved = rows @ weights, weights - start
        moved[-1] = 0.0
        value = moved @ moved / 2 + C * (np.logaddexp(0, z) - y * z).sum()
        return value, moved + C * rows.T @ (expit(z) - y)

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000})
    return found.x[:-1], float(found.x[-1])
