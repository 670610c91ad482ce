"""How far the features of one mouse lie from those of others, without its labels.

Features (N, F) are what the last layer of a decoder reads. They are brought to few dimensions in
which the other mice vary by 1 within a state; labels are those of the other mice only.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors

from mesodecode.base.roc_auc import roc_auc
from mesodecode.scores.calibration import logits

VARIANCE, DIMENSIONS = 0.95, 30  # principal components: this share of variance, at most so many
NEIGHBOURS = 10
PARTS = 10  # of a session, for the two-sample test
FLOOR = 1e-3  # of the largest variance: thinner directions are noise


@dataclass(frozen=True)
class Featured:
    """Features (N, F) of frames of a session, and their labels (N,), of a trace its values."""

    session: str
    mouse: str
    features: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Known:
    """Features of mice that a decoder knows, in whitened principal components.

    mean (F,), components (F, K), whiten (K, K); rows (N, K) the features, means (S, K) of states.
    """

    mean: np.ndarray
    components: np.ndarray
    whiten: np.ndarray
    rows: np.ndarray
    means: np.ndarray

    def project(self, features: np.ndarray) -> np.ndarray:
        """Return features (N, F) as (N, K), in SDs within a state of the known mice."""
        return (np.asarray(features, float) - self.mean) @ self.components @ self.whiten


def known(features: np.ndarray, labels: np.ndarray) -> Known:
    """Return the space of features (N, F) of known mice with their labels (N,)."""
    features = np.asarray(features, float)
    mean = features.mean(axis=0)
    components = _principal(features - mean)
    rows = (features - mean) @ components
    states = np.unique(labels)
    centred = np.concatenate([rows[labels == s] - rows[labels == s].mean(0) for s in states])
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    whiten = vectors / np.sqrt(np.maximum(values, FLOOR * values.max()) + 1e-12)
    rows = rows @ whiten
    means = np.stack([rows[labels == state].mean(axis=0) for state in states])
    return Known(mean, components, whiten, rows, means)


def grouped(values: np.ndarray, n: int) -> np.ndarray:
    """Return the codes (N,) of `n` groups of about equal size by value; 0: values are states."""
    if not n:
        return values
    return np.searchsorted(np.unique(np.quantile(values, np.arange(1, n) / n)), values)


def _principal(centred: np.ndarray) -> np.ndarray:
    """Return the first principal axes (F, K) of centred rows (N, F), by the smaller Gram matrix."""
    wide = centred.shape[1] > centred.shape[0]
    values, vectors = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    share = np.cumsum(values) / max(values.sum(), 1e-300)
    count = min(DIMENSIONS, int(np.searchsorted(share, VARIANCE)) + 1, int((values > 0).sum()) or 1)
    axes = centred.T @ vectors[:, :count] if wide else vectors[:, :count]
    return axes / np.maximum(np.linalg.norm(axes, axis=0), 1e-300)


def mahalanobis(space: Known, features: np.ndarray) -> float:
    """Return the root mean square distance of features (N, F) from the nearer state's mean.

    In SDs of the known mice within a state, per dimension: about 1 for their own frames (Lee, Lee,
    Lee & Shin 2018, NeurIPS 31: class means, one covariance).
    """
    rows = space.project(features)
    squares = ((rows[:, None] - space.means) ** 2).sum(axis=2).min(axis=1)
    return float(np.sqrt(squares.mean() / rows.shape[1]))


def neighbours(space: Known, features: np.ndarray) -> float:
    """Return the mean distance of features (N, F) to the 10th nearest known frame, in SDs.

    (Sun, Ming, Zhu & Li 2022, ICML 162: 20827-20840, here in whitened principal components.)
    """
    k = min(NEIGHBOURS, len(space.rows))
    found = NearestNeighbors(n_neighbors=k).fit(space.rows)
    return float(found.kneighbors(space.project(features))[0][:, -1].mean())


def two_sample(space: Known, features: np.ndarray) -> float:
    """Return the AUC at which a classifier tells frames (N, F) from those of the known mice.

    Logistic regression, fitted to every other tenth of the session and tested on the rest, both
    ways (Lopez-Paz & Oquab 2017, ICLR). 0.5: alike. Any two mice can be told apart, so read it
    beside that of known mice. NaN for fewer than 20 frames.
    """
    rows = space.project(features)
    if len(rows) < 2 * PARTS:
        return float("nan")
    # Parts in turn, not halves: less its own mean, a recording's second half mirrors its first.
    part = np.arange(len(rows)) * PARTS // len(rows) % 2
    other = np.arange(len(space.rows)) * 5 * PARTS // len(space.rows) % 2
    x, even = np.concatenate([rows, space.rows]), np.concatenate([part, other]) == 0
    y = np.repeat([1, 0], [len(rows), len(space.rows)])
    aucs = []
    for fitted in (even, ~even):
        model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=200)
        model.fit(x[fitted], y[fitted])
        aucs.append(roc_auc(y[~fitted], model.decision_function(x[~fitted])))
    return float(np.mean(aucs))


def energy(probability: np.ndarray) -> float:
    """Return the mean energy -log(exp(z/2) + exp(-z/2)) of frames, z the logit of run.

    (Liu, Wang, Owens & Li 2020, NeurIPS 33, for two classes with logits z/2 and -z/2, as one output
    has no other scale.) -0.69 where a decoder does not know, lower the surer it is: with one
    output it says no more than confidence does.
    """
    z = logits(probability)
    return float(-np.logaddexp(z / 2, -z / 2).mean())


def averaged(
    frame: np.ndarray, values: np.ndarray, n: int, segment: np.ndarray | None = None
) -> np.ndarray:
    """Return the moving mean (N,) of values over `n` frames of the recording, about each.

    `frame` (N,) ascending: where `values` (N,) were taken; `segment` (T,) of the recording. A mean
    crosses neither a gap nor the end of a segment, where the last value is repeated.
    """
    steps = np.diff(frame)
    if not len(steps):
        return np.asarray(values, float)
    step = np.median(steps)
    cut = steps > step
    if segment is not None:
        cut |= np.diff(np.asarray(segment)[frame]) != 0
    parts = np.split(np.asarray(values, float), np.flatnonzero(cut) + 1)
    return np.concatenate(
        [uniform_filter1d(part, max(1, round(n / step)), mode="nearest") for part in parts]
    )


def two_states(values: np.ndarray) -> float:
    """Return the share of the variance of values (N,) that lies between two groups of them.

    The largest of all cuts into low and high values (Otsu 1979, IEEE Trans Syst Man Cybern 9:
    62-66): 1 for two values, 0.64 (2/pi) for a normal distribution, 0 where all are the same.
    """
    ordered = np.sort(np.asarray(values, float))
    variance, n = ordered.var(), len(ordered)
    if not variance > 0:
        return 0.0
    total, low = np.cumsum(ordered), np.arange(1, n)
    apart = (total[-1] - total[:-1]) / (n - low) - total[:-1] / low
    return float((low / n * (1 - low / n) * apart**2).max() / variance)
