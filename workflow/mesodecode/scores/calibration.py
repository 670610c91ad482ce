"""Are probabilities of run to be believed in a new mouse? Recalibration and prediction sets.

Everything is fitted to the validation mouse of an allocation and looked at in its test mouse. The
two are different animals: what holds for frames of one mouse need not hold for another, which is
why the tables say what came of it in each test mouse.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss

from mesodecode.base.roc_auc import roc_auc
from mesodecode.decoders.predictions import ATTRIBUTES, Predictions, SessionPredictions
from mesodecode.scores import quality

METHODS = ("none", "temperature", "isotonic")
LEVELS = (0.8, 0.9, 0.95)  # of prediction sets
NUMBERS = ["n_frames", "n_valid", "temperature", "auc", "brier", "ece"]
COLUMNS = [*ATTRIBUTES, "method", *NUMBERS, "protocol"]
SET_NUMBERS = ["level", "cut", "coverage", "coverage_rest", "coverage_run", "set_size"]
SET_NUMBERS += ["empty", "both"]
SET_COLUMNS = [*ATTRIBUTES, *SET_NUMBERS, "protocol"]
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


def cut(label: np.ndarray, probability: np.ndarray, level: float) -> float:
    """Return the probability from which on a state belongs to the prediction set of a frame.

    Split conformal prediction: of the probabilities (N,) that the validation frames gave to their
    own state (`label` (N,)), the floor((N + 1) (1 - level))-th smallest, 0 where that is none
    (Vovk, Gammerman & Shafer 2005; Sadinle, Lei & Wasserman 2019, J Am Stat Assoc 114: 223-234). A
    new frame's state is then in its set with a probability of at least `level` if it is
    exchangeable with the validation frames, which a frame of another mouse is not.
    """
    p = np.asarray(probability, float)
    own = np.sort(np.where(np.asarray(label) > 0, p, 1 - p))
    rank = int(np.floor((len(own) + 1) * (1 - level) + 1e-9))
    return float(own[rank - 1]) if rank else 0.0


def prediction_sets(probability: np.ndarray, cut: float) -> np.ndarray:
    """Return which states (rest, run) are in the set of each frame, (N, 2) bool."""
    p = np.asarray(probability, float)
    return np.stack([1 - p, p], axis=1) >= cut


def assess(
    item: Predictions, validation: Mapping[str, SessionPredictions]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return rows of `COLUMNS`, one a method, and of `SET_COLUMNS`, one a level, of an allocation.

    All fitted to `validation`, predictions of its validation mice. Where these show one state only
    nothing is fitted: temperature and isotonic are NaN.
    """
    about = {name: getattr(item, name) for name in (*ATTRIBUTES, "protocol")}
    label, probability = quality.pooled(item.sessions.values())
    valid = quality.pooled(validation.values())
    heat = temperature(*valid)
    made = {"none": probability}
    if not np.isnan(heat):
        made |= {
            "temperature": scaled(probability, heat),
            "isotonic": np.clip(isotonic(*valid)(probability), 0, 1),
        }
    rows = []
    for method in METHODS:
        row = about | dict.fromkeys(NUMBERS, np.nan) | {"method": method}
        row |= {"n_frames": len(label), "n_valid": len(valid[0])}
        if method in made:
            row |= {
                "temperature": heat if method == "temperature" else np.nan,
                "auc": roc_auc(label, made[method]),
                "brier": brier_score_loss(label, made[method]),
                "ece": quality.expected_calibration_error(label, made[method]),
            }
        rows.append(row)
    return rows, [about | _sets(label, probability, cut(*valid, level), level) for level in LEVELS]


def _sets(label: np.ndarray, probability: np.ndarray, cut: float, level: float) -> dict[str, float]:
    sets = prediction_sets(probability, cut)
    covered = np.where(np.asarray(label) > 0, sets[:, 1], sets[:, 0])
    with np.errstate(invalid="ignore"):
        by_state = [covered[np.asarray(label) == s].sum() / (label == s).sum() for s in (0, 1)]
    size = sets.sum(axis=1)
    return {
        "level": level,
        "cut": cut,
        "coverage": covered.mean(),
        "set_size": size.mean(),
        "coverage_rest": by_state[0],
        "coverage_run": by_state[1],
        "empty": (size == 0).mean(),
        "both": (size == 2).mean(),
    }
