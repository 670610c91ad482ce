"""One page a decoder: how well it decodes, how its probabilities are to be read, when it errs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mesodecode.base.files import counted, of_test_mice
from mesodecode.base.natural_order import each_in_order
from mesodecode.base.plots import (
    DASHED,
    PALETTE,
    heat_map,
    letters,
    markers,
    mouse_legend,
    new_figure,
    strip,
)
from mesodecode.base.roc_auc import roc_auc
from mesodecode.decoders.predictions import Predictions
from mesodecode.recordings.recording import Recording
from mesodecode.scores.quality import BINS, NEAR, busiest_stretch, mean_band
from mesodecode.study.allocation import share_mice

STRETCH = 60.0  # s of the example
FEWEST = 10  # frames of a bin of time, or of an allocation's probabilities, that is drawn
THIN = {"lw": 0.4, "alpha": 0.6}
THICK = {"color": "black", "lw": 1.4, "zorder": 3}


@dataclass(frozen=True)
class Trace:
    """An example: one session's predictions, gaps left open, and the speed where it is known.

    seconds, probability, label, speed (n,); NaN where a frame was not decoded, label 0/1.
    """

    session: str
    allocation: str
    auc: float
    threshold: float
    seconds: np.ndarray
    probability: np.ndarray
    label: np.ndarray
    speed: np.ndarray | None


def example(
    items: Sequence[Predictions],
    thresholds: Sequence[float],
    recordings: Mapping[str, Recording],
) -> Trace:
    """Return the stretch of `STRETCH` s with most transitions of the session of median AUC."""
    found = [
        (roc_auc(session.label, session.probability), item, threshold, name)
        for item, threshold in zip(items, thresholds, strict=True)
        for name, session in item.sessions.items()
    ]
    known = [one for one in found if np.isfinite(one[0])] or found
    known.sort(key=lambda one: one[0])
    auc, item, threshold, name = known[(len(known) - 1) // 2]
    session, recording = item.sessions[name], recordings[name]
    length = round(STRETCH * recording.frame_rate)
    start, stop = busiest_stretch(session.frame, session.label, length)
    here = (session.frame >= start) & (session.frame < stop)
    values = np.full((2, stop - start), np.nan)
    values[:, session.frame[here] - start] = session.probability[here], session.label[here]
    return Trace(
        name,
        item.allocation,
        auc,
        threshold,
        np.arange(start, stop) / recording.frame_rate,
        *values,
        None if recording.speed is None else recording.speed[start:stop],
    )


def page(table: pd.DataFrame, curves: pd.DataFrame, sessions: pd.DataFrame, trace: Trace) -> Figure:
    """Draw all panels of a decoder.

    `table` has `quality.COLUMNS` and `curves` `quality.CURVE_COLUMNS`, both of this decoder;
    `sessions` is that of `auc.session_table`.
    """
    mice = each_in_order(table["test_mouse"])
    with new_figure(174, 205) as figure:
        grid = figure.add_gridspec(5, 6, height_ratios=(1.15, 1.15, 1.0, 0.6, 0.42))
        a, b, c = (figure.add_subplot(grid[0, 2 * i : 2 * i + 2]) for i in range(3))
        d, e = figure.add_subplot(grid[1, :2]), figure.add_subplot(grid[1, 2:])
        f, g, h = (figure.add_subplot(grid[2, 2 * i : 2 * i + 2]) for i in range(3))
        h.sharey(g)
        upper = figure.add_subplot(grid[3, :])
        lower = figure.add_subplot(grid[4, :], sharex=upper)
        roc(a, curves, table, mice)
        precision_recall(b, curves, table, mice)
        calibration(c, curves, mice)
        auc_by_mice(d, table)
        by_session(e, sessions, mice)
        accuracy(f, table, mice)
        for axes, curve in ((g, "onset"), (h, "offset")):
            errors(axes, curves, curve, mice)
        trace_over_speed(upper, lower, trace)
        letters(a, b, c, d, e, f, g, h, upper)
        words = f"{len(table)} allocations, test mouse"
        mouse_legend(figure, mice, f"n = {words}")
    return figure


def roc(axes: Axes, curves: pd.DataFrame, table: pd.DataFrame, mice: Sequence[str]) -> None:
    """Draw the ROC curve of each allocation, their mean, and bands over allocations and mice."""
    chosen = curves[curves["curve"] == "roc"]
    _each(axes, chosen, mice)
    by_mouse = chosen.pivot_table(index="test_mouse", columns="x", values="y")
    each = chosen.pivot(index="allocation", columns="x", values="y")
    x = each.columns.to_numpy()
    bands = []
    if not share_mice(by_mouse.index):  # sets that do are no units
        units = of_test_mice(by_mouse.index).replace("test ", "")
        bands.append((by_mouse, "0.75", f"95 % CI, {units}"))
    if len(each) > len(by_mouse) or not bands:
        bands.append((each, "0.55", f"95 % CI, {len(each)} allocations"))
    for rows, grey, label in bands:
        if len(rows) > 1:
            _, low, high = mean_band(rows.to_numpy())
            axes.fill_between(x, low, high, color=grey, lw=0, alpha=0.8, label=label)
    axes.plot(x, each.mean(), **THICK, label=f"mean, AUC {table['auc'].mean():.3f}")
    axes.plot([0, 1], [0, 1], **DASHED)
    _unit(axes, "False-positive rate", "True-positive rate")
    axes.legend(loc="lower right", fontsize=5.5, frameon=False, handlelength=1.2)


def precision_recall(
    axes: Axes, curves: pd.DataFrame, table: pd.DataFrame, mice: Sequence[str]
) -> None:
    """Draw the precision-recall curve of each allocation, their mean, and the share of run."""
    chosen = curves[curves["curve"] == "precision_recall"]
    _each(axes, chosen, mice)
    mean = chosen.groupby("x")["y"].mean()
    axes.plot(mean.index, mean, **THICK)
    share = table["n_run"] / table["n_frames"]
    axes.axhline(share.mean(), **DASHED)
    low, high = f"{share.min():.2f}", f"{share.max():.2f}"
    axes.annotate(
        f"share of run {low}" + f" to {high}" * (low != high),
        (0.02, share.mean()),
        xytext=(0, -1.5),
        textcoords="offset points",
        va="top",
        fontsize=5.5,
        color="0.35",
    )
    _unit(axes, "Recall", "Precision")


def calibration(axes: Axes, curves: pd.DataFrame, mice: Sequence[str]) -> None:
    """Draw the share of run frames against the probability, and how many frames have it."""
    chosen = curves[curves["curve"] == "calibration"]
    enough = chosen[chosen["n"] >= FEWEST]
    _each(axes, enough.assign(x=enough["mean_probability"]), mice)
    filled = chosen[chosen["n"] > 0]
    weighted = filled[["mean_probability", "y"]].multiply(filled["n"], axis=0)
    total = filled["n"].groupby(filled["x"]).sum()
    mean = weighted.groupby(filled["x"]).sum().divide(total, axis=0)
    axes.bar(total.index, total / total.sum(), width=1 / BINS, color="0.85", lw=0, zorder=0)
    axes.plot(mean["mean_probability"], mean["y"], **THICK, marker="o", ms=2.5)
    axes.plot([0, 1], [0, 1], **DASHED)
    _unit(axes, "Probability of run", "Share of run (bars: of frames)")


def auc_by_mice(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the AUC by test and validation mouse, the mean where several allocations share both."""
    auc = table.pivot_table(index="test_mouse", columns="valid_mouse", values="auc")
    auc = auc.loc[each_in_order(auc.index), each_in_order(auc.columns)]
    if len(auc.columns) <= 8:
        heat_map(axes, auc, auc.map(lambda v: f"{v:.3f}".removeprefix("0")), cmap="cividis")
    else:
        heat_map(axes, auc, cmap="cividis", cbar_kws={"label": "AUC"})
    slanted = max(map(len, auc.columns)) > 4
    for label in axes.get_xticklabels():
        label.set(rotation=35 if slanted else 0, ha="right" if slanted else "center")
    axes.set_xlabel("Validation mouse")
    axes.set_ylabel("Test mouse")


def by_session(axes: Axes, sessions: pd.DataFrame, mice: Sequence[str]) -> None:
    """Draw the AUC of each test session in every allocation, and its mean; × if it has none."""
    lowest = sessions["auc"].min()
    bottom = np.floor(lowest * 20 - 0.5) / 20 if np.isfinite(lowest) else 0.45
    below = axes.get_xaxis_transform()
    x, ticks = 0.0, []
    for index, mouse in enumerate(mice):  # not seaborn's stripplot: see `plots.strip`
        mine = sessions[sessions["test_mouse"] == mouse]
        names = each_in_order(mine["session"])
        for offset, name in enumerate(names):
            values = mine.loc[mine["session"] == name, "auc"]
            axes.plot(np.full(len(values), x + offset), values, **markers(index))
            if values.isna().all():
                axes.plot(x + offset, 0.03, "x", transform=below, color="black", ms=3, mew=0.7)
            elif len(values) > 1:
                span = [x + offset - 0.4, x + offset + 0.4]
                axes.plot(span, [values.mean()] * 2, color="black", lw=0.9)
        ticks.append((x + (len(names) - 1) / 2, f"{mouse}\n({len(names)})"))
        x += len(names) + 0.8
    axes.axhline(0.5, **DASHED)
    axes.set_xlim(-0.9, x - 0.9)
    axes.set_ylim(bottom, 1.01)
    axes.set_xticks(*zip(*ticks, strict=True))
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel("Sessions by test mouse (number)")
    axes.set_ylabel("AUC of a session")


def accuracy(axes: Axes, table: pd.DataFrame, mice: Sequence[str]) -> None:
    """Draw accuracy and balanced accuracy at 0.5 and at the threshold of the validation mouse."""
    names = ("accuracy", "accuracy_at_threshold")
    for x, name in enumerate([*names, *(f"balanced_{name}" for name in names)]):
        if table[name].notna().any():
            strip(axes, x, table, mice, name)
    axes.axhline(0.5, **DASHED)
    axes.set_xticks(range(4), ["0.5", "valid.", "0.5", "valid."])
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.5, 3.6)
    axes.set_ylim(top=1.01)
    for x, words in ((0.5, "accuracy"), (2.5, "balanced accuracy")):
        axes.annotate(
            words,
            (x, 0),
            xycoords=("data", "axes fraction"),
            xytext=(0, -14),
            fontsize=6,
            textcoords="offset points",
            ha="center",
            va="top",
        )
    axes.set_ylabel("Share correct")
    axes.set_xlabel("\nat threshold", labelpad=1)


def errors(axes: Axes, curves: pd.DataFrame, curve: str, mice: Sequence[str]) -> None:
    """Draw the share of wrong frames by time from the nearest run onset or offset."""
    chosen = curves[curves["curve"] == curve].assign(wrong=lambda rows: rows["y"] * rows["n"])
    edges = chosen["x"].unique()
    onset = curve == "onset"
    run = (0, edges.max() * 1.1) if onset else (edges.min() * 1.1, 0)
    axes.axvspan(*run, color=PALETTE[5], alpha=0.18, lw=0)
    for index, mouse in enumerate(mice):
        mine = _pooled(chosen[chosen["test_mouse"] == mouse])
        axes.plot(mine.index, mine, color=PALETTE[index % len(PALETTE)], lw=0.5, alpha=0.8)
    mean = _pooled(chosen)
    axes.plot(mean.index, mean, **THICK)
    if mean.isna().all():
        words = f"fewer than {FEWEST} frames\nby a run {curve}"
        axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", fontsize=6)
    axes.axvline(0, color="0.3", lw=0.6)
    axes.set_xlim(edges.min() * 1.05, edges.max() * 1.05)
    axes.margins(y=0.18)  # room for the words above the lines
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"Time from run {curve} (s)")
    axes.set_ylabel("Share of errors at 0.5")
    for x, words in ((0.02, "rest" if onset else "run"), (0.98, "run" if onset else "rest")):
        axes.text(
            x,
            0.97,
            words,
            transform=axes.transAxes,
            fontsize=5.5,
            color="0.35",
            va="top",
            ha="left" if x < 0.5 else "right",
        )


def trace_over_speed(upper: Axes, lower: Axes, trace: Trace) -> None:
    """Draw the probability of run over time, with run shaded, and the speed below it."""
    for axes in (upper, lower):
        shade_run(axes, trace.seconds, trace.label)
    upper.plot(trace.seconds, trace.probability, color=PALETTE[0], lw=0.7)
    upper.axhline(0.5, color="0.3", lw=0.6, ls=(0, (4, 3)))
    if np.isfinite(trace.threshold):
        upper.axhline(trace.threshold, color=PALETTE[1], lw=0.8, ls=(0, (1, 1)))
    upper.set_ylim(-0.02, 1.02)
    upper.set_ylabel("Probability\nof run")
    upper.tick_params(axis="x", labelbottom=False)
    if trace.speed is None:
        lower.text(0.5, 0.5, "speed not recorded", transform=lower.transAxes, ha="center")
        lower.set_yticks([])
    else:
        lower.plot(trace.seconds, trace.speed, color="black", lw=0.6)
        lower.set_ylabel("Speed\n(cm/s)")
    lower.set_xlim(trace.seconds[0], trace.seconds[-1])
    lower.set_xlabel(f"Time in session {trace.session} (s)")


def shade_run(axes: Axes, seconds: np.ndarray, label: np.ndarray) -> None:
    """Shade the times (n,) in which the label (n,) is 1; both may be NaN in gaps."""
    step = np.nanmedian(np.diff(seconds)) if len(seconds) > 1 else 1.0
    running = np.concatenate([[False], label == 1, [False]]).astype(int)
    starts, ends = np.flatnonzero(np.diff(running) == 1), np.flatnonzero(np.diff(running) == -1)
    for start, end in zip(starts, ends, strict=True):
        span = seconds[start] - step / 2, seconds[end - 1] + step / 2
        axes.axvspan(*span, color=PALETTE[5], alpha=0.25, lw=0)


def caption(table: pd.DataFrame, sessions: pd.DataFrame, trace: Trace) -> str:
    """Return the caption of `page`, in plain text."""
    n, mice = len(table), of_test_mice(table["test_mouse"])
    over = "over the means of test mice and, darker, "
    over = "" if share_mice(table["test_mouse"]) else over
    one = sessions.drop_duplicates(["test_mouse", "session"])
    none = sessions.groupby("session")["auc"].apply(lambda auc: auc.isna().all()).sum()
    far = table["error_far"].mean()
    beyond = f", beyond {table['error_far'].mean():.3f}" if np.isfinite(far) else ""
    known = table["threshold"].notna().sum()
    text = (
        f"Test frames of {counted(n, 'allocation')} of {mice} (colours); "
        "thin lines and points: "
        "allocations, or mice in G and H. A: ROC curves and their mean; bands: pointwise 95 % CI "
        f"of the mean by Student's t {over}over allocations, "
        "which share mice, so that it is too narrow. B: precision and recall; dashed: mean share "
        "of run frames, the precision of chance. C: calibration in "
        f"{BINS} bins of equal width (thin: of {FEWEST} frames or more); thick: all frames pooled; "
        "bars: share of frames in a bin; expected calibration error "
        f"{table['ece'].mean():.3f}, Brier score {table['brier'].mean():.3f} (means). D: AUC by "
        f"test and validation mouse. E: AUC of the {len(one)} test sessions in every allocation; "
        "line: mean. "
    )
    if none:
        text += f"×: {none} of them hold one state only, so they have no AUC. "
    text += "F: share of frames decided rightly, bar: mean ± sample SD. "
    if known:
        text += (
            "At 0.5, and at the threshold of highest Youden's J (sensitivity + specificity - 1) in "
            "the validation mouse"
        )
        text += ". " if known == n else f" (known for {known} of {n} allocations). "
    text += (
        "Balanced: mean of both states' shares. G, H: share of wrong frames (threshold 0.5) by "
        "time from the nearest run onset or offset of the same segment, run shaded, "
        f"bins of {FEWEST} frames or more; thick: all frames pooled. Within {NEAR:g} s of a "
        f"transition {table['error_near'].mean():.3f} are wrong{beyond} (means over allocations). "
        f"I: example, session {trace.session} of allocation {trace.allocation}, whose AUC "
        f"({trace.auc:.3f}) is the median of this decoder's sessions: the stretch with most "
        "transitions; run is shaded; dashed: 0.5"
    )
    return text + (", dotted: threshold." if np.isfinite(trace.threshold) else ".")


def _each(axes: Axes, curves: pd.DataFrame, mice: Sequence[str]) -> None:
    # Not seaborn's lineplot: it has as many colours as it is given, and mice may be more.
    for (mouse, _), rows in curves.groupby(["test_mouse", "allocation"], sort=False):
        color = PALETTE[mice.index(mouse) % len(PALETTE)]
        axes.plot(rows["x"], rows["y"], color=color, **THIN)


def _pooled(rows: pd.DataFrame) -> pd.Series:
    """Return the share of wrong frames by time, NaN for bins of few frames."""
    sums = rows.groupby("x")[["wrong", "n"]].sum()
    return (sums["wrong"] / sums["n"]).where(sums["n"] >= FEWEST)


def _unit(axes: Axes, xlabel: str, ylabel: str) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel=xlabel, ylabel=ylabel)
    axes.set_xticks([0, 0.5, 1])
    axes.set_yticks([0, 0.5, 1])
