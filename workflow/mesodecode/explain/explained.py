"""The outputs of a decoder that maps explain, by its target: one, or one a state.

Of run and rest the logit or its probability; of a trace the value, in its unit; of states the
log-probability of each less the mean of all (centred log-ratio): the network's own outputs less
their mean, as adding one number to all changes nothing. So Deep SHAP has a rule for it, which it
has not for the softmax, and values of an area add up to 0 over states: what it says for one, it
says against others.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mesodecode.decoders.networks import last_layer
from mesodecode.study.targets import RUN, Target


@dataclass(frozen=True)
class Output:
    """One of the outputs of a network of `network_of`: output x scale + offset is in the unit.

    `name`: of the target, or the state; `index`: which output it is, None if there is but one.
    """

    name: str
    index: int | None = None
    scale: float = 1.0
    offset: float = 0.0

    def of(self, made: Tensor) -> Tensor:
        """Return it, in the unit, of what the network gives for windows, (N,) or (N, K)."""
        one = made if self.index is None else made[..., self.index]
        return one if (self.scale, self.offset) == (1.0, 0.0) else one * self.scale + self.offset


def outputs(target: Target) -> list[Output]:
    """Return the outputs of a target that are explained."""
    if target.states:
        return [Output(state, code) for code, state in enumerate(target.states)]
    return [Output(target.name, scale=target.sd, offset=target.mean)]


def network_of(network: nn.Module, target: Target) -> nn.Module:
    """Return the network that gives `outputs`: of states a copy whose outputs' mean is 0."""
    if not target.states:
        return network
    network = copy.deepcopy(network)
    with torch.no_grad():
        head = last_layer(network)
        for part in (head.weight, head.bias):
            part -= part.mean(0, keepdim=True)
    return network


def numbers(logits: np.ndarray, target: Target) -> np.ndarray:
    """Return what is explained (Q, …) of logits (…), or of states (…, K), in its unit."""
    if target.states:
        return np.moveaxis(logits - logits.mean(axis=-1, keepdims=True), -1, 0)
    return logits[None] if target == RUN else logits[None] * target.sd + target.mean


def one_side(labels: Tensor, target: Target) -> Tensor:
    """Return which windows are on the first of `Kind.sides`, bool (K, N), a row an output.

    labels (N,): those of run, of a state, or with values above the mean of all of them.
    """
    if target.states:
        return labels == torch.arange(target.outputs, device=labels.device)[:, None]
    middle = 0.5 if target.kind.name == "run" else labels.double().mean()
    return (labels > middle)[None]
