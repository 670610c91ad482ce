"""Decoders of control signals, in windows as wide as those of the decoders they stand beside."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mesodecode.base.files import UserError
from mesodecode.confounds.signals import SIGNALS, ControlSignals
from mesodecode.decoders.fitted import roi_classical
from mesodecode.decoders.predictions import ATTRIBUTES, bind, nothing
from mesodecode.recordings.roi_signals import SessionSignals, moving_mean
from mesodecode.scores import auc
from mesodecode.scores.target_tables import pooled, scored, scored_columns
from mesodecode.study.allocation import Allocation
from mesodecode.study.targets import RUN, Kind, Target, same_target

FIXED = {"C": 1.0, "trees": 100, "seed": 1}  # of classical decoders, at their defaults


def numbers_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of numbers in tables of a kind of target: of controls, and of decoders."""
    return *scored_columns(kind), *(("accuracy",) if kind == RUN.kind else ())


def columns_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of the table of controls of a kind of target."""
    return "against", *ATTRIBUTES, *numbers_of(kind), "missing"


COLUMNS, NUMBERS = list(columns_of(RUN.kind)), numbers_of(RUN.kind)


def decode(
    sessions: Sequence[ControlSignals],
    allocation: Allocation,
    windows: Mapping[str, tuple[int, int]],
    settings: Mapping[str, Any],
) -> pd.DataFrame:
    """Return `columns_of` their target: the test score of every control, a row a decoder against.

    `decoder` is the name of the control; `windows`, decoder -> half-width and shift of its window
    in frames; `settings` those of tables/confounds.yaml. A classical decoder (logistic regression,
    of a trace ridge) is fitted to windows of the training mice's signals, each less its moving mean
    and z-scored over its own session, and tested on the test mice, all their frames pooled. A
    control that some session lacks has no score; `missing` says why. Raises UserError if a set of
    frames has one state, sessions differ in target, or the model does not decode it.
    """
    rows, target = [], same_target(sessions)
    settings = settings | target.settings()
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
    return pd.DataFrame(rows, columns=list(columns_of(target.kind)))


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
    """Return the row of one control of one window in the table of scores."""
    settings = {**FIXED, **settings, "half_window": size[0], "shift": size[1]}
    ready = [_normalised(one, name, settings["baseline"]) for one in sessions]
    train = [one for one in ready if one.mouse in allocation.train]
    test = [one for one in ready if one.mouse in allocation.test]
    model = roi_classical.fit_classical(train, settings)
    predictions = roi_classical.predict_classical(model, test, settings)
    target = Target.of_settings(settings)
    if target == RUN:
        row = auc.auc_table([bind(name, allocation, predictions)]).iloc[0].to_dict()
    elif any(len(one.frame) for one in predictions.values()):
        row = _about(name, allocation) | scored(*pooled(predictions), target.kind)
    else:
        raise UserError(nothing(f"controls of {allocation.id}", predictions))
    return row | {"missing": ""}


def _normalised(one: ControlSignals, name: str, baseline: int | None) -> SessionSignals:
    values = one.signals[name].astype(np.float64)
    values = values - (values.mean(axis=0) if baseline is None else moving_mean(values, baseline))
    sd = values.std(axis=0)
    values = np.divide(values, sd, out=np.zeros_like(values), where=sd > 0)
    return SessionSignals(
        one.session, one.mouse, values.astype(np.float32), one.labels, one.segment
    )
