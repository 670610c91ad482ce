"""The epoch of a training that an allocation keeps: the best one of its own validation mice."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from mesodecode.base.files import UserError, say
from mesodecode.decoders.objectives import check_states, loss_of, score_of
from mesodecode.decoders.passed import Passed, joined
from mesodecode.decoders.train import Epoch, write_history
from mesodecode.decoders.weights import TrainedEpochs, load_epochs
from mesodecode.study.targets import RUN, Target


@dataclass(frozen=True)
class Choice:
    """What an allocation keeps of a training of `train_mice`.

    `row`: which of the training's states, from 0; `epoch`: the epoch that it comes from, from 1.
    """

    train_mice: tuple[str, ...]
    settings: Mapping[str, Any]
    row: int
    epoch: int


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
    logits = torch.from_numpy(joined(valid, "logit"))
    rows = trained.rows(start)
    try:
        lines = [Epoch(**trained.history[row]) for row in rows]
    except TypeError as error:
        raise UserError(f"{trained.path}: its history is of no epochs; train it anew") from error
    settings = trained.settings
    smoothing = settings.get("label_smoothing", 0.0)
    how = labels, smoothing, settings["early_stopping"], Target.of_settings(settings)
    best, history = best_epoch(lines, (logits[row] for row in rows), *how)
    return rows[0] + best, history


def chosen_epochs(trained: TrainedEpochs, groups: Iterable[Sequence[Passed]]) -> list[int]:
    """Return the epochs of a CNN, from 1, that allocations choose, each once, in order.

    `groups` are the validation mice of each allocation. Mice of one state, which can choose none,
    cost their own allocations only: they are left out with a line. Raises UserError if all are.
    """
    found, refused = set(), None
    for valid in groups:
        try:
            found.add(choose(trained, valid)[0] + 1)
        except UserError as error:
            refused = error
            mice = "+".join(one.mouse for one in valid)
            say(f"no epoch for validation on {mice}: {error}")
    if refused and not found:
        raise refused
    return sorted(found)


def best_epoch(
    lines: Iterable[Epoch],
    logits: Iterable[torch.Tensor],
    labels: torch.Tensor,
    smoothing: float,
    patience: int | None,
    target: Target = RUN,
) -> tuple[int, list[Epoch]]:
    """Return the best epoch (from 0) of a training, and its lines up to where it would end.

    `lines` of epochs, `logits` (N,) of the validation frames after each (of states
    (N, K)) and their `labels` (N,).
    See `choose`.
    """
    check_states(labels, "validation", target)
    best, history = 0, []
    for line, made in zip(lines, logits, strict=True):
        loss = loss_of(made, labels, smoothing, target).item()
        if not math.isfinite(loss + line.train_loss):
            raise UserError(f"epoch {line.epoch}: the loss is not finite; lower max_lr")
        score = score_of(labels, made, target)
        history.append(replace(line, valid_loss=loss, valid_auc=score))
        if loss < history[best].valid_loss:
            best = len(history) - 1
        if patience and len(history) - 1 - best >= patience:
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
    write_history(history, lines, Target.of_settings(trained.settings))
    trained.at(row, tuple(one.mouse for one in valid)).save(out)
    epoch = row - trained.rows(start)[0] + 1
    return Choice(trained.train_mice, trained.settings, row, epoch)
