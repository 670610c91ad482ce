"""The figure of a SHAP map: which ROI's values stand where."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from drawn import as_drawn
from make_tables import map_of, names_on
from mesodecode.explain import shap_figure
from texts import as_written


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
    wide = shap_figure.draw(np.tile(values, 10), pd.concat([table] * 10), np.array([-1, 0]), 10.0)
    assert wide.get_size_inches()[0] * 25.4 == pytest.approx(3.2 * 30 + 30)
    maps = [
        map_of(values, names=names, n_windows=n, n_background=7 * n, completeness_error=n * 1e-6)
        for names in [("VISp", "MOs", "RSP")]
        for n in (90, 100)
    ]
    told = table.assign(n=[20] * 3, n_null=5)
    as_written(shap_figure.caption(maps, table.drop(columns="p_holm")), "shap")
    trained = [dataclasses.replace(one, background_from="train", method="gradient") for one in maps]
    as_written(shap_figure.caption(trained, told), "shap_against_permuted")
    as_written(shap_figure.caption(maps, told.assign(n=3, n_null=3)), "shap_against_few_permuted")
    other = table.assign(name=[4, 7, 9], p_holm=0.01)  # the SD of the last is not known
    numbered = shap_figure.draw(values, other, np.array([-1, 0]), 0).axes[1]
    as_drawn(numbered.figure, "shap_in_frames")
    assert names_on(numbered.xaxis) == ["4", "7", "9"] and numbered.get_xlabel() == "ROI number"
