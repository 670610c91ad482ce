"""Recurrent decoders of ROI signals that train side by side, the file of all, the epoch of one.

The file has the weights and losses of each after every epoch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mesodecode.base.files import UserError, atomic_path, check_stored
from mesodecode.decoders import choose, kept_settings, roi_networks, stacked
from mesodecode.decoders.checkpoint import Checkpoint
from mesodecode.decoders.inputs import Source
from mesodecode.decoders.networks import rnn_decoder
from mesodecode.decoders.stacked import Kept
from mesodecode.decoders.train import Epoch, Fit
from mesodecode.recordings.recording import FRAMES, Recording, check_frames
from mesodecode.recordings.roi_signals import SessionSignals, check_rois
from mesodecode.study.allocation import join_ids

OWN = ("seed", "labels", "early_stopping")  # settings of a model, not of the stack
SETTINGS = tuple(  # of `stacked.fit_stack`, in roi_rnn.schema
    key for key in roi_networks.SETTINGS if key not in (*OWN, "precision")
)


def name_of(decoder: str, train_mice: Sequence[str]) -> str:
    """Return what a model is called in messages and files: ``roi_gru on m1+m2+m3``."""
    return f"{decoder} on {join_ids(train_mice)}"


def fit(
    sessions: Sequence[SessionSignals],
    models: Mapping[str, tuple[int, Sequence[str], Sequence[np.ndarray]]],
    settings: dict[str, Any],
    device: torch.device | str = "cpu",
    checkpoint: Checkpoint | None = None,
) -> dict[str, Kept]:
    """Train recurrent decoders side by side, all epochs, each on some of the mice of `sessions`.

    `models`: name -> seed, training mice, and the labels of each session.
    Raises UserError if a mouse has no session; else as `stacked.fit_stack`.
    """
    source = roi_networks.windows(sessions, settings, device)
    starts = np.cumsum([len(session.labels) for session in sessions])[:-1]
    of_session = source.centres.cpu().tensor_split(
        torch.searchsorted(source.centres.cpu(), torch.as_tensor(starts))
    )
    members = []
    for name, (seed, mice, labels) in models.items():
        if missing := sorted({*mice} - {session.mouse for session in sessions}):
            raise UserError(f"{name}: no recordings of mouse {', '.join(missing)}")
        chosen = [
            part
            for mouse in mice
            for session, part in zip(sessions, of_session, strict=True)
            if session.mouse == mouse
        ]
        own = torch.as_tensor(np.concatenate(labels))
        members.append(stacked.Member(name, seed, torch.cat(chosen), own))
    kept = stacked.fit_stack(
        lambda: rnn_decoder(source.n_features, settings),
        source,
        members,
        device=device,
        checkpoint=checkpoint,
        **{key: settings[key] for key in SETTINGS},
    )
    return dict(zip(models, kept, strict=True))


def write(
    path: str | Path, settings: Mapping[str, Any], rois: list[str], models: Mapping[str, Kept]
) -> None:
    """Write the `models`, by `name_of`, that were trained with `settings` on signals of `rois`."""
    content = {
        "settings": dict(settings),
        "rois": rois,
        "models": {
            name: {"weights": kept.weights, "history": [asdict(line) for line in kept.history]}
            for name, kept in models.items()
        },
    }
    with atomic_path(path) as part:
        torch.save(content, part)


def read(
    path: str | Path, name: str, settings: Mapping[str, Any], recordings: Sequence[Recording]
) -> tuple[Kept, dict[str, Any]]:
    """Return the model `name` of a file, all epochs, for `recordings` of other mice.

    And what the file keeps of the frames that it was trained on.

    Raises UserError if it is no such file or lacks the model, or if the model was trained with
    other settings or on other ROIs.
    """
    try:
        check_stored(path)
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        models, own, other = content["models"], content["rois"], content["settings"]
    except (FileNotFoundError, UserError):
        raise
    except Exception as error:  # a truncated file fails in many ways
        raise UserError(f"{path}: not a file of `mesodecode stack-roi`; make it again") from error
    if name not in models:
        raise UserError(f"{path}: no {name}; it has {', '.join(models)}")
    differ = [
        f"{key}: {other.get(key)}, not {value}"
        for key, value in settings.items()
        if key not in OWN and other.get(key) != value
    ]
    if differ:
        raise UserError(f"{path}: trained with {'; '.join(differ)}; train it anew")
    kept_settings.check(path, "roi_rnn", other | {"dropped": [], "roi_names": own})
    check_rois(own, recordings, path)
    check_frames(other, recordings, path)
    model = models[name]
    weights = {key: value.clone() for key, value in model["weights"].items()}
    frames = {key: other[key] for key in FRAMES if key in other}
    return Kept(weights, [Epoch(**line) for line in model["history"]]), frames


def best_epoch(
    kept: Kept,
    model: nn.Module,
    valid: Source,
    *,
    frame_step: int,
    label_smoothing: float,
    early_stopping: int | None,
) -> Fit:
    """Return the epoch of lowest validation loss, and the history up to where training would end.

    As `train.fit` does it while it trains. `model` is given the weights of each epoch.
    Raises UserError if the validation frames are of one state, or a loss is not finite.
    """
    at = valid.centres[::frame_step]

    def logits() -> Iterator[torch.Tensor]:
        for line in kept.history:
            model.load_state_dict(kept.state(line.epoch))
            yield valid.logits(model, at).float()

    how = valid.labels[at], label_smoothing, early_stopping
    best, history = choose.best_epoch(kept.history, logits(), *how)
    return Fit(kept.state(best + 1), history)
