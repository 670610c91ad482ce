"""What AUC to expect in a mouse without labels: a regression over the other mice of the study.

logit AUC = level + slopes · evidence, a row a test session of an allocation. Evidence has no label:
an animal runs or rests, and goes on with it, so that the output of a decoder that sees this falls
into two states that last; noise does neither. A cohort has few mice: level and slopes are drawn
towards those of simulated mice, and what the other mice decide is mostly the level. The fit for a
mouse never sees its labels as a test mouse. What it is worth differs between studies, so that it
stands beside a prediction that looks at nothing, the mean of the other mice (`held_against`).

Of named states the macro AUC is predicted so, by each state against all others; of a trace
Pearson's r, by Fisher's z. R² has no lower end, and it hangs on the mean and variance of the trace
in the new mouse, which no recording without labels tells.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from mesodecode.shift.columns import predicted_of
from mesodecode.study.targets import RUN, Kind

FEWEST = 3  # other mice with an AUC; with fewer nothing is predicted
STRENGTH = 3.0  # of the prior, in mice of usual spread
CLIP = 0.002  # an AUC of 1 has no logit
# Kind of target -> the level that scores are drawn to; evidence -> slope that it is drawn to, its
# usual SD. All are of a linear decoder of simulated mice (seed 1; benchmarks/shift.py scores
# another seed and a CNN), those of a trace of speed and pupil together.
LEVELS = {"run": -0.22, "states": -1.25, "regression": 0.33}
PRIORS = {
    "run": {"two_states": (1.38, 0.4), "slow": (0.75, 0.5)},
    "states": {"two_states": (2.72, 0.4), "slow": (0.74, 0.5)},
    "regression": {"slow": (0.49, 0.5), "far": (0.0, 0.5)},
}


class Scale(NamedTuple):
    """What scores are regressed on, as differences of it mean about the same everywhere."""

    to: Callable[[np.ndarray], np.ndarray]
    back: Callable[[np.ndarray], np.ndarray]


SCALES = {
    "logit": Scale(lambda auc: logit(np.clip(auc, CLIP, 1 - CLIP)), expit),
    # of R², minus the log of the squared error over the variance
    "error": Scale(lambda r2: -np.log1p(-np.minimum(r2, 1 - CLIP)), lambda y: -np.expm1(-y)),
    "fisher": Scale(lambda r: np.arctanh(np.clip(r, CLIP - 1, 1 - CLIP)), np.tanh),
}


def evidence(table: pd.DataFrame, kind: Kind = RUN.kind) -> pd.DataFrame:
    """Return the columns of the prior of a kind, a row a row of measures; NaN where not known."""
    seen = {
        # an output that knows nothing adds its square to the error, which is 1 + far then
        name: -np.log1p(table[name]) if name == "far" else logit(table[name].clip(0.01, 0.99))
        for name in PRIORS[kind.name]
    }
    return pd.DataFrame(seen, table.index)


def predict(table: pd.DataFrame, kind: Kind = RUN.kind) -> pd.DataFrame:
    """Return predicted_auc, predicted_error, predicted_from (other mice) and others_auc of rows.

    `table` has `measure_columns` and `auc`, of one decoder; of another kind of target its
    `expected` score stands for the AUC, in all names. The error is the root mean square error of
    the same regression for each of the other mice, fitted without it and without the mouse
    predicted: what it got wrong before. NaN where fewer than `FEWEST` other mice have an AUC.
    others_auc is the mean AUC of the other mice, each counting once.
    """
    predicted, error, number, mean_of_others = predicted_of(kind)
    scale, scores = SCALES[kind.expected_scale], table[kind.expected]
    x, y = evidence(table, kind), scale.to(scores)
    mouse = table["test_mouse"]
    scored = y.notna()
    result = pd.DataFrame(np.nan, table.index, predicted_of(kind))
    means = scores.groupby(mouse).mean()
    for name in mouse.unique():
        own, others = mouse == name, sorted(set(mouse[scored]) - {name})
        result.loc[own, number] = len(others)
        if len(others) < FEWEST:
            continue
        result.loc[own, mean_of_others] = means[others].mean()
        fitted = scored & ~own
        guess = scale.back(_fit(x, y, mouse, fitted, own, kind))
        # nothing in the evidence speaks of less than chance
        result.loc[own, predicted] = np.maximum(guess, kind.chance)
        squares = []
        for other in others:
            left = fitted & (mouse == other)
            guess = scale.back(_fit(x, y, mouse, fitted & (mouse != other), left, kind))
            squares.append(np.mean((guess - scores[left]) ** 2))
        result.loc[own, error] = np.sqrt(np.mean(squares))
    return result


def held_against(table: pd.DataFrame, kind: Kind = RUN.kind) -> pd.DataFrame:
    """Return a row a decoder: what its predicted AUCs of test mice were worth in this study.

    `table` has decoder, test_mouse, auc and `predicted_of`, of a kind of target. n_mice: those with
    both AUCs; missed: mean absolute error of predicted_auc, and others_missed that of the mean of
    the other mice, both of the mean over a mouse's rows, so that a mouse counts once; rank:
    Spearman's correlation of the means of mice, NaN for fewer than three or where all are the same;
    worst, worst_predicted and worst_had: the mouse that was missed by most. A decoder without any
    is left out.
    """
    predicted, *_, others = predicted_of(kind)
    known = table[table[predicted].notna() & table[kind.expected].notna()]
    rows = []
    for decoder, mine in known.groupby("decoder", sort=False):
        mice = mine.groupby("test_mouse")[[predicted, others, kind.expected]].mean()
        ranks = mice[[predicted, kind.expected]].rank()
        missed = (mice[predicted] - mice[kind.expected]).abs()
        worst = missed.idxmax()
        rows.append(
            {
                **{"decoder": decoder, "n_mice": len(mice), "missed": missed.mean()},
                "others_missed": (mice[others] - mice[kind.expected]).abs().mean(),
                "rank": ranks.corr().iloc[0, 1] if len(mice) > 2 else np.nan,
                **{"worst": worst, "worst_predicted": mice.loc[worst, predicted]},
                "worst_had": mice.loc[worst, kind.expected],
            }
        )
    return pd.DataFrame(rows)


def in_words(table: pd.DataFrame, kind: Kind = RUN.kind) -> list[str]:
    """Return a sentence a decoder on what `held_against` found of a table."""
    words = []
    for row in held_against(table, kind).to_dict("records"):
        near = row["missed"] < row["others_missed"]
        ranks = "" if np.isnan(row["rank"]) else f", rank correlation {row['rank']:.2f}"
        worth = (
            "nearer than the mean of the other mice"
            if near and not row["rank"] <= 0
            else "worth no more than the mean of the other mice: choose no mouse or session by it"
        )
        words.append(
            f"{row['decoder']}: the predicted {kind.expected_axis} of {row['n_mice']} mice missed "
            f"by {row['missed']:.3f} (the mean of the other mice by {row['others_missed']:.3f}"
            f"{ranks}); {row['worst']}, the farthest, was predicted {row['worst_predicted']:.2f} "
            f"and had {row['worst_had']:.2f}. Here the prediction is {worth}."
        )
    return words


def _fit(
    x: pd.DataFrame,
    y: pd.Series,
    mouse: pd.Series,
    fitted: pd.Series,
    asked: pd.Series,
    kind: Kind,
) -> np.ndarray:
    """Return predictions of y for the rows `asked`, from the rows `fitted`; mice count alike."""
    slopes, spread = np.array(list(PRIORS[kind.name].values())).T
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
        level = (n_mice * level + STRENGTH * (LEVELS[kind.name] + slopes @ middle)) / (
            n_mice + STRENGTH
        )
    return level + np.nan_to_num((x[asked].to_numpy() - middle) / spread) @ fit


def _weighted_mean(values: np.ndarray, weight: np.ndarray) -> float:
    there = np.isfinite(values)
    return float(weight[there] @ values[there] / weight[there].sum()) if there.any() else np.nan
