"""The labelled part of a new mouse: what it is, and what is fitted to it."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from mesodecode.base.files import UserError
from mesodecode.decoders.applied import read_by_last_layer
from mesodecode.decoders.inputs import Source
from mesodecode.decoders.linear_networks import Readout, refit, set_weights
from mesodecode.decoders.networks import NORMS, last_layer
from mesodecode.decoders.objectives import loss_of
from mesodecode.recordings.recording import Recording
from mesodecode.study import adaptation, protocols
from mesodecode.study.targets import RUN, Target

TUNE_BATCH = 32


def labelled_frames(recordings: Sequence[Recording], few_shot: float | str) -> list[int]:
    """Return how many frames of each recording of a mouse are labelled, from the first one on.

    `few_shot`: minutes, or sessions ("1 session"). Raises UserError if no session is left.
    """
    adaptation.check_sessions(few_shot, recordings[0].mouse, len(recordings), "")
    minutes, sessions = protocols.labelled_part(few_shot)
    left, counts = minutes * 60, []
    for index, recording in enumerate(recordings):
        n = min(len(recording), round(left * recording.frame_rate))
        left -= n / recording.frame_rate
        counts.append(len(recording) if index < sessions else n)
    return counts


def fine_tune(
    network: nn.Module,
    sources: Sequence[Source],
    parts: Sequence[torch.Tensor],
    settings: Mapping[str, Any],
    target: Target = RUN,
) -> None:
    """Fit a network to the labelled positions `parts`, one tensor a source.

    Networks by Adam, of which BatchNorm keeps its statistics: a minute has too few frames for
    others. Linear models by `refit`, of run and rest. Raises UserError if the labels are of one
    state, or a linear model is of another target.
    """
    labels = torch.cat([s.labels[at] for s, at in zip(sources, parts, strict=True)])
    if labels.unique().numel() < 2:
        raise UserError(
            f"few_shot: {len(labels)} labelled frames to decode, of fewer than two "
            f"{target.kind.level}s; give more minutes"
        )
    if target != RUN and isinstance(network, Readout):
        raise UserError(f"few_shot: of {target.name} networks are fine-tuned, no linear models")
    used = [(s, at) for s, at in zip(sources, parts, strict=True) if len(at)]
    if isinstance(network, Readout):
        x = [read_by_last_layer(network, source, at) for source, at in used]
        rows = torch.cat([torch.from_numpy(part) for part in x]).numpy()
        head = network.head
        weights = head.weight[0].detach().cpu().numpy(), head.bias.item()
        set_weights(head, *refit(rows, labels.cpu().numpy(), *weights, settings["C"]))
        return
    for part in network.modules():
        if isinstance(part, nn.RNNBase):
            # cuDNN has no gradients in evaluation mode; without dropout both modes are one.
            part.dropout = 0.0
            part.train()
    parameters = _tuned(network, settings["finetune"])
    optimizer = torch.optim.Adam(parameters, lr=settings["max_lr"])
    order = torch.Generator().manual_seed(settings["seed"])
    for _ in range(settings["passes"]):
        batches = [
            (s, at[torch.randperm(len(at), generator=order)].split(TUNE_BATCH)) for s, at in used
        ]
        for source, split in batches:
            for at in split:
                logits = network(source.batch(at))
                loss = loss_of(logits, source.labels[at], target=target)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
    network.eval()


def _tuned(network: nn.Module, what: str) -> list[nn.Parameter]:
    """Return the parameters that are fine-tuned, "head", "norm" or "all"; the others stay."""
    head = last_layer(network)
    norms = [layer for layer in network.modules() if isinstance(layer, NORMS)]
    chosen = {"head": [head], "norm": [head, *norms], "all": [network]}[what]
    parameters = list({id(p): p for layer in chosen for p in layer.parameters()}.values())
    network.requires_grad_(False)  # else gradients of what stays are most of the time
    for parameter in parameters:
        parameter.requires_grad_(True)
    return parameters
