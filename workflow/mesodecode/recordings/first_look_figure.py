"""The first look at a session, drawn: is the brain upright, and does the mouse run?"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mesodecode.base.files import atomic_path
from mesodecode.base.plots import PALETTE, STYLE, new_figure
from mesodecode.recordings.first_look import FRAMES, FirstLook

POINTS = 5000  # of a trace, as many as can be seen


def write(seen: FirstLook, path: Path) -> None:
    """Write `first_look` as PNG."""
    with mpl.rc_context(STYLE), atomic_path(path) as part:
        first_look(seen).savefig(part, dpi=200)


def first_look(seen: FirstLook) -> Figure:
    """Draw the mean image of the first frames, and speed or states over time."""
    with new_figure(160, 60) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
        left.set_axis_off()
        if seen.image is not None:
            low, high = np.nanquantile(seen.image, [0.01, 0.99])
            left.imshow(seen.image, cmap="gray", vmin=low, vmax=high)
            height, width = seen.size
            left.set_title(
                f"{seen.session}: mean of {FRAMES} frames\n{height} rows × {width} columns"
            )
        trace, words = seen.speed, "speed (cm/s)"
        if trace is None:
            trace, words = seen.labels, "state (1 run, 0 rest)"
        if trace is not None:
            step = max(1, len(trace) // POINTS)
            right.plot(seen.time[::step], trace[::step], lw=0.5, color=PALETTE[0])
            right.set_title(f"{seen.n_frames:,} frames, run in {seen.labels.mean():.0%}")
        else:
            right.set_title("no behaviour was read")
        right.set_xlabel("time (s)")
        right.set_ylabel(words)
    return figure
