"""The figure of SHAP maps: frames × ROIs, and ROIs, as Fig 6A and 6B of Ajioka et al. 2024."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mesodecode.explain.shap_maps import ShapMap
from mesodecode.figures import MM, PALETTE, STYLE


def draw(mean_abs: np.ndarray, table: pd.DataFrame, frame: np.ndarray, frame_rate: float) -> Figure:
    """Draw a mean map (frames, ROIs), and of `table` (roi, name, mean, sd) the bars below it.

    `frame` (frames,) is relative to the decoded frame; in frames too if `frame_rate` is 0.
    """
    names = table["name"].astype(str).tolist()
    numbered = names == table["roi"].astype(str).tolist()
    columns = np.arange(len(names))
    times = np.asarray(frame) / (frame_rate or 1)
    step = 1 / (frame_rate or 1)
    width = float(np.clip(3.2 * len(names) + 30, 85, 174))  # mm: one column to two of a journal
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width * MM, 90 * MM), layout="constrained")
        FigureCanvasAgg(figure)
        heat, bars = figure.subplots(2, 1, sharex=True, height_ratios=(1.2, 1))
        image = heat.imshow(
            mean_abs,
            **{"aspect": "auto", "origin": "lower", "interpolation": "nearest", "vmin": 0},
            extent=(-0.5, len(names) - 0.5, times[0] - step / 2, times[-1] + step / 2),
        )
        heat.axhline(0, color="white", lw=0.6, ls=(0, (4, 3)))
        heat.set_ylabel(f"Time ({'s' if frame_rate else 'frames'})\nafter decoded frame")
        heat.tick_params(axis="x", length=0, labelbottom=False)
        figure.colorbar(image, ax=heat, label="Mean |SHAP|", fraction=0.03, pad=0.01)
        bars.bar(
            *(columns, table["mean"]),
            yerr=table["sd"].fillna(0),
            **{"width": 0.75, "color": PALETTE[0], "ecolor": "0.3"},
            error_kw={"elinewidth": 0.5},
        )
        bars.set_ylim(bottom=0)
        bars.set_xticks(columns, names, rotation=90, fontsize=5)
        bars.tick_params(axis="x", length=0)
        bars.set_xlabel("ROI number" if numbered else "ROI")
        bars.set_ylabel("Mean |SHAP|,\nsummed over frames")
        for axes, letter in ((heat, "A"), (bars, "B")):
            axes.set_title(letter, loc="left", fontweight="bold", fontsize=8)
    return figure


def caption(maps: Sequence[ShapMap]) -> str:
    """Return the figure's caption, in plain text."""
    first, n = maps[0], len(maps)
    windows, drawn = (
        _range([getattr(one, key) for one in maps]) for key in ("n_windows", "n_background")
    )
    missed = max(one.completeness_error for one in maps)
    method = {
        "deep": "Deep SHAP",
        "gradient": "expected gradients (SHAP)",
        "integrated": "integrated gradients",
    }[first.method]
    mice = {"train": "training mice", "test": "test mouse"}[first.background_from]
    return (
        f"What {first.decoder} looks at: mean |SHAP| of the {first.output} of run by {method}, "
        f"over {windows} windows of the test mouse of an allocation against {drawn} windows of its "
        f"{mice}. A: mean over allocations (n = {n}), by ROI and time of the window; dashed: the "
        "decoded frame. B: summed over the window, mean ± sample SD over allocations. Values miss "
        f"the output by at most {missed:.1e}. A decoder uses what is large here; whether "
        "behaviour depends on it, or another decoder would, this does not say."
    )


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low} to {high}"
