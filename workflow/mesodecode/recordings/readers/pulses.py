"""Pulses of a trace of two levels (TTL), such as a camera's exposures on a recorder."""

from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError

BETWEEN = 0.2  # share of samples between the levels, above which a trace is none of pulses
PAUSE = 2.0  # periods of pulses that one level lasts at least where there are none


def onsets(
    values: np.ndarray, time: np.ndarray, name: str, path: str | Path, edge: str | None = None
) -> tuple[np.ndarray, str]:
    """Return when the pulses of a trace (n,), sampled at `time` (n,), begin, and what to say of it.

    `edge` is where they do, "rising" or "falling"; None takes that at which the trace leaves the
    level on which it rests before, after and between pulses. Where it nowhere rests, or on both
    levels, that is the rising edge. Nothing is to be said ("") where nothing was assumed and pulses
    rise. Raises UserError if the trace has no two levels.
    """
    high, at = _levels(values, time, name, path)
    changes = np.flatnonzero(np.diff(high)) + 1
    edges = {"rising": at[changes[high[changes] == 1]], "falling": at[changes[high[changes] == 0]]}
    if edge is not None:
        return edges[edge], ""
    rests = _rests(high, at, changes)
    if rests == {1}:
        return edges["falling"], (
            f"{name} rests on its high level, so that pulses go down: frames begin at falling "
            "edges; if not, set frame_times_edge: rising"
        )
    doubt = "nowhere rests" if not rests else "rests on both levels"
    said = f"{name} {doubt}: frames are taken to begin at rising edges; else set frame_times_edge"
    return edges["rising"], "" if rests == {0} else f"{said}: falling"


def _levels(
    values: np.ndarray, time: np.ndarray, name: str, path: str | Path
) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples (m,) that are clearly high, 1, or low, 0, and when they were taken.

    High is above 2/3 of the way and low below 1/3: noise between makes no pulses.
    """
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise UserError(f"{path}: {name} has values that are no numbers; needs a trace of pulses")
    low, span = values.min(), np.ptp(values)
    level = (values - low) / span if span else np.zeros(len(values))
    between = (level > 1 / 3) & (level < 2 / 3)
    if not span or between.mean() > BETWEEN:
        raise UserError(
            f"{path}: {name} is no trace of pulses: of {len(values)} samples from {low:g} to "
            f"{low + span:g}, {between.mean():.0%} lie between; name that of the camera, or time "
            "stamps, one a frame"
        )
    return (level[~between] > 0.5).astype(np.int8), time[~between]


def _rests(high: np.ndarray, at: np.ndarray, changes: np.ndarray) -> set[int]:
    """Return the levels that last for more than `PAUSE` periods of the pulses somewhere."""
    if len(changes) < 4:
        return set()
    period = float(np.median(at[changes[2:]] - at[changes[:-2]]))
    begins = np.concatenate([[0], changes])
    ends = np.concatenate([changes, [len(at) - 1]])
    return set(high[begins[at[ends] - at[begins] > PAUSE * period]].tolist())
