"""The figure of a map of pixels: over the whole window, and as time goes by."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure

from mesodecode.base.files import in_words
from mesodecode.base.plots import letters, new_figure
from mesodecode.explain.cutout_figure import on_image
from mesodecode.explain.shap_files import Map, Pixels
from mesodecode.explain.shap_tables import check_alike, common_rate, told
from mesodecode.explain.signed_figure import PANELS, bar, span

SHOWN = 99.5  # percentile of |values| that has the full colour: one pixel would pale all others


def draw(maps: Sequence[Map], pixels: Pixels) -> Figure:
    """Draw the mean map of pixels of allocations: size and sign over the window, sign by time.

    On the mean image; of named states a row a state in the place of the sign over the window.
    Raises UserError if the maps do not match.
    """
    check_alike(maps, "decoder")
    target, frame, rate = maps[0].target, maps[0].frame, common_rate(maps)
    size = pixels.pixel_abs.sum(axis=0), "Mean |SHAP|, sum over the window", 0
    sign = f"SHAP, sum over the window\n> 0: brighter speaks for {target.kind.speaks[0]}"
    whole = [size]
    if not target.states:
        whole.append((pixels.pixel_signed[0].sum(axis=0), sign, None))
    rows = len(pixels.pixel_signed)
    with new_figure(174, 78 + 40 * rows) as figure:
        top, bottom = figure.subfigures(2, 1, height_ratios=(76, 40 * rows))
        panels = np.ravel(top.subplots(1, 2))
        for axes in panels[len(whole) :]:
            axes.set_axis_off()
        for axes, (values, label, low) in zip(panels, whole, strict=False):
            norm = _scale(values)
            on_image(axes, np.clip(values, norm.vmin, norm.vmax), pixels.image, None, norm)
            bar(axes, norm, "right", label, low)
        letters(*panels[: len(whole)])
        each = np.ravel(bottom.subfigures(rows, 1))
        for part, signed, state in zip(
            each, pixels.pixel_signed, target.states or ("",), strict=True
        ):
            part.suptitle(state, x=0.01, ha="left", fontweight="bold", fontsize=8)
            first = _by_time(part, signed, pixels.image, frame, rate)
            if part is each[0]:
                letter = "BC"[len(whole) - 1]
                first.text(
                    *(0, 1.18, letter), transform=first.transAxes, fontweight="bold", fontsize=8
                )
    return figure


def _by_time(
    figure: SubFigure, signed: np.ndarray, image: np.ndarray, frame: np.ndarray, rate: float
):
    """Draw a signed map (frames, H, W) as time goes by; return the first panel."""
    parts = np.array_split(np.arange(len(frame)), min(PANELS, len(frame)))
    means = np.array([signed[part].mean(axis=0) for part in parts])
    norm = _scale(means)
    panels = np.atleast_1d(figure.subplots(1, len(parts)))
    for axes, part, values in zip(panels, parts, means, strict=True):
        on_image(axes, np.clip(values, norm.vmin, norm.vmax), image, None, norm)
        axes.set_title(span(frame[part], rate), fontsize=6)
    bar(panels[-1], norm, "right", "SHAP by frame")
    return panels[0]


def _scale(values: np.ndarray) -> Normalize:
    largest = float(np.percentile(np.abs(values), SHOWN)) or float(np.abs(values).max()) or 1.0
    return Normalize(-largest, largest)


def caption(maps: Sequence[Map], pixels: Pixels) -> str:
    """Return the figure's caption, in plain text."""
    first, target = maps[0], maps[0].target
    one, other = target.kind.speaks
    counts = first.n_windows, first.n_background
    mice = in_words(first.test_mouse)
    over = f"{counts[0]} windows of {mice}"
    if len(maps) > 1:
        over = f"up to {counts[0]} windows of each test mouse and allocations (n = {len(maps)})"
    elif target.kind.name == "run":
        over += f" ({first.n_run / first.n_windows:.0%} of them run)"
    background = "training mice" if first.background_from == "train" else "test mouse"
    signed = (
        "where a pixel is brighter than its mean over the background, and with the other sign "
        f"where it is darker; red: brighter speaks for {one}, blue: for {other}"
    )
    by_time = "mean over the frames of each part of the window (times after the decoded frame)"
    rest = f"B: {signed}. C: as B, {by_time}."
    if target.states:
        rest = f"A row a state: B: {signed}; {by_time}."
    return (
        f"Which pixels move the {told(target, first.output)} of {first.decoder}, by Deep SHAP from "
        f"pixels to output: mean over {over} against {counts[1]} windows of the {background}, on "
        f"the mean image of session {pixels.session}. A: size"
        f"{', mean over states' if target.states else ''}. {rest} The stronger the colour, the "
        "larger, up to the 99.5th percentile of the sizes."
    )
