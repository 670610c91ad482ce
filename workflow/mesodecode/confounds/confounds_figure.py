"""The figure of controls: a panel a decoder, its scores beside those of the controls."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mesodecode.base.natural_order import each_in_order
from mesodecode.base.plots import DASHED, below, mouse_legend, new_figure, strip
from mesodecode.confounds.signals import SIGNALS
from mesodecode.study.targets import Kind, kind_scored

ROW = 3  # panels side by side


def draw(controls: pd.DataFrame, auc: pd.DataFrame, rows: pd.DataFrame) -> Figure:
    """Draw the scores of allocations; `rows` is what `control_verdicts.table` makes of the tables.

    A control that was not made keeps its place, with these words.
    """
    decoders, mice = list(rows["decoder"].unique()), each_in_order(controls["test_mouse"])
    kind = kind_scored(controls.columns)
    across = min(ROW, len(decoders))
    down = -(-len(decoders) // ROW)
    with new_figure(max(90, 88 * across), 66 * down) as figure:
        panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
        lowest = min(kind.chance - 0.05, *(one[kind.metric].min() for one in (controls, auc)))
        for axes, decoder in zip(panels, decoders, strict=False):
            mine = controls[controls["against"] == decoder]
            own = auc[auc["decoder"] == decoder]
            own = own[own["allocation"].isin(mine["allocation"])]
            _panel(axes, decoder, own, mine, rows[rows["decoder"] == decoder], mice, kind)
            axes.set_ylim(below(lowest), 1.07)
        for axes in panels[len(decoders) :]:
            axes.set_axis_off()
        for axes in panels[::across]:
            axes.set_ylabel(f"Test {kind.axis}")
        mouse_legend(figure, mice)
    return figure


def caption(rows: pd.DataFrame) -> str:
    """Return the figure's caption, in plain text."""
    kind = kind_scored(rows.columns, "_control")
    n, n_mice = int(rows["n_allocations"].max()), int(rows["n_mice"].max())
    return (
        f"Test {kind.axis} of decoders (left in each panel) and of decoders of control signals in "
        f"windows as wide as theirs (n = {n} allocations of {n_mice} test mice, one point each, by "
        "colour and symbol of the test mouse; bar: mean ± sample SD). Dashed: chance "
        f"({kind.chance:g}); dotted: the decoder's mean. A control that comes up to it (flag) says "
        f"that {kind.decoded} could be decoded without neurons; the mean of the whole image holds "
        "neurons too (note)."
    )


def _panel(
    axes: Axes,
    decoder: str,
    own: pd.DataFrame,
    mine: pd.DataFrame,
    rows: pd.DataFrame,
    mice: list[str],
    kind: Kind,
) -> None:
    axes.axhline(kind.chance, **DASHED)
    axes.axhline(own[kind.metric].mean(), color="0.45", lw=0.6, ls=":", zorder=0)
    strip(axes, 0, own, mice, kind.metric)
    labels = [decoder]
    for x, row in enumerate(rows.itertuples(), start=1):
        labels.append(row.signal)
        if row.verdict == "not made":
            at = kind.chance + 0.25
            axes.text(x, at, "not made", rotation=90, ha="center", va="center", color="0.45")
            continue
        strip(axes, x, mine[mine["decoder"] == row.signal], mice, kind.metric)
        weight = "bold" if row.verdict == "flag" else "normal"
        axes.text(x, 1.025, row.verdict, ha="center", va="bottom", fontsize=6, fontweight=weight)
    axes.axvline(0.5, color="0.8", lw=0.5)
    axes.set_xlim(-0.5, len(SIGNALS) + 0.5)
    axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right", rotation_mode="anchor")
    axes.tick_params(axis="x", length=0)
