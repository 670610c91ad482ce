"""ROI signals of a new mouse, normalised by frames of the past: what `rois.normalised` is not."""

from __future__ import annotations

import numpy as np


def past_normalised(signals: np.ndarray, *, baseline: int | None, normalise: str) -> np.ndarray:
    """Return signals (T, R) without baseline and normalised by no later frame, float32 (T, R).

    The settings are those of `rois.normalised`. Of each ROI's signal x, with frames counted from 0:

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


def _trailing_mean(x: np.ndarray, n: int) -> np.ndarray:
    """Return the mean over the last n frames of x (T, R), the current one included."""
    # Sums of differences from the first frame are small; differences from the mean know the future.
    sums = np.zeros((len(x) + 1, *x.shape[1:]))
    np.cumsum(x - x[:1], axis=0, out=sums[1:])
    stop = np.arange(1, len(x) + 1)
    start = np.maximum(stop - n, 0)
    return (sums[stop] - sums[start]) / (stop - start)[:, None] + x[:1]


def _ratio(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    return np.divide(values, by, out=np.zeros_like(values), where=by > 0).astype(np.float32)
