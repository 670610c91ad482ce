"""Scores of decoders, worked out by hand: perfect, useless, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from mesodecode.base import metrics

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "predicted", "r2", "r"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], 1, 1),
        ([1, 2, 3, 4], [1, 2, 3, 5], 0.8, 13 / 175**0.5),  # 1 of 5; sums 6.5, 5 and 8.75
        ([1, 2, 3, 4], [2, 3, 4, 5], 0.2, 1),  # a bias costs R², not r
        ([1, 2, 3, 4], [4, 3, 2, 1], -3, -1),
        ([1, 2, 3, 4], [2.5] * 4, 0, NAN),
        ([1, 2, 3], [0.1] * 3, 1 - (0.81 + 3.61 + 8.41) / 2, NAN),  # whose mean is rounded
        ([0.1] * 3, [1, 2, 3], NAN, NAN),
        ([1], [2], NAN, NAN),
        ([1, 3], [1, 2], 0.5, 1),  # 1 of 2; any two values are on a line
    ],
)
def test_scores_of_a_trace(value, predicted, r2, r):
    found = metrics.r2(np.array(value), np.array(predicted))
    assert found == pytest.approx(r2, nan_ok=True)
    found = metrics.correlation(np.array(value), np.array(predicted))
    assert found == pytest.approx(r, nan_ok=True)


def test_scores_of_states_are_over_those_that_are_there():
    probability = np.array([[0.9, 0.1, 0.5], [0.2, 0.2, 0.1], [0.3, 0.6, 0.2], [0.1, 0.8, 0.4]])
    state = np.array([0, 0, 1, 1])
    np.testing.assert_array_equal(metrics.state_aucs(state, probability), [0.75, 1, NAN])
    assert metrics.macro_auc(state, probability) == 0.875
    assert np.isnan(metrics.state_aucs(0 * state, probability)).all()
    assert np.isnan(metrics.macro_auc(0 * state, probability))
