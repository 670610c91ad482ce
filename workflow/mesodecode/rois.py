"""ROI signals as decoders see them: baseline, normalisation, subsets, exchanged labels.

Recordings hold ROI signals as they were given. What a decoder makes of them is a matter of its
settings, cheap enough to be done on reading. Baseline and normalisation are those of the
recording itself, test recordings included, as published; nothing is fitted across recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mesodecode.files import UserError
from mesodecode.recordings import Recording


@dataclass(frozen=True)
class SessionSignals:
    """What a decoder reads of one session: one row a frame.

    features (T, F) float32, labels (T,) uint8, segment (T,) int64 or None.
    """

    session: str
    mouse: str
    features: np.ndarray
    labels: np.ndarray
    segment: np.ndarray | None


def moving_mean(signals: np.ndarray, n: int) -> np.ndarray:
    """Return the centred moving mean over n frames of signals (T, R), float64 (T, R).

    As MATLAB's ``movmean``: at the edges the window shrinks to the frames there are; a window of
    even length is centred about the current and the previous frame (t - n/2 … t + n/2 - 1).
    """
    n_frames = len(signals)
    shift = signals.mean(axis=0, dtype=np.float64)  # sums stay small, so their differences exact
    sums = np.zeros((n_frames + 1, *signals.shape[1:]))
    np.cumsum(signals - shift, axis=0, out=sums[1:])
    frames = np.arange(n_frames)
    start = np.maximum(frames - n // 2, 0)
    stop = np.minimum(frames + (n - 1) // 2 + 1, n_frames)
    return (sums[stop] - sums[start]) / (stop - start)[:, None] + shift


def normalised(signals: np.ndarray, *, baseline: int | None, normalise: str) -> np.ndarray:
    """Return one recording's signals (T, R) without baseline and normalised, float32 (T, R).

    `baseline`: frames of the moving mean that is subtracted; None subtracts nothing. `normalise`,
    each ROI over the whole recording: "minmax" (to 0 … 1; Ajioka et al. 2024), "zscore", "dff"
    ((F - F0) / F0, F0 the baseline, or the temporal mean without one) or "none". No ROI may be
    constant (see `unusable`). The baseline runs over frames as stored, across segments.
    """
    signals = np.asarray(signals, np.float64)
    base = 0.0 if baseline is None else moving_mean(signals, baseline)
    if normalise == "dff":
        base = signals.mean(axis=0) if baseline is None else base
        values = (signals - base) / base
    else:
        values = signals - base
    if normalise == "minmax":
        low, high = values.min(axis=0), values.max(axis=0)
        values = (values - low) / (high - low)
    elif normalise == "zscore":
        values = (values - values.mean(axis=0)) / values.std(axis=0)
    return values.astype(np.float32)


def unusable(signals: np.ndarray, *, dff: bool = False) -> dict[int, str]:
    """Return which ROIs of signals (T, R) no decoder can use: column -> why, in words.

    Missing (NaN in any frame), constant, and for ΔF/F not above zero throughout.
    """
    reasons = {}
    for column, signal in enumerate(signals.T):
        missing = np.flatnonzero(np.isnan(signal))
        if missing.size:
            reasons[column] = f"NaN in {missing.size} frames, the first {missing[0]}"
        elif signal.min() == signal.max():
            reasons[column] = f"constant, {signal[0]:g} in every frame"
        elif dff and signal.min() <= 0:
            reasons[column] = "not above zero throughout, so it has no ΔF/F"
    return reasons


def session_signals(
    recordings: Sequence[Recording],
    settings: Mapping[str, Any],
    by: Callable[..., np.ndarray] = normalised,
) -> tuple[list[SessionSignals], list[int]]:
    """Return the signals of recordings as a decoder's `settings` ask for them, a session each.

    `by`: what subtracts the baseline and normalises, as `normalised`.

    ROIs outside `settings["rois"]` are zero, or left out (`others`). The second result
    lists the ROIs (from 1) that were set to zero because some recording lacks them (`drop`).
    Raises UserError if a recording has no signals, other ROIs than the first, or ROIs
    without a signal (unless `drop`).
    """
    n_rois = _count(recordings)
    chosen = [roi - 1 for roi in settings["rois"]] or list(range(n_rois))
    if max(chosen) >= n_rois:
        raise UserError(
            f"rois: no ROI {max(chosen) + 1} in {recordings[0].path}, which has {n_rois}"
        )
    dropped = _dropped(recordings, settings, chosen)
    sessions = []
    for recording in recordings:
        kept = [column for column in chosen if column not in dropped]
        features = np.zeros((len(recording), n_rois), np.float32)
        features[:, kept] = by(
            recording.rois[:, kept],
            baseline=settings["baseline"],
            normalise=settings["normalise"],
        )
        if settings["others"] == "drop":
            features = features[:, chosen]
        sessions.append(
            SessionSignals(
                recording.session, recording.mouse, features, recording.labels, recording.segment
            )
        )
    return sessions, [column + 1 for column in dropped]


def correlation_table(recordings: Sequence[Recording], baseline: int | None) -> pd.DataFrame:
    """Return mouse, session, roi (from 1), name (if the ROIs have names) and r, a row an ROI."""
    n_rois = _count(recordings)
    numbers = [f"{roi + 1}" for roi in range(n_rois)]
    parts = [
        pd.DataFrame(
            {
                "mouse": recording.mouse,
                "session": recording.session,
                "roi": range(1, n_rois + 1),
                "name": recording.roi_names or numbers,
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


def _count(recordings: Sequence[Recording]) -> int:
    """Return how many ROIs the recordings have, the same in all."""
    for recording in recordings:
        if recording.rois is None:
            raise UserError(
                f"{recording.path}: no ROI signals in it; give recordings.rois or "
                "recordings.roi_masks in the config (mesodecode preprocess --rois or --roi-masks)"
            )
    first = recordings[0]
    for recording in recordings:
        if recording.rois.shape[1] != first.rois.shape[1]:
            raise UserError(
                f"{recording.path}: {recording.rois.shape[1]} ROIs, but {first.path} has "
                f"{first.rois.shape[1]}; all sessions need the same ROIs in the same order"
            )
        if recording.roi_names and first.roi_names and recording.roi_names != first.roi_names:
            pairs = zip(recording.roi_names, first.roi_names, strict=True)
            column = next(i for i, (name, other) in enumerate(pairs) if name != other)
            raise UserError(
                f"{recording.path}: ROI {column + 1} is '{recording.roi_names[column]}', but "
                f"'{first.roi_names[column]}' in {first.path}; all sessions need the same ROIs in "
                "the same order"
            )
    return first.rois.shape[1]


def _dropped(
    recordings: Sequence[Recording], settings: Mapping[str, Any], chosen: Sequence[int]
) -> list[int]:
    """Return the chosen columns that some recording lacks; raise unless they may be dropped."""
    dropped = set()
    for recording in recordings:
        found = unusable(recording.rois[:, chosen], dff=settings["normalise"] == "dff")
        reasons = {chosen[index]: why for index, why in found.items()}
        if reasons and not settings["drop"]:
            words = "; ".join(
                f"ROI {_name(recording, column)} ({why})"
                for column, why in list(reasons.items())[:10]
            )
            more = f" and {len(reasons) - 10} more" if len(reasons) > 10 else ""
            raise UserError(
                f"{recording.path}: {words}{more}; mend the signals, or set drop: true to decode "
                "without these ROIs in all mice"
            )
        dropped |= set(reasons)
    if len(dropped) == len(chosen):
        raise UserError("drop: every ROI of this decoder is constant or missing in some recording")
    return sorted(dropped)


def _name(recording: Recording, column: int) -> str:
    name = f"{column + 1}"
    if recording.roi_names and recording.roi_names[column] != name:
        name += f" '{recording.roi_names[column]}'"
    return name


def correlations(recording: Recording, baseline: int | None) -> np.ndarray:
    """Return Pearson's r (R,) of run/rest (1/0) and each ROI's signal less its baseline.

    NaN for an ROI that is constant or missing. Min–max and z-score leave r as it is.
    """
    r = np.full(recording.rois.shape[1], np.nan)
    usable = [c for c in range(len(r)) if c not in unusable(recording.rois)]
    signals = normalised(recording.rois[:, usable], baseline=baseline, normalise="none")
    signals = signals - signals.mean(axis=0, dtype=np.float64)
    labels = recording.labels - recording.labels.mean()
    scale = np.sqrt(np.square(signals).sum(axis=0) * np.square(labels).sum())
    r[usable] = labels @ signals / scale
    return r
