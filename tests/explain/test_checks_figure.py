"""The figure of a map's checks: a panel for each that was made, and what stands in it."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from drawn import as_drawn
from make_tables import checked
from mesodecode.explain import checks_figure
from mesodecode.study.targets import Target
from texts import as_written


def test_all_checks_that_were_made_are_drawn():
    evidence = checked()
    *_, truth, _, _ = as_drawn(checks_figure.draw(evidence), "map_checks_all").axes
    # the two planted ROIs of five come first: of the top 1, 2 and 5 all, all and two are planted
    (line, chance) = truth.lines
    assert list(zip(*line.get_data(), strict=True))[-3:] == [(1, 1), (0.5, 1), (0, 1)]
    assert chance.get_ydata()[0] == 2 / 5
    as_written(checks_figure.caption(evidence), "map_checks")


def test_checks_of_areas_are_drawn_without_what_was_not_made():
    evidence = checked(kind="area", null=None, seeds=(), planted=np.zeros((3, 6)))
    as_drawn(checks_figure.draw(evidence), "map_checks_of_areas")
    as_written(checks_figure.caption(evidence), "map_checks_of_areas")


def test_of_a_trace_chance_is_no_r2_and_what_is_far_below_0_is_found_last():
    real = checked().real * [1, 1, 1, 1, 1, -9]  # the last unit is not planted
    evidence = checked(real=real, target=Target("pupil", unit="px"))
    axes = as_drawn(checks_figure.draw(evidence), "map_checks_of_a_trace").axes
    assert axes[0].lines[-1].get_ydata()[0] == 0 and axes[0].get_ylabel() == "Test R²"
    reached = list(zip(*axes[2].lines[0].get_data(), strict=True))
    assert reached[-3:] == [(1, 1), (0.5, 1), (0, 1)]
    as_written(checks_figure.caption(evidence), "map_checks_of_a_trace")


@pytest.mark.parametrize(
    ("target", "label"),
    [
        (Target(), "Without rest less without run (logits)"),
        (Target("pupil", unit="px"), "Without low less without high (px)"),
        (Target("states", ("rest", "walk", "groom")), "Without others less without state (nats)"),
    ],
)
def test_removal_by_sign_is_of_one_side_less_the_other(target, label):
    evidence = checked(target=target)
    axes = Figure().subplots()
    checks_figure._apart(axes, evidence)
    assert axes.get_ylabel() == label


def test_removal_by_the_map_and_at_random_are_called_so():
    """Two allocations and two draws; means over allocations, from the intact output on."""
    axes = Figure().subplots()
    own = np.array([[1.0, 3.0], [3.0, 5.0]])
    drawn = np.array([[[0.0, 1.0], [2.0, 3.0]], [[0.0, 3.0], [2.0, 5.0]]])
    evidence = SimpleNamespace(share=np.array([0.5, 1.0]), kind="ROI")
    checks_figure._curves(axes, evidence, own, drawn, 0.0, ("by the map", "at random"))
    named = {
        line.get_label(): [*line.get_ydata()] for line in axes.lines if line.get_marker() != "None"
    }
    assert named == {"by the map": [0, 2, 4], "at random": [0, 1, 3]}
    grey = [list(line.get_ydata()) for line in axes.lines if line.get_color() == "0.75"]
    assert grey == [[0, 0, 2], [0, 2, 4]]  # a draw each
    assert all(list(line.get_xdata()) == [0, 50, 100] for line in axes.lines)
    assert axes.get_xlabel() == "ROIs removed (%)"
