"""The linear baseline: logistic regression on the pixels of single frames (scikit-learn).

Of a trace ridge regression, with alpha = 1 / C, of named states multinomial logistic regression.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from mesodecode.base.files import NO_FILE, UserError, atomic_path, check_stored, one_line
from mesodecode.base.progress import Progress
from mesodecode.base.windows import IMAGE_REACH, decoded, tell_short
from mesodecode.decoders import kept_settings
from mesodecode.decoders.fitted_models import check_labels, predicted_by
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.recordings.baseline import normalising, prepared
from mesodecode.recordings.recording import Recording, frames_of, mice_of, told_frames
from mesodecode.recordings.resizing import resize
from mesodecode.study.targets import RUN, Target

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

BLOCK = 1024  # frames in memory at full size


def pixel_features(
    recording: Recording, pixels: int, frame_step: int = 1
) -> tuple[np.ndarray, ...]:
    """Return every `frame_step`-th decodable frame (N,) and its pixels (N, P) float32.

    Pixels are (x - temporal mean) / SD of the stack, or normalised as the recording was `prepared`,
    averaged down to at most `pixels` x `pixels`.
    The frames are those that a CNN can decode, so that AUCs are over the same frames.
    """
    frames = decoded(recording, IMAGE_REACH)[::frame_step]
    shrink = pixels < min(recording.shape[1:])
    n_pixels = pixels**2 if shrink else recording.shape[1] * recording.shape[2]
    rows, subtracted = [np.empty((0, n_pixels), np.float32)], recording.subtracted()
    sds = recording.sds()
    for start in range(0, len(recording), BLOCK):
        here = frames[(frames >= start) & (frames < start + BLOCK)]
        if len(here) == 0:
            continue
        block = recording.read_frames(start, start + BLOCK)[here - start].astype(np.float32)
        block = (block - subtracted.at(here)) / sds[here, None, None]
        if shrink:
            block = resize(block, pixels)
        rows.append(block.reshape(len(block), -1))
    return frames, np.concatenate(rows)


def fit_linear(
    recordings: Sequence[Recording],
    *,
    pixels: int,
    C: float,
    frame_step: int,
    **normalising: Any,
) -> Pipeline:
    """Fit standardisation and an L2-penalised regression to training recordings.

    Logistic, or of a trace ridge. `normalising`: settings of
    `mesodecode.recordings.baseline.prepared`.
    Raises UserError if the decodable frames are not of both states.
    """
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    target = recordings[0].target
    features, labels = [], []
    with Progress(len(recordings), "sessions", "reading") as progress:
        for recording in prepared(recordings, normalising):
            frames, rows = pixel_features(recording, pixels, frame_step)
            features.append(rows)
            labels.append(recording.labels[frames])
            progress.update(1)
    regresses = target.kind.name == "regression"
    last = Ridge(alpha=1 / C) if regresses else LogisticRegression(C=C, max_iter=1000)
    model = make_pipeline(StandardScaler(), last)
    targets = np.concatenate(labels)
    tell_short({r.session: len(part) for r, part in zip(recordings, labels, strict=True)})
    check_labels(targets, target, "frame_step")
    return model.fit(np.concatenate(features), targets)


@dataclass(frozen=True)
class LinearWeights:
    """A fitted baseline as its file has it: what it is, and the mice that it has seen.

    coef, mean and scale (P,), intercept (1,); `pixels`, which P comes from, `baseline`, `causal`,
    `normalise_from` and `warm_up` are its settings (older files lack the last three, and are not
    causal); `size` that of the frames (height, width), () where the file does not say it;
    `frame_rate`, frames/s, None where it does not; `target` what it decodes: of K states coef is
    (K, P) and intercept (K,).
    """

    coef: np.ndarray
    intercept: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    pixels: int
    train_mice: tuple[str, ...]
    valid_mice: tuple[str, ...]
    baseline: int | None = None
    size: tuple[int, ...] = ()
    causal: bool = False
    normalise_from: str = "past"
    warm_up: float = 5.0
    target: Target = RUN
    frame_rate: float | None = None

    @property
    def normalising(self) -> dict[str, Any]:
        """Its settings of `mesodecode.recordings.baseline.prepared`."""
        return normalising(vars(self))

    @property
    def settings(self) -> dict[str, Any]:
        """Those of how its pixels are normalised, of its target, and of its frames."""
        frames = {"frame_size": self.size, "frame_rate": self.frame_rate}
        return self.normalising | self.target.settings() | frames

    def predict(self, recordings: Sequence[Recording]) -> dict[str, SessionPredictions]:
        """Return its predictions of recordings, all decodable frames."""
        how = {"pixels": self.pixels} | self.normalising
        return predict_linear(self.pipeline(), recordings, **how)

    def pipeline(self) -> Pipeline:
        """Return the fitted model of scikit-learn again."""
        # Late: each allocation has a job that reads weights alone, and is spared a second of CPU.
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        scaler, n = StandardScaler(), len(self.mean)
        scaler.mean_, scaler.scale_, scaler.n_features_in_ = self.mean, self.scale, n
        if self.target.kind.name == "regression":
            regression = Ridge()
            regression.coef_, regression.intercept_ = self.coef, float(self.intercept[0])
        else:
            regression = LogisticRegression()
            regression.coef_, regression.intercept_ = self.coef.reshape(-1, n), self.intercept
            regression.classes_ = np.arange(max(2, self.target.outputs))
        return make_pipeline(scaler, regression)

    def save(self, path: str | Path) -> None:
        """Write to `path` (.npz), whole or not at all."""
        with atomic_path(path) as part, open(part, "wb") as file:  # a path would gain ".npz"
            kept = {key: value for key, value in vars(self).items() if key != "target"}
            about = {key: json.dumps(value) for key, value in self.target.settings().items()}
            zeros = {key: kept[key] or 0 for key in ("baseline", "frame_rate")}  # of None
            np.savez(file, **kept | zeros | about)


@functools.cache
def averaging(extent: int, pixels: int) -> np.ndarray:
    """Return the matrix (pixels, extent) that `resize` multiplies one axis of a frame with."""
    return resize(np.eye(extent)[:, None], pixels)[:, 0].T  # of frames of one row, one bright pixel


def weights_of(
    model: Pipeline,
    settings: Mapping[str, Any],
    train: Sequence[str],
    valid: Sequence[str] = (),
    frames: Mapping[str, Any] | None = None,
    target: Target = RUN,
) -> LinearWeights:
    """Return what a fitted model is, with the settings of decoders/linear.yaml and its mice.

    `frames` that it was fitted to: see `mesodecode.recordings.recording.frames_of`.
    """
    scaler, regression = model.named_steps.values()
    fitted = (*of_states(regression, target), scaler.mean_, scaler.scale_)
    mice = tuple(train), tuple(valid)
    about = (*fitted, settings["pixels"], *mice)
    size, rate = told_frames(frames or {})
    how = normalising(settings) | {"size": size or (), "frame_rate": rate}
    return LinearWeights(*about, target=target, **how)


def of_states(model: Any, target: Target) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (P,) and intercept (1,) of a model; of states a row each, (K, P) and (K,).

    A state that no training frame was of is never predicted.
    """
    coef, intercept = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    if not target.states:
        return coef[0], intercept
    if len(model.classes_) == 2:  # one logit: that of the second against the first
        coef, intercept = (np.stack([0 * each[0], each[0]]) for each in (coef, intercept))
    rows = np.zeros((target.outputs, coef.shape[1]))
    level = np.full(target.outputs, -1e9)
    rows[model.classes_], level[model.classes_] = coef, intercept
    return rows, level


def fit(
    training: Sequence[Recording],
    settings: Mapping[str, Any],
    others: Sequence[Recording] = (),
    dropped: Sequence[int] | None = None,
) -> LinearWeights:
    """Return what is fitted to training recordings (see `fit_linear`), whatever `others` are."""
    how = {key: settings[key] for key in ("pixels", "C", "frame_step")} | normalising(settings)
    model = fit_linear(training, **how)
    mice, frames = mice_of(training), frames_of(training)
    return weights_of(model, settings, mice, frames=frames, target=training[0].target)


def load(path: str | Path) -> LinearWeights:
    """Read the file of `mesodecode fit-linear`. Raises UserError if it is none."""
    try:
        check_stored(path)
        with np.load(path, allow_pickle=False) as file:
            content = dict(file)
        names = {key: content.pop(key) for key in ("train_mice", "valid_mice")}
        mice = {key: tuple(of.tolist()) if of.ndim == 1 else of for key, of in names.items()}
        baseline = int(content.pop("baseline", 0)) or None
        size = tuple(map(int, content.pop("size", ())))
        numbers = {"pixels": int(content["pixels"]), "baseline": baseline, "size": size}
        numbers["frame_rate"] = float(content.pop("frame_rate", 0)) or None
        if "target" in content:
            kept = json.loads(str(content.pop("target")))
            kept_settings.check(path, "linear", {"target": kept})
            numbers["target"] = Target.of_settings({"target": kept})
        types = {"causal": bool, "normalise_from": str, "warm_up": float}
        numbers |= {key: kind(content[key]) for key, kind in types.items() if key in content}
        made = LinearWeights(**content | mice | numbers)
        _check_sizes(made)
        return made
    except NO_FILE:
        raise
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise UserError(
            f"{path}: not weights of `mesodecode fit-linear` ({one_line(error)}); fit them again"
        ) from error


def _check_sizes(made: LinearWeights) -> None:
    """Raise ValueError unless there is a number a pixel, and as many outputs as of the target."""
    outputs, n = made.target.outputs, np.size(made.mean)
    coef = (outputs, n) if made.target.states else (n,)
    shapes = {"coef": coef, "intercept": (outputs,), "mean": (n,), "scale": (n,)}
    if made.pixels < 1:
        raise ValueError(f"pixels: {made.pixels}")
    for name, shape in shapes.items():
        values = getattr(made, name)
        if values.dtype.kind not in "fiu" or values.shape != shape or not n:
            raise ValueError(f"{name}: {values.dtype} {values.shape}, not numbers {shape}")


def predict_linear(
    model: Pipeline, recordings: Sequence[Recording], *, pixels: int, **normalising: Any
) -> dict[str, SessionPredictions]:
    """Return the model's predictions of test recordings, all decodable frames.

    `normalising` as of `fit_linear`.
    """
    predictions = {}
    for recording in prepared(recordings, normalising):
        frames, rows = pixel_features(recording, pixels)
        probability = predicted_by(model, rows, recording.target)
        predictions[recording.session] = SessionPredictions(
            recording.mouse, frames, recording.labels[frames], probability
        )
    return predictions
