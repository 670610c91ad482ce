"""ROI signals as decoders see them: baseline, normalisation, subsets, exchanged labels.

Recordings hold ROI signals as they were given. What a decoder makes of them is a matter of its
settings, cheap enough to be done on reading. Baseline and normalisation are those of the
recording itself, test recordings included, as published; nothing is fitted across recordings.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mesodecode.base.files import UserError, first_few
from mesodecode.recordings.baseline import lone, of_reference
from mesodecode.recordings.recording import Recording


@dataclass(frozen=True)
class SessionSignals:
    """What a decoder reads of one session: one row a frame.

    features (T, F) float32, labels (T,) uint8, segment (T,) int64 or None; causal: windows end at
    the decoded frame, and reach into none of the first `skip`.
    """

    session: str
    mouse: str
    features: np.ndarray
    labels: np.ndarray
    segment: np.ndarray | None
    causal: bool = False
    skip: int = 0


def moving_mean(signals: np.ndarray, n: int) -> np.ndarray:
    """Return the centred moving mean over n frames of signals (T, R), float64 (T, R).

    As MATLAB's ``movmean``: at the edges the window shrinks to the frames there are; a window of
    even length is centred about the current and the previous frame (t - n/2 … t + n/2 - 1).
    """
    frames = np.arange(len(signals))
    start = np.maximum(frames - n // 2, 0)
    stop = np.minimum(frames + (n - 1) // 2 + 1, len(signals))
    return _means(signals, start, stop, signals.mean(axis=0, dtype=np.float64))


def _means(x: np.ndarray, start: np.ndarray, stop: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return the means of x[start[t] : stop[t]] (T, R), of x (T, R).

    `near`: values (R,) like those of x, by which sums stay small, so that differences are exact.
    """
    sums = np.zeros((len(x) + 1, *x.shape[1:]))
    np.cumsum(x - near, axis=0, out=sums[1:])
    return (sums[stop] - sums[start]) / (stop - start)[:, None] + near


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

    `by`: what subtracts the baseline and normalises, as `normalised`; `first_normalised` where a
    recording's first frames say by what. With the setting `causal` it is `past_normalised`, or the
    reference recording of the mouse says by what (see `causal_signals`).

    ROIs outside `settings["rois"]` are zero, or left out (`others`). The second result
    lists the ROIs (from 1) that were set to zero because some recording lacks them (`drop`).
    Raises UserError if a recording has no signals, other ROIs than the first, or ROIs
    without a signal (unless `drop`).
    """
    chosen = _chosen(recordings, settings)
    n_rois = recordings[0].rois.shape[1]
    if of_reference(settings) and all(one.reference is None for one in recordings):
        raise UserError(lone(recordings[0]))
    dropped = _dropped(recordings, settings, chosen)
    sessions = []
    for recording in recordings:
        kept = [column for column in chosen if column not in dropped]
        how, skip = functools.partial(first_normalised, recording) if recording.first else by, 0
        causal = bool(settings.get("causal"))
        if causal:
            how, skip = causal_signals(recording, kept, settings)
        features = np.zeros((len(recording), n_rois), np.float32)
        features[:, kept] = how(
            recording.rois[:, kept],
            baseline=settings["baseline"],
            normalise=settings["normalise"],
        )
        if settings["others"] == "drop":
            features = features[:, chosen]
        about = recording.session, recording.mouse, features, recording.labels, recording.segment
        sessions.append(SessionSignals(*about, causal, skip))
    return sessions, [column + 1 for column in dropped]


def causal_signals(
    recording: Recording, columns: Sequence[int], settings: Mapping[str, Any]
) -> tuple[Callable[..., np.ndarray], int]:
    """Return what normalises a recording's signals, of `columns`, without a later frame, and skip.

    `past_normalised`; with `normalise_from: reference` what `told_normalised` makes of the
    reference of the mouse, which is all skipped itself. The first `warm_up` s are skipped where
    the past normalises: not of signals as recorded, or of a reference and no baseline.
    """
    warm = min(len(recording), round(settings["warm_up"] * recording.frame_rate))
    raw = settings["normalise"] == "none" and settings["baseline"] is None
    if not of_reference(settings):
        return past_normalised, 0 if raw else warm
    if recording.reference is None:
        return past_normalised, len(recording)
    told = recording.reference.rois[:, columns]
    how = functools.partial(told_normalised, told=told, by=f"{recording.reference.path}")
    return how, 0 if settings["baseline"] is None else warm


def signals_of(
    recordings: Sequence[Recording],
    settings: Mapping[str, Any],
    by: Callable[..., np.ndarray] = normalised,
) -> list[SessionSignals]:
    """Return ROI signals as the decoder was trained on them, without the ROIs dropped then.

    `by` as in `session_signals`.
    """
    sessions, _ = session_signals(recordings, settings, by)
    everything = list(range(1, recordings[0].rois.shape[1] + 1))
    rois = (settings["rois"] or everything) if settings["others"] == "drop" else everything
    for session in sessions:
        session.features[:, [rois.index(roi) for roi in settings["dropped"]]] = 0
    return sessions


def roi_names(recordings: Sequence[Recording]) -> list[str]:
    """Return the names of the ROIs of recordings, "" where they have none."""
    named = next((r.roi_names for r in recordings if r.roi_names), None)
    return list(named or [""] * recordings[0].rois.shape[1])


def check_rois(own: Sequence[str], recordings: Sequence[Recording], path: str | Path) -> None:
    """Raise UserError unless recordings have the ROIs that a decoder, of `path`, was trained on.

    `own`: their names, "" where they have none.
    """
    _count(recordings)
    here = roi_names(recordings)
    fault = f"{len(own)} ROIs, but the recordings have {len(here)}" if len(own) != len(here) else ""
    for number, (one, other) in enumerate(zip(own, here, strict=False), start=1):
        if not fault and one and other and one != other:
            fault = f"ROI {number} as '{one}', but it is '{other}' in the recordings"
    if fault:
        raise UserError(
            f"{path}: trained on {fault}; all sessions need the same ROIs in the same order"
        )


def check_named(
    settings: Mapping[str, Any], recordings: Iterable[Recording], path: str | Path
) -> None:
    """Raise UserError unless ROI signals that there are have the names that `settings` say.

    Those of a decoder, of the file `path`; older files do not say them.
    """
    if names := settings.get("roi_names"):
        for one in recordings:
            if one.rois is not None:
                check_rois(names, [one], path)


def dropped_rois(recordings: Sequence[Recording], settings: Mapping[str, Any]) -> list[int]:
    """Return the ROIs (from 1) that `session_signals` would drop, without reading what is left.

    `settings` are rois, normalise and drop of a decoder.
    """
    dropped = _dropped(recordings, settings, _chosen(recordings, settings))
    return [column + 1 for column in dropped]


def _chosen(recordings: Sequence[Recording], settings: Mapping[str, Any]) -> list[int]:
    """Return the columns that a decoder reads. Raises UserError if there is none such."""
    n_rois = _count(recordings)
    chosen = [roi - 1 for roi in settings["rois"]] or list(range(n_rois))
    if max(chosen) >= n_rois:
        raise UserError(
            f"rois: no ROI {max(chosen) + 1} in {recordings[0].path}, which has {n_rois}"
        )
    return chosen


def _count(recordings: Sequence[Recording]) -> int:
    """Return how many ROIs the recordings have, the same in all."""
    for recording in recordings:
        if recording.rois is None:
            raise UserError(
                f"{recording.path}: no ROI signals in it; give recordings.rois or "
                "recordings.roi_masks in the config (mesodecode preprocess --rois or --roi-masks)"
            )
    first = recordings[0]
    named = next((one for one in recordings if one.roi_names), first)
    for recording in recordings:
        if recording.rois.shape[1] != first.rois.shape[1]:
            raise UserError(
                f"{recording.path}: {recording.rois.shape[1]} ROIs, but {first.path} has "
                f"{first.rois.shape[1]}; all sessions need the same ROIs in the same order "
                "(areas in the config matches them by name)"
            )
        if recording.roi_names and recording.roi_names != named.roi_names:
            pairs = zip(recording.roi_names, named.roi_names, strict=True)
            column = next(i for i, (name, other) in enumerate(pairs) if name != other)
            raise UserError(
                f"{recording.path}: ROI {column + 1} is '{recording.roi_names[column]}', but "
                f"'{named.roi_names[column]}' in {named.path}; all sessions need the same ROIs in "
                "the same order (areas in the config matches them by name)"
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
            words = [f"ROI {_name(recording, column)} ({why})" for column, why in reasons.items()]
            raise UserError(
                f"{recording.path}: {first_few(words, 10, '; ')}; mend the signals, or set drop: "
                "true to decode without these ROIs in all mice"
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


def past_normalised(signals: np.ndarray, *, baseline: int | None, normalise: str) -> np.ndarray:
    """Return signals (T, R) without baseline and normalised by no later frame, float32 (T, R).

    The settings are those of `normalised`. Of each ROI's signal x, with frames counted from 0:

        b(t) = mean of x over the last `baseline` frames, t included (fewer at the start); 0 if None
        v(t) = x(t) - b(t)
        minmax: (v(t) - min v(0…t)) / (max v(0…t) - min v(0…t))
        zscore: (v(t) - mean v(0…t)) / (SD of v(0…t), divided by t + 1)
        dff:    v(t) / b(t), with b(t) = mean of x(0…t) if `baseline` is None
        none:   v(t)

    0 where a divisor is 0, as in the first frame. As there, it runs across segments.
    """
    x = np.asarray(signals, np.float64)
    span = len(x) if baseline is None and normalise == "dff" else baseline
    base = 0.0 if span is None else _trailing_mean(x, span)
    values = x - base
    if normalise == "minmax":
        low, high = np.minimum.accumulate(values), np.maximum.accumulate(values)
        return _ratio(values - low, high - low)
    if normalise == "zscore":
        mean = _trailing_mean(values, len(values))
        square = _trailing_mean((values - values[:1]) ** 2, len(values))
        variance = square - (mean - values[:1]) ** 2
        return _ratio(values - mean, np.sqrt(np.maximum(variance, 0.0)))
    if normalise == "dff":
        return _ratio(values, base)
    return values.astype(np.float32)


def first_normalised(
    recording: Recording, signals: np.ndarray, *, baseline: int | None, normalise: str
) -> np.ndarray:
    """Return signals (T, R) normalised by what the first frames say, float32 (T, R).

    As `normalised`, with two differences: minimum and maximum, mean and SD, or F0 without a
    baseline are those of the first n = `recording.first` frames, and the moving mean is over the
    last `baseline` frames, as of `past_normalised`. Later values may lie outside 0 … 1. Raises
    UserError if an ROI does not vary in the first frames, or has an F0 of 0 there.
    """
    by = f"{recording.path}: in its first {recording.first} frames (first_unlabelled)"
    told = signals[: recording.first]
    return told_normalised(signals, told=told, by=by, baseline=baseline, normalise=normalise)


def told_normalised(
    signals: np.ndarray, *, told: np.ndarray, by: str, baseline: int | None, normalise: str
) -> np.ndarray:
    """Return signals (T, R) normalised by what others, `told` (n, R), say, float32 (T, R).

    As `first_normalised`, with `told` in the place of the first frames; `by` names them in the
    UserError that is raised if an ROI does not vary in them, or has an F0 of 0.
    """
    x, told = np.asarray(signals, np.float64), np.asarray(told, np.float64)
    moving = [0.0 if baseline is None else _trailing_mean(one, baseline) for one in (x, told)]
    if normalise == "dff":
        base = told.mean(axis=0) if baseline is None else moving[0]
        return _divided(x - base, base, by)
    values, known = x - moving[0], told - moving[1]
    if normalise == "minmax":
        low, high = known.min(axis=0), known.max(axis=0)
        return _divided(values - low, high - low, by)
    if normalise == "zscore":
        return _divided(values - known.mean(axis=0), known.std(axis=0), by)
    return values.astype(np.float32)


def _divided(values: np.ndarray, divisor: np.ndarray, by: str) -> np.ndarray:
    if not (np.asarray(divisor) > 0).all():
        raise UserError(
            f"{by}: an ROI does not vary, or is not above zero; give more of the mouse, or leave "
            "the ROI out of the decoder"
        )
    return (values / divisor).astype(np.float32)


def _trailing_mean(x: np.ndarray, n: int) -> np.ndarray:
    """Return the mean over the last n frames of x (T, R), the current one included."""
    stop = np.arange(1, len(x) + 1)
    return _means(x, np.maximum(stop - n, 0), stop, x[:1])  # the mean of x would know the future


def _ratio(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    return np.divide(values, by, out=np.zeros_like(values), where=by > 0).astype(np.float32)
