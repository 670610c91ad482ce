"""Scores of decoders, by the names that targets have for them (`study.targets`), and others."""

from collections.abc import Callable

import numpy as np

from mesodecode.base.roc_auc import roc_auc


def r2(value: np.ndarray, predicted: np.ndarray) -> float:
    """Return 1 - (squared error) / (squared difference from the mean) of values (N,).

    1 is perfect, 0 no better than the mean of these values, below 0 worse. NaN of a constant.
    """
    value, predicted = (np.asarray(one, np.float64) for one in (value, predicted))
    if len(value) < 2 or np.ptp(value) == 0:
        return float("nan")
    return float(1 - ((value - predicted) ** 2).sum() / ((value - value.mean()) ** 2).sum())


def correlation(value: np.ndarray, predicted: np.ndarray) -> float:
    """Return Pearson's r of values and predictions (N,); NaN where one of them is constant."""
    value, predicted = (np.asarray(one, np.float64) for one in (value, predicted))
    if len(value) < 2 or np.ptp(value) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    return float(np.corrcoef(value, predicted)[0, 1])


def state_aucs(state: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return the AUC of each state (K,) against all others; NaN for one that is not, or all, there.

    state (N,) from 0, probability (N, K).
    """
    return np.array(
        [roc_auc(state == code, probability[:, code]) for code in range(probability.shape[1])]
    )


def macro_auc(state: np.ndarray, probability: np.ndarray) -> float:
    """Return the mean of `state_aucs`, over the states that are there; NaN if but one is."""
    aucs = state_aucs(state, probability)
    return float(np.nanmean(aucs)) if np.isfinite(aucs).any() else float("nan")


SCORES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "auc": roc_auc,
    "r2": r2,
    "correlation": correlation,
    "macro_auc": macro_auc,
}
