"""The figure of a signed map: on the cortex, over the whole window and as time goes by."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mesodecode.base.plots import letters, new_figure
from mesodecode.explain.cortex import COLOURS, Cortex, paint
from mesodecode.explain.shap_files import Map, by_output, kind_of_unit, names_of
from mesodecode.explain.shap_tables import common_rate, mean_of, told
from mesodecode.study.targets import RUN, Target

PANELS = 6  # times of the window that are drawn one by one


def draw(maps: Sequence[Map], cortex: Cortex | None = None) -> Figure:
    """Draw the mean signed map of allocations: by ROI and frame, and on a cortex if there is one.

    `cortex` has the outlines of the maps' ROIs, in their order. All colours are centred on 0. Of
    named states a row a state.
    """
    of_outputs = [mean_of(one, "signed") for one in by_output(maps)]
    if len(of_outputs) > 1:
        return _states(maps, of_outputs, cortex)
    (signed,), rate = of_outputs, common_rate(maps)
    each, speaks = centred(signed), _speaks(maps[0].target)
    with new_figure(174, 112 if cortex else 62) as figure:
        if cortex is None:
            _rois(figure.subplots(), maps, signed, rate, each)
            return figure
        top, bottom = figure.subfigures(2, 1, height_ratios=(1.75, 1))
        whole, by_time = (part.subplots() for part in top.subfigures(1, 2, width_ratios=(1, 2)))
        total = signed.sum(axis=0)
        paint(whole, cortex, total, centred(total))
        bar(whole, centred(total), "bottom", f"SHAP, sum over the window\n{speaks}")
        _rois(by_time, maps, signed, rate, each)
        parts = np.array_split(np.arange(len(signed)), min(PANELS, len(signed)))
        panels = np.atleast_1d(bottom.subplots(1, len(parts)))
        for axes, part in zip(panels, parts, strict=True):
            paint(axes, cortex, signed[part].mean(axis=0), each)
            axes.set_title(span(maps[0].frame[part], rate), fontsize=6)
        letters(whole, by_time)
        panels[0].text(
            *(0, 1.18, "C"), transform=panels[0].transAxes, fontweight="bold", fontsize=8
        )
    return figure


def _states(maps: Sequence[Map], of_states: Sequence[np.ndarray], cortex: Cortex | None) -> Figure:
    """Draw a row a state: on the cortex, summed over the window, and by ROI and frame."""
    target, rate = maps[0].target, common_rate(maps)
    totals = [signed.sum(axis=0) for signed in of_states]
    each, whole = centred(np.array(of_states)), centred(np.array(totals))
    with new_figure(174, 54 * len(of_states)) as figure:
        rows = figure.subfigures(len(of_states), 1)
        for row, state, signed, total in zip(rows, target.states, of_states, totals, strict=True):
            row.suptitle(state, x=0.01, ha="left", fontweight="bold", fontsize=8)
            if cortex is None:
                _rois(row.subplots(), maps, signed, rate, each)
                continue
            left, right = row.subplots(1, 2, width_ratios=(1, 2))
            paint(left, cortex, total, whole)
            bar(left, whole, "bottom", f"SHAP, sum over the window\n{_speaks(target)}")
            _rois(right, maps, signed, rate, each)
    return figure


def _speaks(target: Target) -> str:
    if target.states:  # whose rows are named, and low
        return "\u2190 against        for \u2192"
    one, other = (words.removesuffix(" values") for words in target.kind.speaks)
    return f"\u2190 {other}    more activity speaks for    {one} \u2192"


def _rois(
    axes: Axes, maps: Sequence[Map], signed: np.ndarray, rate: float, norm: Normalize
) -> None:
    about, names = maps[0], names_of(maps)
    kind, numbers = kind_of_unit(about), [str(roi) for roi in about.roi]
    if kind == "area":
        names = [name.split(" ", 1)[-1] for name in names]  # masks without their kind
    heat(axes, names, about.frame, signed, rate, norm)
    word = "ROI number" if names == numbers else "ROI"
    axes.set_xlabel(kind.capitalize() if kind == "area" else word)
    bar(axes, norm, "right", f"SHAP a frame\n{_speaks(about.target)}")


def heat(
    axes: Axes,
    names: Sequence[str],
    frame: np.ndarray,
    values: np.ndarray,
    rate: float,
    norm: Normalize,
) -> None:
    """Draw values (frames, units) by unit and time; in frames if `rate` is 0."""
    step = 1 / (rate or 1)
    low, high = frame[0] * step - step / 2, frame[-1] * step + step / 2
    extent = (-0.5, len(names) - 0.5, low, high)
    look = {"aspect": "auto", "origin": "lower", "interpolation": "nearest"}
    axes.imshow(values, cmap=COLOURS, norm=norm, extent=extent, **look)
    axes.axhline(0, color="0.3", lw=0.6, ls=(0, (4, 3)))
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=4.5 if len(names) < 40 else 4)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(f"Time ({'s' if rate else 'frames'})\nafter decoded frame")


def bar(axes: Axes, norm: Normalize, location: str, label: str, low: float | None = None) -> None:
    """Draw the colour bar of a panel, from `low` on where values are no smaller."""
    drawn = axes.figure.colorbar(
        ScalarMappable(norm, COLOURS),
        ax=axes,
        location=location,
        ticks=MaxNLocator(4, symmetric=low is None),
        fraction=0.05,
        pad=0.03,
        aspect=25,
    )
    drawn.set_label(label, fontsize=6)
    if low is not None:
        drawn.ax.set_ylim(low, norm.vmax)
    drawn.outline.set_linewidth(0.4)
    drawn.ax.tick_params(labelsize=5.5, width=0.4, length=2)


def centred(values: np.ndarray) -> Normalize:
    """Return a scale of colours that has 0 in its middle."""
    largest = float(np.nanmax(np.abs(values))) or 1.0
    return Normalize(-largest, largest)


def span(frame: np.ndarray, rate: float) -> str:
    """Return the time of frames as "-0.50 to -0.37 s"; in frames if `rate` is 0."""
    first, last = (f"{at / rate:.2f}" if rate else f"{at}" for at in (frame[0], frame[-1]))
    unit = "s" if rate else "frames"
    words = first if first == last else f"{first} to {last}"
    return f"{words} {unit}".replace("-", "\u2212")


def caption(maps: Sequence[Map], session: str | None) -> str:
    """Return the figure's caption, in plain text; the image is that of `session`, if there is."""
    first, target = maps[0], maps[0].target
    one, other = target.kind.speaks
    signal = "an ROI's signal" if kind_of_unit(first) == "ROI" else "an area's mean brightness"
    side, which = "", "Which state the activity of an area speaks for"
    if target.kind.name == "regression":
        which = "Which way the activity of an area speaks"
    if target == RUN:
        runs = sum(one.n_run for one in maps) / sum(one.n_windows for one in maps)
        side = f" ({runs:.0%} of them run)"
    about = (
        f"{which}, as {first.decoder} reads it: SHAP values "
        f"of the {told(target, first.output)} where {signal} is above its mean over the "
        f"background, and with the other sign where it is below; mean over windows{side} and "
        f"allocations (n = {len(maps)}). Red: more activity speaks for {one}, blue: for {other}, "
        "white: neither, or now one and now the other. "
    )
    heat = f"by {kind_of_unit(first)} and time of the window; dashed: the decoded frame."
    if target.states:
        where = f"on the mean image of session {session}, summed over the window, and "
        return f"{about}A row a state: {where if session else ''}{heat}"
    if session is None:
        return f"{about}Colours: {heat}"
    return (
        f"{about}A: summed over the window, on the mean image of session {session}. B: {heat} C: "
        "as B, on the cortex, mean over the frames of each part of the window; colours as in B."
    )
