"""How well models predict held-out responses, against the ceiling of their noise and chance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mesodecode.base.files import UserError
from mesodecode.encoding.explainable import explainable, image_means
from mesodecode.encoding.predictions import Predictions

SCORES = ("r2_single", "r2_average", "r2_over_mean", "fraction")
SCORES += ("r_single", "r_average", "r_normalised")
NEURONS = ("model", "session", "neuron", "responsive", "explainable", "p_explainable", "n_images")
NEURONS += (*SCORES, "ceiling_single", "ceiling_average", "p_chance")
SUMMARY = ("model", "neurons", "score", "n_neurons", "mean", "ci_low", "ci_high", "n_folds")
SUMMARY += ("fold_low", "fold_high", "chance", "p_chance")


def r2(response: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return R² of each column, 1 - squared error / squared deviation from the column's mean.

    NaN where the responses are constant.
    """
    return over(response, prediction, response.mean(0))


def over(response: np.ndarray, prediction: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return 1 - squared error / squared error of `mean`, of each column.

    Responses and predictions are (P, N), `mean` (P, N) or (N,). NaN where its error is 0.
    """
    total = ((response - mean) ** 2).sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, 1 - ((response - prediction) ** 2).sum(0) / total, np.nan)


def correlation(response: np.ndarray, prediction: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return Pearson's r of each column, of deviations from the means of each fold (P,).

    Without that, a model that knows nothing correlates negatively: the mean of the training set is
    low where that of the held-out set is high. NaN where one of the two is constant.
    """
    index = np.unique(fold, return_inverse=True)[1]
    a, b = (x - image_means(x, index)[index] for x in (response, prediction))
    spread = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    flat = spread <= 1e-9 * np.maximum((response**2).sum(0), 1e-300)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(flat, np.nan, (a * b).sum(0) / spread)


def score_session(
    parts: Sequence[Predictions], *, permutations: int, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Score one model in one session: its folds put together, each fold alone, and chance.

    Returns rows of neurons (`NEURONS`); the mean scores of responsive neurons by fold; R² of
    averages of each neuron with the images permuted within folds (permutations, N).

    Single trials are presentations, averages the means of an image's repeats. The ceilings are
    those of `explainable`; `fraction` is R² of averages over its ceiling, `r_normalised` the
    correlation of averages over sqrt(ceiling), CC_norm of Schoppe et al. 2016 (Front Comput
    Neurosci 10: 10), both of `responsive` neurons only. `r2_over_mean` is R² of averages with the
    error of the mean training response in place of their variance (Campbell and Thompson 2008,
    Rev Financ Stud 21: 1509-1531): 0 for a model that knows no more than that mean, whose R² is
    below 0, since it is estimated. Averages of an oracle predict themselves, and are left out.
    """
    one = parts[0]
    if any(not np.array_equal(p.neurons, one.neurons) for p in parts):
        raise UserError(f"{one.model}: folds of session {one.session} have other neurons")
    sizes = [len(p.image) for p in parts]
    fold = np.repeat(np.arange(len(parts)), sizes)
    image, response, prediction = (
        np.concatenate([getattr(p, name) for p in parts])
        for name in ("image", "response", "prediction")
    )
    response, prediction = response.astype(np.float64), prediction.astype(np.float64)
    known = explainable(response, image)
    responsive = known.responsive
    # an image is in one fold, but for folds of sessions, of which there is one here
    shown, first, index = np.unique(image, return_index=True, return_inverse=True)
    means, expected, group = (
        image_means(response, index),
        image_means(prediction, index),
        fold[first],
    )
    rows = pd.DataFrame(
        {
            "model": one.model,
            "session": one.session,
            "neuron": one.neurons,
            "responsive": responsive,
            "explainable": known.single,
            "p_explainable": known.p,
            "n_images": len(shown),
            "r2_single": r2(response, prediction),
            "r2_average": r2(means, expected),
            "r_single": correlation(response, prediction, fold),
            "r_average": correlation(means, expected, group),
            "ceiling_single": known.single,
            "ceiling_average": known.average,
        }
    )
    ceiling = np.where(responsive, known.average, np.nan)
    rows["fraction"] = rows["r2_average"] / ceiling
    rows["r_normalised"] = rows["r_average"] / np.sqrt(ceiling)
    known_mean = np.stack([part.mean for part in parts])[group].astype(np.float64)
    rows["r2_over_mean"] = over(means, expected, known_mean)
    chance = permuted_r2(means, expected, group, permutations, seed)
    rows["p_chance"] = (1 + (chance >= rows["r2_average"].to_numpy()).sum(0)) / (permutations + 1)
    if one.oracle:
        averages = ["r2_average", "r2_over_mean", "fraction", "r_average", "r_normalised"]
        rows[[*averages, "p_chance"]] = np.nan
    folds = pd.DataFrame([_fold(part, responsive, ceiling) for part in parts])
    return rows[list(NEURONS)], folds, chance


def _fold(part: Predictions, responsive: np.ndarray, ceiling: np.ndarray) -> dict[str, Any]:
    response, prediction = part.response.astype(np.float64), part.prediction.astype(np.float64)
    index = np.unique(part.image, return_inverse=True)[1]
    means, expected = image_means(response, index), image_means(prediction, index)
    values = {
        "r2_single": r2(response, prediction),
        "r2_average": r2(means, expected),
        "r_single": correlation(response, prediction, np.zeros(len(response))),
        "r_average": correlation(means, expected, np.zeros(len(means))),
        "r2_over_mean": over(means, expected, part.mean.astype(np.float64)),
    }
    if part.oracle:
        averages = ("r2_average", "r_average", "r2_over_mean")
        values |= dict.fromkeys(averages, np.full(len(responsive), np.nan))
    values["fraction"] = values["r2_average"] / ceiling
    values["r_normalised"] = values["r_average"] / np.sqrt(ceiling)
    shown = {key: _mean(value[responsive]) for key, value in values.items()}
    return {"model": part.model, "fold": part.fold, "n_images": len(means)} | shown


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def permuted_r2(
    means: np.ndarray, expected: np.ndarray, fold: np.ndarray, permutations: int, seed: int
) -> np.ndarray:
    """Return R² (permutations, N) of predictions (I, N) of other images of their fold (I,)."""
    rng = np.random.default_rng(seed)
    found = np.empty((permutations, means.shape[1]))
    groups = [np.flatnonzero(fold == f) for f in np.unique(fold)]
    for i in range(permutations):
        order = np.arange(len(means))
        for group in groups:
            order[group] = rng.permutation(group)
        found[i] = r2(means, expected[order])
    return found


def summarise(
    neurons: pd.DataFrame, folds: pd.DataFrame, chance: dict[str, np.ndarray]
) -> pd.DataFrame:
    """Return mean scores of each model (columns `SUMMARY`) with 95 % intervals.

    `chance`: model -> R² of averages with permuted images (permutations, all its neurons). The
    intervals are Student's, over neurons and, for responsive ones, over the means of folds; folds
    share training images, which makes theirs too narrow. Where sessions were held out in turn, a
    neuron counts once, with its mean over them. Chance is the mean over neurons and permutations of
    R² of averages, p the share of permutations that are as good, counting the observed one.
    """
    rows = []
    # whether folds are sessions, which have the same neurons (ids: `study.make_folds`)
    same = all(fold.startswith("test-") and ".fold-" not in fold for fold in folds["fold"])
    for model, mine in neurons.groupby("model", sort=False):
        subsets = {
            "all": np.ones(len(mine), bool),
            "responsive": mine["responsive"].to_numpy(bool),
            "unresponsive": ~mine["responsive"].to_numpy(bool),
        }
        for name, chosen in subsets.items():
            for score in SCORES:
                known = mine.loc[chosen, ["neuron", score]].dropna()
                if known.empty:
                    continue
                each = known.groupby("neuron")[score].mean() if same else known[score]
                values = each.to_numpy()
                low, high = interval(values)
                row = {"model": model, "neurons": name, "score": score, "n_neurons": len(values)}
                row |= {"mean": values.mean(), "ci_low": low, "ci_high": high}
                if name == "responsive" and score in folds:
                    by_fold = folds.loc[folds["model"] == model, score].dropna().to_numpy()
                    row["n_folds"] = len(by_fold)
                    row["fold_low"], row["fold_high"] = interval(by_fold)
                if score == "r2_average":
                    null = np.nanmean(chance[model][:, chosen], axis=1)
                    row["chance"] = null.mean()
                    observed = known[score].mean()
                    row["p_chance"] = (1 + (null >= observed).sum()) / (1 + len(null))
                rows.append(row)
    return pd.DataFrame(rows, columns=list(SUMMARY))


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return Student's 95 % interval of a mean; NaN for fewer than two values."""
    if len(values) < 2:
        return float("nan"), float("nan")
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)
