"""The figure of a map of pixels: over the whole window, and as time goes by."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from mesodecode.base.files import in_words
from mesodecode.base.plots import letters, new_figure
from mesodecode.explain.cutout_figure import on_image
from mesodecode.explain.pixel_shap import PixelMap
from mesodecode.explain.signed_figure import PANELS, bar, span

SHOWN = 99.5  # percentile of |values| that has the full colour: one pixel would pale all others


def draw(found: PixelMap) -> Figure:
    """Draw a map on its mean image: size and sign summed over the window, and the sign by time."""
    parts = np.array_split(np.arange(len(found.frame)), min(PANELS, len(found.frame)))
    by_time = np.array([found.signed[part].mean(axis=0) for part in parts])
    sign = "SHAP, sum over the window\n> 0: brighter speaks for run"
    whole = [
        (found.mean_abs.sum(axis=0), "Mean |SHAP|, sum over the window", 0),
        (found.signed.sum(axis=0), sign, None),
    ]
    with new_figure(174, 118) as figure:
        top, bottom = figure.subfigures(2, 1, height_ratios=(1.9, 1))
        for axes, (values, label, low) in zip(top.subplots(1, 2), whole, strict=True):
            norm = _scale(values)
            on_image(axes, np.clip(values, norm.vmin, norm.vmax), found.image, None, norm)
            bar(axes, norm, "right", label, low)
        letters(*top.axes[:2])
        norm = _scale(by_time)
        panels = np.atleast_1d(bottom.subplots(1, len(parts)))
        for axes, part, values in zip(panels, parts, by_time, strict=True):
            on_image(axes, np.clip(values, norm.vmin, norm.vmax), found.image, None, norm)
            axes.set_title(span(found.frame[part], found.frame_rate), fontsize=6)
        panels[0].text(
            *(0, 1.18, "C"), transform=panels[0].transAxes, fontweight="bold", fontsize=8
        )
        bar(panels[-1], norm, "right", "SHAP by frame")
    return figure


def _scale(values: np.ndarray) -> Normalize:
    largest = float(np.percentile(np.abs(values), SHOWN)) or float(np.abs(values).max()) or 1.0
    return Normalize(-largest, largest)


def caption(found: PixelMap) -> str:
    """Return the figure's caption, in plain text."""
    runs = found.n_run / found.n_windows
    return (
        f"Which pixels move the {found.output} of run of {found.decoder}, by Deep SHAP from pixels "
        f"to output: mean over {found.n_windows} windows of {in_words(found.test_mouse)} "
        f"({runs:.0%} of them run) against {found.n_background} windows of the "
        f"{'training mice' if found.background_from == 'train' else 'test mouse'}, on the mean "
        f"image of session {found.session}. A: size. B: where a pixel is brighter than its mean "
        "over the background, and with the other sign where it is darker; red: brighter speaks for "
        "run, blue: for rest. C: as B, mean over the frames of each part of the window (times "
        "after the decoded frame). The stronger the colour, the larger, up to the 99.5th "
        "percentile of the sizes."
    )
