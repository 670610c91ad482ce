"""The figure of controls: a panel a decoder, its AUCs beside those of the controls."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mesodecode.base.plots import DASHED, mouse_legend, new_figure, strip
from mesodecode.confounds.control_verdicts import mice_of
from mesodecode.confounds.signals import SIGNALS

ROW = 3  # panels side by side


def draw(controls: pd.DataFrame, auc: pd.DataFrame, rows: pd.DataFrame) -> Figure:
    """Draw the AUCs of allocations; tables as of `control_verdicts.table`, whose result is `rows`.

    A control that was not made keeps its place, with these words.
    """
    decoders, mice = list(rows["decoder"].unique()), mice_of(controls)
    across = min(ROW, len(decoders))
    down = -(-len(decoders) // ROW)
    with new_figure(max(90, 88 * across), 66 * down) as figure:
        panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
        lowest = min(0.45, controls["auc"].min(), auc["auc"].min())
        for axes, decoder in zip(panels, decoders, strict=False):
            mine = controls[controls["against"] == decoder]
            own = auc[auc["decoder"] == decoder]
            own = own[own["allocation"].isin(mine["allocation"])]
            _panel(axes, decoder, own, mine, rows[rows["decoder"] == decoder], mice)
            axes.set_ylim(lowest - 0.02, 1.07)
        for axes in panels[len(decoders) :]:
            axes.set_axis_off()
        for axes in panels[::across]:
            axes.set_ylabel("Test AUC")
        mouse_legend(figure, mice)
    return figure


def caption(rows: pd.DataFrame) -> str:
    """Return the figure's caption, in plain text."""
    n, n_mice = int(rows["n_allocations"].max()), int(rows["n_mice"].max())
    return (
        "Test AUC of decoders (left in each panel) and of decoders of control signals in windows "
        f"as wide as theirs (n = {n} allocations of {n_mice} test mice, one point each, by colour "
        "and symbol of the test mouse; bar: mean ± sample SD). Dashed: chance (0.5); dotted: the "
        "decoder's mean. A control that comes up to it (flag) says that running could be decoded "
        "without neurons; the mean of the whole image holds neurons too (note)."
    )


def _panel(
    axes: Axes,
    decoder: str,
    own: pd.DataFrame,
    mine: pd.DataFrame,
    rows: pd.DataFrame,
    mice: list[str],
) -> None:
    axes.axhline(0.5, **DASHED)
    axes.axhline(own["auc"].mean(), color="0.45", lw=0.6, ls=":", zorder=0)
    strip(axes, 0, own, mice)
    labels = [decoder]
    for x, row in enumerate(rows.itertuples(), start=1):
        labels.append(row.signal)
        if row.verdict == "not made":
            axes.text(x, 0.75, "not made", rotation=90, ha="center", va="center", color="0.45")
            continue
        strip(axes, x, mine[mine["decoder"] == row.signal], mice)
        weight = "bold" if row.verdict == "flag" else "normal"
        axes.text(x, 1.025, row.verdict, ha="center", va="bottom", fontsize=6, fontweight=weight)
    axes.axvline(0.5, color="0.8", lw=0.5)
    axes.set_xlim(-0.5, len(SIGNALS) + 0.5)
    axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right", rotation_mode="anchor")
    axes.tick_params(axis="x", length=0)
