"""Models that are fitted, not trained for epochs, from their files: one door, by suffix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesodecode.decoders.linear import LinearWeights
    from mesodecode.decoders.roi_classical import Fitted


def load(path: Path) -> LinearWeights | Fitted:
    """Read a fitted model: .joblib of `fit-roi`, else that of `fit-linear`.

    Whatever its kind, it has `settings` (with the size of frames, or the names of ROIs, that
    recordings must have), the mice that it has seen (`train_mice`, `valid_mice`),
    `predict(recordings)` and `save(path)`. Raises UserError if it is none.
    """
    if path.suffix == ".joblib":
        from mesodecode.decoders.roi_classical import load_fitted

        return load_fitted(path)
    from mesodecode.decoders.linear import read_weights

    return read_weights(path)
