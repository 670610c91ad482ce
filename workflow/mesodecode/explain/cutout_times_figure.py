"""The figure of cut-out scores as time goes by: areas hidden in one image of the window alone."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mesodecode.base.plots import letters, new_figure
from mesodecode.explain.cutout_figure import BUT, on_image
from mesodecode.explain.cutout_masks import CutoutMasks
from mesodecode.explain.cutout_tables import pixel_map
from mesodecode.explain.signed_figure import PANELS, bar, centred, heat, span


def draw(
    table: pd.DataFrame, masks: CutoutMasks, image: np.ndarray, rate: float, score: str = "AUC"
) -> Figure:
    """Draw a `cutout_tables.times_table` by mask and time, and on a mean image (H, W).

    `score`: what is lost, in words.
    """
    values = table.pivot(index="frame", columns="mask", values="mean")[list(masks.names)]
    frame, mean = values.index.to_numpy(), values.to_numpy()
    norm = centred(mean)
    parts = np.array_split(np.arange(len(frame)), min(PANELS, len(frame)))
    with new_figure(174, 104) as figure:
        top, bottom = figure.subfigures(2, 1, height_ratios=(1.6, 1))
        axes = top.subplots()
        shown = [not name.startswith(BUT) for name in masks.names]
        names = [name.split(" ", 1)[-1] for name in np.array(masks.names)[shown]]
        heat(axes, names, frame, mean[:, shown], rate, norm)
        axes.set_xlabel(masks.names[0].split(" ")[0].capitalize())
        letters(axes)
        bar(axes, norm, "right", f"{score} lost when hidden in one image")
        panels = np.atleast_1d(bottom.subplots(1, len(parts)))
        for panel, part in zip(panels, parts, strict=True):
            on_image(panel, pixel_map(masks, mean[part].mean(axis=0)), image, None, norm)
            panel.set_title(span(frame[part], rate), fontsize=6)
        panels[0].text(
            *(0, 1.18, "B"), transform=panels[0].transAxes, fontweight="bold", fontsize=8
        )
    return figure


def caption(table: pd.DataFrame, decoder: str, session: str, score: str = "AUC") -> str:
    """Return the figure's caption, in plain text; the image is that of `session`."""
    return (
        f"When {decoder} needs an area: {score}(intact) - {score}(masked) with the area hidden in "
        f"one image of the window alone, mean over allocations (n = {table['n'].max()}). Red: the "
        "decoder loses, blue: the area misled it, white: it does without. A: by area and time of "
        f"the image; dashed: the decoded frame. B: on the mean image of session {session}, mean "
        "over the images of each part of the window; by pixel the mean over the masks that hide "
        "it, the stronger the colour, the larger. Neighbouring images show much the same, so that "
        "each alone may be dispensable where all together are not."
    )
