"""The figure of a map's checks: a panel for each that was made, and what stands in it."""

from types import SimpleNamespace

import numpy as np
from matplotlib.figure import Figure

from drawn import as_drawn
from mesodecode.explain import checks_figure
from mesodecode.explain.map_verdicts import Evidence
from texts import as_read


def checked(**change) -> Evidence:
    """Evidence of all checks, made up: maps of two mice in three allocations, of six units."""
    real = np.array([[6.0, 5, 4, 3, 2, 1], [6, 4, 5, 3, 1, 2], [5, 6, 4, 2, 3, 1]])
    steps = np.array([[0.7, 0.6], [0.8, 0.5], [0.9, 0.7]])  # (allocations, shares)
    drawn = np.stack([steps + 0.05, steps - 0.15], axis=1)
    empty = np.empty((3, 0, 6))
    given = {
        **{"kind": "ROI", "units": tuple("123456"), "mice": np.array(["d", "d", "e"])},
        **{"real": real, "randomised": real[:, [3, 0, 5, 1, 4, 2]], "null": real[:, ::-1]},
        **{"planted": np.tile([1, 1, 0, 0, np.nan, 0], (3, 1)), "seeds": (real + 1, real[::-1])},
        **{"share": np.array([0.25, 0.75]), "auc_intact": np.array([0.9, 0.8, 0.97])},
        **{"auc": steps, "auc_random": drawn, "moved": 4 * steps, "moved_random": 3 * drawn},
        **{"apart": -steps, "apart_random": drawn - 0.7, "noisy": empty},
        **dict.fromkeys(("size", "signed", "told", "planted_times", "planted_signs"), empty),
    }
    return Evidence(**given | change)


def test_all_checks_that_were_made_are_drawn():
    evidence = checked()
    *_, truth, _, _ = as_drawn(checks_figure.draw(evidence), "map_checks_all").axes
    # the two planted ROIs of five come first: of the top 1, 2 and 5 all, all and two are planted
    (line, chance) = truth.lines
    assert list(zip(*line.get_data(), strict=True))[-3:] == [(1, 1), (0.5, 1), (0, 1)]
    assert chance.get_ydata()[0] == 2 / 5
    as_read(checks_figure.caption(evidence))


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
