"""What figures share: points by mouse, mean and SD, tables in colour, and what files say."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from mesodecode.base import plots

ROWS = pd.DataFrame({"test_mouse": list("aabbb"), "auc": [0.5, 0.7, 0.6, 0.8, 0.9]})


@pytest.fixture
def figure():
    return Figure(layout="constrained")


def test_points_of_a_mouse_share_a_lane_and_a_sign_and_mean_and_sd_stand_beside_them(figure):
    axes = figure.add_subplot()
    plots.strip(axes, 2, ROWS, ["a", "b"])
    a, b, mean = axes.lines[0], axes.lines[1], axes.lines[2]
    assert [list(line.get_ydata()) for line in (a, b)] == [[0.5, 0.7], [0.6, 0.8, 0.9]]
    assert [line.get_marker() for line in (a, b)] == ["o", "s"]
    assert [line.get_markerfacecolor() for line in (a, b)] == list(plots.PALETTE[:2])
    assert max(a.get_xdata()) < min(b.get_xdata()) and all(b.get_xdata() < 2.31)
    assert len(set(b.get_xdata())) == 3  # beside each other, not one upon the other
    assert (mean.get_xdata(), mean.get_ydata()) == ([2.31], [0.7])
    (bar,) = axes.collections
    sd = np.sqrt(0.1 / 4)  # of 0.2, 0, 0.1, 0.1 and 0.2
    np.testing.assert_allclose(bar.get_segments()[0], [[2.31, 0.7 - sd], [2.31, 0.7 + sd]])


def test_lanes_are_side_by_side_and_points_of_a_mouse_around_the_middle_of_theirs(figure):
    axes = figure.add_subplot()
    plots.strip(axes, 2, ROWS, ["a", "b", "c"])
    a, b, c, mean = axes.lines[:4]
    np.testing.assert_allclose(a.get_xdata(), 1.66 + np.array([-0.0125, 0.0125]))
    np.testing.assert_allclose(b.get_xdata(), 1.89 + np.array([-0.025, 0, 0.025]))
    assert not len(c.get_xdata()) and (mean.get_marker(), mean.get_markersize()) == ("_", 7)
    plots.strip(axes, 0, ROWS[:1], ["a"])
    np.testing.assert_allclose(axes.lines[-2].get_xdata(), [-0.1])
    assert plots.spread(5, 3).tolist() == [-1, 0, 1, -1, 0] and plots.spread(1, 3).tolist() == [0]
    assert plots.spread(2, 3).tolist() == [-0.5, 0.5]


def test_an_axis_begins_below_its_lowest_point():
    found = [plots.below(lowest) for lowest in (0.9, 0.0, -4.0)]
    assert found == pytest.approx([0.88, -0.02, -4.1])


def test_numbers_of_groups_are_told_from_the_lowest_to_the_highest():
    assert plots.low_to_high([5, 3, 4]) == "3 to 5" and plots.low_to_high([2.5, 2.5]) == "2.5"


def test_a_figure_is_as_wide_as_one_column_of_a_journal_to_two():
    assert [plots.journal_width(mm) for mm in (10, 84, 86, 173, 175)] == [85, 85, 86, 173, 174]


def test_panels_have_letters_and_stars_stand_above_their_point(figure):
    panels = figure.subplots(1, 3)
    plots.letters(*panels)
    assert [axes.get_title(loc="left") for axes in panels] == ["A", "B", "C"]
    plots.above(panels[0], "**", 3, 0.5)
    (text,) = panels[0].texts
    assert (text.xy, text.get_position(), text.get_ha()) == ((3, 0.5), (0, 1), "center")
    assert text.anncoords == "offset points"


def test_one_point_has_no_sd(figure):
    axes = figure.add_subplot()
    plots.strip(axes, 0, ROWS[:1], ["a"])
    assert list(axes.lines[1].get_ydata()) == [0.5] and not axes.collections


def test_an_eighth_mouse_looks_as_the_first():
    signs = [tuple(plots.markers(index).values()) for index in range(8)]
    assert signs[7] == signs[0] and len(set(signs)) == 7


def test_a_table_in_colour_has_its_words_or_a_bar(figure):
    values = pd.DataFrame([[0.25, np.nan], [0.5, 1]], ["p", "q"], ["x", "y"])
    left, right = figure.subplots(1, 2)
    words = values.map(lambda value: "" if np.isnan(value) else f"{value:g}!")
    plots.heat_map(left, values, words, vmin=0, vmax=1)
    assert [text.get_text() for text in left.texts] == ["0.25!", "0.5!", "1!"]  # none in a hole
    assert [text.get_text() for text in left.get_yticklabels()] == ["p", "q"]
    assert [text.get_text() for text in left.get_xticklabels()] == ["x", "y"]
    assert {text.get_rotation() for text in left.get_yticklabels()} == {0}
    assert left.get_xlabel() == left.get_ylabel() == "" and len(figure.axes) == 2
    plots.heat_map(right, values)
    assert not right.texts and len(figure.axes) == 3


def test_the_legend_names_each_mouse_with_its_sign(figure):
    plots.mouse_legend(figure, ["m1", "m2"])
    plots.mouse_legend(figure, ["m1", "m2"], "mouse of the session", columns=1)
    beside, below = figure.legends
    assert [text.get_text() for text in beside.get_texts()] == ["test mouse", "m1", "m2"]
    assert [text.get_text() for text in below.get_texts()] == ["m1", "m2"]
    assert below.get_title().get_text() == "mouse of the session"
    assert [line.get_marker() for line in below.get_lines()] == ["o", "s"]


def test_both_files_say_what_they_show_and_keep_a_name_with_a_dot(figure, tmp_path):
    paths = plots.save(figure, tmp_path / "v1.2", title="Losses", caption="n = 3 & more")
    assert [path.name for path in paths] == ["v1.2.svg", "v1.2.png"]
    drawing, image = paths[0].read_text(), Image.open(paths[1])
    assert "<dc:title>Losses</dc:title>" in drawing and "n = 3 &amp; more" in drawing
    assert "<dc:date>" not in drawing  # or no two files would be the same
    assert image.info["Title"] == "Losses" and image.info["Description"] == "n = 3 & more"
    assert round(image.info["dpi"][0]) == 300


def test_a_figure_is_laid_out_once_for_both_files_whatever_a_user_set(tmp_path, monkeypatch):
    execute, done = ConstrainedLayoutEngine.execute, []

    def noted(engine, figure):
        done.append(execute(engine, figure))

    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", noted)
    with mpl.rc_context({"figure.autolayout": True}), plots.new_figure(60, 40) as figure:
        label = figure.add_subplot().set_ylabel("AUC", fontsize=20)
        assert label.get_window_extent(figure.canvas.get_renderer()).x0 < 0  # cut off
        plots.save(figure, tmp_path / "x", title="t", caption="c")
    assert len(done) == 1 and figure.get_layout_engine() is None
    assert label.get_window_extent(figure.canvas.get_renderer()).x0 > 0


def test_text_can_be_measured_while_a_figure_is_drawn():
    """As heat maps do, to turn labels that would overlap."""
    with plots.new_figure(50, 30) as figure:
        text = figure.add_subplot().text(0, 0, "wide" * 9)
        assert text.get_window_extent(figure.canvas.get_renderer()).width > 100
