"""Figures, drawn at the width of a journal column so that they read the same on paper.

SVG files are the same bytes for the same tables, and their text stays text. Title and caption
travel inside the file, where the report finds them.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mesodecode.base.files import UserError, of_test_mice
from mesodecode.base.natural_order import each_in_order
from mesodecode.base.plots import (
    DASHED,
    journal_width,
    low_to_high,
    markers,
    mouse_legend,
    new_figure,
    strip,
)
from mesodecode.scores.published_tests import TEST_NAMES
from mesodecode.study.targets import RUN, Kind

MOST_BRACKETS = 6  # the pairs of four decoders; more would bury the points
# Settings by which decoders are put in order, on a line: label, and whether it is a time in frames.
SETTINGS = {
    "half_window": ("Half-window (frames on each side)", True),
    "shift": ("Shift of the window against the decoded frame (frames)", True),
    "half_window_frames": ("Half-window (frames on each side)", True),  # of the published table
}


def auc_by_decoder(
    auc: pd.DataFrame, comparisons: pd.DataFrame | None = None, kind: Kind = RUN.kind
) -> Figure:
    """Draw every allocation's AUC by decoder, as in Fig 2E of Ajioka et al. 2024.

    Of another `kind` of target `auc` is its score.
    `auc` has columns decoder, test_mouse, auc, a row an allocation. The bar is mean ± sample SD,
    the dashed line chance. Of `comparisons` (columns a, b, test, p_holm) the pairs of these
    decoders are bracketed while there are at most `MOST_BRACKETS`.
    """
    decoders = list(auc["decoder"].unique())
    mice = each_in_order(auc["test_mouse"])
    pairs = _pairs(comparisons, decoders)
    brackets = pairs if len(pairs) <= MOST_BRACKETS else {}
    width = journal_width(14 * len(decoders))
    slanted = 1.7 * max(map(len, decoders)) * len(decoders) > width - 20  # names would collide
    lines, columns = _legend_size(mice, width)
    height = 62 + 4 * len(brackets) + (16 if slanted else 0) + 3.5 * (lines - 1)
    with new_figure(width, height) as figure:
        axes = figure.add_subplot()
        for column, decoder in enumerate(decoders):
            strip(axes, column, auc[auc["decoder"] == decoder], mice)
        bottom = min(kind.chance - 0.05, _below(auc["auc"]))
        step = (1.0 - bottom) * 0.085  # between brackets, in AUC
        for level, ((a, b), p) in enumerate(brackets.items(), start=1):
            _bracket(axes, decoders.index(a), decoders.index(b), 1.0 + level * step, step, p)
        axes.set_ylim(bottom, 1.02 + (len(brackets) + 0.6) * step * bool(brackets))
        if bottom > -0.5:
            axes.set_yticks(np.arange(np.ceil(bottom * 10), 11) / 10)
        axes.spines["left"].set_bounds(bottom, 1.0)
        axes.set_ylabel(f"Test {kind.axis}")
        axes.axhline(kind.chance, **DASHED)
        _decoder_axis(axes, decoders, auc["decoder"].value_counts(), slanted, kind.chance)
        mouse_legend(figure, mice, columns=columns if lines > 1 else None)
        if pairs:
            figure.supxlabel(_note(pairs, bool(brackets), comparisons), fontsize=5.5, color="0.25")
    return figure


def auc_by_setting(
    auc: pd.DataFrame,
    values: Sequence[float],
    setting: str,
    comparisons: pd.DataFrame | None = None,
    frame_rate: float | None = None,
    kind: Kind = RUN.kind,
) -> Figure:
    """Draw the AUC of decoders that differ by one number, as in Fig 2F of Ajioka et al. 2024.

    `auc` as in `auc_by_decoder`, with valid_mouse or allocation; `values`: that of each decoder, in
    the order of `auc`. Allocations are thin lines in the colour of their test mouse, mean ± sample
    SD is black. With `frame_rate` (frames/s) times have an axis in seconds too.
    """
    decoders = list(auc["decoder"].unique())
    mice = each_in_order(auc["test_mouse"])
    label, timed = SETTINGS.get(setting, (setting.replace("_", " "), False))
    at = auc["decoder"].map(dict(zip(decoders, values, strict=True)))
    key = "allocation" if "allocation" in auc else "valid_mouse"
    pairs = _pairs(comparisons, decoders)
    with new_figure(100, 72) as figure:
        axes = figure.add_subplot()
        for (mouse, _), rows in auc.assign(at=at).groupby(["test_mouse", key], sort=False):
            points = rows.sort_values("at")
            look = markers(mice.index(mouse)) | {"ls": "-", "lw": 0.4, "ms": 2.2, "alpha": 0.75}
            axes.plot(points["at"], points["auc"], **look, color=look["mfc"])
        groups = auc["auc"].groupby(at)
        axes.errorbar(
            groups.mean().index,
            groups.mean(),
            groups.std().fillna(0),
            fmt="-_",
            color="black",
            ms=8,
            lw=1.4,
            mew=1.4,
            zorder=4,
            elinewidth=0.8,
            capsize=2,
            capthick=0.8,
        )
        bottom = _below(auc["auc"])
        axes.set_ylim(bottom, 1.0 + (1.0 - bottom) * 0.03)
        if bottom < kind.chance:
            axes.axhline(kind.chance, **DASHED)
        axes.set_ylabel(f"Test {kind.axis}")
        counts = low_to_high(auc["decoder"].value_counts())
        axes.set_xticks(sorted(values))
        axes.set_xlabel(f"{label}; n = {counts} allocations each")
        if timed and frame_rate:
            to_seconds = (lambda x: x / frame_rate, lambda x: x * frame_rate)
            axes.secondary_xaxis("top", functions=to_seconds).set_xlabel("seconds")
        mouse_legend(figure, mice)
        if pairs:
            found = sum(p < 0.05 for p in pairs.values())
            note = f"{_tests(comparisons)}, Holm-corrected: {found} of {len(pairs)} pairs p < .05."
            figure.supxlabel(note, fontsize=5.5, color="0.25")
    return figure


def select(auc: pd.DataFrame, decoders: Sequence[str]) -> pd.DataFrame:
    """Return the rows of `decoders`, in their order. Raises UserError if one has no row."""
    known = list(auc["decoder"].unique())
    missing = [name for name in decoders if name not in known]
    if missing:
        raise UserError(f"no decoder {', '.join(missing)}; in the table: {', '.join(known)}")
    return pd.concat([auc[auc["decoder"] == name] for name in decoders], ignore_index=True)


def auc_caption(
    auc: pd.DataFrame,
    comparisons: pd.DataFrame | None = None,
    *,
    lines: bool = False,
    source: str | None = None,
    kind: Kind = RUN.kind,
) -> str:
    """Return the caption of `auc_by_decoder`, or of `auc_by_setting` (`lines`), in plain text.

    `source`: the file that AUCs were read from, where they are not those of the study.
    """
    n, mice = low_to_high(auc["decoder"].value_counts()), of_test_mice(auc["test_mouse"])
    chance = f" Dashed line: chance ({kind.chance:g})."
    text = (
        f"Test {kind.axis} of every allocation (n = {n} a decoder, of {mice}), "
        + ("a line each, " if lines else "one point each, ")
        + "by colour and symbol of its test mouse"
        + ("" if lines else "; within a decoder the points stand in the order of the mice")
        + ". All test frames of the mouse are pooled. "
        + ("Black" if lines else "Bar")
        + ": mean ± sample SD."
        + ("" if lines and _below(auc["auc"]) >= kind.chance else chance)
    )
    pairs = _pairs(comparisons, list(auc["decoder"].unique()))
    if pairs:
        drawn = len(pairs) <= MOST_BRACKETS and not lines
        what = "Brackets" if drawn else f"{len(pairs)} pairs (see the table)"
        text += f" {what}: {_tests(comparisons)}, Holm-corrected."
    return text + (f" AUCs read from {source}." if source else "")


def stars(p: float) -> str:
    """Return *** for p < .001, ** for p < .01, * for p < .05, else n.s."""
    return "***" if p < 0.001 else "**" if p < 0.01 else "*" if p < 0.05 else "n.s."


def _below(auc: pd.Series) -> float:
    """Return where an axis of these AUCs begins, a multiple of 0.05."""
    return float(np.floor(auc.min() * 20 - 0.5) / 20)


def _pairs(comparisons: pd.DataFrame | None, decoders: list[str]) -> dict[tuple[str, str], float]:
    """Return p_holm by pair of these decoders, the larger if two families hold the pair."""
    pairs: dict[tuple[str, str], float] = {}
    if comparisons is None:
        return pairs
    known = comparisons[comparisons["a"].isin(decoders) & comparisons["b"].isin(decoders)]
    for a, b, p in zip(known["a"], known["b"], known["p_holm"], strict=True):
        first, second = sorted((a, b), key=decoders.index)
        pairs[first, second] = max(p, pairs.get((first, second), 0.0))
    # Short brackets lie below long ones.
    return dict(
        sorted(pairs.items(), key=lambda x: decoders.index(x[0][1]) - decoders.index(x[0][0]))
    )


def _decoder_axis(
    axes: Axes, decoders: list[str], counts: pd.Series, slanted: bool, chance: float
) -> None:
    """Label the columns with decoder and n, slanted where they would run into each other."""
    each = counts.nunique() == 1
    breaks = " " if slanted else "\n"
    names = [name if each else f"{name}{breaks}(n = {counts[name]})" for name in decoders]
    slant = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xlim(-0.5, len(decoders) - 0.5)
    axes.set_xticks(range(len(decoders)), names, **slant)
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel(f"n = {counts.iloc[0]} allocations each" if each else "n = allocations")
    axes.annotate(
        "chance",
        (1, chance),
        xycoords=("axes fraction", "data"),
        xytext=(0, 1.5),
        ha="right",
        textcoords="offset points",
        fontsize=5.5,
        color="0.35",
    )


def _legend_size(mice: list[str], width: float) -> tuple[int, int]:
    """Return the lines and columns of mice that fit a width in mm; one line has its title too."""
    columns = int(width // (1.5 * max(map(len, mice)) + 6))
    if len(mice) + 2 <= columns:  # the title takes the place of two
        return 1, len(mice)
    columns = min(max(columns, 1), len(mice))
    return 1 + math.ceil(len(mice) / columns), columns


def _bracket(axes: Axes, a: int, b: int, y: float, step: float, p: float) -> None:
    tip = y - 0.2 * step
    axes.plot([a, a, b, b], [tip, y, y, tip], color="black", lw=0.6, clip_on=False)
    axes.text((a + b) / 2, y, stars(p), ha="center", va="bottom", fontsize=6, linespacing=0.8)


def _tests(comparisons: pd.DataFrame) -> str:
    return " and ".join(TEST_NAMES.get(name, name) for name in comparisons["test"].unique())


def _note(pairs: dict, bracketed: bool, comparisons: pd.DataFrame) -> str:
    if not bracketed:
        return f"{_tests(comparisons)}, Holm-corrected: {len(pairs)} pairs, see the table."
    return (
        f"{_tests(comparisons)}, Holm-corrected.\n"
        "*** p < .001, ** p < .01, * p < .05, n.s. not significant"
    )
