"""Corrections of frames as they come: those of `recordings.corrections` that need no later frame.

A frame is made here what `mesodecode preprocess` would have made of it in a recording (in its order
and its arithmetic): channels apart, dark, mask, binning, ΔF/F over a running causal baseline, the
ratio of two wavelengths, means over ROIs, size.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mesodecode.base.files import UserError, say
from mesodecode.live.frame_sources import Frame
from mesodecode.live.order import Order
from mesodecode.recordings.corrections.chain import KEEP_TYPE
from mesodecode.recordings.corrections.dff import STEPS, dff, floor_of
from mesodecode.recordings.corrections.hemodynamics import ratio
from mesodecode.recordings.corrections.movies import binned
from mesodecode.recordings.masks import read_brain, read_dark, read_masks
from mesodecode.recordings.preprocess import round_to
from mesodecode.recordings.resizing import resize
from mesodecode.study import schema
from mesodecode.study.correction_table import check, looks_ahead


def check_causal(settings: Mapping[str, Any], where: str) -> None:
    """Raise UserError, naming each, if corrections need frames that have not come yet."""
    if named := looks_ahead(settings):
        raise UserError(
            f"{where}: not causal, so that a live decoder cannot have them: {'; '.join(named)}; "
            "train one on recordings without"
        )


@dataclass(frozen=True)
class Corrected:
    """A frame as the decoder sees it.

    number: of the signal's frames, from 0; values (H, W), or ROI signals (R,); image: the corrected
    frame before it was resized or ROIs were taken, or None; raw: the signal's frame as it came;
    time, arrived: as of `Frame`; begins: frames before it are missing, or another segment begins.
    """

    number: int
    values: np.ndarray
    image: np.ndarray | None
    raw: np.ndarray
    time: float | None
    arrived: float
    begins: bool


class Corrections:
    """What makes frames `Corrected`; `push` is given one after the other.

    `settings` are those of `tables/corrections.yaml`, `frame_rate` that of one channel.
    `roi_masks`: a file of ROIs, whose means are then the values, in the order of `roi_names` (see
    `Masks.of`). `order` counts what is lost, also frames whose values are no numbers, and what came
    late.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        frame_rate: float,
        source: str,
        *,
        image_size: int | None = None,
        roi_masks: Path | None = None,
        roi_dataset: str | None = None,
        roi_names: Sequence[str] = (),
    ) -> None:
        check(dict(settings), by_light=isinstance(settings["signal_channel"], str))
        check_causal(settings, "corrections")
        if roi_masks is not None and settings["binning"] > 1:
            raise UserError(
                f"{roi_masks}: masks are in pixels of the movie as recorded, so binning cannot go "
                "with them; use image_size, which comes after them"
            )
        self._settings, self._source, self._size = settings, source, image_size
        self._roi_masks, self._roi_dataset, self._masks = roi_masks, roi_dataset, None
        self._roi_names = roi_names
        window = settings["baseline_window"] and settings["baseline_window"] * frame_rate
        paired = settings["hemodynamics"] == "ratio"
        self._channels = ("signal", "reference") if paired else ("signal",)
        self._f0 = {c: RunningF0(settings, window) for c in self._channels if window}
        changed = {k for k, v in settings.items() if v != schema.defaults("corrections")[k]}
        self._keeps_type = changed <= KEEP_TYPE
        self._first: Frame | None = None
        self._cycle = -1  # number of the last signal's frame
        self._broken = False
        self._waiting: dict[str, tuple[int, Frame]] = {}
        self._held: list[tuple[int, Frame, bool]] = []  # signal frames whose F0 is not yet known
        self.order = Order(source)
        self._n_unused = self._n_strange = 0

    def push(self, frame: Frame) -> list[Corrected]:
        """Take in a frame; return what is known of the signal's frames with it, mostly one or none.

        Raises UserError if it has another size or type than the first, or the camera began anew.
        """
        self._check(frame)
        if not self.order(frame):
            return []
        self._broken |= frame.begins
        if frame.pixels.dtype.kind == "f" and self._is_strange(frame):
            self.order.lost += 1
            return []
        cycle, channel = self._place(frame)
        if channel is not None:
            self._waiting[channel] = cycle, frame
        if channel is None or any(self._waiting.get(c, (-1,))[0] != cycle for c in self._channels):
            self._tell_unused(frame)
            return []
        self._n_unused = 0
        _, signal = self._waiting["signal"]
        begins = self._broken or (self._cycle >= 0 and cycle != self._cycle + 1)
        self._cycle, self._broken = cycle, False
        arrived = max(f.arrived for _, f in self._waiting.values())
        flat = {c: self._light(self._waiting[c][1].pixels) for c in self._channels}
        return [
            self._made(number, frame_, values, begins_, arrived)
            for number, frame_, values, begins_ in self._relative(cycle, signal, flat, begins)
        ]

    def settle(self) -> None:
        """Make what the frames after the last one need, once that is out."""
        for f0 in self._f0.values():
            f0.settle()

    def _is_strange(self, frame: Frame) -> bool:
        """Tell whether a frame has values, where it is seen, that no camera gives; say it once."""
        pixels = self._seen(frame.pixels)
        if (np.abs(pixels) <= min(LARGEST_VALUE, float(np.finfo(pixels.dtype).max))).all():
            return False
        self._n_strange += 1
        if self._n_strange == 1:
            self._tell(f"frame {frame.number} has NaN, infinite or huge values; it counts as lost")
        return True

    def _tell_unused(self, frame: Frame) -> None:
        """Say once that frames come, but none of the signal."""
        self._n_unused += 1
        if self._n_unused == UNUSED:
            here = f"light {frame.light}" if frame.light is not None else "by its turn"
            wanted = " and ".join(
                f"{c}_channel {self._settings[f'{c}_channel']}" for c in self._channels
            )
            self._tell(
                f"{UNUSED} frames in a row, up to {frame.number} ({here}), make none of {wanted}; "
                "see --channels"
            )

    def _tell(self, words: str) -> None:
        say(f"{self._source}: {words}")

    def _check(self, frame: Frame) -> None:
        if self._first is None:
            self._prepare(frame)
        first, here = self._first.pixels, frame.pixels
        if (here.shape, here.dtype) != (first.shape, first.dtype):
            raise UserError(
                f"{self._source}: frame {frame.number} is of {here.shape} {here.dtype}, those "
                f"before of {first.shape} {first.dtype}; was the camera set anew?"
            )

    def _prepare(self, frame: Frame) -> None:
        """Read the files that the size of frames is checked against."""
        s, size = self._settings, frame.pixels.shape
        if frame.pixels.dtype.kind not in "uif":
            raise UserError(f"{self._source}: pixels of type {frame.pixels.dtype}; needs numbers")
        if len(size) > 2:
            raise UserError(f"{self._source}: frames of {size} px; needs height x width, no colour")
        self._inside = self._dark = None
        if len(size) == 2:
            if s["brain_mask"] is not None:
                self._inside = read_brain(s["brain_mask"], *size, self._source)
            if s["dark_frame"] is not None:
                self._dark = read_dark(s["dark_frame"], *size, self._source)
            elif s["dark_offset"]:
                self._dark = np.float32(s["dark_offset"])
            if self._roi_masks is not None:
                masks = read_masks(self._roi_masks, *size, self._roi_dataset)
                self._masks = masks.of(self._roi_names, self._roi_masks)
        elif self._roi_masks is not None or not self._keeps_type or s["channels"] > 1:
            raise UserError(
                f"{self._source}: ROI signals, not frames; leave corrections and --roi-masks out"
            )
        self._first = frame

    def _seen(self, pixels: np.ndarray) -> np.ndarray:
        return pixels if self._inside is None else pixels[self._inside]

    def _place(self, frame: Frame) -> tuple[int, str | None]:
        """Return the number of the cycle that a frame is of, and its channel's role or None."""
        s = self._settings
        cycle, turn = divmod(frame.number, s["channels"])
        here = turn + 1 if frame.light is None else frame.light
        for role in self._channels:
            if str(s[f"{role}_channel"]) == str(here):
                return cycle, role
        return cycle, None

    def _light(self, pixels: np.ndarray) -> np.ndarray:
        """Return a frame less the dark, masked and binned."""
        if pixels.ndim == 1:
            return pixels
        if self._dark is not None:
            pixels = (pixels - self._dark).astype(np.float32)
        if self._inside is not None:
            pixels = np.where(self._inside, pixels, pixels.dtype.type(0))
        if self._settings["binning"] > 1:
            pixels = binned(pixels[None], self._settings["binning"])[0]
        return pixels

    def _relative(
        self, cycle: int, signal: Frame, flat: dict[str, np.ndarray], begins: bool
    ) -> list[tuple[int, Frame, np.ndarray, bool]]:
        """Return ΔF/F of the frames whose F0 is known by now: of the first step, all at its end."""
        if not self._f0:
            return [(cycle, signal, flat["signal"], begins)]
        self._held.append((cycle, signal, begins))
        made = {channel: self._f0[channel].push(flat[channel]) for channel in self._channels}
        values = made["signal"]
        if "reference" in made:
            values = [ratio(y, x) for y, x in zip(values, made["reference"], strict=True)]
        if not values:
            return []
        held, self._held = self._held, []
        return [(n, f, v, b) for (n, f, b), v in zip(held, values, strict=True)]

    def _made(
        self, number: int, frame: Frame, values: np.ndarray, begins: bool, arrived: float
    ) -> Corrected:
        image = values if values.ndim == 2 else None
        if self._masks is not None:
            values = self._masks.means(values[None])[0]
        elif self._size is not None and image is not None:
            values = round_to(resize(values[None], self._size), values.dtype)[0]
        return Corrected(number, values, image, frame.pixels, frame.time, arrived, begins)


UNUSED = 100  # frames in a row that make none of the signal: something is set wrongly
LARGEST_VALUE = 1e15  # of a pixel; above, sums of squares of float32 may be infinite


def percentile(images: Sequence[np.ndarray], q: float) -> np.ndarray:
    """Return what `np.percentile` gives of images (n, H, W) float32, to the bit but faster.

    It sorts whole rows of few numbers, where that picks out two of each column.
    """
    values = np.sort(np.stack(images, axis=-1), axis=-1)
    at = q / 100 * (len(images) - 1)
    share = at - int(at)
    low, high = values[..., int(at)], values[..., min(int(at) + 1, len(images) - 1)]
    gap = high - low
    return high - gap * (1 - share) if share >= 0.5 else low + gap * share


class RunningF0:
    """ΔF/F over the running causal baseline of `recordings.corrections.dff.Dff`, frame by frame.

    F0 at the end of a step is for the frames after it: `settle` makes it, if the next one does not.
    """

    def __init__(self, settings: Mapping[str, Any], window: float) -> None:
        self._step = max(1, round(window / STEPS))
        percentile = settings["dff"] == "percentile"
        self._percentile = settings["baseline_percentile"] if percentile else None
        self._means: deque[np.ndarray] = deque(maxlen=round(window / self._step))
        self._frames: list[np.ndarray] = []  # of the step under way
        self._before: np.ndarray | None = None
        self._here: np.ndarray | None = None

    def push(self, frame: np.ndarray) -> list[np.ndarray]:
        """Take in a frame (H, W); return ΔF/F of it. Of the first step, of all at its end."""
        self.settle()
        self._frames.append(frame)
        if self._here is not None:
            return [self._relative(frame, len(self._frames) - 1)]
        held = self._frames
        self.settle()
        return (
            [] if self._here is None else [dff(f[None], self._here, self._floor)[0] for f in held]
        )

    def settle(self) -> None:
        """Bring F0 to the end of a step that is whole."""
        if len(self._frames) < self._step:
            return
        mean = np.stack(self._frames).mean(axis=0, dtype=np.float64).astype(np.float32)
        self._means.append(mean)
        self._before, self._here, self._frames = self._here, self._f0(), []
        if self._before is None:
            self._before = self._here
        self._floor = floor_of(self._baseline(0))

    def _f0(self) -> np.ndarray:
        if self._percentile is None:
            return np.mean(self._means, axis=0)
        return percentile(self._means, self._percentile)

    def _baseline(self, index: int) -> np.ndarray:
        share = np.float32(index + 0.5) / np.float32(self._step)
        return self._before + (self._here - self._before) * share

    def _relative(self, frame: np.ndarray, index: int) -> np.ndarray:
        return dff(frame[None], self._baseline(index)[None], self._floor)[0]
