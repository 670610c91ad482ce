"""Figures of maps: which ROI's values stand where, and what the curves of removal are called."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from drawn import as_drawn
from make_tables import names_on
from mesodecode.explain import checks_figure, shap_figure


def test_bars_and_columns_of_a_shap_map_are_those_of_their_roi():
    """Three ROIs, 2 frames at 10 frames/s; of the second one labels say something (Holm's p)."""
    table = pd.DataFrame(
        {"roi": [4, 7, 9], "name": ["VISp", "MOs", "RSP"], "mean": [0.3, 0.9, 0.2]}
        | {"sd": [0.01, 0.02, np.nan], "mean_null": 0.1, "sd_null": 0.0, "p_holm": [0.2, 0.01, 0.9]}
    )
    values = np.array([[0.1, 0.5, 0.15], [0.2, 0.4, 0.05]])
    figure = shap_figure.draw(values, table, np.array([-1, 0]), 10.0)
    heat, bars, _ = as_drawn(figure, "shap").axes
    assert names_on(bars.xaxis) == ["VISp", "MOs", "RSP"] and bars.get_xlabel() == "ROI"
    assert [(b.get_x() + b.get_width() / 2, b.get_height()) for b in bars.patches] == [
        pytest.approx(one) for one in ((0, 0.3), (1, 0.9), (2, 0.2))
    ]
    (image,) = heat.images
    assert np.array_equal(image.get_array(), values) and image.origin == "lower"
    assert image.get_extent() == pytest.approx((-0.5, 2.5, -0.15, 0.05))  # s, half a frame around
    (star,) = bars.texts
    assert star.get_text() == "*" and star.get_position() == pytest.approx((1, 0.92))
    numbered = shap_figure.draw(values, table.assign(name=[4, 7, 9]), np.array([-1, 0]), 0).axes[1]
    assert names_on(numbered.xaxis) == ["4", "7", "9"] and numbered.get_xlabel() == "ROI number"


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
