"""Correlation of ROI signals with running: how much of behaviour is in each area."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mesodecode.recordings.recording import Recording
from mesodecode.recordings.roi_signals import _count, normalised, roi_names, unusable


def correlation_table(recordings: Sequence[Recording], baseline: int | None) -> pd.DataFrame:
    """Return mouse, session, roi (from 1), name (if the ROIs have names) and r, a row an ROI."""
    n_rois = _count(recordings)
    names = roi_names(recordings)  # of the first that has some: others are of the same ROIs
    names = names if any(names) else [f"{roi + 1}" for roi in range(n_rois)]
    parts = [
        pd.DataFrame(
            {
                "mouse": recording.mouse,
                "session": recording.session,
                "roi": range(1, n_rois + 1),
                "name": names,
                "r": correlations(recording, baseline),
            }
        )
        for recording in recordings
    ]
    return pd.concat(parts, ignore_index=True)


def correlation_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return roi, name, n (sessions), mean and sd (sample SD) of r, a row an ROI."""
    groups = table.groupby(["roi", "name"], sort=False)["r"]
    return groups.agg(n="count", mean="mean", sd="std").reset_index()


def correlations(recording: Recording, baseline: int | None) -> np.ndarray:
    """Return Pearson's r (R,) of run/rest (1/0) and each ROI's signal less its baseline.

    NaN for an ROI that is constant or missing, and in a session of one state. Min–max and z-score
    leave r as it is.
    """
    r = np.full(recording.rois.shape[1], np.nan)
    usable = [c for c in range(len(r)) if c not in unusable(recording.rois)]
    signals = normalised(recording.rois[:, usable], baseline=baseline, normalise="none")
    signals = signals - signals.mean(axis=0, dtype=np.float64)
    labels = recording.labels - recording.labels.mean()
    scale = np.sqrt(np.square(signals).sum(axis=0) * np.square(labels).sum())
    with np.errstate(invalid="ignore"):
        r[usable] = labels @ signals / scale
    return r
