"""Trained networks applied to recordings, or to features: predictions of mice never seen."""

from collections.abc import Sequence

import numpy as np
import torch

from mesodecode.base.files import UserError
from mesodecode.base.progress import Progress
from mesodecode.base.windows import IMAGE_REACH, decoded
from mesodecode.decoders.inputs import (
    Images,
    ImageWindows,
    SessionFeatures,
    Windows,
    normalising_of,
)
from mesodecode.decoders.networks import CNNDecoder, RNNDecoder, for_use
from mesodecode.decoders.objectives import predicted
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.decoders.weights import Trained, digest
from mesodecode.recordings.baseline import prepared
from mesodecode.recordings.recording import Recording
from mesodecode.study.targets import RUN, Target

# Images of one pass: more fill a GPU, fewer stay in a CPU's caches (64 px: 750/s against 500/s).
BATCH = {"cuda": 512, "cpu": 64}


@torch.inference_mode()
def cnn_outputs(
    model: CNNDecoder, recording: Recording, device: torch.device | str = "cpu"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pass every image of a recording through a CNN, once.

    Returns the decodable frames (N,) int64, their pooled features (N, F) float32 and their
    logits (N,) float32, of K states (N, K).
    """
    images = Images([recording], device)
    # of a session without images too, which not every backbone takes
    features = [torch.empty(0, model.n_features, device=images.device)]
    logits = [torch.empty(0, device=images.device)]
    with Progress(len(images.centres), "images", recording.session) as progress:
        for at in images.centres.split(BATCH[images.device.type]):
            if len(at):
                features.append(model.features(images.batch(at)))
                logits.append(model.classify(features[-1]))
            progress.update(len(at))
    return (
        images.centres.cpu().numpy(),
        torch.cat(features).cpu().numpy(),
        torch.cat(logits).cpu().numpy(),
    )


def predict(
    trained: Trained,
    sessions: Sequence[Recording] | Sequence[SessionFeatures],
    device: torch.device | str = "cpu",
) -> dict[str, SessionPredictions]:
    """Return a network's predictions of recordings, or of CNN features, by session.

    Whose they are does not matter to what it makes of them: test and validation mice pass alike.
    """
    if trained.kind == "cnn_rnn":
        return predict_rnn(trained, sessions, device)
    windows = "half_window" in trained.settings
    return (predict_finetuned if windows else predict_cnn)(trained, sessions, device)


def predict_cnn(
    trained: Trained,
    recordings: Sequence[Recording] | Sequence[SessionFeatures],
    device: torch.device | str = "cpu",
) -> dict[str, SessionPredictions]:
    """Return a CNN's predictions of recordings, by session, or those made with features of it."""
    if recordings and isinstance(recordings[0], SessionFeatures):
        return _extracted(trained, recordings)
    model = for_use(trained.build(device))
    predictions = {}
    for recording in prepared(recordings, trained.settings):
        frames, _, logits = cnn_outputs(model, recording, device)
        predictions[recording.session] = _session(recording, frames, logits, trained)
    return predictions


def _extracted(
    trained: Trained, sessions: Sequence[SessionFeatures]
) -> dict[str, SessionPredictions]:
    _refuse_seen(trained, sessions)
    weights, predictions = digest(trained.state), {}
    for session in sessions:
        if session.weights != weights:
            raise UserError(f"{session.session}: its features are not of this CNN; extract them")
        frames = decoded(session, IMAGE_REACH)
        predictions[session.session] = _session(session, frames, session.logit[frames], trained)
    return predictions


def predict_finetuned(
    trained: Trained, recordings: Sequence[Recording], device: torch.device | str = "cpu"
) -> dict[str, SessionPredictions]:
    """Return the predictions of a CNN and RNN trained together; every image passes once."""
    model = for_use(trained.build(device))
    predictions = {}
    with Progress(len(recordings), "sessions", "predicting") as progress:
        for recording in prepared(recordings, trained.settings):
            windows = ImageWindows([recording], trained.settings["half_window"], device)
            batch = BATCH[torch.device(device).type]
            logits = windows.logits(model, windows.centres, batch).cpu().numpy()
            frames = windows.centres.cpu().numpy()
            predictions[recording.session] = _session(recording, frames, logits, trained)
            progress.update(1)
    return predictions


def predict_rnn(
    trained: Trained, sessions: Sequence[SessionFeatures], device: torch.device | str = "cpu"
) -> dict[str, SessionPredictions]:
    """Return a recurrent decoder's predictions from features of sessions, by session.

    Raises UserError if the CNN that made the features was trained or validated on a mouse that is
    none of the validation mice, or is causal and the decoder is not, or the other way round.
    """
    _refuse_seen(trained, sessions)
    normalising_of(trained.settings, sessions)
    model: RNNDecoder = trained.build(device)
    half_window = trained.settings["half_window"]
    predictions = {}
    for session in sessions:
        windows = Windows([session], half_window, half_window + IMAGE_REACH, device)
        logits = windows.logits(model, windows.centres).cpu().numpy()
        frames = windows.centres.cpu().numpy()
        predictions[session.session] = _session(session, frames, logits, trained)
    return predictions


def _refuse_seen(trained: Trained, sessions: Sequence[SessionFeatures]) -> None:
    seen = sorted({s.mouse for s in sessions if s.seen} - {*trained.valid_mice})
    if seen:
        raise UserError(
            f"mice {', '.join(seen)}: the CNN of these features was trained or validated on them; "
            "a decoder never tests a mouse it saw"
        )


def _session(
    session: Recording | SessionFeatures, frames: np.ndarray, logits: np.ndarray, trained: Trained
) -> SessionPredictions:
    target = Target.of_settings(trained.settings)
    if target == RUN:  # NumPy's, as ever: torch's may differ in the last bit
        probability = 1 / (1 + np.exp(-logits.astype(np.float64)))
    else:
        probability = predicted(torch.from_numpy(logits), target)
    return SessionPredictions(session.mouse, frames, session.labels[frames], probability)
