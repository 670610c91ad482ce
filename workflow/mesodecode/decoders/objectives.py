"""Losses and outputs of targets, by the names that their table has (`study.targets`)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from mesodecode.base.files import UserError, say
from mesodecode.base.metrics import SCORES
from mesodecode.study.targets import RUN, Target, same_target

Loss = Callable[[torch.Tensor, torch.Tensor, Target, float], torch.Tensor]


def _binary(
    made: torch.Tensor, labels: torch.Tensor, target: Target, smoothing: float
) -> torch.Tensor:
    smooth = labels * (1 - smoothing) + smoothing / 2
    return binary_cross_entropy_with_logits(made, smooth)


LOSSES: dict[str, Loss] = {
    "binary_cross_entropy": _binary,
    "squared_error": lambda made, values, target, _: mse_loss(
        made, (values - target.mean) / target.sd
    ),
    "cross_entropy": lambda made, codes, _, smoothing: cross_entropy(
        made, codes.long(), label_smoothing=smoothing
    ),
}
OUTPUTS: dict[str, Callable[[torch.Tensor, Target], torch.Tensor]] = {
    "sigmoid": lambda made, _: torch.sigmoid(made),
    "scaled": lambda made, target: made * target.sd + target.mean,
    "softmax": lambda made, _: torch.softmax(made, -1),
}


def loss_of(
    made: torch.Tensor, truth: torch.Tensor, smoothing: float = 0.0, target: Target = RUN
) -> torch.Tensor:
    """Return the mean loss of a network's outputs, (N,) or of states (N, K), for `truth` (N,).

    Cross-entropy in nats, labels of states moved inwards by `smoothing`; of a trace the squared
    error of the trace standardised as in the training mice.
    """
    return LOSSES[target.kind.loss](made, truth, target, smoothing)


def predicted(made: torch.Tensor, target: Target = RUN) -> np.ndarray:
    """Return what outputs (N,) or (N, K) predict, float64: probabilities, or values in the unit."""
    return OUTPUTS[target.kind.output](made.double(), target).numpy()


def score_of(truth: torch.Tensor, made: torch.Tensor, target: Target = RUN) -> float:
    """Return the score of outputs: AUC, R² or macro AUC, by which nothing is chosen."""
    found = made.cpu().numpy() if target == RUN else predicted(made.cpu(), target)
    return SCORES[target.kind.metric](truth.cpu().numpy(), found)


def check_states(labels: torch.Tensor, name: str, target: Target = RUN) -> None:
    """Raise UserError if `labels` (N,) of the mice `name` are all the same."""
    if labels.unique().numel() < 2:
        raise UserError(
            f"{len(labels)} {name} frames to decode, of fewer than two {target.kind.level}s; use "
            "longer recordings, or lower frame_step or half_window"
        )


def trained_on(sessions: Sequence[Any]) -> Target:
    """Return the target of training sessions, a trace with the mean and SD that it has in them.

    `sessions` have a `target`, and the values of it as `labels`. Raises UserError if targets
    differ, or a trace is constant; a line says which states no frame is of.
    """
    target = same_target(sessions)
    if target == RUN:
        return target
    labels = np.concatenate([one.labels for one in sessions])
    if target.states:
        missing = [s for code, s in enumerate(target.states) if not (labels == code).any()]
        if missing:
            words = f"no training frame is {', '.join(missing)}, which is hardly ever predicted"
            say(words)
        return target
    sd = float(labels.std(dtype=np.float64))
    if sd == 0:
        raise UserError(f"{target.name} is the same in all training frames; nothing to decode")
    return replace(target, mean=float(labels.mean(dtype=np.float64)), sd=sd)
