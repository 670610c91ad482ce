"""Models of scikit-learn: what they predict of a target."""

from typing import Any

import numpy as np
from scipy.special import expit

from mesodecode.base.files import UserError
from mesodecode.study.targets import CANNOT, RUN, Target


def check_model(kind: str, model: str, target: Target) -> None:
    """Raise UserError if a model of a kind of decoder does not decode a target."""
    if why := CANNOT[target.kind.name].get((kind, model)):
        raise UserError(f"model: {model} {why} (target: {target.name})")


def check_labels(labels: np.ndarray, target: Target, lower: str) -> None:
    """Raise UserError if the training labels (N,) are all the same; `lower`: what else to do."""
    if len(np.unique(labels)) < 2:
        raise UserError(
            f"{len(labels)} training frames to decode, of fewer than two {target.kind.level}s; use "
            f"longer recordings, or lower {lower}"
        )


def predicted_by(model: Any, rows: np.ndarray, target: Target = RUN) -> np.ndarray:
    """Return what a fitted model makes of rows (N, P): the probability of run (N,), values (N,) in
    the unit of a trace, or probabilities of states (N, K).

    A state that no training frame was of has probability 0. The probability of run of a model that
    has none is the logistic function of its decision value.
    """
    if not len(rows):
        return np.empty((0, target.outputs) if target.states else 0)
    if target.kind.name == "regression":
        return model.predict(rows)
    if not hasattr(model, "predict_proba"):
        return expit(model.decision_function(rows))
    found = model.predict_proba(rows)
    if target == RUN:
        return found[:, 1]
    every = np.zeros((len(rows), target.outputs))
    every[:, np.asarray(model.classes_, int)] = found
    return every
