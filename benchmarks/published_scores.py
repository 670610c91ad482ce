"""Published scores of how well a decoder does where nobody has labels, as functions of arrays.

Each needs the probabilities of run of the frames of a new mouse (`target`), some also those of the
validation mouse (`source`) with its labels. `benchmarks/failure_prediction.py` holds them against
the AUC that the shift report predicts (`mesodecode.shift.predicted_auc`); docs/shift.md says what
came of it. All but `average_thresholded_confidence`, `agreement` and `dispersion` take
probabilities at their word, so that they are to be calibrated first
(`mesodecode.scores.calibration.temperature`).

Frames of an output of one number have two states with p and 1 - p, a confidence of max(p, 1 - p)
and a decided state p >= 0.5; accuracies are those of decided states.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np


def average_confidence(target: np.ndarray) -> float:
    """Return the mean confidence of frames (N,), an accuracy if probabilities are calibrated.

    (Hendrycks & Gimpel 2017, ICLR, "A baseline for detecting misclassified and out-of-distribution
    examples"; as a prediction of accuracy: Guillory et al. 2021, below.) NaN without frames.
    """
    confidence = _confidence(target)
    return float(confidence.mean()) if len(confidence) else float("nan")


def difference_of_confidences(label: np.ndarray, source: np.ndarray, target: np.ndarray) -> float:
    """Return the accuracy in the source less what confidence (M,) is lower in the target (N,).

    DoC (Guillory, Shankar, Ebrahimi, Darrell & Schmidt 2021, ICCV, "Predicting with confidence on
    unseen distributions"). `label` (M,) 0/1 of the source. NaN without frames of either.
    """
    right = _right(label, source)
    if not len(right):
        return float("nan")
    return float(right.mean()) - (average_confidence(source) - average_confidence(target))


def average_thresholded_confidence(
    label: np.ndarray, source: np.ndarray, target: np.ndarray
) -> float:
    """Return the share of target frames (N,) above the confidence at which the source is as good.

    ATC (Garg, Balakrishnan, Lipton, Neyshabur & Sedghi 2022, ICLR, "Leveraging unlabeled data to
    predict out-of-distribution performance"): below its threshold lie as many source frames (M,)
    as the decoder gets wrong there. Of two states negative entropy orders frames as confidence
    does, so that the paper's two variants are one, and a temperature changes nothing. NaN without
    frames of either.
    """
    right, of_source = _right(label, source), np.sort(_confidence(source))
    if not len(right) or not len(target):
        return float("nan")
    wrong = int((~right).sum())
    if wrong == len(right):
        return 0.0
    return float((_confidence(target) >= of_source[wrong]).mean())


def nuclear_norm(target: np.ndarray) -> float:
    """Return how sure and how unlike each other the predictions of frames (N,) are, 0.5 to 1.

    The nuclear norm (sum of singular values) of the matrix (N, 2) of probabilities of rest and
    run, over its largest possible value √(2 N) (Deng, Suh, Gould & Zheng 2023, ICML, "Confidence
    and dispersity speak: characterising prediction matrix for unsupervised accuracy estimation"):
    1 where half of the frames are surely run and half surely rest, √½ where all are surely the
    same, ½ where all are 0.5. A score: it ranks, and is no accuracy. NaN for fewer than two frames.
    """
    p = np.asarray(target, float)
    if len(p) < 2:
        return float("nan")
    matrix = np.stack([1 - p, p], axis=1)
    return float(np.linalg.norm(matrix, "nuc") / np.sqrt(2 * len(p)))


def dispersion(features: np.ndarray, target: np.ndarray) -> float:
    """Return the log dispersion of features (N, F) between the states that a decoder decided.

    Log of the sum over states of share of frames × squared distance of the state's mean from the
    mean of all (Xie, Wei, Feng, Cao & An 2023, NeurIPS, "On the importance of feature separability
    in predicting out-of-distribution error"; here of shares, not of counts, so that sessions of
    unequal length compare). Features are what the last layer reads, `target` (N,) the
    probabilities. A score: it ranks, and is no accuracy. NaN where one state only is decided.
    """
    features, run = np.asarray(features, float), np.asarray(target) >= 0.5
    if run.all() or not run.any():
        return float("nan")
    apart = features[run].mean(axis=0) - features[~run].mean(axis=0)
    return float(np.log(run.mean() * (1 - run.mean()) * (apart @ apart)))


def agreement(seeds: Sequence[np.ndarray]) -> float:
    """Return the share of frames (N,) that two seeds of a decoder decide alike, over all pairs.

    An estimate of accuracy, 1 less the disagreement (Jiang, Nagarajan, Baek & Kolter 2022, ICLR,
    "Assessing generalization of SGD via disagreement"), as far as the ensemble of all seeds is
    calibrated, which it is less and less as a mouse differs (Kirsch & Gal 2022, TMLR). NaN for
    fewer than two seeds.
    """
    pairs = list(combinations([np.asarray(one) >= 0.5 for one in seeds], 2))
    return float(np.mean([(a == b).mean() for a, b in pairs])) if pairs else float("nan")


def expected_auc(target: np.ndarray) -> float:
    """Return the AUC of frames (N,) if each were run as often as its probability says.

    Average confidence for the AUC: the area under the curve of expected rates of hits and false
    alarms (confidence-based performance estimation, CBPE, as NannyML computes it; Białek,
    Kivimäki, Kuberski & Perrakis 2024, arXiv:2401.08348). NaN where all are surely the same state.
    """
    values, place = np.unique(np.asarray(target, float), return_inverse=True)
    counts = np.bincount(place, minlength=len(values))
    run, rest = counts * values, counts * (1 - values)
    if not run.sum() * rest.sum() > 0:
        return float("nan")
    below = np.cumsum(rest) - rest / 2  # frames of one probability are ties
    return float(run @ below / (run.sum() * rest.sum()))


def _confidence(probability: np.ndarray) -> np.ndarray:
    p = np.asarray(probability, float)
    return np.maximum(p, 1 - p)


def _right(label: np.ndarray, probability: np.ndarray) -> np.ndarray:
    return (np.asarray(probability) >= 0.5) == (np.asarray(label) > 0)
