"""A finished model applied to the validation mice of its allocation; it is not trained again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import expit

from mesodecode import predict, roi_rnn
from mesodecode.baseline import with_baseline
from mesodecode.datasets import SessionFeatures
from mesodecode.files import UserError
from mesodecode.models import Trained, load_trained
from mesodecode.predictions import SessionPredictions
from mesodecode.recordings import Recording
from mesodecode.rois import SessionSignals, normalised, session_signals
from mesodecode.windows import IMAGE_REACH, centres

BLOCK = 4096  # frames of one pass through a CNN's last layer


def from_recordings(
    model: str | Path,
    recordings: Sequence[Recording],
    device: torch.device | str = "cpu",
) -> dict[str, SessionPredictions]:
    """Return a model's predictions of recordings of its validation mice, by session.

    `model`: .pt of a network, .npz of the linear baseline, .joblib of a classical ROI decoder (a
    pickle, which runs code: load only what your own run wrote). Raises UserError if a network did
    not validate on these mice.
    """
    suffix = Path(model).suffix
    if suffix == ".npz":
        return _linear(model, recordings)
    if suffix == ".joblib":
        import joblib  # here, as scikit-learn takes a second that networks need not wait for

        from mesodecode import classical

        content = joblib.load(model)
        sessions = signals_of(recordings, content["settings"])
        return classical.predict_classical(content["model"], sessions, content["settings"])
    trained = load_trained(model, "cnn", "finetuned", "roi_rnn")
    _check(model, trained, recordings)
    if trained.kind == "cnn":
        return predict.predict_cnn(trained, recordings, device)
    if trained.kind == "finetuned":
        return predict.predict_finetuned(trained, recordings, device)
    sessions = signals_of(recordings, trained.settings)
    return roi_rnn.predict_roi_rnn(trained.build(device), sessions, trained.settings, device)


def from_features(
    model: str | Path, sessions: Sequence[SessionFeatures], device: torch.device | str = "cpu"
) -> dict[str, SessionPredictions]:
    """Return predictions of validation mice from CNN features, which `extract` keeps of all mice.

    Of the CNN itself, by its last layer, or of a recurrent network on them. The features are kept
    in float16. Raises UserError as `from_recordings` does.
    """
    trained = load_trained(model, "cnn", "cnn_rnn")
    _check(model, trained, sessions)
    if trained.kind == "cnn_rnn":
        # That these mice were seen is why they may choose a threshold; they are not tested.
        return predict.predict_rnn(trained, [replace(s, seen=False) for s in sessions], device)
    network, predictions = trained.build(device), {}
    for session in sessions:
        frames = centres(len(session.labels), IMAGE_REACH, session.segment)
        parts = torch.from_numpy(session.features[frames]).split(BLOCK)
        with torch.inference_mode():
            logits = [network.classify(part.to(device, torch.float32)).cpu() for part in parts]
        probability = expit(torch.cat(logits).double().numpy())
        predictions[session.session] = SessionPredictions(
            session.mouse, frames, session.labels[frames], probability
        )
    return predictions


def _check(
    model: str | Path, trained: Trained, sessions: Sequence[Recording | SessionFeatures]
) -> None:
    strangers = sorted({s.mouse for s in sessions} - {*trained.valid_mice})
    if strangers:
        raise UserError(
            f"{model}: was validated on mouse {', '.join(trained.valid_mice)}, not on "
            f"{', '.join(strangers)}; give the recordings of its validation mice"
        )


def signals_of(
    recordings: Sequence[Recording],
    settings: Mapping[str, Any],
    by: Callable[..., np.ndarray] = normalised,
) -> list[SessionSignals]:
    """Return ROI signals as the decoder was trained on them, without the ROIs dropped then.

    `by` as in `session_signals`.
    """
    sessions, _ = session_signals(recordings, settings, by)
    everything = list(range(1, recordings[0].rois.shape[1] + 1))
    rois = (settings["rois"] or everything) if settings["others"] == "drop" else everything
    for session in sessions:
        session.features[:, [rois.index(roi) for roi in settings["dropped"]]] = 0
    return sessions


def _linear(model: str | Path, recordings: Sequence[Recording]) -> dict[str, SessionPredictions]:
    from mesodecode import linear  # scikit-learn, as above

    fitted, predictions = linear.read_weights(model), {}
    for recording in recordings:
        (based,) = with_baseline([recording], fitted.baseline)
        frames, rows = linear.pixel_features(based, fitted.pixels)
        logits = (rows - fitted.mean) / fitted.scale @ fitted.coef + fitted.intercept
        predictions[recording.session] = SessionPredictions(
            recording.mouse, frames, recording.labels[frames], expit(logits)
        )
    return predictions
