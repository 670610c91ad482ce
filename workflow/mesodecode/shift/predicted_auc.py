"""What AUC to expect in a mouse without labels: a regression over the other mice of the study.

logit AUC = level + slopes · evidence, a row a test session of an allocation. Evidence has no label:
an animal runs or rests, and goes on with it, so that the output of a decoder that sees this falls
into two states that last; noise does neither. A cohort has few mice: level and slopes are drawn
towards those of simulated mice, and what the other mice decide is mostly the level. The fit for a
mouse never sees its labels as a test mouse.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, logit

FEWEST = 3  # other mice with an AUC; with fewer nothing is predicted
# evidence -> slope that it is drawn to, its usual SD; the level that AUCs are drawn to. Both are of
# a linear decoder of simulated mice (seed 1; benchmarks/shift.py scores another seed and a CNN).
PRIOR = {"two_states": (1.38, 0.4), "slow": (0.75, 0.5)}
LEVEL = -0.22
STRENGTH = 3.0  # of the prior, in mice of usual spread
CLIP = 0.002  # an AUC of 1 has no logit


def evidence(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of `PRIOR`, a row a row of `MEASURE_COLUMNS`; NaN where not known."""
    return pd.DataFrame({name: logit(table[name].clip(0.01, 0.99)) for name in PRIOR}, table.index)


def predict(table: pd.DataFrame) -> pd.DataFrame:
    """Return predicted_auc, predicted_error and predicted_from (other mice) for each row.

    `table` has `MEASURE_COLUMNS` and `auc`, of one decoder. The error is the root mean square
    error of the same regression for each of the other mice, fitted without it and without the mouse
    predicted: what it got wrong before. NaN where fewer than `FEWEST` other mice have an AUC.
    """
    x = evidence(table)
    y = logit(table["auc"].clip(CLIP, 1 - CLIP))
    mouse = table["test_mouse"]
    scored = y.notna()
    result = pd.DataFrame(
        np.nan, table.index, ["predicted_auc", "predicted_error", "predicted_from"]
    )
    for name in mouse.unique():
        others = sorted(set(mouse[scored]) - {name})
        result.loc[mouse == name, "predicted_from"] = len(others)
        if len(others) < FEWEST:
            continue
        fitted, own = scored & (mouse != name), mouse == name
        # nothing in the evidence speaks of less than chance
        result.loc[own, "predicted_auc"] = np.maximum(expit(_fit(x, y, mouse, fitted, own)), 0.5)
        squares = []
        for other in others:
            left = fitted & (mouse == other)
            guess = expit(_fit(x, y, mouse, fitted & (mouse != other), left))
            squares.append(np.mean((guess - table.loc[left, "auc"]) ** 2))
        result.loc[own, "predicted_error"] = np.sqrt(np.mean(squares))
    return result


def _fit(
    x: pd.DataFrame, y: pd.Series, mouse: pd.Series, fitted: pd.Series, asked: pd.Series
) -> np.ndarray:
    """Return predictions of y for the rows `asked`, from the rows `fitted`; mice count alike."""
    slopes, spread = np.array(list(PRIOR.values())).T
    n_mice = mouse[fitted].nunique()
    weight = (1 / mouse[fitted].map(mouse[fitted].value_counts())).to_numpy() / n_mice
    known = x[fitted].to_numpy()
    middle = np.array([_weighted_mean(column, weight) for column in known.T])
    # What is not known of a row is taken to be as usual, and so counts for nothing.
    z = np.nan_to_num((known - middle) / spread)
    level = weight @ y[fitted].to_numpy()
    left = (z * weight[:, None]).T @ z * n_mice + STRENGTH * np.eye(len(slopes))
    right = (z * weight[:, None]).T @ (y[fitted].to_numpy() - level) * n_mice
    fit = np.linalg.solve(left, right + STRENGTH * slopes * spread)
    if np.isfinite(middle).all():
        level = (n_mice * level + STRENGTH * (LEVEL + slopes @ middle)) / (n_mice + STRENGTH)
    return level + np.nan_to_num((x[asked].to_numpy() - middle) / spread) @ fit


def _weighted_mean(values: np.ndarray, weight: np.ndarray) -> float:
    there = np.isfinite(values)
    return float(weight[there] @ values[there] / weight[there].sum()) if there.any() else np.nan
