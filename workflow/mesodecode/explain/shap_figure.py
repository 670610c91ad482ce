"""The figure of SHAP maps: frames × ROIs, and ROIs, as Fig 6A and 6B of Ajioka et al. 2024."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mesodecode.base.plots import PALETTE, journal_width, letters, low_to_high, new_figure
from mesodecode.explain.map_measures import smallest_p_holm
from mesodecode.explain.shap_files import Map
from mesodecode.explain.shap_tables import told

SIGNIFICANT = 0.05


def draw(mean_abs: np.ndarray, table: pd.DataFrame, frame: np.ndarray, frame_rate: float) -> Figure:
    """Draw a mean map (frames, ROIs), and of `table` (roi, name, mean, sd) the bars below it.

    `frame` (frames,) is relative to the decoded frame; in frames too if `frame_rate` is 0. Where
    the table has mean_null, sd_null and p_holm, the decoder of permuted labels is drawn into the
    bars, and ROIs that differ from it are marked.
    """
    names = table["name"].astype(str).tolist()
    numbered = names == table["roi"].astype(str).tolist()
    columns = np.arange(len(names))
    times = np.asarray(frame) / (frame_rate or 1)
    step = 1 / (frame_rate or 1)
    width = journal_width(3.2 * len(names) + 30)
    with new_figure(width, 90) as figure:
        heat, bars = figure.subplots(2, 1, sharex=True, height_ratios=(1.2, 1))
        image = heat.imshow(
            mean_abs,
            aspect="auto",
            origin="lower",
            interpolation="nearest",
            vmin=0,
            extent=(-0.5, len(names) - 0.5, times[0] - step / 2, times[-1] + step / 2),
        )
        heat.axhline(0, color="white", lw=0.6, ls=(0, (4, 3)))
        heat.set_ylabel(f"Time ({'s' if frame_rate else 'frames'})\nafter decoded frame")
        heat.tick_params(axis="x", length=0, labelbottom=False)
        figure.colorbar(image, ax=heat, label="Mean |SHAP|", fraction=0.03, pad=0.01)
        bars.bar(
            columns,
            table["mean"],
            yerr=table["sd"].fillna(0),
            width=0.75,
            color=PALETTE[0],
            ecolor="0.3",
            error_kw={"elinewidth": 0.5},
        )
        if "p_holm" in table:
            _permuted(bars, columns, table)
        bars.set_ylim(bottom=0)
        bars.set_xticks(columns, names, rotation=90, fontsize=5)
        bars.tick_params(axis="x", length=0)
        bars.set_xlabel("ROI number" if numbered else "ROI")
        bars.set_ylabel("Mean |SHAP|,\nsummed over frames")
        letters(heat, bars)
    return figure


def _permuted(bars: Axes, columns: np.ndarray, table: pd.DataFrame) -> None:
    """Draw means ± SD with permuted labels, and an asterisk over the ROIs that differ."""
    bars.errorbar(
        columns,
        table["mean_null"],
        yerr=table["sd_null"].fillna(0),
        fmt="_",
        color=PALETTE[1],
        ms=4,
        mew=1.2,
        elinewidth=0.5,
        label="permuted labels",
    )
    tops = table["mean"] + table["sd"].fillna(0)
    for column in columns[table["p_holm"] < SIGNIFICANT]:
        bars.text(column, tops.iloc[column], "*", ha="center", va="baseline", fontsize=7)
    bars.legend(frameon=False, fontsize=6, loc="upper right")


def caption(maps: Sequence[Map], table: pd.DataFrame) -> str:
    """Return the figure's caption, in plain text; `table` as of `draw`."""
    first, n = maps[0], len(maps)
    windows, drawn = (
        low_to_high([getattr(one, key) for one in maps]) for key in ("n_windows", "n_background")
    )
    missed = max(one.completeness_error for one in maps)
    method = {
        "deep": "Deep SHAP",
        "gradient": "expected gradients (SHAP)",
        "integrated": "integrated gradients",
    }[first.method]
    mice = {"train": "training mice", "test": "test mouse"}[first.background_from]
    mean = ", mean over states" if first.target.states else ""
    return (
        f"What {first.decoder} looks at: mean |SHAP| of the {told(first.target, first.output)} by "
        f"{method}{mean}, over {windows} windows of the test mouse of an allocation against "
        f"{drawn} windows of its {mice}. A: mean over allocations (n = {n}), by ROI and time of "
        f"the window; dashed: the decoded frame. B: summed over the window, mean ± sample SD over "
        f"allocations."
        f"{_tested(table)} Values miss the output by at most {missed:.1e}. A decoder uses what is "
        "large here; whether behaviour depends on it, or another decoder would, this does not say."
    )


def _tested(table: pd.DataFrame) -> str:
    """Return what the caption says of permuted labels; nothing where there are none."""
    if "p_holm" not in table:
        return ""
    n, n_null = int(table["n"].iloc[0]), int(table["n_null"].iloc[0])
    smallest = smallest_p_holm(n, n_null, len(table))
    words = (
        f" Orange: the same decoder trained on permuted labels (n = {n_null}); *: ROIs that differ "
        f"from it (rank-sum test over allocations, p < {SIGNIFICANT:g} after Holm's correction "
        f"over {len(table)} ROIs)."
    )
    if smallest >= SIGNIFICANT:
        words += f" With so few allocations p cannot be less than {smallest:.2f}: none can differ."
    return words
