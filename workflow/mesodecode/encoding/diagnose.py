"""Why a network does not learn: data, preprocessing, architecture or optimisation.

Each check asks one question that only one of the four can fail, given that the checks before it
pass; the first that fails names the fault. All look at training and validation presentations only,
but the one of the lag, which looks at all: it is about the recording, not about a fold.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import stats
from sklearn.neighbors import NearestCentroid

from mesodecode.encoding import diagnose_training, linear
from mesodecode.encoding.columns import CHECKS, check_row, not_made
from mesodecode.encoding.explainable import Explainable, explainable, image_means
from mesodecode.encoding.folds import Split, image_folds
from mesodecode.encoding.responses import Responses
from mesodecode.encoding.scores import permuted_r2, r2
from mesodecode.encoding.train import network_of, sources

FAULTS = ("data", "preprocessing", "architecture", "optimisation")
MIN_RESPONSIVE = 0.1  # share of neurons
MIN_DECODING = 3.0  # times chance
MAX_SHARE = 0.5  # of the loss, in a twentieth of the neurons
MAX_P = 0.01  # of ridge regression against permuted images
LAG = (0.15, 0.01)  # s; gain in explained share, beyond half as much again


@dataclass(frozen=True)
class Diagnosis:
    """`checks` (columns `columns.CHECKS`, the last row the conclusion); neurons; layers; rates."""

    checks: pd.DataFrame
    neurons: pd.DataFrame
    layers: pd.DataFrame
    rates: pd.DataFrame

    @property
    def fault(self) -> str:
        """One of `FAULTS`, or "none"."""
        return str(self.checks["fault"].iloc[-1])


def diagnose(
    data: Responses,
    split: Split,
    settings: dict[str, Any],
    *,
    history: pd.DataFrame | None = None,
    device: torch.device | str = "cpu",
) -> Diagnosis:
    """Diagnose the network of `settings` on these responses.

    `history`: the epochs of its training (`columns.HISTORY`), if it was trained.
    """
    rows = split.fit
    known = explainable(data.response[rows].astype(np.float64), data.image[rows])
    neurons = neuron_table(data, known)
    responsive = neurons["responsive"].to_numpy()
    train, valid, _, _ = sources(data, split, settings, device)
    network = network_of(data, settings).to(device)
    train.freeze(network)
    batch, labels = diagnose_training.one_batch(train)
    layers = diagnose_training.gradients(network, batch, labels)
    rates = diagnose_training.range_test(network, train, settings)
    features = {kind: _features(data, settings, kind) for kind in ("pixels", "gabor", "backbone")}
    learns = {kind: ridge_learns(f, data, rows, responsive) for kind, f in features.items()}
    checks = [
        check_lag(data),
        check_signal(neurons),
        check_decoding(data.response[rows], data.image[rows]),
        check_scale(train.labels[train.centres].cpu().numpy()),
        check_images(learns),
        diagnose_training.check_gradients(layers),
        check_features(learns, settings),
        diagnose_training.check_one_batch(network, batch, labels, settings, layers),
        diagnose_training.check_learning_rate(rates, settings["learning_rate"]),
        diagnose_training.check_history(
            history, learns, diagnose_training.mean_scores(train, valid), network
        ),
    ]
    table = pd.DataFrame(checks, columns=list(CHECKS))
    table.loc[len(table)] = conclusion(table)
    return Diagnosis(table, neurons, layers, rates)


def neuron_table(data: Responses, known: Explainable) -> pd.DataFrame:
    """Return neuron, explainable variance (share), ceiling of averages, p, q and responsive."""
    p = np.where(np.isfinite(known.p), known.p, 1.0)
    q = stats.false_discovery_control(p)
    return pd.DataFrame(
        {
            "neuron": data.neurons,
            "explainable": known.single,
            "ceiling_average": known.average,
            "p": known.p,
            "q": q,
            "responsive": known.responsive,
        }
    )


def check_lag(data: Responses) -> dict[str, Any]:
    """Would responses at another lag tell more of the images?"""
    if not len(data.lags):
        repeated = len(np.unique(data.image)) < len(data.image)
        why = "most windows leave the recording" if repeated else "no image is repeated"
        return not_made("lag", LAG[0], f"What images explain is known at no lag: {why}")
    used = data.lag
    now = data.lag_explained[np.argmin(np.abs(data.lags - used))]
    best = int(np.argmax(data.lag_explained))
    moved = data.lags[best] - used
    start = f"At a lag of {used:.2f} s images explain {now:.1%} of the variance, "
    if data.lag_explained[best] <= now:
        return check_row("lag", True, "", 0.0, LAG[0], f"{start}and at no other lag more")
    good = abs(moved) < LAG[0] or data.lag_explained[best] < 1.5 * max(now, 0) + LAG[1]
    said = f"{start}at the best one ({data.lags[best]:.2f} s) {data.lag_explained[best]:.1%}"
    mend = ": the window of responses is not where the responses are; set lag"
    return check_row("lag", good, "preprocessing", moved, LAG[0], said, mend)


def check_signal(neurons: pd.DataFrame) -> dict[str, Any]:
    """Do neurons answer images at all?"""
    if neurons["p"].isna().all():
        words = "Whether neurons answer images is not known: no image is repeated"
        return not_made("signal", MIN_RESPONSIVE, words)
    share = float(neurons["responsive"].mean())
    mean = neurons.loc[neurons["responsive"], "explainable"].mean()
    good = share >= MIN_RESPONSIVE
    said = f"Images explain variance of {neurons['responsive'].sum()} of {len(neurons)} neurons"
    said += f", on average {mean:.1%} of their variance" if share else ""
    mend = ": there is nothing to predict; no network can mend that"
    return check_row("signal", good, "data", share, MIN_RESPONSIVE, said, mend)


def check_decoding(response: np.ndarray, image: np.ndarray) -> dict[str, Any]:
    """Do responses know which image was shown? Nearest centroid, on the other half of repeats."""
    order = np.argsort(image, kind="stable")
    _, first = np.unique(image[order], return_index=True)
    repeat = np.empty(len(image), int)
    repeat[order] = np.arange(len(image)) - np.repeat(first, np.diff([*first, len(image)]))
    odd = repeat % 2 == 1
    chance = 1 / (repeat == 0).sum()
    # thrice chance is more than all of two images: half way from chance to all, of less than five
    limit = min(MIN_DECODING * chance, (1 + chance) / 2)
    if chance ** odd.sum() > MAX_P:  # all of them could be told by luck
        why = "too few presentations" if odd.any() else "no image is repeated"
        words = f"Whether responses tell images is not known: {why}"
        return not_made("image information", limit, words)
    sd = response.std(0)
    z = (response - response.mean(0)) / np.where(sd > 0, sd, 1)
    accuracy = chance
    if np.ptp(z[~odd], axis=0).any():  # else there are no centroids
        model = NearestCentroid().fit(z[~odd], image[~odd])
        accuracy = float(model.score(z[odd], image[odd]))
    said = f"The image is read from single responses in {accuracy:.1%} of presentations (chance "
    said += f"{chance:.1%})"
    mend = ": the population does not know what was shown"
    return check_row("image information", accuracy >= limit, "data", accuracy, limit, said, mend)


def check_scale(response: np.ndarray) -> dict[str, Any]:
    """Do all neurons count in the loss?"""
    variance = np.sort((response**2).mean(0))[::-1]
    n = math.ceil(len(variance) / 20)
    share = float(variance[:n].sum() / variance.sum())
    limit = max(MAX_SHARE, 2 / len(variance))  # of few neurons one holds much
    said = f"{n} of {len(variance)} neurons hold {share:.0%} of the loss at the start"
    mend = ": the others hardly count; set standardise, or look at their traces"
    return check_row("scale", share <= limit, "preprocessing", share, limit, said, mend)


def _features(data: Responses, settings: dict[str, Any], kind: str) -> np.ndarray:
    chosen = {"features": kind, **{k: settings[k] for k in ("backbone", "convolutions", "pool")}}
    chosen |= {"pretrained": settings["pretrained"], "seed": settings["seed"]}
    images = (data.images - data.images.mean()) / (data.images.std() or 1.0)
    return linear.image_features(images, chosen)


def ridge_learns(
    features: np.ndarray, data: Responses, rows: np.ndarray, responsive: np.ndarray
) -> tuple[float, float]:
    """Return R² of averages by ridge (mean over responsive neurons; all if none), and its p value.

    In five folds of the images of `rows`; p by 199 permutations of images.
    """
    k = min(5, len(np.unique(data.image[rows])))
    fold = image_folds(data.image[rows], k, 0)
    of = np.array([fold[int(i)] for i in data.image[rows]])
    predicted = np.empty((len(rows), data.response.shape[1]))
    for number in range(1, k + 1):
        held = of == number
        nobody = np.empty(0, int)
        split = Split(rows[~held], nobody, rows[held])
        predicted[held] = linear.ridge(features, data, split)
    _, first, index = np.unique(data.image[rows], return_index=True, return_inverse=True)
    means, expected = image_means(data.response[rows].astype(float), index), predicted[first]
    chosen = responsive if responsive.any() else np.ones_like(responsive)
    chance = permuted_r2(means, expected, of[first], 199, 0)[:, chosen].mean(1)
    value = float(r2(means, expected)[chosen].mean())
    return value, float((1 + (chance >= value).sum()) / 200)


def check_images(learns: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """Do the images, as given, predict responses in any simple way?"""
    kind = max(("pixels", "gabor"), key=lambda name: (-learns[name][1], learns[name][0]))
    words = {"pixels": "pixels", "gabor": "Gabor filters"}[kind]
    value, p = learns[kind]
    said = f"Ridge regression on {words} predicts averages of held-out images with R² {value:.2f} "
    said += f"(p = {p:.3f})"
    mend = ", though responses differ between images: the images do not belong to their numbers, "
    mend += "or were resized or cropped beyond use; check their order"
    return check_row("images", p <= MAX_P, "preprocessing", p, MAX_P, said, mend)


def check_features(
    learns: dict[str, tuple[float, float]], settings: dict[str, Any]
) -> dict[str, Any]:
    """Does ridge regression learn from the maps of the network's own backbone?"""
    value, p = learns["backbone"]
    best = max(learns["pixels"][0], learns["gabor"][0])
    cut = settings["convolutions"] or "all"
    said = f"Ridge regression on the maps of {settings['backbone']} (convolutions: {cut}) before "
    said += f"training has R² {value:.2f} (p = {p:.3f}); on pixels or Gabor filters {best:.2f}"
    mend = ": the backbone loses the image; cut it earlier, or pretrain it"
    return check_row("features", p <= MAX_P, "architecture", p, MAX_P, said, mend)


def conclusion(table: pd.DataFrame) -> dict[str, Any]:
    """Return the row that names the fault: that of the first check that fails."""
    failed = table[table["verdict"] == "fail"]
    if failed.empty:
        words = "No check fails: what is left is more images, or a better prior (see the models)"
        return check_row("conclusion", True, "", sentence=words) | {"fault": "none"}
    first = failed.iloc[0]
    words = f"{first['fault'].capitalize()} is at fault ({first['check']}): {first['sentence']}"
    if len(failed) > 1:
        others = ", ".join(failed["check"].iloc[1:])
        words += f" Also failing, perhaps as a consequence: {others}"
    words = words.removesuffix(".")
    return check_row("conclusion", False, first["fault"], sentence=words)
