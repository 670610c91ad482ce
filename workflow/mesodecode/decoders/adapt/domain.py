"""Statistics of a new mouse in the place of others: BatchNorm layers, and CORAL of features."""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.covariance import ledoit_wolf
from torch import nn

from mesodecode.base.files import UserError
from mesodecode.base.windows import IMAGE_REACH
from mesodecode.decoders.inputs import SAMPLED, Images, spread

TOLD_BY = 64  # images of a pass that tells statistics; they depend on it, so it is no device's own


def set_batch_norm(
    cnn: nn.Module, sources: Sequence[Images], ends: Sequence[float] | None = None
) -> None:
    """Give the BatchNorm layers of a CNN the statistics of images of `sources`.

    Of `SAMPLED` images of each, of frames before its end if there are `ends`, in one pass
    (Schneider et al. 2020, NeurIPS 33: 11539-11551; all of the new statistics, none of the old).
    Raises UserError if there is no such layer.
    """
    layers = [layer for layer in cnn.modules() if isinstance(layer, nn.BatchNorm2d)]
    if not layers:
        raise UserError("batch_norm: this backbone has no BatchNorm layer; leave it out")
    kept = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over batches
        layer.train()
    with torch.inference_mode():
        for images, end in zip(sources, ends or [np.inf] * len(sources), strict=True):
            known = images.centres[images.centres < end - IMAGE_REACH]
            for at in spread(known, SAMPLED).split(TOLD_BY):
                if len(at) > 1:
                    cnn.features(images.batch(at))
    for layer, momentum in zip(layers, kept, strict=True):
        layer.momentum = momentum
        layer.eval()


class Coral(nn.Module):
    """Features with the mean and covariance of others: (f - mean) A + other mean.

    A = C⁻¹ᐟ² C'¹ᐟ² of the covariances C of the features and C' of the others, both shrunk (Sun,
    Feng & Saenko 2016, AAAI 2058-2065; Ledoit & Wolf 2004, J Multivar Anal 88: 365-411).
    """

    def __init__(self, features: np.ndarray, others: np.ndarray) -> None:
        super().__init__()
        own, target = (ledoit_wolf(rows.astype(np.float64))[0] for rows in (features, others))
        matrix = _power(own, -0.5) @ _power(target, 0.5)
        for name, value in (
            ("mean", features.mean(0)),
            ("matrix", matrix),
            ("other", others.mean(0)),
        ):
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map features (N, F) to features (N, F)."""
        return (features - self.mean) @ self.matrix + self.other


def _power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 1e-8 * values.max()) ** exponent) @ vectors.T
