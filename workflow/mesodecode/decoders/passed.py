"""A mouse passed through all epochs of a training that has not seen it.

A file `results/{study}/passed/{decoder}/{training}/{mouse}.h5` has the root attributes `mouse` and
`corrected` (whether its recordings are of a corrected movie) and one group a session: `frame`
(int64, from 0), `label` (uint8, 1 = run), and `logit` (epochs, frames) float32 of a network, or
`probability` (frames,) float64 of a fitted model, which has no epochs. Of another target than run
and rest, `label` is its value (float32) or code of a state (uint8), and of K states the last two
are (epochs, frames, K) and (frames, K).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mesodecode.base.records import creating, reading
from mesodecode.decoders.objectives import predicted
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.study.targets import RUN, Target

ARRAYS = ("frame", "label", "logit", "probability")


@dataclass(frozen=True)
class PassedSession:
    """What a training makes of a session: see the module's words; one of the last two is None."""

    frame: np.ndarray
    label: np.ndarray
    logit: np.ndarray | None = None
    probability: np.ndarray | None = None

    def predictions(self, mouse: str, epoch: int, target: Target = RUN) -> SessionPredictions:
        """Return the predictions after an epoch, from 0."""
        probability = self.probability
        if self.logit is not None:
            probability = predicted(torch.from_numpy(self.logit[epoch]), target)
        return SessionPredictions(mouse, self.frame, self.label, probability)


@dataclass(frozen=True)
class Passed:
    """A mouse's sessions, by their ids."""

    mouse: str
    corrected: bool
    sessions: Mapping[str, PassedSession]

    def write(self, path: str | Path) -> None:
        """Write to `path`, whole or not at all."""
        with creating(path) as file:
            file.attrs.update(mouse=self.mouse, corrected=self.corrected)
            for name, session in self.sessions.items():
                group = file.create_group(name)
                for key, values in vars(session).items():
                    if values is not None:
                        group.create_dataset(key, data=values, compression="gzip", shuffle=True)

    @classmethod
    def read(cls, path: str | Path) -> Passed:
        """Read what `write` wrote. Raises UserError if the file is something else."""
        with reading(path, "what comes of a mouse", "pass-images") as file:
            sessions = {
                name: PassedSession(*(group[k][()] if k in group else None for k in ARRAYS))
                for name, group in file.items()
            }
            return cls(str(file.attrs["mouse"]), bool(file.attrs["corrected"]), sessions)


def of_fitted(predictions: Mapping[str, SessionPredictions]) -> dict[str, PassedSession]:
    """Return the predictions of a fitted model, by session, as a training of one epoch has them."""
    return {
        name: PassedSession(one.frame, one.label, probability=np.asarray(one.probability))
        for name, one in predictions.items()
    }


def predictions_of(
    passed: Sequence[Passed], epoch: int, target: Target = RUN
) -> dict[str, SessionPredictions]:
    """Return the predictions of mice after an epoch, from 0, by session."""
    return {
        name: session.predictions(mouse.mouse, epoch, target)
        for mouse in passed
        for name, session in mouse.sessions.items()
    }


def joined(passed: Sequence[Passed], key: str) -> Any:
    """Return an array of all sessions of mice, one after another along the frames."""
    parts = [getattr(session, key) for mouse in passed for session in mouse.sessions.values()]
    return np.concatenate(parts, axis=1 if key == "logit" else 0)
