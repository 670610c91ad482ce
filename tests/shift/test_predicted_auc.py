"""What a prediction of scores rests on beside a study's own mice is of simulated ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mesodecode.shift import predicted_auc
from mesodecode.study.targets import KINDS

# kind -> predicted score of mice 0 and 3 of four, predicted_error, and others' mean
EXPECTED = {
    "run": [0.7773546, 0.1898082, 0.8496667, 0.9767752, 0.1769834, 0.7166667],
    "regression": [0.6139805, 0.5532715, 0.8496667, 0.8892513, 0.2293195, 0.7166667],
    "states": [0.874669, 0.1077017, 0.8496667, 0.9949379, 0.2342463, 0.7166667],
}


@pytest.mark.parametrize("name", KINDS)
def test_scores_are_drawn_to_those_of_simulated_mice(name):
    kind = KINDS[name]
    table = pd.DataFrame({"test_mouse": list("abcd"), kind.expected: [0.6, 0.8, 0.75, 0.999]})
    table["two_states"], table["slow"] = [0.6, 0.8, 0.5, 0.995], [0.6, 0.7, 0.5, 0.9]
    table["far"] = [0.5, 1.0, 0.25, 0.75]
    found = predicted_auc.predict(table, kind)
    assert (found["predicted_from"] == 3).all()
    assert found.drop(columns="predicted_from").iloc[[0, 3]].to_numpy().ravel() == pytest.approx(
        EXPECTED[name], rel=1e-6
    )


def test_an_extreme_share_is_cut_before_its_logit():
    made = predicted_auc.evidence(pd.DataFrame({"two_states": [0, 1, 0.5], "slow": [0.25] * 3}))
    np.testing.assert_allclose(made["two_states"], [-np.log(99), np.log(99), 0], atol=1e-12)
    np.testing.assert_allclose(made["slow"], -np.log(3))


def test_where_a_measure_is_known_of_no_mouse_others_alone_say_what_is_usual():
    """Of mice alike in what is known: the mean of the others' logits."""
    auc = np.array([0.6, 0.8, 0.75, 0.9])
    table = pd.DataFrame({"test_mouse": list("abcd"), "auc": auc, "two_states": 0.7})
    found = predicted_auc.predict(table.assign(slow=np.nan))["predicted_auc"]
    logits = np.log(auc / (1 - auc))
    expected = [1 / (1 + np.exp(-np.delete(logits, at).mean())) for at in range(4)]
    np.testing.assert_allclose(found, expected)
