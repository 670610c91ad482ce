"""Networks on ROI signals: training on two sets of mice, predictions of a third."""

from collections.abc import Sequence
from typing import Any

import torch

from mesodecode.decoders import train
from mesodecode.decoders.checkpoint import Checkpoint
from mesodecode.decoders.inputs import Windows
from mesodecode.decoders.networks import Make, rnn_decoder
from mesodecode.decoders.objectives import predicted
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.recordings.roi_signals import SessionSignals
from mesodecode.study.targets import Target

SETTINGS = (*train.SETTINGS, "schedule", "label_smoothing")  # of `train.fit`, in their schemas


def windows(
    sessions: Sequence[SessionSignals],
    settings: dict[str, Any],
    device: torch.device | str = "cpu",
) -> Windows:
    """Return the windows of a decoder's settings over sessions, views of one array."""
    half_window, shift = settings["half_window"], settings["shift"]
    return Windows(sessions, half_window, half_window, device, shift=shift)


def fit(
    train_sessions: Sequence[SessionSignals],
    valid_sessions: Sequence[SessionSignals],
    settings: dict[str, Any],
    device: torch.device | str = "cpu",
    checkpoint: Checkpoint | None = None,
    make: Make = rnn_decoder,
) -> train.Fit:
    """Train a network that `make` makes; `settings` are those of its schema.

    Without validation sessions all epochs are kept.
    """
    train_set = windows(train_sessions, settings, device)
    return train.fit(
        lambda: make(train_set.n_features, settings),
        train_set,
        windows(valid_sessions, settings, device) if valid_sessions else None,
        device=device,
        checkpoint=checkpoint,
        target=Target.of_settings(settings),
        **{key: settings[key] for key in SETTINGS},
    )


def predict(
    model: torch.nn.Module,
    sessions: Sequence[SessionSignals],
    settings: dict[str, Any],
    device: torch.device | str = "cpu",
) -> dict[str, SessionPredictions]:
    """Return a trained decoder's predictions of test sessions, all decodable frames."""
    predictions, target = {}, Target.of_settings(settings)
    for session in sessions:
        source = windows([session], settings, device)
        logits = source.logits(model, source.centres).cpu()
        frames = source.centres.cpu().numpy()
        predictions[session.session] = SessionPredictions(
            session.mouse, frames, session.labels[frames], predicted(logits, target)
        )
    return predictions
