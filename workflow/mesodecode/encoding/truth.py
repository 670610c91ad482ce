"""What a simulation planted, against what models found."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from mesodecode.encoding.scores import interval


def sentences(neurons: pd.DataFrame, truths: Sequence[str | Path]) -> list[str]:
    """Say which neurons were found responsive, and what models reach in those that are.

    `neurons` has `scores.NEURONS`; `truths` are the truth files of its sessions, in their order.
    """
    planted = []
    for path in truths:
        with h5py.File(path) as file:
            planted.append(file["responsive"][:])
    real = np.concatenate(planted)
    models = list(neurons["model"].unique())
    one = neurons[neurons["model"] == models[0]]
    called = one["responsive"].to_numpy(bool)
    found = [
        f"Simulated truth: {real.sum()} of {len(real)} neurons respond. "
        f"{int((called & real).sum())} of them and {int((called & ~real).sum())} of the "
        f"{int((~real).sum())} others were called responsive."
    ]
    for model in models:
        mine = neurons[neurons["model"] == model]
        share = mine["fraction"].to_numpy()[real]
        share = share[np.isfinite(share)]
        if not len(share):
            continue
        mean, low, high = (
            f"{value:.0%}".replace("-", "−") for value in (share.mean(), *interval(share))
        )
        false = int((mine["p_chance"].to_numpy()[~real] <= 0.05).sum())
        found.append(
            f"{model}: {mean} of the ceiling of R² in neurons that respond (95 % CI {low} to "
            f"{high}); of {int((~real).sum())} that do not, {false} "
            f"{'is' if false == 1 else 'are'} above chance (p ≤ .05)."
        )
    return found
