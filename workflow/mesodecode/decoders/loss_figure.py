"""The loss of a network by epoch."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mesodecode.base.plots import MARKERS, PALETTE, new_figure
from mesodecode.study.targets import KINDS, Kind


def loss_by_epoch(history: pd.DataFrame) -> Figure:
    """Draw a decoder's loss and validation AUC by epoch, as in Fig 2D of Ajioka et al. 2024.

    `history` has columns allocation, epoch, train_loss, valid_loss, valid_auc (of another target
    that of its score), a row an epoch of an allocation. Allocations are thin; their mean, thick,
    ends where the first of them ends.
    """
    kind = _kind(history)
    return curves(
        history,
        "allocation",
        {
            kind.loss_axis: ["train_loss", "valid_loss"],
            f"Validation {kind.axis}": [f"valid_{kind.metric}"],
        },
    )


def _kind(history: pd.DataFrame) -> Kind:
    """Return the kind of target whose score a history has."""
    return next(kind for kind in KINDS.values() if f"valid_{kind.metric}" in history)


def curves(history: pd.DataFrame, unit: str, panels: Mapping[str, Sequence[str]]) -> Figure:
    """Draw columns train_… and valid_… by epoch: a thin line a `unit`, and their mean.

    `panels`: the label of its y axis -> the columns that it shows. Losses begin at 0.
    """
    with new_figure(174, 60) as figure:
        for axes, (label, columns) in zip(
            figure.subplots(1, len(panels)), panels.items(), strict=True
        ):
            for column in columns:
                _curves(axes, history, unit, column)
            if columns[0].endswith("_loss"):
                axes.set_ylim(bottom=0)
            axes.set_ylabel(label)
            axes.set_xlabel("Epoch")
            axes.set_xlim(0.5, history["epoch"].max() + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        n = history[unit].nunique()
        figure.legend(
            *figure.axes[0].get_legend_handles_labels(),
            loc="outside upper center",
            ncols=2,
            frameon=False,
            title=f"n = {n} {unit}{'s' * (n > 1)} (thin), mean (thick)",
        )
    return figure


def loss_caption(history: pd.DataFrame) -> str:
    """Return the caption of `loss_by_epoch`, in plain text."""
    return (
        "Loss of training (blue, circles) and validation (orange, squares), and validation "
        f"{_kind(history).axis}, "
        f"by epoch. Thin lines: allocations (n = {history['allocation'].nunique()}), thick lines: "
        "their mean, up to where all go. The training loss is the mean over the epoch, while the "
        "weights change. The weights of the epoch of lowest validation loss are the ones tested."
    )


def _curves(axes: Axes, history: pd.DataFrame, unit: str, column: str) -> None:
    """Draw a column by epoch: a thin line a unit, and their mean."""
    # Not seaborn's lineplot: where the first unit ends, its mean goes on and jumps to that of
    # those that are left.
    index = 0 if column.startswith("train_") else 1
    values = history.pivot(index="epoch", columns=unit, values=column)
    look = {"color": PALETTE[index], "marker": MARKERS[index]}
    size = 1 if len(values) == 1 else 0  # one epoch has no line; many points make a large file
    axes.plot(values.index, values, **look, lw=0.4, ms=size, alpha=0.5)
    axes.plot(
        values.index,
        values.mean(axis=1, skipna=False),
        **look,
        lw=1.6,
        ms=3.2,
        mec="white",
        mew=0.4,
        zorder=3,
        label=("training", "validation")[index],
        markevery=max(1, len(values) // 12),
    )
