"""The figure of ceilings: a panel a decoder, its score by what it was trained on."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mesodecode.base.natural_order import each_in_order
from mesodecode.base.plots import DASHED, below, mouse_legend, new_figure, strip
from mesodecode.scores.ceiling_gaps import ARMS
from mesodecode.study.targets import Kind, kind_scored

ROW = 2  # panels side by side
LABELS = {
    "own": "own",
    "others": "others",
    "others_equal": "others,\nequal n",
    "own_near": "own,\nnear",
    "own_far": "own,\nfar",
    "others_near": "others,\nnear",
    "others_far": "others,\nfar",
}


def draw(rows: pd.DataFrame) -> Figure:
    """Draw the scores of tested sessions; `rows` as of `ceiling_gaps.table`."""
    kind = kind_scored(rows.columns)
    rows = rows.dropna(subset=[kind.metric])
    decoders = list(rows["decoder"].unique())
    mice = each_in_order(rows["test_mouse"])
    across = min(ROW, len(decoders))
    down = -(-len(decoders) // ROW)
    with new_figure(88 * across, 60 * down) as figure:
        panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
        for axes, decoder in zip(panels, decoders, strict=False):
            _panel(axes, decoder, rows[rows["decoder"] == decoder], mice, kind)
            axes.set_ylim(below(min(kind.chance - 0.05, rows[kind.metric].min())), 1.02)
        for axes in panels[len(decoders) :]:
            axes.set_axis_off()
        for axes in panels[::across]:
            axes.set_ylabel(f"{kind.axis} of the session left out")
        mouse_legend(figure, mice)
    return figure


def _panel(axes: Axes, decoder: str, rows: pd.DataFrame, mice: list[str], kind: Kind) -> None:
    axes.axhline(kind.chance, **DASHED)
    arms = [arm for arm in ARMS if (rows["arm"] == arm).any()]
    for x, arm in enumerate(arms):
        strip(axes, x, rows[rows["arm"] == arm], mice, kind.metric)
    axes.set_title(decoder, fontsize=7)
    axes.set_xlim(-0.6, len(arms) - 0.4)
    axes.set_xticks(range(len(arms)), [LABELS[arm] for arm in arms])
    axes.tick_params(axis="x", length=0)


def caption(rows: pd.DataFrame) -> str:
    """Return the figure's caption, in plain text."""
    kind = kind_scored(rows.columns)
    n, n_mice = rows["session"].nunique(), rows["test_mouse"].nunique()
    near = ""
    if rows["arm"].isin(["own_near"]).any():
        near = (
            " Near, far: trained on the half of the mouse's other sessions that is nearest in days "
            "to the one tested, or farthest, and on as many sessions of other mice, as many days "
            "away."
        )
    return (
        f"{kind.axis} of the session left out (n = {n} sessions of {n_mice} mice, one point each, "
        "by colour and symbol of its mouse; bar: mean ± sample SD over sessions), by what the "
        "decoder was trained on. Own: the mouse's other sessions; others: the study's decoders of "
        "other mice, mean over allocations; equal n: as many sessions of other mice as of its own."
        f"{near} Dashed: chance ({kind.chance:g})."
    )
