"""Left against right: is an area more important to a decoder than its mirror image?

For squares and circles of a cut-out, and for ROIs, by allocation: the score of a unit of the left
side less that of its mirror image. Two tests of each pair: Wilcoxon's signed-rank test over
allocations, Holm-corrected over the pairs, in the manner of the paper, which takes allocations for
independent although they share mice; and the exact sign-flip test of the means of the test mice,
which does not, and which 5 mice cannot bring below .0625 (see `mesodecode.inference`).

A difference is one of this decoder, not of the cortex: a decoder that needs one of two equal sides
only may take either. Read it together with `pairs` of a cut-out, which hide both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mesodecode.figures import MM, PALETTE, STYLE, stars
from mesodecode.files import UserError
from mesodecode.inference import by_mouse, sign_flip, signed_rank
from mesodecode.statistics import holm

if TYPE_CHECKING:  # it imports torch
    from mesodecode.explain.shap_maps import ShapMap

COLUMNS = (
    *("unit", "mirror", "n", "n_mice", "mean_left", "mean_right"),
    *("difference", "sd", "p", "p_holm", "p_mice"),
)
Pairs = Sequence[tuple[str, str]]


def compare(values: pd.DataFrame, pairs: Pairs, mice: Sequence[str]) -> pd.DataFrame:
    """Compare units with their mirror images; return `COLUMNS`, a row a pair.

    `values` (units × allocations); pairs (left, right) of its units; mice, the test mouse of each
    allocation. Allocations without a value (NaN) of one of the two are left out.
    n allocations, n_mice; means of both sides; difference, left - right, and its sample SD; p of
    the signed-rank test over allocations and p_holm, NaN for one allocation; p_mice of the
    sign-flip test over mice, uncorrected, NaN where allocations have several test mice ("a+b").
    """
    rows = []
    for left, right in pairs:
        both = values.loc[[left, right]].to_numpy(float)
        known = ~np.isnan(both).any(axis=0)
        a, b = both[:, known]
        difference, several = a - b, known.sum() > 1
        means = by_mouse(difference, np.asarray(mice)[known])
        row = (left, right, len(a), len(means), a.mean(), b.mean(), difference.mean())
        tests = (difference.std(ddof=1), signed_rank(difference)) if several else (np.nan, np.nan)
        p_mice = np.nan if any("+" in mouse for mouse in mice) else sign_flip(means)[0]
        rows.append((*row, *tests, np.nan, p_mice))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(p_holm=holm(table["p"]))


def of_masks(masks: pd.DataFrame) -> Pairs:
    """Return the pairs of a cut-out's `mask_table`, left ones first."""
    x = masks.set_index("mask")["x"]
    mirrored = masks[masks["mirror"] != ""]
    names = zip(mirrored["mask"], mirrored["mirror"], strict=True)
    return [(one, other) for one, other in names if x[one] < x[other]]


def roi_sums(maps: Sequence[ShapMap]) -> pd.DataFrame:
    """Return mean |SHAP| summed over the window (ROIs × allocations), by ROI number as text."""
    units = [str(roi) for roi in maps[0].roi]
    return pd.DataFrame({one.allocation: one.mean_abs.sum(axis=0) for one in maps}, index=units)


def of_rois(rois: Sequence[str], mirror: Sequence[str]) -> Pairs:
    """Return pairs of ROI numbers, as text.

    `mirror` is one number k, for ROI i and i + k of a numbering with k of each side (published:
    25); or pairs "left:right". Raises UserError if no pair, or an unknown one, is among `rois`.
    """
    try:
        if len(mirror) == 1 and ":" not in mirror[0]:
            offset = int(mirror[0])
            pairs = [(str(i), str(i + offset)) for i in range(1, offset + 1)]
            pairs = [pair for pair in pairs if {*pair} <= {*rois}]
        else:
            pairs = [tuple(str(int(roi)) for roi in text.split(":")) for text in mirror]
            if any(len(pair) != 2 for pair in pairs):
                raise ValueError
    except ValueError:
        raise UserError(
            f"--mirror {' '.join(mirror)}: give one number, or pairs such as 6:31 8:33"
        ) from None
    strangers = sorted({roi for pair in pairs for roi in pair} - {*rois}, key=int)
    if strangers or not pairs:
        what = f"no ROI {', '.join(strangers)}" if strangers else "no ROI has its mirror image"
        raise UserError(f"--mirror {' '.join(mirror)}: {what} among {', '.join(rois)}")
    return pairs


def draw(table: pd.DataFrame, values: pd.DataFrame, quantity: str) -> Figure:
    """Draw the difference of each pair: allocations as points, mean ± SD, stars of `p_holm`.

    `table` and `values` are what `compare` returned and was given.
    """
    names = [f"{short(row.unit)} | {short(row.mirror)}" for row in table.itertuples()]
    width = float(np.clip(4.2 * len(table) + 30, 85, 174))  # mm: one column to two of a journal
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width * MM, 66 * MM), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for x, row in enumerate(table.itertuples()):
            points = (values.loc[row.unit] - values.loc[row.mirror]).dropna()
            axes.plot(np.full(len(points), x - 0.15), points, "o", ms=1.8, mfc="0.6", mew=0)
            if row.p_holm < 0.05:
                top = max(points.max(), row.difference + row.sd)
                axes.annotate(
                    *(stars(row.p_holm), (x, top)),
                    **{"xytext": (0, 1), "textcoords": "offset points", "ha": "center"},
                )
        axes.errorbar(
            *(np.arange(len(table)) + 0.12, table["difference"]),
            **{"yerr": table["sd"].fillna(0), "fmt": "_", "color": PALETTE[0], "ms": 5},
            **{"mew": 1.3, "elinewidth": 0.8},
        )
        axes.axhline(0, color="0.45", lw=0.6, ls=(0, (4, 3)), zorder=0)
        axes.margins(y=0.12)
        axes.set_xlim(-0.7, len(table) - 0.3)
        axes.set_xticks(range(len(table)), names, rotation=90, fontsize=5.5)
        axes.tick_params(axis="x", length=0)
        axes.set_xlabel("Left | right")
        axes.set_ylabel(f"{quantity},\nleft \u2212 right")
    return figure


def short(unit: str) -> str:
    """Return a mask's name without its kind: "r1 c1" of "square r1 c1"."""
    return unit.split(" ", 1)[-1]


def caption(table: pd.DataFrame, decoder: str, quantity: str, what: str) -> str:
    """Return the figure's caption, in plain text; `what` are the units, and which are left."""
    first, mice = table.iloc[0], table["n_mice"].max()
    over_mice = (
        f"; the table also has the exact sign-flip test over the {mice} test mice (p_mice, at "
        f"least {2 / 2**mice:.2g})"
    )
    return (
        f"{quantity} of {decoder}: {what} less its mirror image. Points: allocations (n = "
        f"{first['n']}), line: mean ± sample SD. Stars: Wilcoxon signed-rank test over "
        f"allocations, Holm-corrected over {len(table)} pairs (*** p < .001, ** p < .01, * p < "
        ".05). Allocations share mice, so that these p values are too small"
        f"{over_mice if table['p_mice'].notna().any() else ''}. A decoder that needs one of two "
        "equal sides may take either."
    )
