"""What the checks of a map are made of, as files: one an allocation, made by `map_check`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mesodecode.base import records
from mesodecode.study.targets import Target


@dataclass(frozen=True)
class MapCheck:
    """What one allocation gives to the checks of a map over U units.

    unit, their names (U,); randomised (U,), the scores of the network with random weights;
    planted (U,), 1 where a simulation planted a signal, 0 where not, NaN where neither or unknown;
    share (S,) of units or area removed; auc (1, S) in the map's order, auc_random (K, S) in random
    orders, both without rows if no map of other mice gave an order; auc_intact; n_windows scored.
    moved (1, S) and moved_random (K, S), apart (1, S) and apart_random (K, S), as of
    `explain.deletion`, in the map's order and at random, without rows as auc. planted_times
    (frames, U) and planted_signs (U,), of ROIs, as of `simulation.truth`. noisy (1 + D, U), the map
    of the check's windows or frames, then D maps of them with noise, without rows if D is 0.
    """

    allocation: str
    test_mouse: str
    unit: tuple[str, ...]
    randomised: np.ndarray
    planted: np.ndarray
    share: np.ndarray
    auc_intact: float
    auc: np.ndarray
    auc_random: np.ndarray
    n_windows: int
    moved: np.ndarray
    moved_random: np.ndarray
    apart: np.ndarray
    apart_random: np.ndarray
    planted_times: np.ndarray
    planted_signs: np.ndarray
    noisy: np.ndarray

    @property
    def target(self) -> Target:
        """What is decoded."""
        return Target()

    def write(self, path: str | Path) -> None:
        """Write to `path` (HDF5), whole or not at all."""
        records.write(self, path)


@dataclass(frozen=True)
class TargetCheck(MapCheck):
    """The same of another target: what is called AUC is its score (`Kind.metric`)."""

    target_name: str
    target_unit: str
    target_states: tuple[str, ...]

    @property
    def target(self) -> Target:
        """What is decoded."""
        return Target(self.target_name, self.target_states, self.target_unit)


def read(path: str | Path) -> MapCheck:
    """Read what `MapCheck.write` wrote. Raises UserError if the file is none."""
    with records.reading(path, "a file of `mesodecode shap-check`", "shap-check") as file:
        return records.take(file, TargetCheck if "target_name" in file.attrs else MapCheck)


def checked(target: Target, **found: Any) -> MapCheck:
    """Return what is found, of a decoder of a target."""
    if target == Target():
        return MapCheck(**found)
    return TargetCheck(
        **found,
        target_name=target.name,
        target_unit=target.unit,
        target_states=target.states,
    )
