"""Why a network does not learn: data, preprocessing, architecture or optimisation.

Each check asks one question that only one of the four can fail, given that the checks before it
pass; the first that fails names the fault. All look at training and validation presentations only,
but the one of the lag, which looks at all: it is about the recording, not about a fold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import stats
from sklearn.neighbors import NearestCentroid

from mesodecode.decoders.networks import copied
from mesodecode.encoding import linear
from mesodecode.encoding.columns import CHECKS, useful_rates
from mesodecode.encoding.explainable import Explainable, explainable, image_means
from mesodecode.encoding.folds import Split, image_folds
from mesodecode.encoding.networks import Batch, EncodingNetwork
from mesodecode.encoding.presentations import Presentations
from mesodecode.encoding.responses import Responses
from mesodecode.encoding.scores import permuted_r2, r2
from mesodecode.encoding.train import mean_r2, network_of, sources

FAULTS = ("data", "preprocessing", "architecture", "optimisation")
MIN_RESPONSIVE = 0.1  # share of neurons
MIN_DECODING = 3.0  # times chance
MAX_SHARE = 0.5  # of the loss, in a twentieth of the neurons
MAX_P = 0.01  # of ridge regression against permuted images
GRADIENTS = (1e-6, 1e3)  # of a layer, in units of its weights
ONE_BATCH, STEPS, BATCH_R2 = 16, 300, 0.9
SLOW_R2 = 0.5  # of one batch, by an optimiser that is slow but no fault
MIN_SKILL = 0.01  # R² over the mean response, of validation presentations
LAG = (0.15, 0.01)  # s; gain in explained share, beyond half as much again
RATES = np.geomspace(1e-7, 10, 65)


@dataclass(frozen=True)
class Diagnosis:
    """`checks` (columns `tables.CHECKS`, the last row the conclusion); neurons; layers; rates."""

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

    `history`: the epochs of its training (`tables.HISTORY`), if it was trained.
    """
    rows = split.fit
    known = explainable(data.response[rows].astype(np.float64), data.image[rows])
    neurons = neuron_table(data, known)
    responsive = neurons["responsive"].to_numpy()
    train, valid, _, _ = sources(data, split, settings, device)
    network = network_of(data, settings).to(device)
    train.freeze(network)
    batch, labels = one_batch(train)
    layers = gradients(network, batch, labels)
    rates = range_test(network, train, settings)
    features = {kind: _features(data, settings, kind) for kind in ("pixels", "gabor", "backbone")}
    learns = {kind: ridge_learns(f, data, rows, responsive) for kind, f in features.items()}
    checks = [
        check_lag(data),
        check_signal(neurons),
        check_decoding(data.response[rows], data.image[rows]),
        check_scale(train.labels[train.centres].cpu().numpy()),
        check_images(learns),
        check_gradients(layers),
        check_features(learns, settings),
        check_one_batch(network, batch, labels, settings, layers),
        check_learning_rate(rates, settings["learning_rate"]),
        check_history(history, learns, mean_scores(train, valid), network),
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


def _row(
    check: str, good: bool, fault: str, value: float, limit: float, sentence: str
) -> dict[str, Any]:
    verdict = "pass" if good else "fail"
    shown = "" if good else fault
    return dict(zip(CHECKS, (check, verdict, shown, value, limit, sentence), strict=True))


def check_lag(data: Responses) -> dict[str, Any]:
    """Would responses at another lag tell more of the images?"""
    if not len(data.lags):
        return _row("lag", True, "", math.nan, LAG[0], "No other lag fits into the recording.")
    used = data.lag
    now = data.lag_explained[np.argmin(np.abs(data.lags - used))]
    best = int(np.argmax(data.lag_explained))
    moved = data.lags[best] - used
    start = f"At a lag of {used:.2f} s images explain {now:.1%} of the variance, "
    if data.lag_explained[best] <= now:
        return _row("lag", True, "", 0.0, LAG[0], f"{start}and at no other lag more.")
    good = abs(moved) < LAG[0] or data.lag_explained[best] < 1.5 * max(now, 0) + LAG[1]
    return _row(
        "lag",
        good,
        "preprocessing",
        moved,
        LAG[0],
        f"{start}at the best one ({data.lags[best]:.2f} s) {data.lag_explained[best]:.1%}"
        + ("." if good else ": the window of responses is not where the responses are; set lag."),
    )


def check_signal(neurons: pd.DataFrame) -> dict[str, Any]:
    """Do neurons answer images at all?"""
    share = float(neurons["responsive"].mean())
    mean = neurons.loc[neurons["responsive"], "explainable"].mean()
    good = share >= MIN_RESPONSIVE
    more = f", on average {mean:.1%} of their variance" if share else ""
    return _row(
        "signal",
        good,
        "data",
        share,
        MIN_RESPONSIVE,
        f"Images explain variance of {neurons['responsive'].sum()} of {len(neurons)} neurons{more}"
        + ("." if good else ": there is nothing to predict; no network can mend that."),
    )


def check_decoding(response: np.ndarray, image: np.ndarray) -> dict[str, Any]:
    """Do responses know which image was shown? Nearest centroid, on the other half of repeats."""
    order = np.argsort(image, kind="stable")
    _, first = np.unique(image[order], return_index=True)
    repeat = np.empty(len(image), int)
    repeat[order] = np.arange(len(image)) - np.repeat(first, np.diff([*first, len(image)]))
    odd = repeat % 2 == 1
    sd = response.std(0)
    z = (response - response.mean(0)) / np.where(sd > 0, sd, 1)
    model = NearestCentroid().fit(z[~odd], image[~odd])
    accuracy, chance = float(model.score(z[odd], image[odd])), 1 / len(np.unique(image))
    good = accuracy >= MIN_DECODING * chance
    return _row(
        "image information",
        good,
        "data",
        accuracy,
        MIN_DECODING * chance,
        f"The image is read from single responses in {accuracy:.1%} of presentations (chance "
        f"{chance:.1%})" + ("." if good else ": the population does not know what was shown."),
    )


def check_scale(response: np.ndarray) -> dict[str, Any]:
    """Do all neurons count in the loss?"""
    variance = np.sort((response**2).mean(0))[::-1]
    n = math.ceil(len(variance) / 20)
    share = float(variance[:n].sum() / variance.sum())
    good = share <= max(MAX_SHARE, 2 * n / len(variance))
    return _row(
        "scale",
        good,
        "preprocessing",
        share,
        MAX_SHARE,
        f"{n} of {len(variance)} neurons hold {share:.0%} of the loss at the start"
        + ("." if good else ": the others hardly count; set standardise, or look at their traces."),
    )


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
    good = p <= MAX_P
    return _row(
        "images",
        good,
        "preprocessing",
        p,
        MAX_P,
        f"Ridge regression on {words} predicts averages of held-out images with R² {value:.2f} "
        f"(p = {p:.3f})"
        + (
            "."
            if good
            else ", though responses differ between images: the images do not belong to their "
            "numbers, or were resized or cropped beyond use; check their order."
        ),
    )


def check_features(
    learns: dict[str, tuple[float, float]], settings: dict[str, Any]
) -> dict[str, Any]:
    """Does ridge regression learn from the maps of the network's own backbone?"""
    value, p = learns["backbone"]
    good = p <= MAX_P
    best = max(learns["pixels"][0], learns["gabor"][0])
    cut = settings["convolutions"] or "all"
    return _row(
        "features",
        good,
        "architecture",
        p,
        MAX_P,
        f"Ridge regression on the maps of {settings['backbone']} (convolutions: {cut}) before "
        f"training has R² {value:.2f} (p = {p:.3f}); on pixels or Gabor filters {best:.2f}"
        + ("." if good else ": the backbone loses the image; cut it earlier, or pretrain it."),
    )


def one_batch(train: Presentations) -> tuple[Batch, torch.Tensor]:
    """Return presentations of `ONE_BATCH` different training images, and their responses."""
    image = train._index[train.centres, -1].cpu().numpy()
    _, first = np.unique(image, return_index=True)
    at = train.centres[torch.as_tensor(np.sort(first)[:ONE_BATCH], device=train.centres.device)]
    return train.batch(at), train.labels[at]


def gradients(network: EncodingNetwork, batch: Batch, labels: torch.Tensor) -> pd.DataFrame:
    """Return layer, weights, RMS of weights and of their gradient before training, first to last.

    `ratio` is gradient over weight.
    """
    model = copied(network).train()
    torch.nn.functional.mse_loss(model(batch), labels).backward()
    rows = []
    for name, parameter in model.named_parameters():
        if parameter.grad is None or parameter.dim() < 2:
            continue
        weight = parameter.detach().pow(2).mean().sqrt().item()
        gradient = parameter.grad.pow(2).mean().sqrt().item()
        layer = name.removesuffix(".weight").replace("backbone.layers.net.", "")
        ratio = gradient / weight if weight else math.nan
        rows.append((layer, parameter.numel(), weight, gradient, ratio))
    return pd.DataFrame(rows, columns=["layer", "weights", "weight", "gradient", "ratio"])


def check_gradients(layers: pd.DataFrame) -> dict[str, Any]:
    """Do gradients reach every layer, and stay finite?"""
    low, high = GRADIENTS
    ratio = layers["ratio"].to_numpy()
    finite = bool(np.isfinite(layers["gradient"]).all())
    smallest, largest = np.nanargmin(ratio), np.nanargmax(ratio)
    value = float(ratio[smallest])
    if not finite or ratio[largest] > high:
        worst = layers["layer"].iloc[largest]
        words = f"explode (layer {worst}: {ratio[largest]:.1g} of its weights a unit of loss)"
        value = float(ratio[largest])
    elif value < low:
        worst = layers["layer"].iloc[smallest]
        words = f"vanish (layer {worst}: {value:.1g} of its weights a unit of loss)"
    else:
        return _row(
            "gradients",
            True,
            "",
            value,
            low,
            f"Gradients reach all {len(layers)} layers: {value:.1g} to {ratio[largest]:.1g} of the "
            "weights.",
        )
    return _row(
        "gradients",
        False,
        "architecture",
        value,
        low,
        f"Gradients {words}: use fewer layers, another activation or initialisation.",
    )


def fit_batch(
    network: EncodingNetwork,
    batch: Batch,
    labels: torch.Tensor,
    make: Callable[[Sequence[torch.nn.Parameter]], torch.optim.Optimizer],
) -> float:
    """Return the R² that a copy of the network reaches on one batch in `STEPS` steps."""
    model = copied(network).train()
    steps, best = make([p for p in model.parameters() if p.requires_grad]), -math.inf
    for _ in range(STEPS):
        outputs = model(batch)
        loss = torch.nn.functional.mse_loss(outputs, labels)
        if not torch.isfinite(loss):
            return math.nan
        best = max(best, mean_r2(outputs.detach(), labels))
        if best >= BATCH_R2:
            break
        steps.zero_grad(set_to_none=True)
        loss.backward()
        steps.step()
    return best


def _own(settings: dict[str, Any], rate: float | None = None) -> Callable:
    rate = settings["learning_rate"] if rate is None else rate
    if settings["optimizer"] == "adam":
        return lambda p: torch.optim.Adam(p, lr=rate, fused=True)
    return lambda p: torch.optim.SGD(p, lr=rate, momentum=settings["momentum"], fused=True)


def check_one_batch(
    network: EncodingNetwork,
    batch: Batch,
    labels: torch.Tensor,
    settings: dict[str, Any],
    layers: pd.DataFrame,
) -> dict[str, Any]:
    """Can the network fit one batch, with its own optimiser or else with Adam?"""
    if check_gradients(layers)["verdict"] == "fail":
        row = _row("one batch", True, "", math.nan, BATCH_R2, "Gradients are at fault already.")
        return row | {"verdict": "not made"}
    own = fit_batch(network, batch, labels, _own(settings))
    n = len(labels)
    start = f"{n} presentations are fitted with R² {own:z.2f} in {STEPS} steps by the optimiser set"
    if own >= BATCH_R2:
        return _row("one batch", True, "", own, BATCH_R2, f"{start}.")
    adam = -math.inf
    for rate in (1e-3, 1e-4, 1e-2):
        reached = fit_batch(
            network, batch, labels, lambda p, lr=rate: torch.optim.Adam(p, lr=lr, fused=True)
        )
        adam = max(adam, -math.inf if math.isnan(reached) else reached)
        if adam >= BATCH_R2:
            break
    if adam >= BATCH_R2:
        if own >= SLOW_R2:
            words = f"{start}, by Adam with {adam:.2f}: it is the slower one."
            return _row("one batch", True, "", own, SLOW_R2, words)
        fault, words = "optimisation", "the network can, the optimiser as set cannot"
    else:
        fault, words = "architecture", "the network cannot hold even these"
    return _row(
        "one batch",
        False,
        fault,
        own,
        BATCH_R2,
        f"{start}{' (it diverges)' if math.isnan(own) else ''}, by Adam with {adam:.2f}: {words}.",
    )


def range_test(
    network: EncodingNetwork, train: Presentations, settings: dict[str, Any]
) -> pd.DataFrame:
    """Return learning rate and loss: one step at each of `RATES` (Smith 2017, WACV).

    All steps are on one batch: between batches the loss differs by more than a network whose loss
    hardly falls has to show. The test ends where the loss has grown fourfold.
    """
    model = copied(network).train()
    steps = _own(settings, RATES[0])([p for p in model.parameters() if p.requires_grad])
    order = torch.Generator().manual_seed(settings["seed"])
    drawn = torch.randperm(len(train.centres), generator=order)[: settings["batch_size"]]
    at = train.centres[drawn.to(train.centres.device)]
    batch, labels = train.batch(at), train.labels[at]
    rows: list[tuple[float, float]] = []
    for rate in RATES:
        for group in steps.param_groups:
            group["lr"] = float(rate)
        loss = torch.nn.functional.mse_loss(model(batch), labels)
        rows.append((rate, loss.item()))
        if not rows[-1][1] <= 4 * rows[0][1]:  # or not finite
            break
        steps.zero_grad(set_to_none=True)
        loss.backward()
        steps.step()
    return pd.DataFrame(rows, columns=["learning_rate", "loss"])


def check_learning_rate(rates: pd.DataFrame, rate: float) -> dict[str, Any]:
    """Is the learning rate one at which the loss falls?"""
    low, high = useful_rates(rates)
    good = low <= rate < high
    words = "" if good else "; it is too low" if rate < low else "; it is too high"
    return _row(
        "learning rate",
        good,
        "optimisation",
        rate,
        low if rate < low else high,
        f"In the range test the loss falls at learning rates from about {low:.1g} and grows from "
        f"{high:.1g}; {rate:g} is set{words}.",
    )


def mean_scores(train: Presentations, valid: Presentations) -> tuple[float, float]:
    """Return loss and R² that the mean training response has on validation presentations."""
    labels = valid.labels[valid.centres]
    outputs = train.labels[train.centres].mean(0).expand_as(labels)
    return torch.nn.functional.mse_loss(outputs, labels).item(), mean_r2(outputs, labels)


def check_history(
    history: pd.DataFrame | None,
    learns: dict[str, tuple[float, float]],
    mean: tuple[float, float],
    network: torch.nn.Module,
) -> dict[str, Any]:
    """Did the training learn, and what it learned hold? `mean`: see `mean_scores`.

    What it learned is judged by R² over the mean training response: the R² of that mean itself is
    below 0, well below where few images validate.
    """
    if history is None:
        row = _row("training", True, "", math.nan, math.nan, "No training was given.")
        return row | {"verdict": "not made"}
    best = history.loc[history["valid_loss"].idxmin()]
    fitted, held = history["train_r2"].max(), best["valid_r2"]
    skill = 1 - best["valid_loss"] / mean[0]
    ridge = max(value for value, _ in learns.values())
    start = (
        f"In {len(history)} epochs R² rose to {fitted:z.2f} on training and {held:z.2f} on "
        f"validation presentations (the mean response has {mean[1]:z.2f} there)"
    )
    if skill > MIN_SKILL:
        return _row("training", True, "", skill, MIN_SKILL, f"{start}.")
    if fitted > 0.1:
        n = sum(p.numel() for p in network.parameters())
        words = f"it learns by heart: {n:,} weights; use fewer, frozen or pretrained ones"
        return _row(
            "training",
            False,
            "architecture",
            skill,
            MIN_SKILL,
            f"{start}: {words} (ridge: R² {ridge:.2f} of averages).",
        )
    return _row(
        "training",
        False,
        "optimisation",
        skill,
        MIN_SKILL,
        f"{start}: it does not learn what it could; train longer, or see the learning rate.",
    )


def conclusion(table: pd.DataFrame) -> dict[str, Any]:
    """Return the row that names the fault: that of the first check that fails."""
    failed = table[table["verdict"] == "fail"]
    if failed.empty:
        sentence = (
            "No check fails: what is left is more images, or a better prior (see the models)."
        )
        row = _row("conclusion", True, "", math.nan, math.nan, sentence)
        return row | {"fault": "none"}
    first = failed.iloc[0]
    others = ", ".join(failed["check"].iloc[1:])
    more = f" Also failing, perhaps as a consequence: {others}." if others else ""
    return _row(
        "conclusion",
        False,
        first["fault"],
        math.nan,
        math.nan,
        f"{first['fault'].capitalize()} is at fault ({first['check']}): {first['sentence']}{more}",
    )
