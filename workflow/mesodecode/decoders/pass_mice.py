"""Mice passed through all epochs of a training that has not seen them."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch

from mesodecode.base.progress import Progress
from mesodecode.decoders.inputs import Source
from mesodecode.decoders.networks import for_use
from mesodecode.decoders.passed import PassedSession
from mesodecode.decoders.predict import BATCH
from mesodecode.decoders.train import in_runs
from mesodecode.decoders.weights import TrainedEpochs
from mesodecode.study.kinds import IMAGE_NETWORKS
from mesodecode.study.targets import Target

SIGNALS = 256  # windows of ROI signals or features of one pass


def pass_sessions(
    trained: TrainedEpochs,
    sources: Mapping[str, Source],
    device: torch.device | str = "cpu",
) -> dict[str, PassedSession]:
    """Pass the sources of a mouse's sessions, by their ids, through the network of every epoch.

    The frames are those by which an epoch is judged: of the mouse's decodable frames every
    `frame_step`-th run, sessions one after another, as if it were the only one that validates.
    """
    settings = trained.settings
    how = settings.get("run_length", 1), settings["frame_step"]
    counts = [len(source.centres) for source in sources.values()]
    chosen = in_runs(torch.arange(sum(counts)), *how)
    images = trained.kind in IMAGE_NETWORKS
    batch_size = BATCH[torch.device(device).type] if images else SIGNALS
    at, start = {}, 0
    for name, count in zip(sources, counts, strict=True):
        here = chosen[(chosen >= start) & (chosen < start + count)] - start
        at[name] = sources[name].centres[here.to(sources[name].centres.device)]
        start += count
    logits: dict[str, list[torch.Tensor]] = {name: [] for name in sources}
    with Progress(len(sources) * len(trained.states), "epochs of sessions", "passing") as progress:
        for epoch in range(len(trained.states)):
            network = trained.at(epoch).build(device)
            network = for_use(network) if images else network
            for name, source in sources.items():
                made = source.logits(network, at[name], batch_size)
                logits[name].append(made.float().cpu())
                progress.update(1)
    dtype = Target.of_settings(settings).kind.dtype
    return {
        name: PassedSession(
            at[name].cpu().numpy(),
            source.labels[at[name]].cpu().numpy().astype(dtype),
            torch.stack(logits[name]).numpy(),
        )
        for name, source in sources.items()
    }


def pass_starts(
    trained: TrainedEpochs,
    sources_of: Callable[[int], Mapping[str, Source]],
    device: torch.device | str = "cpu",
) -> dict[str, PassedSession]:
    """Pass a mouse through every epoch of a decoder that reads features of a frozen CNN.

    `sources_of` returns the sources of its sessions, made by the CNN after an epoch, from 1.
    """
    parts = []
    for start in dict.fromkeys(trained.starts):
        states = [trained.states[row] for row in trained.rows(start)]
        parts.append(pass_sessions(replace(trained, states=states), sources_of(start), device))
    return {
        name: replace(first, logit=np.concatenate([part[name].logit for part in parts]))
        for name, first in parts[0].items()
    }
