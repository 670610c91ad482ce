"""The atlas drawn over the mean image of each session: is it where it should be?"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from skimage.segmentation import find_boundaries

from mesodecode.base.plots import PALETTE, new_figure
from mesodecode.recordings.alignment import Alignment
from mesodecode.recordings.masks import read_masks

COLUMNS, SIDE = 4, 40  # images in a row; mm of each


def overlay(
    found: Sequence[Alignment], images: Sequence[np.ndarray], areas: Sequence[Path]
) -> Figure:
    """Draw mean images (H, W) with the outlines of the areas in each, and the landmarks."""
    rows, columns = -(-len(found) // COLUMNS), min(COLUMNS, len(found))
    width, height = columns * (SIDE + 3) + 2, rows * (SIDE + 9) + 2
    with new_figure(width, height, layout=None) as figure:
        for i, (alignment, image, path) in enumerate(zip(found, images, areas, strict=True)):
            left = 2 + (i % COLUMNS) * (SIDE + 3)
            low = height - (i // COLUMNS + 1) * (SIDE + 9)
            axes = figure.add_axes((left / width, low / height, SIDE / width, SIDE / height))
            limits = dict(zip(("vmin", "vmax"), np.percentile(image, [1, 99]), strict=True))
            axes.imshow(image, "gray", **limits, interpolation="none")
            axes.imshow(_outlines(path, image.shape), interpolation="none")
            if alignment.points:
                x, y = np.array(list(alignment.points.values())).T
                axes.plot(x, y, "+", color=PALETTE[1], ms=5, mew=1)
            if alignment.errors:
                rms = np.sqrt(np.mean(np.square(list(alignment.errors.values()))))
                how = f"{len(alignment.errors)} landmarks, {rms:.2f} px"
            else:
                how = f"as {alignment.by}, r = {alignment.correlation:.2f}"
            axes.set_title(f"{alignment.session} ({alignment.mouse})\n{how}", fontsize=6, pad=2)
            axes.set_axis_off()
    return figure


def caption(found: Sequence[Alignment]) -> str:
    """Return the caption of `overlay`, in plain text."""
    return (
        f"Mean image of each session (n = {len(found)}) with the outlines of the atlas's areas and "
        "the landmarks that were given (crosses). px: root mean square distance between these and "
        "the atlas's, transformed. Sessions without landmarks lie as another of their mouse does, "
        "by the similarity between both mean images; r is their correlation."
    )


def _outlines(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Return an RGBA image (H, W, 4) of the borders of the areas in a file."""
    labels = np.zeros(shape, int)
    for number, pixels in enumerate(read_masks(path, *shape).pixels, start=1):
        labels.flat[pixels] = number
    picture = np.zeros((*shape, 4))
    picture[find_boundaries(labels, mode="inner")] = (*mpl.colors.to_rgb(PALETTE[0]), 0.9)
    return picture
