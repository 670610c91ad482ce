"""From predictions to tables of performance, and these tables as files.

Each row of AUCs ends with its protocol (`protocols`), what the decoder had of its test
mouse; tables of other tools may lack it.

The measure is the area under the ROC curve (AUC) of the probability of run over all test frames
of an allocation, as in the paper; accuracy is at a probability of 0.5.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mesodecode.base.files import UserError
from mesodecode.base.roc_auc import roc_auc
from mesodecode.decoders.predictions import ATTRIBUTES, Predictions
from mesodecode.study.targets import Kind

COLUMNS = [*ATTRIBUTES, "n_frames", "n_run", "auc", "accuracy"]
SESSION_COLUMNS = [*ATTRIBUTES, "session", "n_frames", "n_run", "auc", "accuracy"]


def columns_of(kind: Kind) -> list[str]:
    """Return the columns that the table of a kind of target has, besides its score."""
    return COLUMNS if kind.name == "run" else [*ATTRIBUTES]


def auc_table(predictions: Iterable[Predictions]) -> pd.DataFrame:
    """Return `COLUMNS` and protocol, one row a (decoder, allocation), of all test frames pooled.

    Raises UserError if these are all of one state.
    """
    return pd.DataFrame([_pooled(item) for item in predictions], columns=[*COLUMNS, "protocol"])


def session_table(predictions: Iterable[Predictions]) -> pd.DataFrame:
    """Return `SESSION_COLUMNS` and protocol, one row a (decoder, allocation, test session).

    A session of one state stays, with AUC NaN.
    """
    rows = [
        _about(item)
        | {"session": name}
        | _scores(session.label, session.probability)
        | {"protocol": item.protocol}
        for item in predictions
        for name, session in item.sessions.items()
    ]
    return pd.DataFrame(rows, columns=[*SESSION_COLUMNS, "protocol"])


def _about(item: Predictions) -> dict[str, str]:
    return {name: getattr(item, name) for name in ATTRIBUTES}


def _scores(label: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    correct = (probability >= 0.5) == label
    return {
        "n_frames": len(label),
        "n_run": int(np.sum(label)),
        "auc": roc_auc(label, probability),
        "accuracy": float(correct.mean()) if len(label) else float("nan"),
    }


def _pooled(item: Predictions) -> dict[str, str | float]:
    sessions = item.sessions.values()
    label = np.concatenate([session.label for session in sessions])
    probability = np.concatenate([session.probability for session in sessions])
    scores = _scores(label, probability)
    if np.isnan(scores["auc"]):
        state = "run" if scores["n_run"] else "rest"
        raise UserError(
            f"decoder {item.decoder}, allocation {item.allocation}: all {len(label)} test frames "
            f"are {state}, so there is no AUC; check the labels of mouse {item.test_mouse}"
        )
    return _about(item) | scores | {"protocol": item.protocol}
