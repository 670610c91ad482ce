"""Whole figures as text: what stands where, by which data, in which colours and sizes.

Each stands in `drawn/`, as it was when a person last looked at it; what it says is held by the
test that draws it. One that was changed on purpose is looked at as a picture, and its text read in
the diff: `FIGURES=write pytest -n 0 …`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure, FigureBase, SubFigure
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.spines import Spine
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FixedLocator, MaxNLocator, PercentFormatter

from kept import assert_kept
from mesodecode.base.plots import DASHED

FOLDER = Path(__file__).with_name("drawn")
MOST = 24  # numbers that are written one by one
WHITE = "#ffffffff"
TICKS = ("length", "width", "labelsize", "rotation", "labelbottom", "labelleft")
LEGEND = ("markerscale", "handlelength", "columnspacing", "borderaxespad")


def as_drawn(figure: Figure, name: str) -> Figure:
    """Return a figure that is as `drawn/{name}.txt` says."""
    path = FOLDER / f"{name}.txt"
    lines = [f"figure {numbers(figure.get_size_inches() * 25.4)} mm"]
    for axes in figure.axes:
        lines += _panel(axes)
    lines += _beside(figure)
    assert_kept("\n".join(lines) + "\n", path, "FIGURES")
    return figure


def numbers(values: Any) -> str:
    """Return numbers to four digits; of many their shape, ends, mean, and how many there are."""
    array = np.ma.filled(np.ma.asarray(values, float), np.nan)
    flat = array.ravel() + 0.0  # no -0
    if flat.size <= MOST:
        return " ".join(f"{value:.4g}" for value in flat)
    known = flat[np.isfinite(flat)]
    ends = f"{numbers(flat[:4])} … {numbers(flat[-4:])}"
    n = max(known.size, 1)
    weighted = known @ np.arange(known.size) / n**2  # tells one order from another
    return (
        f"{array.shape} {ends}, {known.size} of mean {known.sum() / n:.4g}, in order {weighted:.4g}"
    )


def _beside(figure: FigureBase) -> list[str]:
    """What stands beside the panels: legends, titles."""
    lines = []
    for artist in figure.get_children():
        if isinstance(artist, SubFigure):
            spec = f"{artist._subplotspec!r}"
            lines += [f"part {spec}"] * ("ratios" in spec)
            lines += _beside(artist)
        elif artist is not figure.patch and not isinstance(artist, Axes):
            lines += _artist(artist)
    return lines


def _color(value: Any) -> str:
    return "none" if value is None or str(value) == "none" else to_hex(value, keep_alpha=True)


def _panel(axes: Axes) -> list[str]:
    spec = axes.get_subplotspec()
    place = numbers(axes.get_position().bounds) if spec is None else f"{spec!r}"
    titles = [axes._left_title, axes.title, axes._right_title]
    words = [title.get_text() for title in titles]
    sides = [side for side, spine in axes.spines.items() if spine.get_visible()]
    lines = [f"panel {place} {words} sides {' '.join(sides)}" + " off" * (not axes.axison)]
    lines[0] += "".join(f" {_font(one)}" for one in titles if one.get_text())
    lines[0] += f" aspect {axes.get_aspect()}" * (axes.get_aspect() != "auto")
    box = axes.get_box_aspect()  # of the bar of colours, its length over its width
    lines[0] += "" if box is None else f" box {box:.4g}"
    if bar := getattr(axes, "_colorbar_info", None):
        lines[0] += f" {bar['pad']:g} from {len(bar['parents'])}"
    if "outline" in axes.spines:
        lines[0] += f" lined {axes.spines['outline'].get_linewidth():.4g}"
    lines[0] += f" on {_color(axes.get_facecolor())}" * (_color(axes.get_facecolor()) != WHITE)
    lines += [f"  {name} {_axis(axis)}" for name, axis in (("x", axes.xaxis), ("y", axes.yaxis))]
    for artist in axes.get_children():
        if artist not in titles and artist is not axes.patch:
            lines += [f"  {line}" for line in _artist(artist)]
    return lines


def _font(text: Text) -> str:
    """How a text looks."""
    bold = " bold" * (text.get_fontweight() == "bold")
    turned = f" {text.get_rotation():g}°" * bool(text.get_rotation())
    turned += " about its end" * (text.get_rotation_mode() == "anchor")
    return f"{text.get_ha()} {text.get_va()} {numbers(text.get_fontsize())} pt{bold}{turned}"


def _axis(axis: Axis) -> str:
    words = f"{axis.get_label_text()!r} {axis.get_scale()} {numbers(axis.get_view_interval())}"
    if axis.get_label_text():
        words += f" {numbers(axis.label.get_fontsize())} pt"
    asked = axis.get_tick_params()
    ticks = {key: asked[key] for key in TICKS if asked.get(key, True) is not True}
    words += f" ticks {ticks}" * bool(ticks)
    if isinstance(axis.get_major_locator(), FixedLocator):
        labels = axis.get_ticklabels()
        names = [text.get_text() for text in labels]
        words += f" at {numbers(axis.get_ticklocs())}"
        words += f" {names} {_font(labels[0])}" if any(names) else ""
    elif type(places := axis.get_major_locator()) is MaxNLocator:
        words += f" at {places._nbins} places" + " of whole numbers" * places._integer
        words += ", alike on both sides" * places._symmetric
    elif isinstance(axis.get_major_formatter(), PercentFormatter):
        words += " %"
    return words


def _artist(artist: Artist) -> list[str]:
    if not artist.get_visible() or isinstance(artist, Spine | Axis):
        return []
    name, label = type(artist).__name__, artist.get_label()
    words = f"{name} " + f"{label!r} " * bool(label and not label.startswith("_"))
    match artist:
        case Line2D():
            look = f"{artist.get_linestyle()} {numbers(artist.get_linewidth())}"
            look += f" {_color(artist.get_color())}"
            dashes = artist._unscaled_dash_pattern
            usual = (Line2D([], [], ls=ls) for ls in (artist.get_linestyle(), DASHED["ls"]))
            if all(one._unscaled_dash_pattern != dashes for one in usual):
                look += f" dashes {numbers((dashes[0], *dashes[1]))}"
            if artist.get_marker() != "None":
                face, edge = artist.get_markerfacecolor(), artist.get_markeredgecolor()
                look += f" {artist.get_marker()} {numbers(artist.get_markersize())} {_color(face)}"
                look += f" in {numbers(artist.get_markeredgewidth())} {_color(edge)}"
                look += f" every {artist.get_markevery()}" * bool(artist.get_markevery())
            x, y = artist.get_data()
            words += f"{look} x {numbers(x)} y {numbers(y)}"
        case Text() if not artist.get_text():
            return []
        case Text():
            at = ""
            if isinstance(artist, Annotation):
                at = f" of {numbers(artist.xy)} {artist.xycoords} {artist.anncoords}"
            elif artist.axes is not None and artist.get_transform() == artist.axes.transAxes:
                at = " in the panel"
            words += f"{artist.get_text()!r} {numbers(artist.get_position())}{at} {_font(artist)}"
            words += f" {_color(artist.get_color())}"
        case Patch():
            ends = artist.get_patch_transform().transform_path(artist.get_path()).get_extents()
            words += f"{numbers(ends.get_points())} {_color(artist.get_facecolor())}"
            words += f" in {numbers(artist.get_linewidth())} {_color(artist.get_edgecolor())}"
        case Legend():
            names = [one.get_text() for one in artist.get_texts()]
            words += f"{artist._loc} {artist._ncols} {names}"
            looks = {name: getattr(artist, name) for name in LEGEND}
            words += f" {artist.get_title().get_text()!r} {numbers(artist._fontsize)} pt {looks}"
            if artist.get_title().get_text():
                words += f" under {numbers(artist.get_title().get_fontsize())} pt"
            words += " in a frame" * artist.get_frame_on()
            anchor = artist.get_bbox_to_anchor()
            if artist._bbox_to_anchor is not None and artist.axes is not None:
                ends = artist.axes.transAxes.inverted().transform(anchor.get_points())
                words += f" at {numbers(ends)}"
        case AxesImage():
            values = artist.get_array()
            words += f"{artist.get_cmap().name} {numbers(artist.get_clim())} {artist.origin}"
            words += f" {artist.get_interpolation()}"
            words += f" {numbers(artist.get_extent())} of {numbers(values)}"
        case Collection():
            ends = [path.get_extents().get_points() for path in artist.get_paths()]
            faces = sorted({_color(one) for one in artist.get_facecolor()})
            edges = sorted({_color(one) for one in artist.get_edgecolor()})
            words += f"{numbers(artist.get_offsets())} paths {numbers(ends)} {faces} {edges}"
            words += f" {numbers(sorted({*artist.get_linewidth()}))}"
            if artist.get_array() is not None:
                words += f" {artist.get_cmap().name} {numbers(artist.get_clim())}"
                words += f" of {numbers(artist.get_array())}"
    if artist.get_alpha() is not None:
        words += f" alpha {artist.get_alpha():g}"
    if artist.get_zorder() != type(artist).zorder:
        words += f" at height {artist.get_zorder():g}"
    words += " as pixels" * bool(artist.get_rasterized())
    uncut = not artist.get_clip_on() and not isinstance(artist, Text)
    return [words.rstrip() + " uncut" * uncut]
