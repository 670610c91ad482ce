"""The correlation of each ROI with running, drawn."""

import pandas as pd
import seaborn
from matplotlib.figure import Figure

from mesodecode.base.plots import PALETTE, journal_width, new_figure


def roi_correlation(table: pd.DataFrame) -> Figure:
    """Draw the correlation of each ROI with behaviour, mean ± SD over sessions.

    `table` has columns roi, name, r, a row a session and ROI.
    """
    rois = table.drop_duplicates("roi")
    names = rois["name"].astype(str).tolist()
    numbered = names == rois["roi"].astype(str).tolist()
    width = journal_width(3.2 * len(rois) + 20)
    with new_figure(width, 55) as figure:
        axes = figure.add_subplot()
        seaborn.barplot(
            table,
            x="roi",
            y="r",
            order=rois["roi"],
            errorbar="sd",
            width=0.75,
            color=PALETTE[0],
            saturation=1,
            err_kws={"color": "0.3", "linewidth": 0.5},
            ax=axes,
        )
        axes.axhline(0, color="black", lw=0.6)
        axes.set_xlim(-0.8, len(rois) - 0.2)
        axes.set_xticks(range(len(rois)), names, rotation=90, fontsize=5)
        axes.tick_params(axis="x", length=0)
        axes.set_xlabel("ROI number" if numbered else "ROI")
        axes.set_ylabel("Correlation with running (r)")
    return figure


def roi_correlation_caption(table: pd.DataFrame, baseline: int | None) -> str:
    """Return the caption of `roi_correlation`, in plain text; `table` has a row a session and ROI.

    `baseline` is in frames.
    """
    n = table.groupby(["mouse", "session"]).ngroups
    signal = f"less a moving mean of {baseline} frames" if baseline else "as recorded"
    return (
        f"Pearson's correlation of each ROI's signal ({signal}) with run/rest (1/0) within a "
        f"session. Bar: mean over {n} sessions of {table['mouse'].nunique()} mice, line: ± sample "
        "SD. No decoder is behind it."
    )
