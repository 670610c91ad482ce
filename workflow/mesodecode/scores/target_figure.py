"""What decoders of a trace or of named states predict: a stretch of a session, or confusion."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mesodecode.base.metrics import r2
from mesodecode.base.plots import PALETTE, heat_map, new_figure
from mesodecode.decoders.predictions import Predictions

FULL = {"vmin": 0, "vmax": 1}  # shares are of one colour in all panels
SHOWN = 1800  # frames of a stretch at most


def traces(items: Sequence[Predictions]) -> Figure:
    """Draw, a panel a decoder, the trace and its prediction in the test session of median R²."""
    unit = items[0].target.unit
    label = items[0].target.name + (f" ({unit})" if unit else "")
    with _panels(len(items), 1, 174, 32) as (figure, panels):
        for axes, item in zip(panels, items, strict=True):
            name, (start, stop) = typical(item)
            one = item.sessions[name]
            at = one.frame[start:stop]
            axes.plot(at, one.label[start:stop], color="black", lw=0.8, label="measured")
            axes.plot(at, one.probability[start:stop], color=PALETTE[0], lw=0.8, label="decoded")
            score = r2(one.label, one.probability)
            axes.set_title(f"{item.decoder}: {name}, R² {score:.2f}", loc="left", fontsize=6)
            axes.set_ylabel(label)
        panels[-1].set_xlabel("Frame")
        panels[0].legend(loc="upper right", ncols=2, frameon=False)
    return figure


def typical(item: Predictions) -> tuple[str, tuple[int, int]]:
    """Return the session of median R² (the lower of two), and a stretch of it that varies most."""
    scores = {name: r2(one.label, one.probability) for name, one in item.sessions.items()}
    known = sorted((s, n) for n, s in scores.items() if np.isfinite(s)) or [
        (np.nan, max(item.sessions, key=lambda n: len(item.sessions[n].frame)))
    ]
    name = known[(len(known) - 1) // 2][1]
    value = np.asarray(item.sessions[name].label, np.float64)
    if len(value) <= SHOWN:
        return name, (0, len(value))
    starts = range(0, len(value) - SHOWN + 1, SHOWN // 2)
    start = max(starts, key=lambda first: value[first : first + SHOWN].std())
    return name, (start, start + SHOWN)


def confusion(tables: Mapping[str, pd.DataFrame], states: Sequence[str]) -> Figure:
    """Draw, a panel a decoder, of which share of a state's frames each state was predicted.

    `tables`: decoder -> its rows of `target_tables.CONFUSION`; the mean over allocations.
    """
    columns = min(3, len(tables))
    rows = -(-len(tables) // columns)
    with _panels(rows, columns, 58 * columns, 52) as (figure, panels):
        for axes, (decoder, table) in zip(panels, tables.items(), strict=False):
            means = table.groupby(["state", "predicted"])["share"].mean().unstack()
            means = means.reindex(index=states, columns=states)
            heat_map(axes, means, means.map(lambda x: "" if np.isnan(x) else f"{x:.2f}"), **FULL)
            axes.set_title(decoder, fontsize=6.5)
            axes.set(xlabel="predicted", ylabel="state")
        for axes in panels[len(tables) :]:
            axes.set_axis_off()
    return figure


def caption(items: Sequence[Predictions], n_allocations: int) -> str:
    """Return the caption of either figure, in plain text."""
    target = items[0].target
    if target.states:
        return (
            "Of the test frames of each state (rows), the share in which each state was the "
            f"likeliest (columns): mean over {n_allocations} allocations."
        )
    return (
        f"{target.name} as measured and as decoded in mice that a decoder has never seen: of each "
        "decoder the test session of median R² in its first allocation, and of that the "
        f"{SHOWN:,} frames, if there are more, in which it varies most."
    )


@contextmanager
def _panels(
    rows: int, columns: int, width: float, height: float
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Yield a figure `width` mm wide with panels `height` mm high."""
    with new_figure(width, height * rows + 8) as figure:
        yield figure, list(figure.subplots(rows, columns, squeeze=False).flat)
