"""Variants of a study side by side, with mice as the unit."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from mesodecode.scores import multiverse, multiverse_figure


def decoders(**lines):
    return {name: SimpleNamespace(settings=settings) for name, settings in lines.items()}


LINES = decoders(
    linear={},
    linear_small={"variant": "small"},
    mine={"variant": "small"},
    roi={},
    roi_small={"variant": "small"},
    mean={"average_of": ["linear", "roi"]},
    best={"adaptive_of": ["linear", "linear_small"]},
    across={"adaptive_of": ["linear", "roi"]},
)
FAMILIES = {
    "linear": {"study": "linear", "small": "linear_small", "best": "best"},
    "roi": {"study": "roi", "small": "roi_small"},
}
# decoder -> AUC of mice a (two allocations), b, c
AUC = {
    "linear": [(0.6, 0.8), (0.8,), (0.9,)],
    "linear_small": [(0.4, 0.6), (0.5,), (0.5,)],
    "best": [(0.8, 0.8), (0.8,), (0.9,)],
    "roi": [(0.9, 0.9), (0.9,), (0.9,)],
    "roi_small": [(0.9, 0.9), (0.9,), (0.9,)],
}


def table():
    rows = [
        {"decoder": name, "test_mouse": mouse, "auc": auc}
        for name, each in AUC.items()
        for mouse, values in zip("abc", each, strict=True)
        for auc in values
    ]
    shift = pd.DataFrame(
        {"decoder": "linear_small", "test_mouse": "a", "verdict": ["shifted", "in distribution"]}
    )
    verdicts = {"linear_small": {"a": "warn"}}
    chosen = {"best": {"a": "linear_small"}}
    return multiverse.table(pd.DataFrame(rows), FAMILIES, shift, verdicts, chosen)


def test_families_are_a_decoder_with_its_lines_on_variants():
    assert multiverse.families(LINES) == FAMILIES


def test_a_row_is_the_mean_of_a_mouse_and_its_difference_from_the_studys_own():
    rows = table().set_index(["decoder", "test_mouse"])
    assert len(rows) == 15
    small = rows.loc["linear_small", "a"]
    assert (small["n_allocations"], small["qc"], small["shifted"]) == (2, "warn", 0.5)
    np.testing.assert_allclose([small["auc"], small["difference"]], [0.5, -0.2])
    best = rows.loc["best", "a"]
    assert best["chosen"] == "linear_small" and np.isclose(best["difference"], 0.1)
    assert np.isnan(rows.loc["linear", "a"]["shifted"]) and rows.loc["linear", "a"]["qc"] == ""


def test_sentences_say_what_holds_in_all_variants():
    linear, roi, both = multiverse.sentences(table())
    assert "goes from 0.500 (small) to 0.833 (best)" in linear
    assert "in 2 of 3 (not in small)" in linear and "in all 2" in roi
    # .1, 0, 0 of three mice: SD .0577, t of 2 degrees of freedom 4.303
    assert "best differs from the study's own by 0.033 (-0.110 to 0.177)" in linear
    assert both == "roi has the higher mean AUC of linear and roi in 2 of 2 variants."


def test_the_figure_has_variants_by_their_means():
    rows = table()
    assert multiverse.order(rows[rows["family"] == "linear"]) == ["small", "study", "best"]
    figure = multiverse_figure.draw(rows)
    labels = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert labels == ["small", "study", "best"] and "3 test mice" in multiverse_figure.caption(rows)
