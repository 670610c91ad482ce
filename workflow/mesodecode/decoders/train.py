"""Training: one loop for every network, on any source of inputs and labels."""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from mesodecode.base.files import UserError, atomic_path, say
from mesodecode.base.progress import Progress
from mesodecode.decoders.checkpoint import Checkpoint
from mesodecode.decoders.compiling import compile_for
from mesodecode.decoders.device import computing, found_device, peak_memory, reduced_dtype
from mesodecode.decoders.inputs import Source
from mesodecode.decoders.objectives import check_states, loss_of, score_of
from mesodecode.decoders.steps import Average, CapturableAdam, Steps, captures
from mesodecode.study.targets import RUN, Target

# Settings of `fit` that every schema of a network has.
SETTINGS = ("epochs", "batch_size", "max_lr", "frame_step", "seed")
SETTINGS += ("early_stopping", "ema_decay", "precision")
READ_EVERY = 10.0  # seconds: reading the loss waits for the device


@dataclass(frozen=True)
class Epoch:
    """One line of `history.tsv`: losses in nats, the final lr, training inputs per second.

    Of a trace losses are squared errors of it standardised, and `valid_auc` is R²; of named states
    it is the macro AUC. Its column in the file is called as the score is (`write_history`).
    `feed_share` is the part of the training time that was spent waiting for inputs;
    `peak_memory_mb` that of the GPU's allocations, of a training on a CPU that of the process.
    """

    epoch: int
    step: int
    train_loss: float
    valid_loss: float
    valid_auc: float
    lr: float
    inputs_per_s: float
    feed_share: float
    peak_memory_mb: float


@dataclass(frozen=True)
class Fit:
    """The weights of the epoch with the lowest validation loss, and all epochs.

    Without validation `states` are those of every epoch, and `state` is empty.
    """

    state: dict[str, torch.Tensor]
    history: list[Epoch]
    states: list[dict[str, torch.Tensor]] = field(default_factory=list)


def fit(
    make_model: Callable[[], nn.Module],
    train: Source,
    valid: Source | None,
    *,
    epochs: int,
    batch_size: int,
    max_lr: float,
    frame_step: int,
    seed: int,
    run_length: int = 1,
    schedule: str = "one_cycle",
    label_smoothing: float = 0.0,
    early_stopping: int | None = None,
    ema_decay: float = 0.0,
    precision: str = "float32",
    device: torch.device | str = "cpu",
    checkpoint: Checkpoint | None = None,
    target: Target = RUN,
) -> Fit:
    """Train with the loss of `target`, Adam and a one-cycle learning rate; keep the best epoch.

    Of run and rest that is the binary cross-entropy, of states the cross-entropy, of a trace the
    squared error.

    1. `make_model` returns a network that maps a source's batches to logits (N,). It is called
       after seeding, so that new weights follow `seed`.
    2. Decodable frames are cut into runs of `run_length`; every `frame_step`-th run is used, for
       training in an order drawn anew each epoch, in batches of whole runs, of `batch_size` frames
       on average.
    3. `schedule` "one_cycle" rises to `max_lr` and falls again over all steps, "constant" stays
       there. `label_smoothing` s moves the labels 0 and 1 of every loss to s/2 and 1 - s/2, as
       Keras does.
    4. Best is the epoch of lowest validation loss (Ajioka et al. 2024, Methods). Training ends
       early once `early_stopping` epochs in a row were no better than the best. With `valid` None
       all `epochs` are run and kept, for `mesodecode.decoders.choose`: the steps are the same.
    5. With `ema_decay` d above 0, what is validated and kept is an average of the weights, moved
       by 1 - d towards the current ones after every step.
    6. `precision` mixed computes in bfloat16 on a GPU that has it, in float16 with a scaled loss on
       an older one, and in float32 on a CPU, where the others do not pay. Float32 on a GPU is that
       of `device.computing`.
    7. On a GPU steps are captured (`Steps`), and in long trainings in bfloat16 compiled.

    With a `checkpoint` the run goes on where an earlier one ended, to the same weights; one that
    had come to its end is not repeated.
    Raises UserError if there is nothing to train on, one state only, or the loss is not finite
    (without `valid` only in the first epoch: a later one is the last, of use to no allocation);
    Stopped after a signal, with the checkpoint written.
    """
    if checkpoint and (result := checkpoint.finished()):
        say(f"trained before: taken from {checkpoint.result}")
        history = [Epoch(**line) for line in result["history"]]
        return Fit(result["state"], history, result["states"])
    device = found_device(device)
    torch.manual_seed(seed)
    model = make_model().to(device, memory_format=torch.channels_last)
    for name, source in (("training", train), ("validation", valid)):
        if source is not None:
            labels = source.labels[in_runs(source.centres, run_length, frame_step)]
            check_states(labels, name, target)
    n_inputs = len(in_runs(train.centres, run_length, frame_step))
    how = run_length, frame_step, batch_size
    batches = batches_of(train.centres, *how, torch.Generator().manual_seed(seed))
    n_steps = epochs * len(batches) if schedule == "one_cycle" else None
    optimised = _optimised(model, device, precision, max_lr, n_steps)
    average = Average(model, ema_decay) if ema_decay else None
    steps = Steps(model, train, *optimised, average, label_smoothing, target)
    run = _Run(steps, checkpoint)
    run.restore(torch.Generator().manual_seed(seed))
    patience = early_stopping if valid is not None else None
    signals = checkpoint.signals() if checkpoint else nullcontext()
    with signals, computing(device, repeats=precision == "float32"):
        compile_for(steps, batches, epochs)
        while run.epoch <= epochs and not (patience and run.stalled() >= patience):
            run.train(batches_of(train.centres, *how, run.order), f"epoch {run.epoch}/{epochs}")
            if valid is None:
                run.keep(n_inputs)
            else:
                run.validate(valid, in_runs(valid.centres, run_length, frame_step), n_inputs)
            say(describe(run.history[-1], epochs, target))
            if not math.isfinite(run.history[-1].train_loss):
                break
            run.next_epoch()
    if checkpoint:
        history = [asdict(line) for line in run.history]
        checkpoint.finish({"state": run.best_state, "history": history, "states": run.states})
    return Fit(run.best_state, run.history, run.states)


def _optimised(
    model: nn.Module, device: torch.device, precision: str, max_lr: float, n_steps: int | None
) -> tuple[Optimizer, LRScheduler, torch.amp.GradScaler, torch.dtype | None]:
    """Return what moves a network's weights, in which type, and at which rate.

    That goes through one cycle of `n_steps`; None: it stays.
    """
    dtype = reduced_dtype(device) if precision == "mixed" else None
    if captures(device, dtype):
        optimizer = CapturableAdam(model.parameters(), lr=max_lr)
    else:
        optimizer = torch.optim.Adam(model.parameters(), lr=max_lr, fused=True)
    if dtype is torch.float16:
        words = (
            "this GPU has no bfloat16: float16, of a scaled loss; steps are not captured, slower"
        )
        say(words)
    if n_steps is None:
        rate = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    else:
        rate = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=max_lr, total_steps=max(2, n_steps)
        )
    scaler = torch.amp.GradScaler(device.type, enabled=dtype is torch.float16)
    return optimizer, rate, scaler, dtype


def in_runs(
    centres: torch.Tensor,
    run_length: int,
    frame_step: int,
    shuffle: torch.Generator | None = None,
) -> torch.Tensor:
    """Return every `frame_step`-th run of `centres` (N,), runs in random order if asked for."""
    runs = torch.arange(0, math.ceil(len(centres) / run_length), frame_step)
    if shuffle is not None:
        runs = runs[torch.randperm(len(runs), generator=shuffle)]
    chosen = (runs[:, None] * run_length + torch.arange(run_length)).flatten()
    return centres[chosen[chosen < len(centres)].to(centres.device)]


def batches_of(
    centres: torch.Tensor,
    run_length: int,
    frame_step: int,
    batch_size: int,
    shuffle: torch.Generator | None = None,
) -> list[torch.Tensor]:
    """Return the batches of an epoch: every `frame_step`-th run, in random order if asked for.

    Batches are of nearly equal numbers of whole runs, of `batch_size` frames on average; single
    frames (runs of 1) are two or more, as BatchNorm cannot train on one.
    """
    order = in_runs(centres, run_length, frame_step, shuffle)
    # The last run of all may be shorter; wherever it went, the next one begins after it.
    rest = len(centres) % run_length
    starts = np.arange(0, len(order), run_length)
    if rest and len(order) % run_length:
        (end,) = torch.nonzero(order == centres[-1]).flatten().tolist()
        starts[starts > end] -= run_length - rest
    n = min(math.ceil(len(order) / batch_size), len(order) // 2, len(starts))
    firsts = [int(part[0]) for part in np.array_split(starts, n)]
    return list(torch.tensor_split(order, firsts[1:]))


@dataclass
class _Run:
    """A training run at some step, with all that its next steps depend on."""

    steps: Steps
    checkpoint: Checkpoint | None
    order: torch.Generator = field(default_factory=torch.Generator)
    order_state: torch.Tensor | None = None  # of `order` when the epoch under way began
    epoch: int = 1
    batches: int = 0  # done in this epoch
    loss: float = 0.0  # summed over its inputs, when it was last read
    seconds: float = 0.0
    waited: float = 0.0  # seconds of them, for inputs
    best: float = math.inf
    best_state: dict[str, torch.Tensor] = field(default_factory=dict)
    history: list[Epoch] = field(default_factory=list)
    states: list[dict[str, torch.Tensor]] = field(default_factory=list)  # of epochs, if kept

    _PLAIN = ("order_state", "epoch", "batches", "loss", "seconds", "waited", "best", "best_state")
    _PLAIN += ("states",)

    def restore(self, order: torch.Generator) -> None:
        """Start with the generator `order`, or go on from the checkpoint."""
        self.order, self.order_state = order, order.get_state()
        state = self.checkpoint.load() if self.checkpoint else None
        if state is None:
            return
        for name, part in self.steps.parts.items():
            part.load_state_dict(state[name])
        for name in self._PLAIN:
            setattr(self, name, state[name])
        self.steps.loss.fill_(self.loss)
        self.history = [Epoch(**line) for line in state["history"]]
        self.order.set_state(self.order_state)
        torch.set_rng_state(state["rng"])
        device = self.steps.loss.device
        if state["cuda_rng"] and device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_rng"][0], device)
        say(f"going on at epoch {self.epoch}, batch {self.batches}")

    def save(self) -> None:
        """Write the checkpoint; raises Stopped if a signal asked for an end."""
        self.read_loss()
        parts = self.steps.parts.items()
        state: dict[str, Any] = {name: part.state_dict() for name, part in parts}
        state |= {name: getattr(self, name) for name in self._PLAIN}
        state["history"] = [asdict(line) for line in self.history]
        state["rng"] = torch.get_rng_state()
        device = self.steps.loss.device  # its own: a later job may see other GPUs, or fewer
        state["cuda_rng"] = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
        self.checkpoint.save(state)

    def train(self, batches: list[torch.Tensor], what: str) -> None:
        """Take the steps of the epoch that are not yet taken."""
        steps = self.steps
        steps.model.train()
        done = sum(map(len, batches[: self.batches]))
        batches = batches[self.batches :]
        start, shown, read = time.monotonic() - self.seconds, {}, time.monotonic()
        with Progress(sum(map(len, batches)), "inputs", what) as progress, steps.side():
            feed = iter(steps.source.feed(batches))
            for at in batches:
                asked = time.monotonic()
                fed = next(feed)
                now = time.monotonic()
                self.waited += now - asked
                steps.take(at, *fed)
                self.batches, done = self.batches + 1, done + len(at)
                if now - read >= READ_EVERY:
                    shown, read = {"loss": self.read_loss() / done}, now
                progress.update(len(at), **shown)
                if self.checkpoint and self.checkpoint.due():
                    self.seconds = time.monotonic() - start
                    self.save()
        self.read_loss()
        self.seconds = time.monotonic() - start

    def read_loss(self) -> float:
        """Return the loss summed over the epoch's inputs so far; waits for the device."""
        self.loss = self.steps.loss.item()
        return self.loss

    def validate(self, source: Source, at: torch.Tensor, n_inputs: int) -> None:
        """Close the epoch: score the validation frames, keep the weights if they are the best."""
        steps = self.steps
        with steps.autocast():
            logits = source.logits(steps.validated, at).float()
        labels = source.labels[at]
        loss = loss_of(logits, labels, steps.label_smoothing, steps.target).item()
        self.check_finite(self.loss + loss)
        self.close(n_inputs, loss, score_of(labels, logits, steps.target))
        if loss < self.best:
            self.best, self.best_state = loss, state_of(steps.validated)

    def keep(self, n_inputs: int) -> None:
        """Close the epoch, with its weights kept.

        Allocations that stop before an epoch of a loss that is not finite do not come to it.
        """
        if self.epoch == 1:
            self.check_finite(self.loss)
        self.close(n_inputs, math.nan, math.nan)
        self.states.append(state_of(self.steps.validated))

    def check_finite(self, loss: float) -> None:
        """Raise UserError if a loss is not finite."""
        if not math.isfinite(loss):
            raise UserError(f"epoch {self.epoch}: the loss is not finite; lower max_lr")

    def close(self, n_inputs: int, valid_loss: float, valid_auc: float) -> None:
        """Add the epoch to the history."""
        line = Epoch(
            epoch=self.epoch,
            step=self.epoch * self.batches,
            train_loss=self.loss / n_inputs,
            valid_loss=valid_loss,
            valid_auc=valid_auc,
            lr=self.steps.rate.get_last_lr()[0],
            inputs_per_s=n_inputs / self.seconds,
            feed_share=self.waited / self.seconds,
            peak_memory_mb=peak_memory(self.steps.loss.device) / 2**20,
        )
        self.history.append(line)

    def stalled(self) -> int:
        """Return how many epochs there were since the best one."""
        losses = [line.valid_loss for line in self.history]
        return len(losses) - 1 - losses.index(self.best) if losses else 0

    def next_epoch(self) -> None:
        """Go to the start of the next epoch, and keep it."""
        self.epoch, self.batches = self.epoch + 1, 0
        self.loss = self.seconds = self.waited = 0.0
        self.steps.loss.zero_()
        self.order_state = self.order.get_state()
        if self.checkpoint:
            self.save()


def state_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return a copy of a network's weights in the CPU's memory."""
    return {key: value.cpu().clone() for key, value in model.state_dict().items()}


def describe(line: Epoch, epochs: int, target: Target = RUN) -> str:
    """Return one epoch in words for the log."""
    score = f"valid {target.kind.axis} {line.valid_auc:.3f}"
    valid = f"valid loss {line.valid_loss:.4f}, {score}, "
    return (
        f"epoch {line.epoch}/{epochs}: train loss {line.train_loss:.4f}, "
        f"{'' if math.isnan(line.valid_loss) else valid}{line.inputs_per_s:.0f} inputs/s, "
        f"peak memory {line.peak_memory_mb:.0f} MB"
    )


def write_history(path: str | Path, history: list[Epoch], target: Target = RUN) -> None:
    """Write epochs as a TSV with one column a field of `Epoch`, valid_r2 … of other targets."""
    rows = [vars(line) for line in history]
    score = f"valid_{target.kind.metric}"
    with atomic_path(path) as part, open(part, "w") as file:
        print(*(score if key == "valid_auc" else key for key in rows[0]), sep="\t", file=file)
        for row in rows:
            print(
                *(f"{v:.6g}" if isinstance(v, float) else v for v in row.values()),
                sep="\t",
                file=file,
            )
