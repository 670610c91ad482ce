"""Are probabilities of run to be believed in a new mouse? Recalibration and prediction sets.

Everything is fitted to the validation mouse of an allocation and looked at in its test mouse. The
two are different animals: what holds for frames of one mouse need not hold for another, which is
why the tables say what came of it in each test mouse.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

LIMITS = 1e-7  # a probability of 0 or 1 has no logit
COLDEST, HOTTEST = -3.0, 5.0  # log of the temperature


def logits(probability: np.ndarray) -> np.ndarray:
    """Return the logits of probabilities (N,), those of 0 and 1 kept finite."""
    return logit(np.clip(np.asarray(probability, float), LIMITS, 1 - LIMITS))


def temperature(label: np.ndarray, probability: np.ndarray) -> float:
    """Return the number that logits are to be divided by for the lowest cross-entropy.

    label (N,) 0/1, probability (N,) (Guo, Pleiss, Sun & Weinberger 2017, ICML 70: 1321-1330). Above
    1 the decoder was too sure. It moves no frame past another, nor past 0.5: the AUC stays. NaN
    where only one state is present. Kept within e⁻³ … e⁵.
    """
    sign, z = np.where(np.asarray(label) > 0, 1.0, -1.0), logits(probability)
    if abs(sign.mean()) == 1 or not len(sign):
        return float("nan")
    found = minimize_scalar(
        lambda log: np.logaddexp(0, -sign * z * np.exp(-log)).mean(),
        bounds=(COLDEST, HOTTEST),
        method="bounded",
    )
    return float(np.exp(found.x))


def scaled(probability: np.ndarray, by: float) -> np.ndarray:
    """Return probabilities (N,) whose logits are divided by the temperature `by`."""
    return expit(logits(probability) / by)


def isotonic(label: np.ndarray, probability: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the increasing step function from probability to share of run that fits best.

    (Zadrozny & Elkan 2002, KDD 694-699; scikit-learn.) It can make ties of frames that differed, so
    the AUC may change a little. Beyond the probabilities that were seen it stays level.
    """
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    return model.fit(np.asarray(probability, float), np.asarray(label, float)).predict
