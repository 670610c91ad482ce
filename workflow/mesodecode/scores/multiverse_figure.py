"""The figure of variants: a panel a decoder of the study, its variants by their mean AUC."""

import pandas as pd
from matplotlib.figure import Figure

from mesodecode.base.files import of_test_mice
from mesodecode.base.natural_order import each_in_order
from mesodecode.base.plots import DASHED, below, mouse_legend, new_figure, strip
from mesodecode.scores import multiverse
from mesodecode.study.targets import kind_scored


def draw(rows: pd.DataFrame) -> Figure:
    """Draw a `multiverse.table`."""
    mice = each_in_order(rows["test_mouse"])
    families, kind = list(rows["family"].unique()), kind_scored(rows.columns)
    with new_figure(174, 62 * len(families)) as figure:
        panels = figure.subplots(len(families), 1, sharey=True, squeeze=False).ravel()
        for axes, family in zip(panels, families, strict=True):
            mine = rows[rows["family"] == family]
            names = multiverse.order(mine)
            axes.axhline(kind.chance, **DASHED)
            for x, name in enumerate(names):
                strip(axes, x, mine[mine["variant"] == name], mice, kind.metric)
            axes.set_xlim(-0.6, len(names) - 0.4)
            axes.set_xticks(range(len(names)), names, rotation=25 if len(names) > 6 else 0)
            axes.tick_params(axis="x", length=0)
            axes.set_ylim(below(min(kind.chance - 0.05, rows[kind.metric].min())), 1.02)
            axes.set_title(family, fontsize=7)
            axes.set_ylabel(f"{kind.axis} of the test mouse")
        mouse_legend(figure, mice)
    return figure


def caption(rows: pd.DataFrame) -> str:
    """Return the figure's caption, in plain text."""
    kind = kind_scored(rows.columns)
    return (
        f"{kind.axis} of {of_test_mice(rows['test_mouse'])} (means over allocations, one "
        "point each; bar: mean ± sample SD over mice) of each decoder on each variant of the "
        "study, by their means. Adaptive decoders, which take one of them for each mouse, stand "
        "under their names. "
        f"Dashed: chance ({kind.chance:g})."
    )
