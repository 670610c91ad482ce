"""A finished model applied to the validation mice of its allocation; it is not trained again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from scipy.special import expit

from mesodecode.base.files import UserError
from mesodecode.base.windows import IMAGE_REACH, centres
from mesodecode.decoders import predict, roi_rnn
from mesodecode.decoders.inputs import SessionFeatures
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.decoders.roi_rnn import signals_of
from mesodecode.decoders.weights import Trained, load_trained
from mesodecode.recordings.baseline import with_baseline
from mesodecode.recordings.recording import Recording

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

        from mesodecode.decoders import roi_classical

        content = joblib.load(model)
        sessions = signals_of(recordings, content["settings"])
        return roi_classical.predict_classical(content["model"], sessions, content["settings"])
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


def _linear(model: str | Path, recordings: Sequence[Recording]) -> dict[str, SessionPredictions]:
    from mesodecode.decoders import linear  # scikit-learn, as above

    fitted, predictions = linear.read_weights(model), {}
    for recording in recordings:
        (based,) = with_baseline([recording], fitted.baseline)
        frames, rows = linear.pixel_features(based, fitted.pixels)
        logits = (rows - fitted.mean) / fitted.scale @ fitted.coef + fitted.intercept
        predictions[recording.session] = SessionPredictions(
            recording.mouse, frames, recording.labels[frames], expit(logits)
        )
    return predictions
