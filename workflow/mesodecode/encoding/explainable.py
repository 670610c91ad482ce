"""How much of the variance of responses images explain: what any model of images can reach."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

FDR = 0.05  # at which neurons are called responsive


@dataclass(frozen=True)
class Explainable:
    """Variances of each neuron (N,): `signal`, between images; `noise`, between repeats of one.

    `p` is that of the F test of a one-way analysis of variance (do any two images differ?);
    `repeats` the repeats an image that the mean over images is worth where their numbers differ.
    """

    signal: np.ndarray
    noise: np.ndarray
    p: np.ndarray
    repeats: float

    @property
    def responsive(self) -> np.ndarray:
        """Which neurons answer images (N,): p at the false discovery rate `FDR` over neurons.

        Benjamini and Hochberg 1995 (J R Stat Soc B 57: 289-300). None without repeats.
        """
        return stats.false_discovery_control(np.where(np.isfinite(self.p), self.p, 1.0)) < FDR

    @property
    def single(self) -> np.ndarray:
        """Ceiling of R² on single trials: the share of their variance that images explain."""
        return _share(self.signal, self.noise)

    @property
    def average(self) -> np.ndarray:
        """Ceiling of R² on averages of an image's repeats."""
        return _share(self.signal, self.noise / self.repeats)


def explainable(response: np.ndarray, image: np.ndarray) -> Explainable:
    """Split the variance of responses (P, N) to the images (P,) into signal and noise.

    With k images of n repeats each, MSB and MSW the mean squares between and within images:
    signal = (MSB - MSW) / n and noise = MSW, an unbiased estimate that can be below 0 where there
    is no signal; the signal power of Sahani and Linden 2003 (NeurIPS 15), but that theirs divides
    by k instead of k - 1. For unequal n_i, n is (P - Σ n_i² / P) / (k - 1). NaN where no image is
    repeated or the responses are constant.
    """
    _, index, counts = np.unique(image, return_inverse=True, return_counts=True)
    n, k = len(image), len(counts)
    if k < 2 or n <= k:
        nothing = np.full(response.shape[1], np.nan)
        return Explainable(nothing, nothing, nothing, float("nan"))
    means = image_means(response, index)
    between = (counts[:, None] * (means - response.mean(0)) ** 2).sum(0) / (k - 1)
    within = ((response - means[index]) ** 2).sum(0) / (n - k)
    repeats = (n - (counts**2).sum() / n) / (k - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = stats.f.sf(between / within, k - 1, n - k)
    return Explainable((between - within) / repeats, within, p, float(repeats))


def screened(
    predicted: np.ndarray, response: np.ndarray, image: np.ndarray, mean: np.ndarray
) -> np.ndarray:
    """Return predictions (P, N), but the `mean` (N,) for neurons that do not answer images.

    `response` (Q, N) to `image` (Q,) are those that the model was fitted on: what it learned of
    neurons whose responses do not differ between them is noise. Unchanged if nothing is repeated.
    """
    known = explainable(response.astype(np.float64), image)
    if np.isnan(known.repeats):
        return predicted
    return np.where(known.responsive, predicted, mean)


def image_means(response: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return the mean response (I, N) to each image 0 … I-1 of `index` (P,), all of them there."""
    sums = np.zeros((index.max() + 1, response.shape[1]))
    np.add.at(sums, index, response)
    return sums / np.bincount(index)[:, None]


def _share(signal: np.ndarray, noise: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return signal / (signal + noise)
