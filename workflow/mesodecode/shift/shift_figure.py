"""One page of shift: verdicts by decoder and mouse, what differs in images, predicted AUCs."""

import math
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mesodecode.base.files import counted
from mesodecode.base.natural_order import each_in_order
from mesodecode.base.plots import MM, STYLE, heat_map, markers, mouse_legend
from mesodecode.shift.columns import OF_IMAGES, VERDICTS, column, of_decoder, predicted_of
from mesodecode.shift.shift_verdicts import beyond_of
from mesodecode.study.targets import RUN, Kind, kind_scored

ACROSS = 4  # decoders beside each other
# Light to dark, so that it reads without colour too.
VERDICT_COLORS = ("#dcebf5", "#E69F00", "#8c2d04")
SHORT = {"two_sample": "two-sample", "left_right": "left/right"}


def page(table: pd.DataFrame, settings: Mapping[str, Any]) -> Figure:
    """Draw a table of `columns.columns_of`; `settings` are the thresholds that judged it."""
    kind = kind_scored(table.columns)
    mice = each_in_order(table["test_mouse"])
    decoders = list(table["decoder"].unique())
    lines = math.ceil(len(decoders) / ACROSS)
    heights = [14 + 5.5 * len(decoders), 18 + 5.5 * len(mice), *[40] * lines]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(174 * MM, (sum(heights) + 22) * MM), layout="constrained")
        FigureCanvasAgg(figure)
        upper, middle, *lower = figure.subfigures(2 + lines, 1, height_ratios=heights)
        verdicts(upper.add_subplot(), table, decoders, mice)
        beyond(middle.add_subplot(), table, mice, settings, kind)
        panels = [part.subplots(1, ACROSS, squeeze=False)[0] for part in lower]
        axes = [one for line in panels for one in line]
        low = np.nanmin(table[[kind.expected, predicted_of(kind)[0]]].to_numpy(), initial=1.0)
        for one, decoder in zip(axes, decoders, strict=False):
            predicted(one, table[table["decoder"] == decoder], mice, low, kind)
            one.set_title(decoder, fontsize=7)
        for one in axes[len(decoders) :]:
            one.set_visible(False)
        for axis, letter in zip((*upper.axes, *middle.axes, axes[0]), "ABC", strict=True):
            axis.set_title(letter, loc="left", fontweight="bold", fontsize=8)
        mouse_legend(figure, mice, "C: test mouse")
    return figure


def verdicts(axes: Axes, table: pd.DataFrame, decoders: list[str], mice: list[str]) -> None:
    """Draw the median verdict of each decoder in each test mouse, with the count of each."""
    level = table["verdict"].map({name: index for index, name in enumerate(VERDICTS)})
    groups = level.groupby([table["decoder"], table["test_mouse"]])
    median = groups.quantile(0.5, interpolation="higher").unstack().reindex(decoders)[mice]
    counts = groups.agg(
        lambda rows: " / ".join(f"{(rows == i).sum()}" for i in range(len(VERDICTS)))
    )
    heat_map(
        axes,
        median,
        counts.unstack().reindex(decoders)[mice],
        cmap=ListedColormap(VERDICT_COLORS),
        vmin=-0.5,
        vmax=2.5,
    )
    axes.set_xlabel("Test mouse")
    patches = [Patch(color=c, label=v) for c, v in zip(VERDICT_COLORS, VERDICTS, strict=True)]
    axes.legend(
        handles=patches,
        **{"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 3, "frameon": False},
        **{"fontsize": 6, "handlelength": 1.0, "borderaxespad": 0.2},
    )


def beyond(
    axes: Axes,
    table: pd.DataFrame,
    mice: list[str],
    settings: Mapping[str, Any],
    kind: Kind = RUN.kind,
) -> None:
    """Draw the share of rows of each test mouse beyond the first threshold of each measure.

    Rows without the measure, such as features of averages, do not count.
    """
    names = [*of_decoder(kind), *OF_IMAGES]

    def beyond_first(name: str, mouse: str) -> float:
        known = table.loc[table["test_mouse"] == mouse, column(name)].dropna()
        far = [beyond_of(name, value, settings[name]) > 0 for value in known]
        return float(np.mean(far)) if far else 0.0

    share = pd.DataFrame({n: [beyond_first(n, m) for m in mice] for n in names}, index=mice)
    short = SHORT | {predicted_of(kind)[0]: f"predicted {kind.expected_axis}"}
    share.columns = [short.get(name, name) for name in names]
    heat_map(
        axes,
        share,
        share.map(lambda value: f"{100 * value:.0f}" if value else "·"),
        cmap="Greys",
        vmin=0,
        vmax=1.3,
    )
    axes.tick_params(axis="x", rotation=40)
    for label in axes.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
    axes.set_ylabel("Test mouse")
    axes.axvline(len(of_decoder(kind)), color="black", lw=0.8)


def predicted(
    axes: Axes, table: pd.DataFrame, mice: list[str], low: float, kind: Kind = RUN.kind
) -> None:
    """Draw the measured score of each session over the one predicted without its labels."""
    name, score = predicted_of(kind)[0], kind.expected
    known = table[name].notna() & table[score].notna()
    bottom = max(kind.lowest, -1.0, math.floor(low * 20 - 0.5) / 20)
    axes.plot([bottom, 1], [bottom, 1], color="0.45", lw=0.6, ls=(0, (4, 3)), zorder=0)
    # Not seaborn's scatterplot: points look as in the legend and all other figures (`markers`).
    for mouse, rows in table[known].groupby("test_mouse"):
        axes.plot(rows[name], rows[score], **markers(mice.index(mouse)))
    if not known.any():
        axes.text(0.5, 0.5, "too few mice", transform=axes.transAxes, ha="center", fontsize=6)
    axes.set(xlim=(bottom, 1.01), ylim=(bottom, 1.01), aspect="equal")
    axes.set_xlabel(f"Predicted {kind.expected_axis}")
    axes.set_ylabel(f"{kind.expected_axis[0].upper()}{kind.expected_axis[1:]} of the session")


def caption(table: pd.DataFrame) -> str:
    """Return the caption of `page`, in plain text."""
    n, mice = table["allocation"].nunique(), table["test_mouse"].nunique()
    kind = kind_scored(table.columns)
    (predicted, *_, others), score, axis = predicted_of(kind), kind.expected, kind.expected_axis
    known = table[table[predicted].notna() & table[score].notna()]
    error = ""
    if len(known):
        missed, by_others = (
            (known[name] - known[score]).abs().mean() for name in (predicted, others)
        )
        error = (
            f" Mean absolute error over {len(known)} points: {missed:.3f}; of the mean {axis} "
            f"of the other mice, which looks at nothing: {by_others:.3f}."
        )
    return (
        f"{len(table)} rows: test sessions of {n} allocations ({mice} test mice) and "
        f"{counted(table['decoder'].nunique(), 'decoder')}. A: rows in distribution / shifted / "
        "unusable; the colour is the median. B: % of the rows of a mouse beyond the first "
        "threshold of a measure (of those that have it): left of the line of decoders, right of it "
        "of images alone. C: "
        f"{axis} of test sessions over the one predicted from unlabelled data, by a regression "
        f"over the other test mice; a point is a session in an allocation.{error} The thresholds "
        "were set on simulated mice."
    )
