"""The area under the ROC curve, without importing scikit-learn into every training job."""

import numpy as np


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return P(score of a run frame > score of a rest frame), ties counting one half.

    labels (N,) 0/1; scores (N,), any increasing function of the probability. NaN where only one
    state is present. The Mann-Whitney form of the AUC (Hanley & McNeil 1982), by midranks.
    """
    labels = np.asarray(labels).astype(bool)
    n_run = int(labels.sum())
    n_rest = labels.size - n_run
    if not n_run or not n_rest:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    midranks = np.cumsum(counts) - (counts - 1) / 2
    return float((midranks[inverse[labels]].sum() - n_run * (n_run + 1) / 2) / (n_run * n_rest))
