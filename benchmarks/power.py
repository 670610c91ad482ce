"""Do studies show what `mesodecode power` says they can? Studies drawn, measured, and drawn again.

python benchmarks/power.py      half a minute

A true study has mice and allocations whose AUC differences of two decoders have known variances. A
pilot of so many mice is drawn, its smallest difference taken, and studies with that difference are
drawn from the true variances: how often a t test of mouse means shows it. Also where differences
are not normal (skewed, as AUCs near 1 are), and where allocations share training mice.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from mesodecode.scores.mouse_power import smallest_differences, smallest_effect

BETWEEN, WITHIN = 0.016, 0.016  # SDs; ICC .50, that of CNN against CNN-GRU as published
PILOTS, STUDIES = 200, 4000


def drawn(
    rng: np.random.Generator,
    studies: int,
    mice: int,
    each: int,
    *,
    skewed: bool = False,
    training: float = 0.0,
) -> np.ndarray:
    """Return differences (studies, mice, each) about 0; `training`: share of the variance.

    A mouse in training adds its own effect to the allocations of all test mice but itself.
    """
    shape = studies, mice
    own = stats.gamma(2).rvs(shape, rng) if skewed else rng.normal(size=shape)
    own = BETWEEN * ((own - 2) / np.sqrt(2) if skewed else own)
    values = own[..., None] + rng.normal(0, WITHIN, (*shape, each))
    if training:
        effect = rng.normal(0, 1, shape)
        others = (effect.sum(axis=1, keepdims=True) - effect) / np.sqrt(mice - 1)
        total = np.sqrt(BETWEEN**2 + WITHIN**2)
        values = np.sqrt(1 - training) * values + np.sqrt(training) * total * others[..., None]
    return values


def table(differences: np.ndarray) -> pd.DataFrame:
    """Return AUCs of one decoder, .5 and the differences (mice, each)."""
    mouse, value = np.repeat(np.arange(len(differences)), differences.shape[1]), differences.ravel()
    return pd.DataFrame({"mouse": mouse.astype(str), "auc": 0.5 + value})


def shown(values: np.ndarray) -> float:
    """Return the share of studies (studies, mice, each) whose t test is significant."""
    return float(np.mean(stats.ttest_1samp(values.mean(axis=2), 0, axis=1).pvalue < 0.05))


def main() -> None:
    """Print both tables."""
    rng = np.random.default_rng(1)
    print("power where the variances are known (asked for: .80)\n")
    print("| mice | allocations | smallest difference | normal | skewed | training mice .1 | .2 |")
    print("|---|---|---|---|---|---|---|")
    for mice, each in ((5, 1), (5, 4), (10, 9), (20, 4), (20, 19), (50, 4)):
        sd = np.sqrt(BETWEEN**2 + WITHIN**2 / each)
        delta = sd * smallest_effect(mice)
        ways = ({}, {"skewed": True}, {"training": 0.1}, {"training": 0.2})
        rates = [shown(drawn(rng, STUDIES, mice, each, **way) + delta) for way in ways]
        cells = " | ".join(f"{rate:.2f}" for rate in rates)
        print(f"| {mice} | {each} | {delta:.4f} | {cells} |", flush=True)
    print("\nwhat a pilot says of 20 mice with 4 allocations\n")
    print("| mice of the pilot | said / true, 5 to 95 % of pilots | interval holds the truth |")
    print("|---|---|---|")
    true = np.sqrt(BETWEEN**2 + WITHIN**2 / 4) * smallest_effect(20)
    for mice in (3, 5, 8, 12, 20):
        rows = [
            smallest_differences(table(one), mice=[20], allocations=[4]).iloc[0]
            for one in drawn(rng, PILOTS, mice, 4)
        ]
        said = np.array([row["smallest_difference"] for row in rows]) / true
        held = np.mean([row["low"] < true < row["high"] for row in rows])
        low, middle, high = np.quantile(said, [0.05, 0.5, 0.95])
        print(f"| {mice} | {middle:.2f} ({low:.2f} to {high:.2f}) | {held:.2f} |", flush=True)


if __name__ == "__main__":
    main()
