"""Classical decoders of windows of ROI signals (scikit-learn).

The probability of run is the model's own where it has one; for the SVM and ridge it is the
logistic function of the decision value: ordered as the decision, 0.5 at its boundary, but not
calibrated. The AUC needs no more. A trace is decoded by ridge and boosted trees, named states by
logistic regression and boosted trees (`mesodecode.study.targets`).
"""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from mesodecode.base import windows
from mesodecode.base.files import UserError, atomic_path, refused
from mesodecode.decoders.fitted_models import check_labels, check_model, predicted_by
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.recordings.recording import Recording, frames_of, mice_of
from mesodecode.recordings.roi_signals import SessionSignals, roi_names, session_signals, signals_of
from mesodecode.study.targets import Target

# Module -> what of it a file of a fitted model may name: models of `make_model`, and arrays.
TREES = "sklearn.ensemble._hist_gradient_boosting"
PARTS = {
    "numpy": "dtype ndarray",
    "numpy._core.multiarray": "_reconstruct scalar",
    "numpy.random._pcg64": "PCG64",
    "numpy.random._pickle": "__bit_generator_ctor __generator_ctor",
    "numpy.random.bit_generator": "SeedSequence __pyx_unpickle_SeedSequence",
    "sklearn._loss._loss": "CyHalfBinomialLoss CyHalfMultinomialLoss CyHalfSquaredError "
    "__pyx_unpickle_CyHalfMultinomialLoss",
    "sklearn._loss.link": "IdentityLink Interval LogitLink MultinomialLogit",
    "sklearn._loss.loss": "HalfBinomialLoss HalfMultinomialLoss HalfSquaredError",
    f"{TREES}.binning": "_BinMapper",
    f"{TREES}.gradient_boosting": "HistGradientBoostingClassifier HistGradientBoostingRegressor",
    f"{TREES}.predictor": "TreePredictor",
    "sklearn.linear_model._logistic": "LogisticRegression",
    "sklearn.linear_model._ridge": "Ridge RidgeClassifier",
    "sklearn.pipeline": "Pipeline",
    "sklearn.preprocessing._data": "StandardScaler",
    "sklearn.preprocessing._label": "LabelBinarizer LabelEncoder",
    "sklearn.svm._classes": "LinearSVC",
}
BLOCK = 4096  # windows of one prediction


@dataclass(frozen=True)
class Fitted:
    """A fitted model, its settings (with the ROIs `dropped`), and the mice that it has seen."""

    model: ClassifierMixin
    settings: dict[str, Any]
    train_mice: tuple[str, ...]
    valid_mice: tuple[str, ...] = ()

    def predict(self, recordings: Sequence[Recording]) -> dict[str, SessionPredictions]:
        """Return its predictions of recordings, all decodable frames."""
        return predict_classical(self.model, signals_of(recordings, self.settings), self.settings)

    def save(self, path: str | Path) -> None:
        """Write to `path` (.joblib), whole or not at all."""
        with atomic_path(path) as part, open(part, "wb") as file:
            pickle.dump(vars(self), file, protocol=4)  # whose names `PARTS` has


class _Reader(pickle.Unpickler):
    """Makes the parts of fitted models alone: a pickle may name any function, and call it."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a part of a model. Raises UnpicklingError if a name is of none."""
        if name not in PARTS.get(module, "").split():
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def fit(
    training: Sequence[Recording],
    settings: dict[str, Any],
    others: Sequence[Recording] = (),
    dropped: Sequence[int] | None = None,
) -> Fitted:
    """Return what is fitted to training recordings, with the ROIs that `others` have too.

    `dropped`: ROIs (from 1) to do without; None: with `drop`, those that one of them all lacks.
    """
    recordings = [*training, *others]
    signals, lacking = session_signals(recordings, settings)
    settings = settings | training[0].target.settings()
    settings |= {"dropped": lacking if dropped is None else list(dropped)}
    if dropped is not None:
        signals = signals_of(recordings, settings)
    model = fit_classical(signals[: len(training)], settings)
    kept = settings | {"roi_names": roi_names(recordings)} | frames_of(training, images=False)
    return Fitted(model, kept, mice_of(training))


def load(path: str | Path) -> Fitted:
    """Read what `Fitted.save` wrote: a pickle, of which nothing but `PARTS` is made.

    Raises UserError if it is something else, or does not say which mice it has seen.
    """
    with refused(path, "not a model of `mesodecode fit-roi` of this version", "; fit it again"):
        with open(path, "rb") as file:
            content = _Reader(file).load()
        if "train_mice" not in content:
            raise UserError(f"{path}: does not say which mice it has seen; fit it again")
        return Fitted(**content)


def make_model(settings: dict[str, Any]) -> ClassifierMixin:
    """Return a new model for settings of decoders/roi_classical.yaml, and of its target.

    Raises UserError if the model does not decode that.
    """
    C, seed, target = settings["C"], settings["seed"], Target.of_settings(settings)
    check_model("roi_classical", settings["model"], target)
    regresses = target.kind.name == "regression"
    if settings["model"] == "gradient_boosting":
        trees = HistGradientBoostingRegressor if regresses else HistGradientBoostingClassifier
        return trees(max_iter=settings["trees"], early_stopping=False, random_state=seed)
    linear = {
        "logistic_regression": LogisticRegression(C=C, max_iter=1000),
        "linear_svm": LinearSVC(C=C, random_state=seed),
        "ridge": (Ridge if regresses else RidgeClassifier)(alpha=1 / C),
    }
    return make_pipeline(StandardScaler(copy=False), linear[settings["model"]])


def decodable(session: SessionSignals, settings: dict[str, Any]) -> np.ndarray:
    """Return the decodable frames (N,), the same that a recurrent decoder has."""
    return _decodable([session], settings)[0]


def _decodable(sessions: Sequence[SessionSignals], settings: dict[str, Any]) -> list[np.ndarray]:
    return windows.decodable(sessions, settings["half_window"], settings["shift"])


def flat_windows(
    session: SessionSignals, frames: np.ndarray, settings: dict[str, Any]
) -> np.ndarray:
    """Return the windows of `frames` (N,) as rows, (N, (2 w + 1) R) float32."""
    offsets = windows.offsets(settings["half_window"], settings["shift"], session.causal)
    found = session.features[frames[:, None] + offsets]
    return found.reshape(len(frames), len(offsets) * session.features.shape[1])


def fit_classical(sessions: Sequence[SessionSignals], settings: dict[str, Any]) -> ClassifierMixin:
    """Fit a model to every `frame_step`-th window of training sessions.

    Raises UserError if their frames are of one state.
    """
    frames = [at[:: settings["frame_step"]] for at in _decodable(sessions, settings)]
    labels = np.concatenate([s.labels[at] for s, at in zip(sessions, frames, strict=True)])
    check_labels(labels, Target.of_settings(settings), "frame_step or half_window")
    rows = [flat_windows(s, at, settings) for s, at in zip(sessions, frames, strict=True)]
    return make_model(settings).fit(np.concatenate(rows), labels)


def predict_classical(
    model: ClassifierMixin, sessions: Sequence[SessionSignals], settings: dict[str, Any]
) -> dict[str, SessionPredictions]:
    """Return a model's predictions of test sessions, all decodable frames."""
    predictions, target = {}, Target.of_settings(settings)
    for session in sessions:
        frames = decodable(session, settings)
        parts = [
            predicted_by(model, flat_windows(session, frames[at : at + BLOCK], settings), target)
            for at in range(0, len(frames), BLOCK)
        ]
        predictions[session.session] = SessionPredictions(
            session.mouse, frames, session.labels[frames], np.concatenate(parts or [np.empty(0)])
        )
    return predictions
