"""Whole figures as text: what stands where, by which data, in which colours and sizes.

Each stands in `drawn/`, as it was when a person last looked at it; what it says is held by the
test that draws it. One that was changed on purpose is looked at as a picture, and its text read in
the diff: `FIGURES=write pytest -n 0 …`.
"""

from __future__ import annotations

import os
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
from matplotlib.ticker import FixedLocator

FOLDER = Path(__file__).with_name("drawn")
MOST = 24  # numbers that are written one by one


def as_drawn(figure: Figure, name: str) -> Figure:
    """Return a figure that is as `drawn/{name}.txt` says."""
    path = FOLDER / f"{name}.txt"
    lines = [f"figure {numbers(figure.get_size_inches() * 25.4)} mm"]
    for axes in figure.axes:
        lines += _panel(axes)
    lines += _beside(figure)
    found = "\n".join(lines) + "\n"
    if os.environ.get("FIGURES") == "write":
        FOLDER.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8"), "look at it, and if it is meant, write it"
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
            lines += _beside(artist)
        elif artist is not figure.patch and not isinstance(artist, Axes):
            lines += _artist(artist)
    return lines


def _color(value: Any) -> str:
    return "none" if value is None or str(value) == "none" else to_hex(value, keep_alpha=True)


def _panel(axes: Axes) -> list[str]:
    spec = axes.get_subplotspec()
    place = numbers(axes.get_position().bounds) if spec is None else f"{spec!r}"
    titles = [axes.get_title(loc=loc) for loc in ("left", "center", "right")]
    sides = [side for side, spine in axes.spines.items() if spine.get_visible()]
    lines = [f"panel {place} {titles} sides {' '.join(sides)}" + " off" * (not axes.axison)]
    lines += [f"  {name} {_axis(axis)}" for name, axis in (("x", axes.xaxis), ("y", axes.yaxis))]
    titles = {axes.title, axes._left_title, axes._right_title}
    for artist in axes.get_children():
        if artist not in titles and artist is not axes.patch:
            lines += [f"  {line}" for line in _artist(artist)]
    return lines


def _axis(axis: Axis) -> str:
    words = f"{axis.get_label_text()!r} {axis.get_scale()} {numbers(axis.get_view_interval())}"
    if isinstance(axis.get_major_locator(), FixedLocator):
        names = [text.get_text() for text in axis.get_ticklabels()]
        words += f" at {numbers(axis.get_ticklocs())}" + f" {names}" * any(names)
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
            if artist.get_marker() != "None":
                face = _color(artist.get_markerfacecolor())
                look += f" {artist.get_marker()} {numbers(artist.get_markersize())} {face}"
            x, y = artist.get_data()
            words += f"{look} x {numbers(x)} y {numbers(y)}"
        case Text() if not artist.get_text():
            return []
        case Text():
            at = f"{artist.get_ha()} {artist.get_va()} {numbers(artist.get_fontsize())} pt"
            if isinstance(artist, Annotation):
                at += f" of {numbers(artist.xy)} {artist.xycoords} {artist.anncoords}"
            turned = f" {artist.get_rotation():g}°" * bool(artist.get_rotation())
            words += f"{artist.get_text()!r} {numbers(artist.get_position())} {at}{turned}"
            words += f" {_color(artist.get_color())}"
        case Patch():
            ends = artist.get_patch_transform().transform_path(artist.get_path()).get_extents()
            words += f"{numbers(ends.get_points())} {_color(artist.get_facecolor())}"
        case Legend():
            texts = [text.get_text() for text in artist.get_texts()]
            words += f"{artist._loc} {artist._ncols} {texts}"
        case AxesImage():
            values = artist.get_array()
            words += f"{artist.get_cmap().name} {numbers(artist.get_clim())} {artist.origin}"
            words += f" {numbers(artist.get_extent())} of {numbers(values)}"
        case Collection():
            ends = [path.get_extents().get_points() for path in artist.get_paths()]
            faces = sorted({_color(one) for one in artist.get_facecolor()})
            edges = sorted({_color(one) for one in artist.get_edgecolor()})
            words += f"{numbers(artist.get_offsets())} paths {numbers(ends)} {faces} {edges}"
            if artist.get_array() is not None:
                words += f" {artist.get_cmap().name} {numbers(artist.get_clim())}"
                words += f" of {numbers(artist.get_array())}"
    return [words.rstrip()]
