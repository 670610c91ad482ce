"""Pulses of a trace of two levels (TTL), such as a camera's exposures on a recorder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError

BETWEEN = 0.2  # share of samples between the levels, above which a trace is none of pulses


def rising(values: np.ndarray, time: np.ndarray, name: str, path: str | Path) -> np.ndarray:
    """Return when a trace (n,), sampled at `time` (n,), goes from its low to its high level.

    It has gone up once it is above 2/3 of the way, and can do so again once it was below 1/3: noise
    makes no pulses. Raises UserError if the trace has no two levels.
    """
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise UserError(f"{path}: {name} has values that are no numbers; needs a trace of pulses")
    low, span = values.min(), np.ptp(values)
    level = (values - low) / span if span else np.zeros(len(values))
    if not span or ((level > 1 / 3) & (level < 2 / 3)).mean() > BETWEEN:
        raise UserError(
            f"{path}: {name} is no trace of pulses: of {len(values)} samples from {low:g} to "
            f"{low + span:g}, {((level > 1 / 3) & (level < 2 / 3)).mean():.0%} lie between; name "
            "that of the camera, or time stamps, one a frame"
        )
    clear = (level <= 1 / 3) | (level >= 2 / 3)
    return time[clear][1:][np.diff((level[clear] > 0.5).astype(np.int8)) > 0]
