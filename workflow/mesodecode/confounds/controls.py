"""Decoders of control signals, in windows as wide as those of the decoders they stand beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mesodecode.confounds.signals import SIGNALS, ControlSignals
from mesodecode.decoders import roi_classical
from mesodecode.decoders.predictions import bind
from mesodecode.recordings.roi_signals import SessionSignals, moving_mean
from mesodecode.scores import auc
from mesodecode.study.allocation import Allocation

COLUMNS = ["against", *auc.COLUMNS, "missing"]
FIXED = {"C": 1.0, "trees": 100, "seed": 1}  # of classical decoders, at their defaults
NUMBERS = ("n_frames", "n_run", "auc", "accuracy")


def decode(
    sessions: Sequence[ControlSignals],
    allocation: Allocation,
    windows: Mapping[str, tuple[int, int]],
    settings: Mapping[str, Any],
) -> pd.DataFrame:
    """Return `COLUMNS`: the test AUC of every control, a row a decoder that it is held against.

    `decoder` is the name of the control; `windows`, decoder -> half-width and shift of its window
    in frames; `settings` those of tables/confounds.yaml. A classical decoder (logistic regression)
    is fitted to windows of the training mice's signals, each less its moving mean and z-scored over
    its own session, and tested on the test mice, all their frames pooled. A control that some
    session lacks has no AUC; `missing` says why. Raises UserError if a set of frames has one state.
    """
    rows = []
    for name in SIGNALS:
        gaps = [one.missing[name] for one in sessions if name in one.missing]
        done: dict[tuple[int, int], dict[str, Any]] = {}
        for against, size in windows.items():
            if gaps:
                row = _about(name, allocation) | {"missing": gaps[0]}
            else:
                if size not in done:
                    done[size] = _score(name, sessions, allocation, size, settings)
                row = done[size]
            rows.append({"against": against, **row})
    return pd.DataFrame(rows, columns=COLUMNS)


def _about(name: str, allocation: Allocation) -> dict[str, str]:
    mice = {f"{role}_mouse": allocation.joined(role) for role in ("valid", "test")}
    train = {"train_mice": allocation.joined("train")}
    return {"decoder": name, "allocation": allocation.id} | train | mice


def _score(
    name: str,
    sessions: Sequence[ControlSignals],
    allocation: Allocation,
    size: tuple[int, int],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the row of one control of one window in the AUC table."""
    settings = {**FIXED, **settings, "half_window": size[0], "shift": size[1]}
    ready = [_normalised(one, name, settings["baseline"]) for one in sessions]
    train = [one for one in ready if one.mouse in allocation.train]
    test = [one for one in ready if one.mouse in allocation.test]
    model = roi_classical.fit_classical(train, settings)
    predictions = roi_classical.predict_classical(model, test, settings)
    table = auc.auc_table([bind(name, allocation, predictions)])
    return table.iloc[0].to_dict() | {"missing": ""}


def _normalised(one: ControlSignals, name: str, baseline: int | None) -> SessionSignals:
    values = one.signals[name].astype(np.float64)
    values = values - (values.mean(axis=0) if baseline is None else moving_mean(values, baseline))
    sd = values.std(axis=0)
    values = np.divide(values, sd, out=np.zeros_like(values), where=sd > 0)
    return SessionSignals(
        one.session, one.mouse, values.astype(np.float32), one.labels, one.segment
    )
