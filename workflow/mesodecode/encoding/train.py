"""Training of encoding networks: the engine of `train` with squared error and R²."""

import math
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import mse_loss

from mesodecode.base.files import UserError, say
from mesodecode.decoders import train as engine
from mesodecode.decoders.checkpoint import Checkpoint
from mesodecode.decoders.device import peak_memory
from mesodecode.decoders.steps import Steps
from mesodecode.encoding.columns import HISTORY
from mesodecode.encoding.explainable import screened
from mesodecode.encoding.folds import Split
from mesodecode.encoding.networks import EncodingNetwork, make_network
from mesodecode.encoding.presentations import Presentations, Scaler, averaged, fit_scaler
from mesodecode.encoding.responses import Responses

# Settings of `fit`.
SETTINGS = ("epochs", "batch_size", "optimizer", "learning_rate", "momentum", "l2")
SETTINGS += ("early_stopping", "seed")


class Diverged(UserError):
    """The loss is no longer a finite number."""


class Squares(Steps):
    """Steps whose loss is the mean squared error."""

    def loss_of(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of a step, of outputs and responses (N, neurons)."""
        return mse_loss(logits, labels)


@dataclass
class Regression(engine._Run):
    """A training run whose loss is the mean squared error; `r2` has training and validation R².

    The steps, their order, checkpoints and signals are those of the engine. `own_best` (neurons,)
    has the lowest validation loss of each neuron, where each is a model of its own.
    """

    r2: list[tuple[float, float]] = field(default_factory=list)
    own_best: torch.Tensor | None = None

    _PLAIN = (*engine._Run._PLAIN, "r2", "own_best")

    def start_at_mean(self, train: Presentations, valid: Presentations) -> None:
        """Let epoch 0, the mean training response, be the best so far of each neuron."""
        mean = train.labels[train.centres].mean(0)
        self.own_best = ((valid.labels[valid.centres] - mean) ** 2).mean(0)
        self.best_state = {k: v.cpu().clone() for k, v in self.model.state_dict().items()}
        for name in self.model.separate:
            value = mean.cpu() if name == "readout.bias" else torch.zeros(())
            self.best_state[name] = value.expand_as(self.best_state[name]).clone()

    def next_epoch(self) -> None:
        """Go to the start of the next epoch, and keep it if it is time to.

        Not always: an epoch can last a second, and the network of Berget 2023 has 2 GB to keep.
        """
        kept, self.checkpoint = self.checkpoint, None
        super().next_epoch()
        self.checkpoint = kept
        if kept and kept.due():
            self.save()

    @property
    def model(self) -> EncodingNetwork:
        """The network that is trained."""
        return self.steps.model

    def validate(self, source: Presentations, at: torch.Tensor, n_inputs: int) -> None:
        """Close the epoch: score the validation set, keep the weights if they are the best."""
        outputs = source.logits(self.model, at)
        labels = source.labels[at]
        line = engine.Epoch(
            epoch=self.epoch,
            step=self.epoch * self.batches,
            train_loss=self.loss / n_inputs,
            valid_loss=mse_loss(outputs, labels).item(),
            valid_auc=math.nan,  # there is none; see `r2`
            lr=self.steps.rate.get_last_lr()[0],
            inputs_per_s=n_inputs / self.seconds,
            feed_share=self.waited / self.seconds,
            peak_memory_mb=peak_memory(outputs.device) / 2**20,
        )
        if not math.isfinite(line.train_loss + line.valid_loss):
            raise Diverged(f"epoch {self.epoch}: the loss is not finite; lower learning_rate")
        self.history.append(line)
        self.r2.append((math.nan, mean_r2(outputs, labels)))
        own, state = self.model.separate, self.model.state_dict()
        if line.valid_loss < self.best:
            self.best = line.valid_loss
            shared = {key: value.cpu().clone() for key, value in state.items() if key not in own}
            self.best_state |= shared
        if own:
            error = ((outputs - labels) ** 2).mean(0)
            better = error < self.own_best
            self.own_best = torch.where(better, error, self.own_best)
            for key in own:
                self.best_state[key][better.cpu()] = state[key][better].cpu()


@dataclass(frozen=True)
class Fit:
    """The weights of the epoch of lowest validation loss, and all epochs (`columns.HISTORY`).

    Where neurons share no weights (`EncodingNetwork.separate`), each has its own best epoch.
    """

    state: dict[str, torch.Tensor]
    history: pd.DataFrame


def fit(
    network: EncodingNetwork,
    train: Presentations,
    valid: Presentations,
    *,
    epochs: int,
    batch_size: int,
    optimizer: str,
    learning_rate: float,
    momentum: float,
    l2: float,
    early_stopping: int | None,
    seed: int,
    device: torch.device | str = "cpu",
    checkpoint: Checkpoint | None = None,
    quiet: bool = False,
) -> Fit:
    """Train with mean squared error at a constant learning rate; keep the best epoch.

    `sgd` has momentum and L2 (weight decay), `adam` L2 alone. Best is the epoch of lowest
    validation loss; training ends once `early_stopping` epochs in a row were no better. Neurons
    that share no weights have a best epoch each, from 0 on, at which the mean is predicted.
    With a `checkpoint` the run goes on where an earlier one ended, to the same weights; one that
    has ended is not repeated.
    Raises Diverged if the loss is not finite; Stopped after a signal, with the checkpoint written.
    """
    if checkpoint and (result := checkpoint.finished()):
        say(f"trained before: taken from {checkpoint.result}")
        return Fit(result["state"], pd.DataFrame(result["history"]))
    torch.manual_seed(seed)
    model = network.to(device)
    trained = [p for p in model.parameters() if p.requires_grad]
    shared = {"lr": learning_rate, "weight_decay": l2, "fused": True}  # one pass over the weights
    if optimizer == "sgd":
        moves = torch.optim.SGD(trained, **shared, momentum=momentum)
    else:
        moves = torch.optim.Adam(trained, **shared)
    n = len(train.centres)
    n_batches = max(1, math.ceil(n / batch_size))
    rate = torch.optim.lr_scheduler.ConstantLR(moves, factor=1.0)
    scaler = torch.amp.GradScaler(torch.device(device).type, enabled=False)
    # not captured: how many images a batch shows is not known before
    steps = Squares(model, train, moves, rate, scaler, None, None, 0.0)
    run = Regression(steps, checkpoint)
    if model.separate:
        run.start_at_mean(train, valid)
    run.restore(torch.Generator().manual_seed(seed))
    with checkpoint.signals() if checkpoint else nullcontext():
        while run.epoch <= epochs and not (early_stopping and run.stalled() >= early_stopping):
            order = engine.in_runs(train.centres, 1, 1, run.order)
            run.train(list(order.tensor_split(n_batches)), f"epoch {run.epoch}/{epochs}")
            run.validate(valid, valid.centres, n)
            run.r2[-1] = (
                mean_r2(train.logits(model, train.centres), train.labels[train.centres]),
                run.r2[-1][1],
            )
            if not quiet:
                _say(run.history[-1], epochs, *run.r2[-1])
            run.next_epoch()
    table = pd.DataFrame([vars(line) for line in run.history])
    table["train_r2"], table["valid_r2"] = zip(*run.r2, strict=True)
    table = table[list(HISTORY)]
    if checkpoint:
        checkpoint.finish({"state": run.best_state, "history": table.to_dict("list")})
    return Fit(run.best_state, table)


def _say(line: engine.Epoch, epochs: int, train_r2: float, valid_r2: float) -> None:
    say(
        f"epoch {line.epoch}/{epochs}: train loss {line.train_loss:.4f}, valid loss "
        f"{line.valid_loss:.4f}, train R2 {train_r2:.3f}, valid R2 {valid_r2:.3f}"
    )


def mean_r2(outputs: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the mean over neurons of R² of outputs (N, neurons); constant neurons are left out."""
    total = ((labels - labels.mean(0)) ** 2).sum(0)
    left = ((labels - outputs) ** 2).sum(0)
    return (1 - left / total)[total > 0].mean().item()


def sources(
    data: Responses, split: Split, settings: dict[str, Any], device: torch.device | str = "cpu"
) -> tuple[Presentations, Presentations, Presentations, Scaler]:
    """Return training, validation and test presentations of a network, and their scaler.

    Means and SDs are those of the training set; while training, what an rnn reads before a
    presentation is hidden where its image is held out.
    """
    history = settings["presentations"] if settings["readout"] == "rnn" else 1
    seen = np.unique(data.image[split.train])
    scaler = fit_scaler(data, split.train, settings["standardise"])
    options = {"covariates": settings["covariates"], "device": device}
    if settings["train_on"] == "averages":
        parts = [averaged(data, rows) for rows in (split.train, split.valid)]
        scaler = Scaler(
            scaler.pixel,
            fit_scaler(parts[0], np.arange(len(parts[0].image)), settings["standardise"]).response,
            scaler.covariate,
        )
        made = [Presentations(p, np.arange(len(p.image)), scaler, **options) for p in parts]
    else:
        made = [
            Presentations(data, rows, scaler, history=history, shown=shown, **options)
            for rows, shown in ((split.train, seen), (split.valid, None))
        ]
    test = Presentations(data, split.test, scaler, history=history, **options)
    return *made, test, scaler


def network_of(data: Responses, settings: dict[str, Any]) -> EncodingNetwork:
    """Return a new network for these responses; its weights follow `seed`."""
    torch.manual_seed(settings["seed"])
    size = data.images.shape[1:]
    return make_network(settings, size, data.response.shape[1], data.covariates.shape[1])


def train_network(
    data: Responses,
    split: Split,
    settings: dict[str, Any],
    *,
    device: torch.device | str = "cpu",
    checkpoint: Checkpoint | None = None,
) -> tuple[Fit, np.ndarray]:
    """Train a network and predict the test presentations (P, N), in units of the responses."""
    train, valid, test, scaler = sources(data, split, settings, device)
    network = network_of(data, settings).to(device)
    for source in (train, valid, test):
        source.freeze(network)
    chosen = {key: settings[key] for key in SETTINGS}
    fitted = fit(network, train, valid, **chosen, device=device, checkpoint=checkpoint)
    network.load_state_dict(fitted.state)
    outputs = test.logits(network, test.centres).cpu().numpy()
    mean, sd = scaler.response
    predicted = outputs * sd + mean
    if settings["screen"]:
        rows = split.fit
        response, image = data.response[rows], data.image[rows]
        predicted = screened(predicted, response, image, response.mean(0))
    return fitted, predicted
