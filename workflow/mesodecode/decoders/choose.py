"""The epoch of a training that an allocation keeps: the best one of its own validation mice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from mesodecode.base.files import UserError
from mesodecode.base.roc_auc import roc_auc
from mesodecode.decoders.passed import Passed, joined
from mesodecode.decoders.train import Epoch, check_states, loss_of, write_history
from mesodecode.decoders.weights import TrainedEpochs, load_epochs


@dataclass(frozen=True)
class Choice:
    """What an allocation keeps of a training of `train_mice`.

    `row`: which of the training's states, from 0; `epoch`: the epoch that it comes from, from 1.
    """

    train_mice: tuple[str, ...]
    settings: Mapping[str, Any]
    row: int = 0
    epoch: int = 1


def choose(
    trained: TrainedEpochs, valid: Sequence[Passed], start: int | None = None
) -> tuple[int, list[Epoch]]:
    """Return the state of the best epoch (from 0) by validation mice, and the history up to it.

    `start`: the epoch of the CNN, from 1, that the allocation's training started from, if any.

    As `mesodecode.decoders.train.fit` with their frames as validation: best is the lowest loss over
    all of them together, the first of equal ones, and epochs after `early_stopping` in a row that
    were no better are not looked at. Raises UserError if the frames are of one state, or a loss is
    not finite.
    """
    labels = torch.from_numpy(joined(valid, "label")).float()
    check_states(labels, "validation")
    logits = torch.from_numpy(joined(valid, "logit"))
    smoothing = trained.settings.get("label_smoothing", 0.0)
    rows = trained.rows(start)
    patience, best, lowest, history = trained.settings["early_stopping"], rows[0], math.inf, []
    for row in rows:
        loss = loss_of(logits[row], labels, smoothing).item()
        if not math.isfinite(loss + trained.history[row]["train_loss"]):
            raise UserError(f"epoch {len(history) + 1}: the loss is not finite; lower max_lr")
        auc = roc_auc(labels.numpy(), logits[row].numpy())
        history.append(replace(Epoch(**trained.history[row]), valid_loss=loss, valid_auc=auc))
        if loss < lowest:
            best, lowest = row, loss
        if patience and row - best >= patience:
            break
    return best, history


def kept(
    path: str | Path,
    valid: Sequence[Passed],
    out: str | Path,
    history: str | Path,
    start: int | None = None,
) -> Choice:
    """Write what an allocation with these validation mice keeps of a training (`path`) to `out`.

    `start` as of `choose`.
    Raises UserError if the training has seen a validation mouse.
    """
    trained = load_epochs(path)
    row, lines = choose(trained, valid, start)
    write_history(history, lines)
    trained.at(row, tuple(one.mouse for one in valid)).save(out)
    epoch = row - trained.rows(start)[0] + 1
    return Choice(trained.train_mice, trained.settings, row, epoch)
