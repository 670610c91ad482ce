"""The predictions file: where every encoding model ends, and all that scores know of it.

`results/{study}/predictions/{model}/{fold}.h5` has the attributes `model`, `fold`, `session` (the
test session), `train_sessions` (joined by "+") and `oracle` (whether it knows other repeats of the
test images), and for the test presentations, in the order shown, `presentation` and `image` (P,),
`response` and `prediction` (P, N) in units of the responses, `neurons` (N,), and `mean` (N,), the
mean response of the presentations that it was fitted on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mesodecode.base.files import UserError, atomic_path

ATTRIBUTES = ("model", "fold", "session", "train_sessions", "oracle")
ARRAYS = ("presentation", "image", "response", "prediction", "neurons", "mean")


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
        with atomic_path(path) as part, h5py.File(part, "w") as file:
            for name in ATTRIBUTES:
                file.attrs[name] = getattr(self, name)
            for name in ARRAYS:
                array = np.asarray(getattr(self, name))
                array = array.astype(np.float32) if array.dtype.kind == "f" else array
                file.create_dataset(name, data=array, track_times=False)


def read_predictions(path: str | Path) -> Predictions:
    """Read a file of predictions. Raises UserError if it is none, or holds what is not finite."""
    try:
        with h5py.File(path) as file:
            attributes = {name: file.attrs[name] for name in ATTRIBUTES}
            arrays = {name: file[name][:] for name in ARRAYS}
    except FileNotFoundError:
        raise
    except (OSError, KeyError) as error:
        raise UserError(
            f"{path}: not a file of encoding predictions ({' '.join(str(error).split())}); make it "
            "with `mesodecode fit-encoding` or `train-encoding`"
        ) from error
    found = Predictions(**attributes | {"oracle": bool(attributes["oracle"])}, **arrays)
    if not (np.isfinite(found.response).all() and np.isfinite(found.prediction).all()):
        raise UserError(f"{path}: predictions that are not finite; run its model again")
    return found
