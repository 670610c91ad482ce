"""A mouse passed through all epochs of a training that has not seen it.

A file `results/{study}/passed/{decoder}/{training}/{mouse}.h5` has the root attributes `mouse` and
`corrected` (whether its recordings are of a corrected movie) and one group a session: `frame`
(int64, from 0), `label` (uint8, 1 = run), and `logit` (epochs, frames) float32 of a network, or
`probability` (frames,) float64 of a fitted model, which has no epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from mesodecode.base.files import UserError, atomic_path
from mesodecode.base.progress import Progress
from mesodecode.decoders.convolutions import for_use
from mesodecode.decoders.inputs import Source
from mesodecode.decoders.predict import BATCH
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.decoders.train import in_runs
from mesodecode.decoders.weights import TrainedEpochs

ARRAYS = ("frame", "label", "logit", "probability")
SIGNALS = 256  # windows of ROI signals or features of one pass


@dataclass(frozen=True)
class PassedSession:
    """What a training makes of a session: see the module's words; one of the last two is None."""

    frame: np.ndarray
    label: np.ndarray
    logit: np.ndarray | None = None
    probability: np.ndarray | None = None

    def predictions(self, mouse: str, epoch: int) -> SessionPredictions:
        """Return the predictions after an epoch, from 0."""
        probability = self.probability
        if self.logit is not None:
            probability = torch.sigmoid(torch.from_numpy(self.logit[epoch]).double()).numpy()
        return SessionPredictions(mouse, self.frame, self.label, probability)


@dataclass(frozen=True)
class Passed:
    """A mouse's sessions, by their ids."""

    mouse: str
    corrected: bool
    sessions: Mapping[str, PassedSession]

    def write(self, path: str | Path) -> None:
        """Write to `path`, whole or not at all."""
        with atomic_path(path) as part, h5py.File(part, "w") as file:
            file.attrs.update(mouse=self.mouse, corrected=self.corrected)
            for name, session in self.sessions.items():
                group = file.create_group(name)
                for key, values in vars(session).items():
                    if values is not None:
                        group.create_dataset(key, data=values, compression="gzip", shuffle=True)

    @property
    def has_epochs(self) -> bool:
        """Whether it was passed through the epochs of a network."""
        return any(session.logit is not None for session in self.sessions.values())

    @classmethod
    def read(cls, path: str | Path) -> Passed:
        """Read what `write` wrote. Raises UserError if the file is something else."""
        try:
            with h5py.File(path) as file:
                sessions = {
                    name: PassedSession(*(group[k][()] if k in group else None for k in ARRAYS))
                    for name, group in file.items()
                }
                return cls(str(file.attrs["mouse"]), bool(file.attrs["corrected"]), sessions)
        except FileNotFoundError:
            raise
        except (OSError, KeyError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{path}: not of `mesodecode pass-images` or its likes ({reason}); make it again"
            ) from error


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
    images = trained.kind in ("cnn", "finetuned")
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
    return {
        name: PassedSession(
            at[name].cpu().numpy(),
            source.labels[at[name]].cpu().numpy().astype(np.uint8),
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


def of_fitted(predictions: Mapping[str, SessionPredictions]) -> dict[str, PassedSession]:
    """Return the predictions of a fitted model, by session, as a training of one epoch has them."""
    return {
        name: PassedSession(one.frame, one.label, probability=np.asarray(one.probability))
        for name, one in predictions.items()
    }


def predictions_of(passed: Sequence[Passed], epoch: int) -> dict[str, SessionPredictions]:
    """Return the predictions of mice after an epoch, from 0, by session."""
    return {
        name: session.predictions(mouse.mouse, epoch)
        for mouse in passed
        for name, session in mouse.sessions.items()
    }


def joined(passed: Sequence[Passed], key: str) -> Any:
    """Return an array of all sessions of mice, one after another along the frames."""
    parts = [getattr(session, key) for mouse in passed for session in mouse.sessions.values()]
    return np.concatenate(parts, axis=-1)
