"""The loss of a network by epoch."""

from __future__ import annotations

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mesodecode.base.plots import MARKERS, MM, PALETTE, STYLE


def loss_by_epoch(history: pd.DataFrame) -> Figure:
    """Draw a decoder's loss and validation AUC by epoch, as in Fig 2D of Ajioka et al. 2024.

    `history` has columns allocation, epoch, train_loss, valid_loss, valid_auc, a row an epoch of
    an allocation. Allocations are thin; their mean, thick, ends where the first of them ends.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(174 * MM, 60 * MM), layout="constrained")
        FigureCanvasAgg(figure)
        loss, auc = figure.subplots(1, 2)
        _curves(loss, history, "train_loss", 0, "training")
        _curves(loss, history, "valid_loss", 1, "validation")
        _curves(auc, history, "valid_auc", 1, "validation")
        loss.set_ylim(bottom=0)
        loss.set_ylabel("Cross-entropy loss (nats)")
        auc.set_ylabel("Validation AUC")
        for axes in (loss, auc):
            axes.set_xlabel("Epoch")
            axes.set_xlim(0.5, history["epoch"].max() + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        n = history["allocation"].nunique()
        figure.legend(
            *loss.get_legend_handles_labels(),
            loc="outside upper center",
            ncols=2,
            frameon=False,
            title=f"n = {n} allocation{'s' * (n > 1)} (thin), mean (thick)",
        )
    return figure


def loss_caption(history: pd.DataFrame) -> str:
    """Return the caption of `loss_by_epoch`, in plain text."""
    return (
        "Loss of training (blue, circles) and validation (orange, squares), and validation AUC, "
        f"by epoch. Thin lines: allocations (n = {history['allocation'].nunique()}), thick lines: "
        "their mean, up to where all go. The training loss is the mean over the epoch, while the "
        "weights change. The weights of the epoch of lowest validation loss are the ones tested."
    )


def _curves(axes: Axes, history: pd.DataFrame, column: str, index: int, label: str) -> None:
    """Draw a column by epoch: a thin line an allocation, and their mean."""
    values = history.pivot(index="epoch", columns="allocation", values=column)
    look = {"color": PALETTE[index], "marker": MARKERS[index]}
    size = 1 if len(values) == 1 else 0  # one epoch has no line; many points make a large file
    for name in values:
        axes.plot(values.index, values[name], **look, lw=0.4, ms=size, alpha=0.5)
    axes.plot(
        values.index,
        values.mean(axis=1, skipna=False),
        **look | {"lw": 1.6, "ms": 3.2, "mec": "white", "mew": 0.4, "zorder": 3, "label": label},
    )
