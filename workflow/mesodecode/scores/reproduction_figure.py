"""Own AUCs beside the published ones, drawn."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mesodecode.base.plots import DASHED, PALETTE, new_figure


def reproduction_figure(table: pd.DataFrame) -> Figure:
    """Draw the AUC of each decoder beside the published one, and the difference with its CI.

    `table` has `reproduction.COLUMNS`.
    """
    y = np.arange(len(table))[::-1]
    with new_figure(174, 28 + 6 * len(table)) as figure:
        auc, difference = figure.subplots(1, 2, sharey=True)
        look = {"ms": 3.5, "elinewidth": 0.8, "capsize": 1.8, "capthick": 0.8}
        # Not seaborn's pointplot: it would make means, SDs and intervals anew; the table has them.
        for index, (prefix, label) in enumerate((("published_", "published"), ("", "this run"))):
            auc.errorbar(
                table[f"{prefix}mean"],
                y + 0.16 - 0.32 * index,
                xerr=table[f"{prefix}sd"].fillna(0),
                color=PALETTE[index],
                fmt="os"[index],
                label=f"{label}, mean ± SD",
                **look,
            )
        widths = [
            (table["difference"] - table["ci_low"]).fillna(0),
            (table["ci_high"] - table["difference"]).fillna(0),
        ]
        difference.errorbar(table["difference"], y, xerr=widths, fmt="o", color="black", **look)
        difference.xaxis.set_major_locator(MaxNLocator(5))
        difference.axvline(0, **DASHED)
        names = [
            f"{row.decoder} (n = {row.n})\n{row.published} (n = {row.published_n:.0f})"
            for row in table.itertuples()
        ]
        auc.set_yticks(y, names, fontsize=5.5)
        auc.set_ylim(-0.6, len(table) - 0.4)
        auc.set_xlabel("Test AUC")
        difference.set_xlabel("This run - published (95 % CI)")
        difference.tick_params(axis="y", length=0)
        figure.legend(
            *auc.get_legend_handles_labels(),
            loc="outside upper center",
            ncols=2,
            frameon=False,
        )
    return figure


def reproduction_caption(table: pd.DataFrame) -> str:
    """Return the caption of `reproduction_figure`, in plain text."""
    outside = (table["ci_low"] > 0) | (table["ci_high"] < 0)
    ways = table["interval"].str.split(",").str[0].unique()
    words = {
        "paired": "the same allocations compared, Student's t over the test mice",
        "Welch": "Welch's t, over mice, or over allocations where no more than mean and SD is "
        "published, which makes it too narrow (the table says which)",
        "none": "none where mice are tested together",
    }
    return (
        f"{len(table)} decoders of this run and of Ajioka et al. 2024: AUC of every allocation, "
        "mean ± sample SD (n allocations); and the "
        f"difference of means with its 95 % CI ({'; '.join(words[way] for way in ways)}), each "
        f"decoder alone. {int(outside.sum())} of {len(table)} intervals leave 0 out."
    )
