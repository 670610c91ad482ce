"""The figure of a signed map, of named states: a row a state, all in the colours of one scale."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from drawn import as_drawn
from make_tables import map_of
from mesodecode.explain import shap_figure, shap_tables, signed_figure
from mesodecode.explain.cortex import Cortex, outline
from mesodecode.explain.shap_files import OF_PIXELS, ShapMap, TargetMap
from tabled import as_tabled
from texts import as_written


def of_states() -> TargetMap:
    """A map of three frames and two ROIs, of two states: for one is against the other."""
    signed = np.array([[[1.0, -2], [3, 0], [0, 2]], [[-1, 2], [-3, 0], [0, -4]]])
    one = map_of(np.abs(signed).mean(axis=0), names=("VISp", "MOs"), output="log probability")
    about = {field.name: getattr(one, field.name) for field in fields(ShapMap)}
    about = {
        key: value for key, value in about.items() if key not in ("in_run", "in_rest", "n_run")
    }
    about |= {"each_abs": np.abs(signed), "signed": signed, "one_side": signed, "base": np.zeros(2)}
    about |= {"other_side": signed, "n_one_side": np.array([300, 700])}
    about |= {"target_name": "states", "target_unit": "", "target_states": ("walk", "groom")}
    return TargetMap(**about)


@pytest.mark.parametrize("placed", [True, False])
def test_a_state_has_a_row_and_all_rows_one_scale(placed):
    areas = np.zeros((2, 8, 8), bool)
    areas[0, 2:5, 1:3] = areas[1, 1:4, 5:7] = True
    place = Cortex(np.arange(64.0).reshape(8, 8), (8, 8), [outline(area) for area in areas])
    figure = signed_figure.draw([of_states()] * 2, place if placed else None)
    as_drawn(figure, f"signed_states{'_alone' * (not placed)}")
    assert [row.get_suptitle() for row in figure.subfigs] == ["walk", "groom"]
    heats = [axes.images[0] for axes in figure.axes if axes.images and axes.get_ylabel()]
    assert [heat.get_clim() for heat in heats] == [(-4, 4)] * 2
    np.testing.assert_array_equal([heat.get_array() for heat in heats], of_states().signed)
    caption = signed_figure.caption([of_states()] * 2, "s1" if placed else None)
    as_written(caption, f"signed_states{'_alone' * (not placed)}")


def test_the_caption_of_a_map_of_states_says_what_it_is_the_mean_over():
    text = shap_figure.caption([of_states()] * 2, pd.DataFrame())
    assert "by Deep SHAP, mean over states, over 1000 windows of the test mouse" in text


@pytest.mark.parametrize(
    ("target", "sides"),
    [({}, ("rest", "run")), ({"target_name": "pupil", "target_states": ()}, ("low", "high"))],
)
def test_the_bar_of_a_signed_map_says_what_more_activity_speaks_for(target, sides):
    signed = np.array([[1.0, -2], [3, 0], [0, 2]])
    one = map_of(np.abs(signed), signed=signed)
    if target:
        one = replace(of_states(), **target)
        parts = ("each_abs", "signed", "one_side", "other_side", "base", "n_one_side")
        one = replace(one, **{name: getattr(one, name)[:1] for name in parts})
    labels = [axes.get_ylabel() for axes in signed_figure.draw([one]).figure.axes]
    bar = "SHAP a frame\n\u2190 {}    more activity speaks for    {} \u2192".format(*sides)
    assert bar in labels


def test_tables_of_states_have_a_row_a_state_and_roi_one_under_the_other():
    one = replace(of_states(), other_side=-of_states().signed / 2)
    maps = [one, replace(one, signed=3 * one.signed)]
    as_tabled(shap_tables.signed_table(maps), "shap_signed_of_states")
    as_tabled(shap_tables.time_table(maps), "shap_by_time_of_states")
    as_tabled(shap_tables.roi_table(maps), "shap_by_roi_of_states")


def test_areas_go_by_their_names_without_their_kind_and_rois_by_numbers_where_they_have_none():
    signed = np.array([[1.0, -2], [3, 0], [0, 2]])
    area = {"names": ("area VISp", "area MOs"), "method": OF_PIXELS}
    figure = as_drawn(signed_figure.draw([map_of(np.abs(signed), **area)] * 2), "signed_areas")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["VISp", "MOs"]
    assert axes.get_xlabel() == "Area"
    numbered = signed_figure.draw([map_of(np.abs(signed), roi=np.array([7, 9]))]).axes[0]
    assert [text.get_text() for text in numbered.get_xticklabels()] == ["7", "9"]
    assert numbered.get_xlabel() == "ROI number"
    maps = [map_of(np.abs(signed), **area), map_of(np.abs(signed), **area, n_run=700)]
    as_written(signed_figure.caption(maps, "s1"), "signed_areas")


def test_maps_of_two_frame_rates_are_drawn_in_frames_and_many_names_small():
    values = np.arange(80.0).reshape(2, 40) - 30
    maps = [map_of(values, frame=np.array([-3, -2]), frame_rate=rate) for rate in (20.0, 30.0)]
    as_drawn(signed_figure.draw(maps), "signed_in_frames")
    as_written(signed_figure.caption(maps, None), "signed_in_frames")
    place = Cortex(np.arange(64.0).reshape(8, 8), (8, 8), [outline(np.eye(8, dtype=bool))])
    one = [map_of(values[:, :1], frame=np.array([-3, -2]), frame_rate=rate) for rate in (20, 30)]
    as_drawn(signed_figure.draw(one, place), "signed_in_frames_on_the_cortex")
