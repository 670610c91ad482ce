"""Decoders that are trained in one step, fitted to recordings and applied to others in one process.

What is tried out (`tune`) or held out (`mesodecode hold-out`) this way leaves no model behind.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from mesodecode.decoders import fitted_files, predict, roi_networks, train
from mesodecode.decoders.augment import Augment
from mesodecode.decoders.inputs import images_read
from mesodecode.decoders.objectives import trained_on
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.decoders.weights import MADE_BY, Trained
from mesodecode.recordings.baseline import prepared
from mesodecode.recordings.recording import Recording
from mesodecode.recordings.roi_signals import check_rois, roi_names, session_signals, signals_of
from mesodecode.study.kinds import IMAGE_NETWORKS, SIGNAL_NETWORKS
from mesodecode.study.targets import Target

Predict = Callable[[Sequence[Recording]], dict[str, SessionPredictions]]


def fit(
    kind: str,
    settings: dict[str, Any],
    training: Sequence[Recording],
    validation: Sequence[Recording],
    device: torch.device,
    dropped: Sequence[int] | None = None,
) -> tuple[Predict, list[train.Epoch]]:
    """Fit a decoder; return what predicts recordings, and the epochs of a network, else none.

    `kind` and `settings` are those of its line (kinds that are `tunable`); networks keep the epoch
    of lowest loss in `validation`. `dropped`: ROIs (from 1) to do without; None: with `drop`, those
    that one of these recordings lacks. It decodes the target of the recordings. Raises UserError as
    what fits does.
    """
    settings = settings | trained_on(training).settings()
    if kind in IMAGE_NETWORKS:
        return _images(kind, settings, training, validation, device)
    if kind in SIGNAL_NETWORKS:
        return _rois(kind, settings, training, validation, device, dropped)
    model = fitted_files.module(kind).fit(training, settings, validation, dropped)
    names = model.settings.get("roi_names")

    def predict_others(others: Sequence[Recording]) -> dict[str, SessionPredictions]:
        if names is not None:
            check_rois(names, others, training[0].path)
        return model.predict(others)

    return predict_others, []


def _images(
    kind: str,
    settings: dict[str, Any],
    training: Sequence[Recording],
    validation: Sequence[Recording],
    device: torch.device,
) -> tuple[Predict, list[train.Epoch]]:
    target = Target.of_settings(settings)
    augment = Augment(*(settings[f"augment_{k}"] for k in ("shift", "rotation", "intensity")))
    sets = [list(prepared(one, settings)) for one in (training, validation)]
    make = images_read(settings)
    fitted = train.fit(
        lambda: MADE_BY[kind](0, settings),
        make(sets[0], device=device, augment=augment if augment else None),
        make(sets[1], device=device),
        device=device,
        run_length=settings.get("run_length", 1),
        target=target,
        **{key: settings[key] for key in train.SETTINGS},
    )
    trained = Trained(kind, settings, (), (), fitted.state)
    return lambda recordings: predict.predict(trained, recordings, device), fitted.history


def _rois(
    kind: str,
    settings: dict[str, Any],
    training: Sequence[Recording],
    validation: Sequence[Recording],
    device: torch.device,
    dropped: Sequence[int] | None,
) -> tuple[Predict, list[train.Epoch]]:
    recordings = [*training, *validation]
    signals, lacking = session_signals(recordings, settings)
    settings = settings | {"dropped": lacking if dropped is None else list(dropped)}
    if dropped is not None:
        signals = signals_of(recordings, settings)
    sets, names = (signals[: len(training)], signals[len(training) :]), roi_names(recordings)

    def read(others: Sequence[Recording]) -> list[Any]:
        check_rois(names, others, training[0].path)
        return signals_of(others, settings)

    fitted = roi_networks.fit(*sets, settings, device, make=MADE_BY[kind])
    model = Trained(kind, settings, (), (), fitted.state).build(device)
    return (
        lambda others: roi_networks.predict(model, read(others), settings, device),
        fitted.history,
    )
