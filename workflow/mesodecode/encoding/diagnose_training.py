"""Why a network does not learn: checks of its gradients, its optimiser and its training."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from mesodecode.decoders.networks import copied
from mesodecode.encoding.columns import check_row, not_made, useful_rates
from mesodecode.encoding.networks import Batch, EncodingNetwork
from mesodecode.encoding.presentations import Presentations
from mesodecode.encoding.train import mean_r2

GRADIENTS = (1e-6, 1e3)  # of a layer, in units of its weights
ONE_BATCH, STEPS, BATCH_R2 = 16, 300, 0.9
SLOW_R2 = 0.5  # of one batch, by an optimiser that is slow but no fault
MIN_SKILL = 0.01  # R² over the mean response, of validation presentations
RATES = np.geomspace(1e-7, 10, 65)


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
    ratio = layers["ratio"].where(np.isfinite(layers["gradient"]), np.inf).to_numpy()
    smallest, largest = np.nanargmin(ratio), np.nanargmax(ratio)
    value = float(ratio[smallest])
    if ratio[largest] > high:
        worst = layers["layer"].iloc[largest]
        words = f"explode (layer {worst}: {ratio[largest]:.1g} of its weights a unit of loss)"
        value = float(ratio[largest])
    elif value < low:
        worst = layers["layer"].iloc[smallest]
        words = f"vanish (layer {worst}: {value:.1g} of its weights a unit of loss)"
    else:
        said = f"Gradients reach all {len(layers)} layers: {value:.1g} to {ratio[largest]:.1g} of "
        return check_row("gradients", True, "", value, low, f"{said}the weights")
    said = f"Gradients {words}: use fewer layers, another activation or initialisation"
    return check_row("gradients", False, "architecture", value, low, said)


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
        return not_made("one batch", BATCH_R2, "Gradients are at fault already")
    own = fit_batch(network, batch, labels, _own(settings))
    n = len(labels)
    start = f"{n} presentations are fitted with R² {own:z.2f} in {STEPS} steps by the optimiser set"
    if own >= BATCH_R2:
        return check_row("one batch", True, "", own, BATCH_R2, start)
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
            words = f"{start}, by Adam with {adam:.2f}: it is the slower one"
            return check_row("one batch", True, "", own, SLOW_R2, words)
        fault, words = "optimisation", "the network can, the optimiser as set cannot"
    else:
        fault, words = "architecture", "the network cannot hold even these"
    start += " (it diverges)" if math.isnan(own) else ""
    words = f"{start}, by Adam with {adam:.2f}: {words}"
    return check_row("one batch", False, fault, own, BATCH_R2, words)


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
    good, limit = low <= rate < high, low if rate < low else high
    said = f"In the range test the loss falls at learning rates from about {low:.1g} and grows "
    said += f"from {high:.1g}; {rate:g} is set"
    mend = "; it is too low" if rate < low else "; it is too high"
    return check_row("learning rate", good, "optimisation", rate, limit, said, mend)


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
        return not_made("training", math.nan, "No training was given")
    best = history.loc[history["valid_loss"].idxmin()]
    fitted, held = history["train_r2"].max(), best["valid_r2"]
    skill = 1 - best["valid_loss"] / mean[0]
    ridge = max(value for value, _ in learns.values())
    start = (
        f"In {len(history)} epochs R² rose to {fitted:z.2f} on training and {held:z.2f} on "
        f"validation presentations (the mean response has {mean[1]:z.2f} there)"
    )
    if skill > MIN_SKILL:
        return check_row("training", True, "", skill, MIN_SKILL, start)
    if fitted > 0.1:
        n = sum(p.numel() for p in network.parameters())
        words = f"{start}: it learns by heart: {n:,} weights; use fewer, frozen or pretrained ones "
        words += f"(ridge: R² {ridge:.2f} of averages)"
        return check_row("training", False, "architecture", skill, MIN_SKILL, words)
    words = f"{start}: it does not learn what it could; train longer, or see the learning rate"
    return check_row("training", False, "optimisation", skill, MIN_SKILL, words)
