"""Areas of a map with their intervals over mice, drawn."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mesodecode.base.plots import DASHED, MARKERS, PALETTE, above, journal_width, new_figure
from mesodecode.explain.map_mice import PERMUTED, ZERO
from mesodecode.scores.mouse_tests import LEVEL


def draw(table: pd.DataFrame, means: pd.DataFrame, score: str = "AUC") -> Figure:
    """Draw what `map_mice.over_mice` returned, and the means of mice (mice × units) behind it.

    `means` are those of the maps, or of their differences to `permuted labels`; `score`: what is
    lost when a mask hides its area, in words.
    """
    kind, tested = str(means.columns.name), bool(table["against"].iloc[0])
    prefix = "difference_" if tested else ""
    middle = table["difference" if tested else "mean"].to_numpy()
    low, high = (table[f"{prefix}{end}"].to_numpy() for end in ("low", "high"))
    x = np.arange(len(table))
    width = journal_width(3.2 * len(table) + 30)
    with new_figure(width, 66) as figure:
        axes = figure.add_subplot()
        for number, (_, values) in enumerate(means.iterrows()):
            axes.plot(
                x,
                values,
                ls="none",
                marker=MARKERS[number % len(MARKERS)],
                ms=2.2,
                mfc="none",
                mec="0.6",
                mew=0.5,
            )
        axes.errorbar(
            x,
            middle,
            yerr=np.nan_to_num([middle - low, high - middle]),
            fmt="_",
            color=PALETTE[0],
            ms=5,
            mew=1.3,
            elinewidth=0.9,
        )
        shown = np.nanmax([np.nan_to_num(high, nan=-np.inf), means.max().to_numpy()], axis=0)
        for column in np.flatnonzero(table["p_max_t"] < LEVEL):
            above(axes, "*", column, shown[column])
        axes.axhline(0, **DASHED)
        axes.margins(y=0.1)
        axes.set_xlim(-0.7, len(table) - 0.3)
        names = [str(unit).split(" ", 1)[-1] for unit in table["unit"]]  # masks without their kind
        axes.set_xticks(x, names, rotation=90, fontsize=5)
        axes.tick_params(axis="x", length=0)
        axes.set_xlabel(kind if kind == "ROI" else kind.capitalize())
        less = "\nless that with permuted labels" if table["against"].iloc[0] == PERMUTED else ""
        quantity = "Mean |SHAP|,\nsummed over frames"
        axes.set_ylabel(f"{f'{score} lost when hidden' if kind == 'mask' else quantity}{less}")
    return figure


def caption(table: pd.DataFrame, decoder: str, kind: str, words: str, score: str = "AUC") -> str:
    """Return the figure's caption, in plain text; `words` as of `map_mice.in_words`."""
    first = table.iloc[0]
    what = f"{kind}'s mean |SHAP|, summed over the window"
    if kind == "mask":
        what = f"mask's loss of {score}"
    less = ", less that of the decoder of permuted labels" if first["against"] == PERMUTED else ""
    stars = ""
    if first["p_smallest"] < LEVEL:
        other = "other than 0, " if first["against"] == ZERO else ""
        stars = f" *: {other}p < {LEVEL:g} over all {kind}s together."
    return (
        f"The map of {decoder} with mice as the unit: of each {what}{less}, the mean over "
        f"{first['n_mice']} test mice (each the mean of its allocations, n = {first['n']} in all; "
        f"grey, a sign a mouse) and its 95 % interval (Student's t over mice, of each {kind} by "
        f"itself).{stars} {words} Decoders of different test mice share training mice, which no "
        "interval sees."
    )
