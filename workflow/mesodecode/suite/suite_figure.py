"""One page of the ground-truth benchmark: decoders by cohorts, a number in every cell."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mesodecode.base.plots import heat_map, letters, low_to_high, new_figure

# Panel: column, title, colour map and its limits, so wide that black numbers are read on all.
PANELS = {
    "auc_truth": ("AUC by the true labels", "Blues", 0.4, 1.4),
    "ece": ("Expected calibration error", "Oranges", 0.0, 1.0),
    "average_precision": ("Average precision of what was planted", "Greens", 0.0, 1.6),
}
# missed, false alarms only, right: dark to light
VERDICTS = {"missed": "#E69F00", "false alarms only": "#fbe6c6", "all right": "#dcebf5"}


def page(table: pd.DataFrame) -> Figure:
    """Draw a table of `suite.COLUMNS`."""
    decoders, studies = list(table["decoder"].unique()), list(table["study"].unique())
    by = table.set_index(["decoder", "study"])
    labels = [f"{one} ({_protocol(table, one)})" for one in decoders]
    rows = len(decoders)
    with new_figure(174, 2 * (6 * rows + 14) + 24) as figure:
        axes = figure.subplots(2, 2, sharex=True, sharey=True)
        for axis, (column, (title, colours, low, high)) in zip(
            axes.flat, PANELS.items(), strict=False
        ):
            values = by[column].unstack().reindex(decoders)[studies]
            cells = values.map(lambda v: f"{v:.2f}".lstrip("0")).where(values.notna(), "·")
            _cells(axis, values, cells, cmap=colours, vmin=low, vmax=high)
            axis.set_title(title, fontsize=7)
        level = 2 - (by["n_false"] > 0) - 2 * (by["n_hit"] < by["n_should"])
        said = "{0.n_hit:.0f}/{0.n_should:.0f} · {0.n_false:.0f}/{0.n_silent:.0f}"
        counts = by.apply(said.format, axis=1).unstack().reindex(decoders)[studies].fillna("·")
        level = level.unstack().reindex(decoders)[studies]  # below the lowest: of its colour
        colours = ListedColormap(list(VERDICTS.values()))
        _cells(axes[1, 1], level, counts, cmap=colours, vmin=-0.5, vmax=2.5)
        axes[1, 1].set_title("Faults said · false alarms", fontsize=7)
        patches = [Patch(color=colour, label=name) for name, colour in VERDICTS.items()]
        figure.legend(
            handles=patches,
            loc="outside lower right",
            ncols=3,
            frameon=False,
            title="D",
            fontsize=6,
            title_fontsize=6,
            handlelength=1.0,
        )
        letters(*axes.flat)
        for axis in axes.flat:
            axis.set_yticklabels(labels)
            axis.set_xticklabels([s.partition("_")[2] or s for s in studies], rotation=40)
            for label in axis.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
    return figure


def caption(table: pd.DataFrame) -> str:
    """Return the caption of `page`, in plain text."""
    mice, allocations = (table[name].unique() for name in ("n_mice", "n_allocations"))
    n = f"{low_to_high(mice)} test mice, {low_to_high(allocations)} allocations a decoder"
    by_chance = table["chance_precision"].dropna()
    expected = f" (by chance {low_to_high(by_chance.round(2))})" if len(by_chance) else ""
    good = (table["right"] == "yes").sum()
    return (
        f"Ground-truth benchmark: {table['study'].nunique()} cohorts of simulated mice, "
        f"{table['decoder'].nunique()} decoders; n = {n}. A: AUC of run against rest in test mice "
        "by the true labels (the mean over mice). B: expected calibration error of the "
        "probabilities as they come, by the labels on record. C: average precision of importance "
        f"maps as detectors of the planted areas{expected}; · no analysis, or nothing planted. D: "
        "statements of quality control, shift, confounds and chance: made of those that should be, "
        "and made of those that should not be (false alarms); all is right in "
        f"{good} of {len(table)}."
    )


def _protocol(table: pd.DataFrame, decoder: str) -> str:
    return ", ".join(table.loc[table["decoder"] == decoder, "protocol"].unique())


def _cells(axis: Axes, values: pd.DataFrame, cells: pd.DataFrame, **look: object) -> None:
    """Draw a heat map with `cells` on it, also where a value is NaN."""
    size = 5.5 if cells.map(len).max().max() < 6 else 4.5  # two pairs of counts fill a cell
    heat_map(axis, values.astype(float), **look, cbar=False)
    for (row, column), text in np.ndenumerate(cells.to_numpy()):
        axis.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=size)
