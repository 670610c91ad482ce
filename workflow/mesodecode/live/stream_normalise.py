"""Frames and ROI signals normalised as they come, as causal decoders have them in training.

By the frames before (`normalise_from: past`) or by a reference recording of the same mouse. The
arithmetic is that of `recordings.baseline` and `recordings.roi_signals`, one frame at a time.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from mesodecode.base.files import UserError
from mesodecode.recordings.baseline import Past, block_length, not_decoded, of_reference
from mesodecode.recordings.recording import Recording


def needs_reference(settings: Mapping[str, Any], reference: Recording | None) -> None:
    """Raise UserError if a decoder needs a reference recording and has none."""
    if of_reference(settings) and reference is None:
        raise UserError(
            "normalise_from: reference: give --reference, a recording of this mouse that "
            "`mesodecode preprocess` made"
        )


class PastImages:
    """What images are normalised by: `mean` (H, W) and `sd`, of the frames before, by blocks.

    `skip`: frames at the start that are not decoded.
    """

    def __init__(
        self, settings: Mapping[str, Any], rate: float, reference: Recording | None
    ) -> None:
        window, warm_up = settings.get("baseline"), settings["warm_up"]
        self._reference = reference if of_reference(settings) else None
        self._length = block_length(rate, window, warm_up)
        self._past = Past(self._length, window)
        self.mean: np.ndarray | None = None
        self.sd = 1.0
        self.skip = not_decoded(rate, window, warm_up)
        if self._reference is not None:
            self.sd = self._reference.stack_sd
            if window is None:
                self.skip, self._past, self.mean = 0, None, self._reference.pixel_mean

    def learn(self, frame: np.ndarray) -> None:
        """Take in a frame (H, W), for those after it."""
        if self._past is None:
            return
        self._past.add(frame[None])
        if self._past.count % self._length == 0:
            self.mean = self._past.mean
            if self._reference is None:
                self.sd = np.float32(self._past.sd)


class PastSignals:
    """ROI signals (R,) as a decoder's `settings` ask for them: a call for each frame, in order."""

    def __init__(
        self, settings: Mapping[str, Any], rate: float, n_rois: int, reference: Recording | None
    ) -> None:
        chosen = [roi - 1 for roi in settings["rois"]] or list(range(n_rois))
        if max(chosen) >= n_rois:
            raise UserError(f"rois: the decoder reads ROI {max(chosen) + 1}, but {n_rois} come")
        self._n_rois, self._chosen = n_rois, chosen
        self._kept = [column for column in chosen if column + 1 not in settings["dropped"]]
        self._drops, self._how = settings["others"] == "drop", settings["normalise"]
        self.n_features = len(chosen) if self._drops else n_rois
        baseline = settings["baseline"]
        raw = self._how == "none" and baseline is None
        by_reference = of_reference(settings)
        unmoving = raw or (by_reference and baseline is None)
        self.skip = 0 if unmoving else round(settings.get("warm_up", 0) * rate)
        self._base = None if baseline is None else _Mean(baseline)
        if baseline is None and self._how == "dff" and not by_reference:
            self._base = _Mean(None)
        self._known = _Known(self._how)
        self._told = None
        if by_reference:
            signals = _signals(reference, n_rois)[:, self._kept]
            self._told = _told(signals, baseline, self._how)

    def __call__(self, signals: np.ndarray) -> np.ndarray:
        """Return what the decoder reads of a frame, (F,) float32."""
        x = signals[self._kept].astype(np.float64)
        base = 0.0 if self._base is None else self._base(x)
        features = np.zeros(self._n_rois, np.float32)
        features[self._kept] = self._relative(x, base)
        return features[self._chosen] if self._drops else features

    def _relative(self, x: np.ndarray, base: np.ndarray | float) -> np.ndarray:
        values = x - base
        if self._told is not None:
            centre, scale = self._told
            if self._how == "dff":
                return (x - base) / base if self._base is not None else (x - centre) / scale
            return (values - centre) / scale
        if self._how == "none":
            return values
        if self._how == "dff":
            return _ratio(values, base)
        return _ratio(*self._known(values))


def _signals(reference: Recording, n_rois: int) -> np.ndarray:
    """Return the ROI signals of a reference. Raises UserError unless it has those that come."""
    n = 0 if reference.rois is None else reference.rois.shape[1]
    if n != n_rois:
        raise UserError(
            f"{reference.path}: {n or 'no'} ROIs, but {n_rois} come; preprocess the reference with "
            "the same --rois or --roi-masks"
        )
    return reference.rois


def _told(
    signals: np.ndarray, baseline: int | None, how: str
) -> tuple[np.ndarray | float, np.ndarray | float]:
    """Return what is subtracted and divided by, as of `roi_signals.told_normalised`."""
    told = np.asarray(signals, np.float64)
    if how == "dff":
        return told.mean(axis=0), told.mean(axis=0)
    if baseline is not None:
        moving = _Mean(baseline)
        told = np.stack([x - moving(x) for x in told])
    if how == "minmax":
        return told.min(axis=0), told.max(axis=0) - told.min(axis=0)
    if how == "zscore":
        return told.mean(axis=0), told.std(axis=0)
    return 0.0, 1.0


class _Known:
    """Minimum and maximum, or mean and SD, of values so far."""

    def __init__(self, how: str) -> None:
        self._how = how
        self._low = self._high = self._first = None
        self._mean, self._square = _Mean(None), _Mean(None)

    def __call__(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take in values (R,); return them less the least or mean, and what divides them."""
        if self._first is None:
            self._low = self._high = self._first = values
        if self._how == "minmax":
            self._low, self._high = np.minimum(self._low, values), np.maximum(self._high, values)
            return values - self._low, self._high - self._low
        mean = self._mean(values)
        square = self._square((values - self._first) ** 2)
        variance = square - (mean - self._first) ** 2
        return values - mean, np.sqrt(np.maximum(variance, 0.0))


class _Mean:
    """The mean over the last n values (R,), the current one included; of all for None."""

    def __init__(self, n: int | None) -> None:
        self._n, self._count = n, 0
        self._sums: deque[np.ndarray] = deque(maxlen=1 if n is None else n + 1)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Take in values, return the mean."""
        if not self._count:
            self._first, self._total = x, np.zeros(len(x))
            self._sums.append(self._total)
        self._total = self._total + (x - self._first)
        self._count += 1
        if self._n is None:
            return self._total / self._count + self._first
        self._sums.append(self._total)
        return (self._total - self._sums[0]) / min(self._count, self._n) + self._first


def _ratio(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    return np.divide(values, by, out=np.zeros_like(values), where=by > 0)
