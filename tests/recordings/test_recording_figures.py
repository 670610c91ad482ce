"""Figures of recordings: what is drawn is what was read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tifffile

from drawn import as_drawn
from make_tables import said
from mesodecode.base.plots import PALETTE
from mesodecode.recordings import alignment_figure, first_look_figure, roi_correlation_figure
from mesodecode.recordings.alignment import Alignment
from mesodecode.recordings.first_look import FirstLook


def test_the_atlas_is_drawn_over_each_session_with_its_landmarks_and_their_error(tmp_path):
    image, areas = np.arange(30.0).reshape(5, 6), np.zeros((5, 6), np.uint8)
    areas[1:4, 1:5] = 7
    tifffile.imwrite(tmp_path / "areas.tif", areas)
    points = {"bregma": np.array([2.0, 3.0]), "lambda": np.array([4.0, 1.0])}
    found = [
        Alignment("m1", "s1", "landmarks", np.eye(3), points, {"bregma": 3.0, "lambda": 4.0}),
        *(Alignment("m2", f"s{i}", "s1", np.eye(3), {}, {}, 0.875) for i in range(2, 6)),
    ]
    figure = alignment_figure.overlay(found, [image] * 5, [tmp_path / "areas.tif"] * 5)
    as_drawn(figure, "alignment")
    first, second, *_, last = figure.axes
    assert first.get_title() == "s1 (m1)\n2 landmarks, 3.54 px"  # the root of 12.5
    assert second.get_title() == "s2 (m2)\nas s1, r = 0.88"
    (crosses,) = first.lines
    assert (list(crosses.get_xdata()), list(crosses.get_ydata())) == ([2, 4], [3, 1])
    assert not second.lines and not first.axison
    mean, outlines = first.images
    np.testing.assert_array_equal(mean.get_array(), image)
    assert mean.get_clim() == tuple(np.percentile(image, [1, 99]))
    ring = areas > 0
    ring[2, 2:4] = False  # all of the area but its inside
    np.testing.assert_array_equal(outlines.get_array()[..., 3] > 0, ring)
    # four in a row, then the next row, none over another
    assert last.get_position().x0 == pytest.approx(first.get_position().x0)
    assert last.get_position().y1 < first.get_position().y0
    assert second.get_position().x0 > first.get_position().x1
    assert "(n = 5)" in alignment_figure.caption(found)
    row = alignment_figure.overlay(found[1:], [image] * 4, [tmp_path / "areas.tif"] * 4)
    assert row.get_size_inches() * 25.4 == pytest.approx([174, 51])  # no empty row below it


def test_the_first_look_shows_image_size_and_speed_or_states():
    image, labels = np.arange(12.0).reshape(3, 4), np.array([0, 1, 1, 1])
    seen = FirstLook("s1", 4, (3, 4), image, time=np.arange(4) / 2, labels=labels)
    seen.speed = np.array([0.0, 4, 5, 6])
    left, right = as_drawn(first_look_figure.first_look(seen), "first_look").axes
    assert left.get_title() == "s1: mean of 10 frames\n3 rows × 4 columns"
    np.testing.assert_array_equal(left.images[0].get_array(), image)
    assert left.images[0].get_clim() == tuple(np.quantile(image, [0.01, 0.99]))
    assert said(right) == ("4 frames, run in 75%", "time (s)", "speed (cm/s)")
    assert list(right.lines[0].get_xdata()) == [0, 0.5, 1, 1.5]
    assert list(right.lines[0].get_ydata()) == [0, 4, 5, 6]
    seen.speed, seen.image[0, 0] = None, np.nan  # outside the brain
    left, right = first_look_figure.first_look(seen).axes
    assert left.images[0].get_clim() == tuple(np.quantile(np.arange(1, 12), [0.01, 0.99]))
    assert right.get_ylabel() == "state (1 run, 0 rest)"
    assert list(right.lines[0].get_ydata()) == [0, 1, 1, 1]
    left, right = first_look_figure.first_look(FirstLook("s1")).axes
    assert not left.images and right.get_title() == "no behaviour was read"


def test_a_long_trace_is_thinned_to_what_can_be_seen():
    n = 3 * first_look_figure.POINTS
    time = np.arange(n) / 30
    seen = FirstLook("s1", n, time=time, speed=np.arange(n), labels=np.zeros(n))
    (line,) = first_look_figure.first_look(seen).axes[1].lines
    np.testing.assert_array_equal(line.get_ydata(), np.arange(n)[::3])
    np.testing.assert_array_equal(line.get_xdata(), time[::3])


@pytest.mark.parametrize(("names", "words"), [(["2", "1"], "ROI number"), (["M2", "M1"], "ROI")])
def test_bars_of_rois_are_mean_and_sd_over_sessions_in_the_order_of_the_table(names, words):
    rows = [
        (mouse, session, roi, name, r)
        for mouse, session, values in (("a", "s1", (0.5, -0.1)), ("b", "s2", (0.7, -0.3)))
        for roi, name, r in zip((2, 1), names, values, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["mouse", "session", "roi", "name", "r"])
    figure = roi_correlation_figure.roi_correlation(table)
    (axes,) = as_drawn(figure, f"correlation_by_{words}".replace(" ", "_")).axes
    np.testing.assert_allclose([bar.get_height() for bar in axes.patches], [0.6, -0.2])
    errors = [line.get_ydata() for line in axes.lines if len(set(line.get_xdata())) == 1]
    sd = np.sqrt(0.02)  # of two values 0.2 apart
    np.testing.assert_allclose(errors, [[0.6 - sd, 0.6 + sd], [-0.2 - sd, -0.2 + sd]])
    assert [text.get_text() for text in axes.get_xticklabels()] == names
    assert said(axes) == ("", words, "Correlation with running (r)")
    assert axes.patches[0].get_facecolor()[:3] == pytest.approx(
        [int(PALETTE[0][i : i + 2], 16) / 255 for i in (1, 3, 5)]
    )
    caption = roi_correlation_figure.roi_correlation_caption(table, 5)
    assert "(less a moving mean of 5 frames)" in caption and "2 sessions of 2 mice" in caption
    more = pd.concat([table, table.replace({"session": {"s1": "s3"}})]).drop_duplicates()
    caption = roi_correlation_figure.roi_correlation_caption(more, 5)
    assert "3 sessions of 2 mice" in caption
    assert "(as recorded)" in roi_correlation_figure.roi_correlation_caption(table, None)


@pytest.mark.parametrize(("n", "width"), [(30, 116), (50, 174)])
def test_bars_of_rois_take_one_column_of_a_journal_to_two(n, width):
    many = pd.DataFrame({"roi": range(n), "name": "V1", "r": 0.5})
    figure = roi_correlation_figure.roi_correlation(many)
    assert figure.get_size_inches() * 25.4 == pytest.approx([width, 55])
