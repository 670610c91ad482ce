"""Calibration of all decoders before and after recalibration, and coverage of prediction sets."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mesodecode.base.natural_order import each_in_order
from mesodecode.base.plots import DASHED, letters, markers, mouse_legend, new_figure
from mesodecode.scores.calibration import METHODS

LEVEL = 0.9  # of the prediction sets that are drawn
STEP = 4.1  # from decoder to decoder, in lines
SHORT = {"none": "as is", "temperature": "temperature", "isotonic": "isotonic"}


def page(table: pd.DataFrame, sets: pd.DataFrame) -> Figure:
    """Draw tables of `calibration.COLUMNS` and `calibration.SET_COLUMNS`."""
    decoders = list(table["decoder"].unique())
    mice = each_in_order(table["test_mouse"])
    with new_figure(174, 26 + 15 * len(decoders)) as figure:
        axes = figure.subplots(1, 4, sharey="row", width_ratios=(1.2, 1.2, 1, 1))
        for one, column, words in ((axes[0], "ece", "ECE"), (axes[1], "brier", "Brier score")):
            for index, decoder in enumerate(decoders):
                for offset, method in enumerate(METHODS):
                    rows = table[(table["decoder"] == decoder) & (table["method"] == method)]
                    points(one, STEP * index + offset, rows, column, mice)
            one.set_xlim(left=0)
            one.set_xlabel(words)
        chosen = sets[np.isclose(sets["level"], LEVEL)]
        for one, column in ((axes[2], "coverage"), (axes[3], "set_size")):
            for index, decoder in enumerate(decoders):
                rows = chosen[chosen["decoder"] == decoder]
                points(one, STEP * index + 1, rows, column, mice)
        axes[2].axvline(LEVEL, **DASHED)
        axes[2].set_xlabel(f"Coverage of {100 * LEVEL:.0f} % sets")
        axes[3].axvline(1, **DASHED)
        axes[3].set_xlabel("Mean states in a set")
        _names(axes[0], decoders)
        letters(*axes)
        for one in axes:
            one.tick_params(axis="y", length=0)
            for index in range(1, len(decoders)):
                one.axhline(STEP * index - 1.05, color="0.85", lw=0.6)
        n = table["allocation"].nunique()
        mouse_legend(figure, mice, f"n = {n} allocations, test mouse")
    return figure


def points(axes: Axes, y: float, rows: pd.DataFrame, column: str, mice: list[str]) -> None:
    """Draw the value of each allocation at height `y`, and their mean."""
    # Not seaborn's stripplot, here as elsewhere: see `plots.strip`.
    for mouse, mine in rows.groupby("test_mouse"):
        axes.plot(mine[column], np.full(len(mine), y), **markers(mice.index(mouse)))
    axes.plot([rows[column].mean()] * 2, [y - 0.35, y + 0.35], color="black", lw=1.2, zorder=0)


def caption(table: pd.DataFrame, sets: pd.DataFrame) -> str:
    """Return the caption of `page`, in plain text."""
    ece = table.groupby("method")["ece"].mean()
    chosen = sets[np.isclose(sets["level"], LEVEL)]
    return (
        f"Points: allocations ({table['allocation'].nunique()}); lines: means. A, B: expected "
        "calibration error and Brier score in the test mouse, as the decoder gives its "
        "probabilities, after a temperature and after isotonic regression, both fitted to the "
        f"validation mouse (mean ECE {ece['none']:.3f}, {ece['temperature']:.3f}, "
        f"{ece['isotonic']:.3f}). C, D: prediction sets (rest, run, both or none) that would hold "
        f"the true state in {100 * LEVEL:.0f} % of frames if those of the test mouse were "
        "exchangeable with those of the validation mouse, which they are not: coverage in the test "
        f"mouse (mean {chosen['coverage'].mean():.3f}, lowest {chosen['coverage'].min():.3f}) and "
        "mean number of states in a set; 1 says something of every frame, 2 nothing."
    )


def _names(axes: Axes, decoders: list[str]) -> None:
    ticks = [STEP * i + j for i in range(len(decoders)) for j in range(len(METHODS))]
    axes.set_yticks(ticks, [SHORT[method] for _ in decoders for method in METHODS], fontsize=6)
    axes.set_ylim(STEP * len(decoders) - 1.05, -1.4)
    for index, name in enumerate(decoders):
        axes.annotate(
            name,
            (0, STEP * index - 0.5),
            xycoords=("axes fraction", "data"),
            xytext=(-4, 0),
            ha="right",
            textcoords="offset points",
            va="bottom",
            fontweight="bold",
            annotation_clip=False,
        )
