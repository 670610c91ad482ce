"""The figure of cut-out scores: on a mean image, and mask by mask.

Squares and circles on a grid as Fig 3B and 3C of Ajioka et al. 2024, other masks as points.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mesodecode.base.plots import DASHED, PALETTE, letters, new_figure
from mesodecode.explain.cortex import COLOURS, is_truth, mean_image
from mesodecode.explain.cutout_masks import CutoutMasks
from mesodecode.explain.cutout_tables import kind_of, pixel_map
from mesodecode.recordings.masks import read_masks
from mesodecode.recordings.recording import Recording

MOST_WRITTEN = 8  # columns of a grid whose numbers are still legible
BUT = "all but "


def draw(
    table: pd.DataFrame,
    scores: pd.DataFrame,
    masks: CutoutMasks,
    image: np.ndarray,
    rois: np.ndarray | None = None,
) -> Figure:
    """Draw scores of masks on a mean image (H, W), and beside it mask by mask.

    `table` is that of `cutout_tables.mask_table`, `scores` (masks × allocations) that of
    `cutout_tables.allocation_scores`; rois (R, 2) are centres of ROIs, x and y in px.
    """
    layout = grid(masks.names)
    drawn = table.loc[~table["mask"].str.startswith(BUT), "mean"]
    largest = float(drawn.abs().max()) or 1.0
    norm = Normalize(-largest, largest)
    with new_figure(174, 96) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1, 1))
        on_image(left, pixel_map(masks, table["mean"]), image, rois, norm)
        if layout is None:
            _points(right, table, scores)
        else:
            _grid(right, table, layout, norm)
        figure.colorbar(
            ScalarMappable(norm, COLOURS),
            ax=[left, right],
            location="bottom",
            fraction=0.04,
            pad=0.03,
            aspect=40,
            shrink=0.5,
            ticks=MaxNLocator(5),
            label=_lost(table),
        )
        letters(left, right)
    return figure


def _lost(table: pd.DataFrame) -> str:
    return f"{kind_of(table.columns).axis} lost when hidden"


def grid(names: tuple[str, ...]) -> np.ndarray | None:
    """Return the numbers of masks by row and column (R, C), None if they are on no grid."""
    found = [re.fullmatch(r"\w+ r(\d+) c(\d+)", name) for name in names]
    if not all(found):
        return None
    places = np.array([[int(number) - 1 for number in match.groups()] for match in found])
    layout = np.empty(places.max(axis=0) + 1, int)
    layout[tuple(places.T)] = np.arange(len(names))
    return layout


def on_image(
    axes: Axes, scores: np.ndarray, image: np.ndarray, rois: np.ndarray | None, norm: Normalize
) -> None:
    """Draw a mean image, over it scores (H, W), opaque where they are large, and ROIs."""
    mean_image(axes, image)
    colours = mpl.colormaps[COLOURS](norm(np.nan_to_num(scores)))
    colours[..., 3] = 0.85 * np.abs(np.nan_to_num(scores)) / norm.vmax
    axes.imshow(colours, interpolation="nearest")
    for number, (x, y) in enumerate([] if rois is None else rois, start=1):
        axes.text(x, y, number, ha="center", va="center", fontsize=4.5)
    height, width = image.shape
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


def _grid(axes: Axes, table: pd.DataFrame, layout: np.ndarray, norm: Normalize) -> None:
    """Draw mean scores by row and column, and write mean ± SD into the cells."""
    mean, sd = (table[key].to_numpy()[layout] for key in ("mean", "sd"))
    axes.imshow(mean, cmap=COLOURS, norm=norm, aspect="equal")
    if layout.shape[1] <= MOST_WRITTEN:
        for (row, column), value in np.ndenumerate(mean):
            spread = "" if np.isnan(sd[row, column]) else f"\n±{sd[row, column]:.3f}"
            axes.text(
                column,
                row,
                f"{_rounded(value)}{spread}",
                ha="center",
                va="center",
                fontsize=5,
                color="white" if abs(value) > 0.6 * norm.vmax else "black",
            )
    rows, columns = (range(1, n + 1) for n in layout.shape)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.set(xlabel="Column", ylabel="Row")
    axes.spines[:].set_visible(False)


def _rounded(value: float) -> str:
    """Return three decimals, with a minus sign and without -0."""
    return f"{round(value, 3) + 0.0:.3f}".replace("-", "\u2212")


def _points(axes: Axes, table: pd.DataFrame, scores: pd.DataFrame) -> None:
    """Draw every allocation's score by mask, mean ± SD beside it; an area beside all but it."""
    masks = table.set_index("mask")
    inside = [name for name in masks.index if not name.startswith(BUT)]
    paired = all(BUT + name in masks.index for name in inside)
    series = {"": "the area"} | ({BUT: "all but the area"} if paired else {})
    for number, (prefix, label) in enumerate(series.items()):
        at = np.arange(len(inside)) + 0.36 * number - 0.18 * (len(series) - 1)
        names = [prefix + name for name in inside]
        for x, name in zip(at, names, strict=True):
            values = scores.loc[name].dropna()
            axes.plot(
                np.full(len(values), x - 0.06), values, "o", ms=1.6, mfc=PALETTE[number], mew=0
            )
        axes.errorbar(
            at + 0.06,
            masks.loc[names, "mean"],
            yerr=masks.loc[names, "sd"].fillna(0),
            fmt="_",
            color=PALETTE[number],
            ms=5,
            mew=1.2,
            elinewidth=0.7,
            label=label,
        )
    axes.axhline(0, **DASHED)
    short = [name.split(" ", 1)[-1] for name in inside]  # without its kind
    many = sum(map(len, short)) > 60
    ticks = {"rotation": 90, "fontsize": 5} if many else {}
    axes.set_xticks(range(len(inside)), short if many else map(_wrapped, short), **ticks)
    axes.set_xlim(-0.6, len(inside) - 0.4)
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel(inside[0].split(" ")[0].capitalize())
    axes.set_ylabel(_lost(table))
    if paired:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)


def _wrapped(name: str) -> str:
    return name.replace(" and ", "\nand ")


def roi_centres(path: str | Path, recording: Recording, dataset: str | None = None) -> np.ndarray:
    """Return the centres of ROIs in px of a recording's images (R, 2), x and y.

    `path` is a file of masks, in pixels of the movie as recorded (`dataset`: see `read_masks`), or
    the truth of a simulated session (.h5).
    """
    if is_truth(path):
        with h5py.File(path) as file:
            return file["roi_xy"][:]
    recorded = recording.recorded_size or recording.shape[1:]
    masks = read_masks(path, *recorded, dataset)
    centres = [[(p % recorded[1]).mean(), (p // recorded[1]).mean()] for p in masks.pixels]
    shrunk = np.array(recording.shape[:0:-1]) / recorded[::-1]  # x and y
    return (np.array(centres) + 0.5) * shrunk - 0.5


def caption(
    table: pd.DataFrame,
    decoder: str,
    masks: CutoutMasks,
    settings: Mapping[str, Any],
    session: str,
) -> str:
    """Return the figure's caption, in plain text; the image is that of `session`."""
    fill = {
        "zero": "their own mean over the session",
        "blur": "the blurred image",
        "mean": "the mean of the visible pixels",
        "road": "what surrounds them, interpolated, with a little noise (ROAD)",
    }[settings["fill"]]
    kind = {"pairs": "pairs of mirror squares"}.get(settings["masks"], settings["masks"])
    if grid(masks.names) is None:
        each = "by mask, allocations as points and mean ± sample SD"
    else:
        each = (
            f"mean ± sample SD for each of {len(masks)} {kind} of {masks.areas[0].any(1).sum()} px"
        )
    counts, score = table.iloc[0], kind_of(table.columns).axis
    frames, decodable = (f"{counts[key]:,}" for key in ("n_frames", "n_decodable"))
    return (
        f"How much {decoder} loses when an area of its images is hidden: {score}(intact) - "
        f"{score}(masked), mean over the test sessions of an allocation; hidden pixels show "
        f"{fill}. A: on the mean image of session {session}, by pixel the mean over the masks that "
        "hide it; the stronger the colour, the larger the loss. Numbers: ROIs, where known. B: "
        f"{each}, over allocations (n = {counts['n']}). Used: {frames} of {decodable} decodable "
        f"frames of {counts['n_sessions']} sessions. A decoder does without an area of score 0; "
        "the area may still hold what another one holds too."
    )
