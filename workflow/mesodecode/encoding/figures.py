"""Figures of an encoding study: scores of models, training, the sweep, and diagnoses."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mesodecode.base.plots import DASHED, MARKERS, PALETTE, STYLE, heat_map, letters, new_figure
from mesodecode.decoders.loss_figure import curves
from mesodecode.encoding.columns import useful_rates

INITIALISATIONS = {"default": "Default", "kaiming": "Kaiming", "xavier": "Xavier"}


def scores_figure(neurons: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw R² of averages of every neuron by model, and the mean share of the ceiling reached.

    `neurons` has `scores.NEURONS`, `summary` `scores.SUMMARY`; models without averages (oracles)
    are left out.
    """
    models = [m for m, g in neurons.groupby("model", sort=False) if g["r2_average"].notna().any()]
    with new_figure(174, 30 + 7 * len(models)) as figure:
        each, share = figure.subplots(1, 2, sharey=True, width_ratios=(1.5, 1))
        rng = np.random.default_rng(0)
        for y, model in enumerate(models):
            _neurons(each, y, neurons[neurons["model"] == model], rng)
            _shares(share, y, summary[summary["model"] == model])
        for index, label in enumerate(("R² over its ceiling", "correlation over its ceiling")):
            share.plot([], [], "D^"[index], color=PALETTE[2 + index], ms=3.2, label=label)
        each.axvline(0, **DASHED)
        share.axvline(0, **DASHED)
        share.axvline(1, color="black", lw=0.6, zorder=0)
        share.axvline(0.8, color="0.6", lw=0.6, ls=":", zorder=0)
        each.set_yticks(range(len(models)), models)
        each.set_ylim(len(models) - 0.4, -0.6)
        for axes in (each, share):
            axes.tick_params(axis="y", length=0)
        each.set_xlabel("R² of averages of repeats, held-out images")
        share.set_xlabel("Share of the ceiling (95 % CI)")
        handles = [axes.get_legend_handles_labels() for axes in (each, share)]
        figure.legend(
            *(handles[0][i] + handles[1][i] for i in (0, 1)),
            loc="outside upper center",
            ncols=4,
            frameon=False,
            markerscale=1.4,
        )
    return figure


def _neurons(axes: Axes, y: float, rows: pd.DataFrame, rng: np.random.Generator) -> None:
    """Draw R² of each neuron beside height `y`: above it responsive ones, below it the others."""
    # Not seaborn's stripplot: its jitter is of numpy's global generator, another in every run.
    for index, (name, offset) in enumerate((("responsive", 0.18), ("unresponsive", -0.18))):
        values = rows.loc[rows["responsive"] == (index == 0), "r2_average"].dropna()
        axes.plot(
            values.clip(lower=-0.5),
            y - offset + rng.uniform(-0.11, 0.11, len(values)),
            ls="none",
            marker=MARKERS[index],
            ms=1.8,
            alpha=0.45,
            mec="none",
            mfc=PALETTE[index],
            label=f"{name} neurons" if y == 0 else None,
        )
        if len(values):
            axes.plot([values.mean()] * 2, [y - offset - 0.16, y - offset + 0.16], "k", lw=1.4)


def _shares(axes: Axes, y: float, rows: pd.DataFrame) -> None:
    """Draw shares of the ceiling of responsive neurons beside height `y`, with their intervals."""
    # Not seaborn's pointplot: the intervals are those of the table, which it would make anew.
    for index, score in enumerate(("fraction", "r_normalised")):
        chosen = rows[(rows["neurons"] == "responsive") & (rows["score"] == score)]
        for row in chosen.head(1).itertuples():
            axes.errorbar(
                row.mean,
                y - 0.12 + 0.24 * index,
                xerr=[[row.mean - row.ci_low], [row.ci_high - row.mean]],
                fmt="D^"[index],
                color=PALETTE[2 + index],
                ms=3.2,
                elinewidth=0.8,
                capsize=1.8,
            )


def scores_caption(neurons: pd.DataFrame) -> str:
    """Return the caption of `scores_figure`, in plain text."""
    one = neurons[neurons["model"] == neurons["model"].iloc[0]]
    n, answers = len(one), int(one["responsive"].sum())
    sessions = one["session"].nunique()
    of = f" of {sessions} sessions, one by one" if sessions > 1 else ""
    return (
        f"Left: R² of each of n = {n} neurons{of} ({answers} responsive: F test over images, false "
        "discovery rate .05), predictions against the mean response to each held-out image, all "
        "folds together; line: mean; values below -0.5 are drawn there. Right: mean share of the "
        "ceiling that responsive neurons' noise leaves, of R² and of the correlation (CC_norm); "
        "line at 1: the ceiling, dots: 80 % of it."
    )


def loss_figure(history: pd.DataFrame) -> Figure:
    """Draw loss and R² by epoch, as Berget 2023 does; `history` has `columns.HISTORY` and fold."""
    panels = {"Squared error": ["train_loss", "valid_loss"], "R²": ["train_r2", "valid_r2"]}
    figure = curves(history, "fold", panels)
    _, r2 = figure.axes
    with mpl.rc_context(STYLE):
        r2.set_ylim(bottom=max(history[panels["R²"]].min().min(), -1) - 0.05)
        r2.axhline(0, **DASHED)
    return figure


def loss_caption(history: pd.DataFrame) -> str:
    """Return the caption of `loss_figure`, in plain text."""
    return (
        "Mean squared error of standardised responses and mean R² over neurons, on training (blue, "
        "circles) and validation images (orange, squares), by epoch; thin lines: folds (n = "
        f"{history['fold'].nunique()}), thick lines: their mean, up to where all go. R² below -1 "
        "is cut off. The weights of the epoch of lowest validation loss are the ones tested."
    )


def sweep_figure(table: pd.DataFrame) -> Figure:
    """Draw validation R² and loss by learning rate and momentum, the best over L2, of each start.

    `table` has `columns.SWEEP`. Grey: every training diverged.
    """
    r2, loss = table["valid_r2"], table["valid_loss"]
    low, high = min(-0.05, r2.quantile(0.05)), max(0.05, r2.max())
    starts = list(table["initialisation"].unique())
    with new_figure(30 + 48 * max(len(starts), 2), 100) as figure:
        top, bottom = figure.subplots(2, len(starts), squeeze=False, sharex=True, sharey=True)
        _sweep_row(top, table, "valid_r2", "max", cmap="cividis", vmin=low, vmax=high)
        low, high = loss.min(), loss.quantile(0.9)
        _sweep_row(bottom, table, "valid_loss", "min", cmap="cividis_r", vmin=low, vmax=high)
        for start, above, below in zip(starts, top, bottom, strict=True):
            above.set_title(INITIALISATIONS.get(start, start), fontsize=7)
            below.set_xlabel("Learning rate")
        for row, label in ((top, "Validation R²"), (bottom, "Validation loss")):
            row[0].set_ylabel("Momentum")
            figure.colorbar(row[0].collections[0], ax=list(row), pad=0.01, label=label)
    return figure


def _sweep_row(
    row: Sequence[Axes], table: pd.DataFrame, column: str, best: str, **look: object
) -> None:
    """Draw a heat map of a column for each initialisation; `best` over L2 is max or min."""
    for axes, (_, mine) in zip(row, table.groupby("initialisation", sort=False), strict=True):
        values = mine.groupby(["momentum", "learning_rate"])[column].agg(best).unstack()
        values.index = [f"{value:g}" for value in values.index]
        values.columns = [f"{value:.2g}" for value in values.columns]
        every = max(1, values.shape[1] // 5)
        heat_map(axes, values, **look, cbar=False, linewidths=0, xticklabels=every, rasterized=True)
        axes.set_facecolor("0.8")
        axes.invert_yaxis()


def sweep_caption(table: pd.DataFrame) -> str:
    """Return the caption of `sweep_figure`, in plain text."""
    n = table["l2"].nunique()
    over = f", the best over {n} values of L2" if n > 1 else ""
    best = table.loc[table["valid_r2"].idxmax()] if table["valid_r2"].notna().any() else None
    words = (
        "None of them stayed finite."
        if best is None
        else f"Best: learning rate {best['learning_rate']:.2g}, momentum {best['momentum']:g}, L2 "
        f"{best['l2']:.2g}, {best['initialisation']} initialisation: R² {best['valid_r2']:.3f} "
        f"on validation and {best['test_r2']:.3f} on test images."
    )
    return (
        f"Validation R² (top) and loss (bottom) of {len(table)} trainings on the first fold, by "
        f"learning rate and momentum{over}, for each initialisation. Grey: all of them "
        f"diverged ({int(table['diverged'].sum())} trainings did). {words} Each square "
        "is one seed: chosen among so many, the best is better than it would be again."
    )


def diagnosis_figure(neurons: pd.DataFrame, layers: pd.DataFrame, rates: pd.DataFrame) -> Figure:
    """Draw explainable variance, gradients by layer and the learning-rate range test."""
    with new_figure(174, 62) as figure:
        variance, gradient, rate = figure.subplots(1, 3)
        bins = np.linspace(
            min(0, neurons["explainable"].min()), max(neurons["explainable"].max(), 0.05), 25
        )
        words = neurons["responsive"].map({True: "responsive", False: "unresponsive"})
        n = words.value_counts()
        named = {word: f"{word} ({n.get(word, 0)})" for word in ("responsive", "unresponsive")}
        seaborn.histplot(
            x=neurons["explainable"],
            hue=words.map(named),
            hue_order=list(named.values()),
            palette=PALETTE[:2],
            bins=bins,
            multiple="stack",
            alpha=1,
            linewidth=0,
            ax=variance,
        )
        place = {"loc": "lower left", "bbox_to_anchor": (0.15, 0.99)}
        seaborn.move_legend(variance, **place, frameon=False, fontsize=6, title=None)
        variance.yaxis.set_major_locator(MaxNLocator(integer=True))
        variance.set_xlabel("Share of variance that images explain")
        variance.set_ylabel("Neurons")
        at = np.arange(1, len(layers) + 1)
        gradient.semilogy(at, layers["ratio"], marker="o", ms=3, lw=0.8, color=PALETTE[2])
        gradient.xaxis.set_major_locator(MaxNLocator(integer=True))
        gradient.set_xlabel("Layer, first to last")
        gradient.set_ylabel("Gradient / weight (RMS)")
        low, high = useful_rates(rates)
        rate.axvspan(low, high, color="0.92", lw=0)
        rate.semilogx(rates["learning_rate"], rates["loss"], lw=1.2, color=PALETTE[0])
        rate.set_ylim(0, 2 * rates["loss"].iloc[0])
        rate.set_xlabel("Learning rate (useful range shaded)")
        rate.set_ylabel("Loss, one step at each rate")
        letters(variance, gradient, rate)
    return figure


def diagnosis_caption(neurons: pd.DataFrame, layers: pd.DataFrame) -> str:
    """Return the caption of `diagnosis_figure`, in plain text."""
    return (
        f"A: share of single trials' variance that images explain in each of n = {len(neurons)} "
        "neurons (training and validation images of the first fold). B: root mean square of the "
        "gradient over that of the weights, before training, "
        f"of each of {len(layers)} layers with weights. C: learning-rate range test, one step at "
        "each rate; shaded: from a hundredth of the rate of the lowest loss to where it grows."
    )
