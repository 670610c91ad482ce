"""The corrected movie: the chosen steps one after the other, in the order of this package's words.

What a step needs to know of the whole movie (a mean, shifts, a fit) is found by reading the movie
as it is after the step before, block by block, before the step is added.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import h5py
import numpy as np

from mesodecode.base.files import UserError, doubt
from mesodecode.recordings.corrections import hemodynamics
from mesodecode.recordings.corrections.bleaching import fit_bleaching
from mesodecode.recordings.corrections.dff import Dff
from mesodecode.recordings.corrections.movies import (
    Changed,
    Channel,
    Judged,
    Movie,
    Smoothed,
    binned,
    block_size,
    mean_image,
    reference_frames,
    signal_frames,
)
from mesodecode.recordings.masks import GRID, read_brain, read_dark, tiles
from mesodecode.recordings.qc_measures import Measured, Measures, bright_pixels
from mesodecode.study import schema
from mesodecode.study.correction_table import check

KEEP_TYPE = {
    *("channels", "signal_channel", "reference_channel", "brain_mask", "outside"),
}  # settings that leave the type of frames as it is


def corrected(
    movie: Measured,
    settings: dict[str, Any] | None,
    frame_rate: float,
    lights: np.ndarray | None = None,
    outside: np.ndarray | None = None,
) -> Measured | Chain:
    """Return a movie with corrections; the movie itself where none is asked for.

    `settings` has every key of `tables/corrections.yaml`, None takes none; `frame_rate` is that of
    one channel, in frames/s; `lights` is the light source of each frame, where channels are told by
    it; `outside` (H, W) bool are pixels of the movie that were no numbers in any frame. Raises
    UserError if settings, files and movie do not fit together.
    """
    defaults = schema.defaults("corrections")
    if lights is None and settings in (None, defaults):
        return movie
    settings = settings or defaults
    check(settings, by_light=lights is not None)
    if settings["motion"] and outside is not None:
        raise UserError(
            f"{movie.path}: pixels outside the brain are NaN, so motion at its edge cannot be "
            "undone: leave motion out, or correct it before the movie is masked"
        )
    return Chain(movie, settings, frame_rate, lights, outside)


class Chain:
    """A corrected movie, and what its steps did. It is a movie itself: see `corrections.movies`.

    The steps are prepared when frames are first asked for. `links` are the signal after each step,
    measured once it has been read; `arrays` what the steps found, by name: shifts (T, 2) px, r2
    and slope (H, W), reference (T, tiles), the reference channel, and signal_frames (T,), the
    numbers of the signal's frames where they were told by light sources. `left` is how many frames
    of an incomplete cycle at the end are left out.
    """

    def __init__(
        self,
        movie: Measured,
        settings: dict[str, Any],
        frame_rate: float,
        lights: np.ndarray | None = None,
        outside: np.ndarray | None = None,
    ) -> None:
        self.settings, self.frame_rate, self.path = settings, frame_rate, movie.path
        self._lights, self._outside = lights, outside
        self.signal: Movie = movie
        self.reference: Movie | None = None
        self.links = [("recorded", movie)]
        self.words: dict[str, tuple[float, str, str]] = {}
        self.arrays: dict[str, np.ndarray] = {}
        n_frames, *size = movie.shape
        height, width = (length // settings["binning"] for length in size)
        if (lights is None and n_frames < settings["channels"]) or not height * width:
            raise UserError(
                f"{movie.path}: {n_frames} frames of {size[0]} x {size[1]} px are too few for "
                f"{settings['channels']} channels or a binning of {settings['binning']} px"
            )
        self._taken = signal_frames(n_frames, settings, lights)
        self.shape = len(self._taken), height, width
        self.left = 0 if lights is not None else n_frames % settings["channels"]
        if self.left:
            doubt(
                self.path,
                f"{n_frames} frames are no whole number of cycles of "
                f"{settings['channels']} channels; the last {self.left} left out; was a frame "
                "dropped?",
            )
        defaults = schema.defaults("corrections")
        self._changed = {k: v for k, v in settings.items() if v != defaults[k]}
        self.dtype = movie.dtype if self._changed.keys() <= KEEP_TYPE else np.dtype(np.float32)

    @property
    def unit(self) -> str:
        """Of a pixel, once the movie has been read: counts, or dff, made here or recorded so."""
        return self.links[-1][1].unit if self.settings["dff"] == "none" else "dff"

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        if len(self.links) == 1:
            self._build()
        return self.signal.blocks(size)

    # --- the steps ---------------------------------------------------------------------------

    def _build(self) -> None:
        s = self.settings
        if s["channels"] > 1 or self._lights is not None:
            self._take_apart()
        if s["dark_offset"] or s["dark_frame"] is not None:
            self._subtract_dark()
        self._judge()
        if s["motion"]:
            self._undo_motion()
        if s["brain_mask"] is not None or self._outside is not None:
            self._mask()
        if s["binning"] > 1:
            self._bin(s["binning"])
        if s["bleaching"]:
            self._undo_bleaching()
        if s["dff"] != "none":
            self._take_dff()
        if self.reference is not None:
            self._keep_reference(self.reference)
        if s["hemodynamics"] != "none":
            self._undo_hemodynamics()

    def _link(self, step: str, value: float, unit: str, words: str) -> None:
        self.signal = link = Measured(self.signal)
        self.links.append((step, link))
        self.words[step] = value, unit, words

    def _each(self, change: Callable[[Movie], Movie]) -> None:
        """Change both channels in the same way."""
        self.signal = change(self.signal)
        if self.reference is not None:
            self.reference = change(self.reference)

    def _take_apart(self) -> None:
        raw, s, lights = self.signal, self.settings, self._lights
        n_raw, frames = raw.shape[0], self.shape[0]
        self.signal = Channel(raw, self._taken)
        if s["reference_channel"] is not None:
            self.reference = Channel(raw, reference_frames(n_raw, s, lights))
        if lights is None:
            words = f"channel {s['signal_channel']} of {s['channels']}: {frames} of {n_raw} frames"
            words += " are taken for calcium (signal_channel)"
            words += f", the last {self.left} of an incomplete cycle left out" if self.left else ""
        else:
            words = f"light source {s['signal_channel']}: {frames} of {n_raw} frames"
            self.arrays["signal_frames"] = self._taken
        self._link("channels", frames, "frames", words)

    def _subtract_dark(self) -> None:
        if self.settings["dark_frame"] is None:
            dark = np.float32(self.settings["dark_offset"])
        else:
            dark = read_dark(self.settings["dark_frame"], *self.signal.shape[1:], self.path)
        self._each(lambda movie: Changed(movie, lambda _, block: block - dark))
        self._link("dark", float(dark.mean()), "counts", f"{dark.mean():.1f} counts subtracted")

    def _judge(self) -> None:
        """Refuse channels that show no light, once read, where steps need it."""
        s = self.settings
        ratios = ["bleaching"] if s["bleaching"] else []
        ratios += ["dff"] if s["dff"] != "none" else []
        ratios += ["hemodynamics: ratio"] if s["hemodynamics"] == "ratio" else []
        needs = ["motion"] * s["motion"] + ratios
        if needs:
            self.signal = Judged(self.signal, needs)
        if ratios and self.reference is not None:
            self.reference = Judged(self.reference, ratios)

    def _undo_motion(self) -> None:
        from mesodecode.recordings.corrections.motion import estimate_shifts, shift_frames

        shifts, failed = estimate_shifts(self.signal, self.settings["max_shift"])

        def change(start: int, block: np.ndarray) -> np.ndarray:
            return shift_frames(block, shifts[start : start + len(block)])

        self._each(lambda movie: Changed(movie, change))
        self.arrays["shifts"] = shifts.astype(np.float32)
        length = np.hypot(*shifts.T)
        words = f"shifts of {length.mean():.2f} px on average, {length.max():.2f} px at most"
        words += f"; frames interpolated: {failed}" if failed else ""
        self._link("motion", float(length.mean()), "px", words)

    def _mask(self) -> None:
        unknown = np.zeros(self.signal.shape[1:], bool) if self._outside is None else self._outside
        inside = ~unknown
        if self.settings["brain_mask"] is not None:
            inside &= read_brain(self.settings["brain_mask"], *inside.shape, self.path)

        def change(movie: Movie) -> Movie:
            fill = 0 if self.settings["outside"] == "zero" else mean_image(movie)
            fill = np.where(unknown, 0, fill)
            fill = (np.rint(fill) if movie.dtype.kind in "ui" else fill).astype(movie.dtype)
            return Changed(movie, lambda _, block: np.where(inside, block, fill), dtype=movie.dtype)

        self._each(change)
        share = float(inside.mean())
        self._link("brain_mask", share, "share", f"{share:.0%} of the pixels are brain")

    def _bin(self, side: int) -> None:
        height, width = self.shape[1:]

        def change(_: int, block: np.ndarray) -> np.ndarray:
            return binned(block, side)

        self._each(lambda movie: Changed(movie, change, size=(height, width)))
        words = f"{side} x {side} px averaged, to {height} x {width} px"
        self._link("binning", side, "px", words)

    def _undo_bleaching(self) -> None:
        fits = []

        def change(movie: Movie) -> Movie:
            fits.append(fit_bleaching(movie))
            return Changed(movie, fits[-1].divide)

        self._each(change)
        lost, tau = fits[0].lost, fits[0].tau / self.frame_rate
        words = f"{lost:.1%} of the brightness lost, time constant {tau:.0f} s"
        self._link("bleaching", lost, "share", words)

    def _take_dff(self) -> None:
        s = self.settings
        window = s["baseline_window"] and s["baseline_window"] * self.frame_rate
        options = {"percentile": s["baseline_percentile"], "causal": s["baseline_causal"]}
        self._each(lambda movie: Dff(movie, s["dff"], window=window, **options))
        over = f"{s['baseline_window']:g} s" if window else "the whole recording"
        over += " before each frame" if s["baseline_causal"] else ""
        what = f"{s['baseline_percentile']:g}th percentile" if s["dff"] == "percentile" else "mean"
        self._link("dff", s["baseline_window"] or np.nan, "s", f"F0: {what} over {over}")

    def _keep_reference(self, reference: Movie) -> None:
        """Keep the mean of the reference channel in each tile, for `mesodecode.confounds`."""
        masks = tiles(*reference.shape[1:]).reshape(GRID * GRID, -1)
        weights = (masks / np.maximum(masks.sum(axis=1, keepdims=True), 1)).astype(np.float32).T
        blocks = reference.blocks(block_size(reference))
        kept = [block.reshape(len(block), -1) @ weights for _, block in blocks]
        self.arrays["reference"] = np.concatenate(kept).astype(np.float32)

    def _undo_hemodynamics(self) -> None:
        s, counts, already = self.settings, None, []
        signal, reference = self.signal, self.reference
        if s["dff"] == "none":
            signal, counts = self._over_mean(signal)
            reference, of_reference = self._over_mean(reference)
            already = ["signal"] * (counts is None) + ["reference"] * (of_reference is None)
        if s["reference_lowpass"] is not None:
            reference = Smoothed(reference, s["reference_lowpass"] / self.frame_rate)
        fit = hemodynamics.fit(signal, reference)
        shown = fit.r2 > 0
        median = {
            key: float(np.median(getattr(fit, key)[shown])) if shown.any() else 0.0
            for key in ("r2", "slope")
        }
        self.arrays |= {"r2": fit.r2.astype(np.float32), "slope": fit.slope.astype(np.float32)}
        regression = s["hemodynamics"] == "regression"
        movie: Movie = hemodynamics.Corrected(signal, reference, fit if regression else None)
        if counts is not None:
            movie = Changed(movie, lambda _, block: counts * (1 + block))
        self.signal = movie
        words = f"the reference explains {median['r2']:.0%} of a pixel's variance (median), slope "
        words += f"{median['slope']:.2f}; {s['hemodynamics']}"
        words += f"; {' and '.join(already)} taken as ΔF/F already" if already else ""
        self._link("hemodynamics", median["r2"], "share", words)

    def _over_mean(self, movie: Movie) -> tuple[Movie, np.ndarray | None]:
        """Return ΔF/F of a movie over its mean (H, W), and that; of no light itself and None.

        What is ΔF/F already can be regressed as it is, whatever its unit and its scale.
        """
        judged = Judged(movie)
        relative = Dff(judged, "mean")
        return (relative, relative.baseline) if judged.light else (judged, None)

    # --- what they did -----------------------------------------------------------------------

    @property
    def measures(self) -> Measures:
        """What was measured of the corrected movie, once it has been read.

        The images in which one sees the brain are in counts: before ΔF/F, if it was taken.
        """
        measures = self.links[-1][1].result()
        if self.settings["dff"] == "none":
            return measures
        counts = [link for step, link in self.links if step not in ("dff", "hemodynamics")][-1]
        seen = counts.result()
        return replace(measures, mean=seen.mean, parts=seen.parts, part_start=seen.part_start)

    def effects(self) -> list[dict[str, Any]]:
        """Return what every step did, once the movie has been read.

        step, value with unit, words, and sd_before and sd_after: the median over bright pixels of
        the SD over time, as a share of the mean (of ΔF/F, the SD itself).
        """
        rows, before, bright = [], np.nan, None
        for step, link in self.links:
            measures = link.result()
            variation = measures.sd
            if not (step in ("dff", "hemodynamics") and self.settings["dff"] != "none"):
                bright = bright_pixels(measures.mean, measures.sd)
                if link.unit == "counts":
                    variation = variation / np.where(bright, measures.mean, 1)
            after = float(np.median(variation[bright]))
            if step == "recorded":  # of all channels together
                apart = self.settings["channels"] > 1 or self._lights is not None
                before = np.nan if apart else after
                continue
            value, unit, words = self.words[step]
            row = {"step": step, "value": value, "unit": unit, "words": words}
            rows.append(row | {"sd_before": before, "sd_after": after})
            before = after
        return rows

    def write(self, file: h5py.File) -> None:
        """Write settings, effects and arrays to the group `corrections` of a recording."""
        group = file.create_group("corrections")
        group.attrs["unit"] = self.unit
        group.attrs["settings"] = json.dumps(self._changed)
        group.attrs["effects"] = json.dumps(self.effects())
        for name, values in self.arrays.items():
            group[name] = values
