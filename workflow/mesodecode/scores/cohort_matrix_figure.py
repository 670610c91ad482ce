"""The figure of cohorts: a matrix a decoder, trained in rows, tested in columns."""

import pandas as pd
from matplotlib.figure import Figure

from mesodecode.base.plots import heat_map, new_figure
from mesodecode.study.targets import kind_scored

ACROSS = 3  # matrices side by side
PANEL = 58  # mm


def draw(rows: pd.DataFrame) -> Figure:
    """Draw mean scores with their numbers of mice; `rows` as of `cohort_matrix.table`."""
    kind = kind_scored(rows.columns)
    decoders = list(rows["decoder"].unique())
    across = min(ACROSS, len(decoders))
    down = -(-len(decoders) // across)
    trained, tested = (list(rows[f"{role}_cohort"].unique()) for role in ("train", "test"))
    with new_figure(PANEL * across, (24 + 9 * len(trained)) * down) as figure:
        panels = figure.subplots(down, across, squeeze=False).ravel()
        for axes, decoder in zip(panels, decoders, strict=False):
            mine = rows[rows["decoder"] == decoder].set_index(["train_cohort", "test_cohort"])
            score = mine[kind.metric]
            mice = mine["n_mice"].map(lambda n: f"\n{n:.0f} {'mice' if n != 1 else 'mouse'}")
            text = score.map("{:.3f}".format) + mice
            values, cells = (
                column.unstack().reindex(index=trained, columns=tested) for column in (score, text)
            )
            heat_map(axes, values, cells, cmap="Blues", vmin=kind.chance - 0.1, vmax=1.2)
            axes.set_title(decoder, fontsize=7)
            axes.set_xlabel("Tested in")
        for axes in panels[::across]:
            axes.set_ylabel("Trained in")
        for axes in panels[len(decoders) :]:
            axes.set_axis_off()
    return figure


def caption(rows: pd.DataFrame) -> str:
    """Return the figure's caption, in plain text."""
    n = int(rows["n_allocations"].groupby(rows["decoder"]).sum().max())
    return (
        f"Mean {kind_scored(rows.columns).axis} of mice of the cohort in the column, decoded after "
        "training in that of the row (means over test mice of the means of their allocations; "
        f"{n} allocations). On the diagonal test mice are others of the same cohort. A cohort that "
        "was not tested from another has an empty cell."
    )
