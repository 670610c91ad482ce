"""What AUC to expect in a mouse without labels: a regression over the other mice of the study.

logit AUC = level + slopes · evidence, a row a test session of an allocation. Evidence has no label:
an animal runs or rests, and goes on with it, so that the output of a decoder that sees this falls
into two states that last; noise does neither. A cohort has few mice: level and slopes are drawn
towards those of simulated mice, and what the other mice decide is mostly the level. The fit for a
mouse never sees its labels as a test mouse. What it is worth differs between studies, so that it
stands beside a prediction that looks at nothing, the mean of the other mice (`held_against`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from mesodecode.study.targets import RUN, Kind

COLUMNS = ["predicted_auc", "predicted_error", "predicted_from", "others_auc"]
FEWEST = 3  # other mice with an AUC; with fewer nothing is predicted
# evidence -> slope that it is drawn to, its usual SD; the level that AUCs are drawn to. Both are of
# a linear decoder of simulated mice (seed 1; benchmarks/shift.py scores another seed and a CNN).
PRIOR = {"two_states": (1.38, 0.4), "slow": (0.75, 0.5)}
LEVEL = -0.22
STRENGTH = 3.0  # of the prior, in mice of usual spread
CLIP = 0.002  # an AUC of 1 has no logit
# Of other targets nobody has measured slopes: they are drawn to 0. kind of target -> as PRIOR.
PRIORS = {
    "run": PRIOR,
    "states": {"two_states": (0.0, 0.4), "slow": (0.0, 0.5)},
    "regression": {"slow": (0.0, 0.5), "far": (0.0, 0.5)},
}


# What scores are regressed on, as differences of it mean about the same everywhere.
SCALES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "logit": lambda auc: logit(np.clip(auc, CLIP, 1 - CLIP)),
    # of R², minus the log of the squared error over the variance
    "error": lambda r2: -np.log1p(-np.minimum(r2, 1 - CLIP)),
}


def evidence(table: pd.DataFrame, kind: Kind = RUN.kind) -> pd.DataFrame:
    """Return the columns of the prior of a kind, a row a row of measures; NaN where not known."""
    seen = {
        # an output that knows nothing adds its square to the error, which is 1 + far then
        name: -np.log1p(table[name]) if name == "far" else logit(table[name].clip(0.01, 0.99))
        for name in PRIORS[kind.name]
    }
    return pd.DataFrame(seen, table.index)


def predict(table: pd.DataFrame) -> pd.DataFrame:
    """Return predicted_auc, predicted_error, predicted_from (other mice) and others_auc of rows.

    `table` has `MEASURE_COLUMNS` and `auc`, of one decoder. The error is the root mean square
    error of the same regression for each of the other mice, fitted without it and without the mouse
    predicted: what it got wrong before. NaN where fewer than `FEWEST` other mice have an AUC.
    others_auc is the mean AUC of the other mice, each counting once.
    """
    x = evidence(table)
    y = logit(table["auc"].clip(CLIP, 1 - CLIP))
    mouse = table["test_mouse"]
    scored = y.notna()
    result = pd.DataFrame(np.nan, table.index, COLUMNS)
    means = table["auc"].groupby(mouse).mean()
    for name in mouse.unique():
        others = sorted(set(mouse[scored]) - {name})
        result.loc[mouse == name, "predicted_from"] = len(others)
        if len(others) < FEWEST:
            continue
        result.loc[mouse == name, "others_auc"] = means[others].mean()
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


def held_against(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row a decoder: what its predicted AUCs of test mice were worth in this study.

    `table` has decoder, test_mouse, auc and `COLUMNS`. n_mice: those with both AUCs; missed: mean
    absolute error of predicted_auc, and others_missed that of the mean of the other mice, both of
    the mean over a mouse's rows, so that a mouse counts once; rank: Spearman's correlation of the
    means of mice, NaN for fewer than three or where all are the same; worst, worst_predicted and
    worst_auc: the mouse that was missed by most. A decoder without any is left out.
    """
    known = table[table["predicted_auc"].notna() & table["auc"].notna()]
    rows = []
    for decoder, mine in known.groupby("decoder", sort=False):
        mice = mine.groupby("test_mouse")[["predicted_auc", "others_auc", "auc"]].mean()
        ranks = mice[["predicted_auc", "auc"]].rank()
        missed = (mice["predicted_auc"] - mice["auc"]).abs()
        worst = missed.idxmax()
        rows.append(
            {
                **{"decoder": decoder, "n_mice": len(mice), "missed": missed.mean()},
                "others_missed": (mice["others_auc"] - mice["auc"]).abs().mean(),
                "rank": ranks.corr().iloc[0, 1] if len(mice) > 2 else np.nan,
                **{"worst": worst, "worst_predicted": mice.loc[worst, "predicted_auc"]},
                "worst_auc": mice.loc[worst, "auc"],
            }
        )
    return pd.DataFrame(rows)


def in_words(table: pd.DataFrame) -> list[str]:
    """Return a sentence a decoder on what `held_against` found of a table."""
    words = []
    for row in held_against(table).to_dict("records"):
        near = row["missed"] < row["others_missed"]
        ranks = "" if np.isnan(row["rank"]) else f", rank correlation {row['rank']:.2f}"
        worth = (
            "nearer than the mean of the other mice"
            if near and not row["rank"] <= 0
            else "worth no more than the mean of the other mice: choose no mouse or session by it"
        )
        words.append(
            f"{row['decoder']}: predicted AUCs of {row['n_mice']} mice missed by "
            f"{row['missed']:.3f} (the mean of the other mice by {row['others_missed']:.3f}"
            f"{ranks}); {row['worst']}, the farthest, was predicted {row['worst_predicted']:.2f} "
            f"and had {row['worst_auc']:.2f}. Here the prediction is {worth}."
        )
    return words


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
