"""Figures of a study as a whole: its mice and what they did, and its AUCs beside the published."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from mesodecode.base.files import in_words
from mesodecode.base.natural_order import each_in_order
from mesodecode.base.plots import PALETTE, letters, markers, new_figure, spread
from mesodecode.recordings.recording import Recording
from mesodecode.scores.quality import busiest_stretch
from mesodecode.scores.quality_figure import STRETCH, shade_run

BLOCK = 256  # frames in memory
NO_RUN = (
    " No frame is of run: no mouse ran, or the files of behaviour, of which something else is "
    "decoded, say nothing of it."
)


@dataclass(frozen=True)
class Activity:
    """A stretch of a session: seconds, labels 0/1, global ΔF/F, and speed (cm/s) if known, (n,).

    NaN in all of them between two segments.
    """

    session: str
    mouse: str
    seconds: np.ndarray
    label: np.ndarray
    dff: np.ndarray
    speed: np.ndarray | None = None


def example_session(cohort: pd.DataFrame) -> str:
    """Return the session whose share of run is nearest to a half; `cohort`: see `cohort_figure`."""
    share = cohort["n_run"] / cohort["n_frames"]
    return str(cohort.loc[(share - 0.5).abs().idxmin(), "session"])


def activity(recording: Recording) -> Activity:
    """Return the stretch of a recording with most run/rest transitions, `STRETCH` s.

    ΔF/F is (F - F0) / F0, F the mean over all pixels and F0 its mean over the recording; of pixels
    that are ΔF/F already, their mean.
    """
    length = round(STRETCH * recording.frame_rate)
    start, stop = busiest_stretch(np.arange(len(recording)), recording.labels, length)
    mean = [
        recording.read_frames(at, min(at + BLOCK, stop)).mean(axis=(1, 2))
        for at in range(start, stop, BLOCK)
    ]
    light = np.concatenate(mean)
    if recording.unit == "counts":
        light = light / recording.pixel_mean.mean() - 1
    segment = np.zeros(1) if recording.segment is None else recording.segment[start:stop]
    gaps = np.flatnonzero(np.diff(segment)) + 1
    seconds = np.arange(start, stop) / recording.frame_rate
    columns = [seconds, recording.labels[start:stop], light]
    if recording.speed is not None:
        columns.append(recording.speed[start:stop])
    gapped = [np.insert(column.astype(float), gaps, np.nan) for column in columns]
    return Activity(recording.session, recording.mouse, *gapped)


def cohort_figure(cohort: pd.DataFrame, example: Activity) -> Figure:
    """Draw the share of run of each session, by mouse, and an example of behaviour and activity.

    As Fig 1C and 1D of Ajioka et al. 2024. `cohort` has columns mouse, session, n_frames, n_run.
    """
    mice = each_in_order(cohort["mouse"])
    longest = max(map(len, mice))
    with new_figure(174, 70 + 0.8 * max(0, longest - 12)) as figure:  # slanted names take height
        grid = figure.add_gridspec(2, 2, width_ratios=(1, 2.2))
        share = figure.add_subplot(grid[:, 0])
        for index, mouse in enumerate(mice):  # not seaborn's stripplot: see `plots.strip`
            mine = cohort[cohort["mouse"] == mouse]
            values = mine["n_run"] / mine["n_frames"]
            share.plot(index + 0.1 * spread(len(mine), 5), values, **markers(index), zorder=3)
            pooled = mine["n_run"].sum() / mine["n_frames"].sum()
            share.plot([index - 0.38, index + 0.38], [pooled] * 2, color="black", lw=1.3)
        counts = cohort["mouse"].value_counts()
        long = longest > 4
        slant = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if long else {}
        break_ = " " if long else "\n"
        names = [f"{mouse}{break_}({counts[mouse]})" for mouse in mice]
        share.set_xticks(range(len(mice)), names, **slant)
        share.tick_params(axis="x", length=0)
        share.set_xlabel("Mouse (sessions)")
        share.set_ylim(0, 1)
        share.yaxis.set_major_formatter(PercentFormatter(1.0))
        share.set_ylabel("Frames in which the mouse runs")
        speed = figure.add_subplot(grid[0, 1])
        dff = figure.add_subplot(grid[1, 1], sharex=speed)
        for axes in (speed, dff):
            shade_run(axes, example.seconds, example.label)
        if example.speed is None:
            speed.text(0.5, 0.5, "speed not recorded", transform=speed.transAxes, ha="center")
            speed.set_yticks([])
        else:
            speed.plot(example.seconds, example.speed, color="black", lw=0.6)
            speed.set_ylabel("Speed (cm/s)")
        speed.tick_params(axis="x", labelbottom=False)
        dff.plot(example.seconds, 100 * example.dff, color=PALETTE[2], lw=0.6)
        dff.set_ylabel("Global ΔF/F (%)")
        dff.set_xlim(np.nanmin(example.seconds), np.nanmax(example.seconds))
        dff.set_xlabel(
            f"Time in session {example.session} of {in_words(example.mouse)} (s); run shaded"
        )
        letters(share, speed)
    return figure


def cohort_caption(cohort: pd.DataFrame, example: Activity) -> str:
    """Return the caption of `cohort_figure`, in plain text."""
    n, mice = len(cohort), cohort["mouse"].nunique()
    return (
        f"A: share of frames in which the mouse runs, in each of n = {n} sessions of {mice} mice; "
        "line: all frames of the mouse. B: the stretch with most transitions of session "
        f"{example.session}, whose share of run is nearest to a half: speed, and mean ΔF/F over "
        "all pixels (F0: mean over the recording; the camera's offset is not subtracted, which "
        "makes ΔF/F smaller); run is shaded." + ("" if cohort["n_run"].any() else NO_RUN)
    )
