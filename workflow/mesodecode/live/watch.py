"""When not to trust a live decoder: measures of the shift report and of quality control so far.

Nothing here looks ahead, or at labels. What is compared with mice that the decoder knows is so with
recordings of them (`known_of`); without any, only what a session says of itself is watched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mesodecode.base.files import UserError
from mesodecode.decoders.applied import ImageDecoder, Loaded, read_by_last_layer
from mesodecode.decoders.inputs import SAMPLED, Images, ImageWindows, Source, spread
from mesodecode.live.stream_corrections import Corrected
from mesodecode.recordings.qc_measures import full_scale
from mesodecode.recordings.recording import Recording, target_of, with_labels_of
from mesodecode.recordings.sample import sample
from mesodecode.shift import distances
from mesodecode.shift.images import dynamics
from mesodecode.study.targets import Kind

SLOW = 60.0  # s that a pixel's mean is taken over, for its variance
RUN_LENGTH = 10  # windows in a run of known frames
COUNTED = ("stuck", "waiting")  # frames: unsure at the limit, and not only beyond it


@dataclass(frozen=True)
class Known:
    """Recordings that a decoder knows: log2 of their mean counts, their noise, their features.

    brightness and noise (N,), NaN where there is none; space of the features, and the distance of
    these mice from each other in such spaces.
    """

    brightness: np.ndarray
    noise: np.ndarray
    space: distances.Known
    distance: float


def known_of(loaded: Loaded, recordings: Sequence[Recording]) -> Known:
    """Return what a decoder's mice look like, from recordings of them, of its target.

    Frames are normalised by their whole recording, which is there; few of each are read. Raises
    UserError if they are of another target, or none is as long as a window.
    """
    loaded.target.check_same(target_of(recordings), "--weights")
    recordings = with_labels_of(recordings, None)
    images = isinstance(loaded.decoder, ImageDecoder)
    light = [images and one.unit == "counts" for one in recordings]
    with np.errstate(divide="ignore", invalid="ignore"):
        brightness = [
            float(np.log2(one.pixel_mean.mean())) if lit else np.nan
            for one, lit in zip(recordings, light, strict=True)
        ]
    noise = [dynamics(one)["noise"] if images else np.nan for one in recordings]
    rows, labels, mice = [], [], []
    for one in recordings:
        source = _few(loaded, one)
        at = spread(source.centres, SAMPLED)
        if len(at):
            rows.append(read_by_last_layer(loaded.decoder.network, source, at))
            labels.append(source.labels[at].cpu().numpy())
            mice.append(one.mouse)
    if not rows:
        raise UserError("--known: none is as long as a window of the decoder; give longer ones")
    space = _space(rows, labels, loaded.target.kind)
    apart = _apart(rows, labels, mice, loaded.target.kind)
    return Known(np.array(brightness), np.array(noise), space, apart)


def _space(rows: Sequence[np.ndarray], labels: Sequence[np.ndarray], kind: Kind) -> distances.Known:
    groups = distances.grouped(np.concatenate(labels), kind.groups)
    return distances.known(np.concatenate(rows), groups)


def _few(loaded: Loaded, recording: Recording) -> Source:
    decoder = loaded.decoder
    if not isinstance(decoder, ImageDecoder):
        return decoder.source(recording)
    w = decoder.half_window
    whole = replace(recording, causal=decoder.causal)
    few = sample(whole, SAMPLED, decoder.before // 2, 1 if w is None else RUN_LENGTH)
    if w is None:
        return Images([few], decoder.device)
    return ImageWindows([few], w, decoder.device)


def _apart(
    rows: Sequence[np.ndarray], labels: Sequence[np.ndarray], mice: Sequence[str], kind: Kind
) -> float:
    """Return the mean Mahalanobis distance of each mouse from the others; 1 of one mouse."""
    found = []
    for mouse in dict.fromkeys(mice):
        other = [i for i, one in enumerate(mice) if one != mouse]
        if other:
            space = _space(*([values[i] for i in other] for values in (rows, labels)), kind)
            own = np.concatenate([rows[i] for i, one in enumerate(mice) if one == mouse])
            found.append(distances.mahalanobis(space, own))
    return float(np.mean(found)) if found else 1.0


class Average:
    """The mean of values as they come: of all at first, then with a memory of `n`."""

    def __init__(self, n: float) -> None:
        self._n, self._count, self.value = max(1.0, n), 0, 0.0

    def __call__(self, value: Any) -> Any:
        """Take in a value or array; return the mean."""
        self._count = min(self._count + 1, self._n)
        self.value = self.value + (value - self.value) / self._count
        return self.value


class Watch:
    """What of the frames so far is beyond `limits` (settings of tables/live.yaml).

    `rate`: frames/s; `light`: whether brightness means light (not of ΔF/F).
    """

    def __init__(
        self,
        limits: Mapping[str, Any],
        rate: float,
        known: Known | None = None,
        *,
        light: bool = True,
    ) -> None:
        self._n = n = limits["watched_over"] * rate
        self._limits, self._known, self._light = limits, known, light
        self._bright, self._all = Average(n), Average(1e12)
        self._rest, self._variance, self._far = Average(n), Average(n), Average(n)
        self._pixel = Average(SLOW * rate)
        self._last: list[np.ndarray] = []
        self._raw: np.ndarray | None = None
        self._repeated = self._top = self._seen = 0
        self.lost = Average(n)
        self.measures: dict[str, float] = {}

    def see(self, frame: Corrected, lost: int, read: np.ndarray | None) -> list[str]:
        """Take in a frame, how many were lost before it, and what the decoder's last layer read.

        Returns why it is not to be trusted, a word for each reason; none if it is.
        """
        for _ in range(min(lost, 10_000)):
            self.lost(1.0)
        found = {"lost": self.lost(0.0), "stuck": self._stuck(frame.raw)}
        found["saturated"] = self._saturated(frame.raw)
        if frame.image is not None:
            found["brightness"] = self._brightness(float(frame.image.mean()))
        if self._known is not None:
            if frame.values.ndim == 2:
                found["noise"] = self._noise(frame.values, frame.begins)
            if read is not None:
                found["distance"] = self._distance(read)
        self.measures = found
        return self._beyond(found)

    def behind(self, latency: float, waiting: int) -> list[str]:
        """Return why a row is too late: by its `latency` (ms), or the frames that are `waiting`."""
        self.measures["waiting"] = waiting
        return self._beyond({"latency": latency, "waiting": waiting})

    def _beyond(self, found: Mapping[str, float]) -> list[str]:
        limits = self._limits
        return [
            name
            for name, value in found.items()
            if limits[name] is not None
            and (value >= limits[name] if name in COUNTED else value > limits[name])
        ]

    def _stuck(self, raw: np.ndarray) -> int:
        same = self._raw is not None and np.array_equal(self._raw, raw)
        self._repeated = self._repeated + 1 if same else 0
        self._raw = raw
        return self._repeated

    def _saturated(self, raw: np.ndarray) -> float:
        if raw.dtype.kind not in "ui":
            return 0.0
        highest = int(raw.max())
        self._top = max(self._top, highest)
        if highest < self._top or full_scale(self._top, raw.dtype) != self._top:
            return 0.0
        return float((raw == self._top).mean())

    def _brightness(self, mean: float) -> float:
        here, so_far = self._bright(mean), self._all(mean)
        if not self._light or here <= 0:
            return 0.0
        known = np.log2(so_far) if so_far > 0 else np.nan
        if self._known is not None:
            known = self._known.brightness
        return _nearest(np.log2(here), known)

    def _noise(self, values: np.ndarray, begins: bool) -> float:
        values = values.astype(np.float32)
        away = values - self._pixel(values)
        self._seen += 1
        self._last = [values] if begins else [*self._last[-2:], values]
        if self._seen <= self._n:  # the mean of each pixel is not known yet
            return 0.0
        self._variance(float(np.mean(away**2)))
        if len(self._last) == 3:
            first, middle, last = self._last
            # of white noise of variance v the rest has 1.5 v
            self._rest(float(np.mean((middle - (first + last) / 2) ** 2)) / 1.5)
        if self._seen <= 2 * self._n or not self._variance.value > 0:
            return 0.0
        return _nearest(self._rest.value / self._variance.value, self._known.noise)

    def _distance(self, read: np.ndarray) -> float:
        known = self._known
        square = distances.mahalanobis(known.space, read[None]) ** 2
        return float(np.sqrt(self._far(square)) / known.distance)


def _nearest(value: float, known: np.ndarray | float) -> float:
    """Return the difference from the nearest of known values, 0 where there is none."""
    found = np.abs(value - np.atleast_1d(known))
    return float(np.nanmin(found)) if np.isfinite(found).any() else 0.0
