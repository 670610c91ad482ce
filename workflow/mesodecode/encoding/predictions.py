"""The predictions file: where every encoding model ends, and all that scores know of it.

`results/{study}/predictions/{model}/{fold}.h5` has the attributes `model`, `fold`, `session` (the
test session), `train_sessions` (joined by "+") and `oracle` (whether it knows other repeats of the
test images), and for the test presentations, in the order shown, `presentation` and `image` (P,),
`response` and `prediction` (P, N) in units of the responses, `neurons` (N,), and `mean` (N,), the
mean response of the presentations that it was fitted on.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesodecode.base import records
from mesodecode.base.files import UserError


@dataclass(frozen=True)
class Predictions:
    """What one model predicted in one fold; see the module's words."""

    model: str
    fold: str
    session: str
    train_sessions: str
    oracle: bool
    presentation: np.ndarray
    image: np.ndarray
    response: np.ndarray
    prediction: np.ndarray
    neurons: np.ndarray
    mean: np.ndarray

    def write(self, path: str | Path) -> None:
        """Write the file, whole or not at all."""
        records.write(self, path, single=True)


def read_predictions(path: str | Path) -> Predictions:
    """Read a file of predictions. Raises UserError if it is none, or holds what is not finite."""
    found = records.read(path, Predictions, "fit-encoding")
    if not (np.isfinite(found.response).all() and np.isfinite(found.prediction).all()):
        raise UserError(f"{path}: predictions that are not finite; run its model again")
    return found
