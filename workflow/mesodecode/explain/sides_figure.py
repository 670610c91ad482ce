"""The two hemispheres of a map against each other, drawn."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mesodecode.base.plots import DASHED, PALETTE, above, journal_width, low_to_high, new_figure
from mesodecode.scores.auc_figure import stars


def draw(table: pd.DataFrame, values: pd.DataFrame, quantity: str) -> Figure:
    """Draw the difference of each pair: allocations as points, mean ± SD, stars of `p_holm`.

    `table` and `values` are what `compare` returned and was given.
    """
    names = [f"{short(row.unit)} | {short(row.mirror)}" for row in table.itertuples()]
    width = journal_width(4.2 * len(table) + 30)
    with new_figure(width, 66) as figure:
        axes = figure.add_subplot()
        for x, row in enumerate(table.itertuples()):
            points = (values.loc[row.unit] - values.loc[row.mirror]).dropna()
            axes.plot(np.full(len(points), x - 0.15), points, "o", ms=1.8, mfc="0.6", mew=0)
            if row.p_holm < 0.05:
                top = max(points.max(), row.difference + row.sd)
                above(axes, stars(row.p_holm), x, top)
        axes.errorbar(
            np.arange(len(table)) + 0.12,
            table["difference"],
            yerr=table["sd"].fillna(0),
            fmt="_",
            color=PALETTE[0],
            ms=5,
            mew=1.3,
            elinewidth=0.8,
        )
        axes.axhline(0, **DASHED)
        axes.margins(y=0.12)
        axes.set_xlim(-0.7, len(table) - 0.3)
        axes.set_xticks(range(len(table)), names, rotation=90, fontsize=5.5)
        axes.tick_params(axis="x", length=0)
        axes.set_xlabel("Left | right")
        axes.set_ylabel(f"{quantity},\nleft \u2212 right")
    return figure


def short(unit: str) -> str:
    """Return a mask's name without its kind: "r1 c1" of "square r1 c1"."""
    return unit.split(" ", 1)[-1]


def caption(table: pd.DataFrame, decoder: str, quantity: str, what: str) -> str:
    """Return the figure's caption, in plain text; `what` are the units, and which are left."""
    mice = table["n_mice"].max()
    over_mice = (
        f"; the table also has the exact sign-flip test over the {mice} test mice (p_mice, at "
        f"least {2 / 2**mice:.3g})"
    )
    return (
        f"{quantity} of {decoder}: {what} less its mirror image. Points: allocations (n = "
        f"{low_to_high(table['n'])}), line: mean ± sample SD. Stars: Wilcoxon signed-rank test "
        f"over allocations, Holm-corrected over {len(table)} pairs (*** p < .001, ** p < .01, "
        "* p < .05). Allocations share mice, so that these p values are too small"
        f"{over_mice if table['p_mice'].notna().any() else ''}. A decoder that needs one of two "
        "equal sides may take either."
    )
