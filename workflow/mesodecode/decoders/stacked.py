"""Many small recurrent decoders trained side by side: one step of all is one step of the device.

A model takes the steps that `train.fit` would take with it alone, in the same order of windows: it
differs from that by the order in which sums are added up. On a GPU the step is one CUDA graph.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from mesodecode.base.files import UserError, say
from mesodecode.base.progress import Progress
from mesodecode.decoders.checkpoint import Checkpoint
from mesodecode.decoders.device import computing, found_device, peak_memory
from mesodecode.decoders.graphs import record, tell_not_captured, tell_not_compiled
from mesodecode.decoders.inputs import Windows
from mesodecode.decoders.stacked_network import Stack
from mesodecode.decoders.train import Epoch

BETA2, EPSILON = 0.999, 1e-8  # of Adam, as torch's own
# What a step asks of each model: windows in its batch; how far Adam's two means and the average of
# the weights move; rate and root of the second mean with their bias corrections. All 0: it waits.
COUNT, MOVE1, MOVE2, MOVE_AVERAGE, RATE, ROOT = range(6)


@dataclass(frozen=True)
class Member:
    """One model of a stack: its windows (N,) and labels (P,), in positions of the stack's source.

    `centres` in the order in which a source of its recordings alone would have them. `name` is for
    messages.
    """

    name: str
    seed: int
    centres: torch.Tensor
    labels: torch.Tensor


@dataclass(frozen=True)
class Kept:
    """A model's weights after each of E epochs, by name (E, …); of its history no validation."""

    weights: dict[str, torch.Tensor]
    history: list[Epoch]  # valid_loss and valid_auc are NaN

    def state(self, epoch: int) -> dict[str, torch.Tensor]:
        """Return the state_dict after an epoch, from 1; -1 is that of the last."""
        return {name: value[epoch - (epoch > 0)] for name, value in self.weights.items()}


def fit_stack(
    make_model: Callable[[], nn.Module],
    source: Windows,
    members: Sequence[Member],
    *,
    epochs: int,
    batch_size: int,
    max_lr: float,
    frame_step: int,
    schedule: str = "one_cycle",
    label_smoothing: float = 0.0,
    ema_decay: float = 0.0,
    device: torch.device | str = "cpu",
    checkpoint: Checkpoint | None = None,
) -> list[Kept]:
    """Train a model for each of `members`, all epochs, in float32; settings as of `train.fit`.

    `source` holds the recordings of all. Models whose epoch has fewer batches wait for the others
    at its end. With a `checkpoint` a run that was ended goes on to the same weights.
    Raises UserError if a member has nothing to train on, one state only, or a loss that is not
    finite, or if the networks cannot be stacked; Stopped after a signal, with the checkpoint
    written.
    """
    device = found_device(device)
    seeded = [_seeded(make_model, one.seed, device) for one in members]
    models, generators = zip(*seeded, strict=True)
    plan = _Plan(members, epochs, batch_size, max_lr, frame_step, schedule, ema_decay)
    run = _Run(Stack(models), source, plan, generators, label_smoothing, device)
    done = checkpoint.finished() if checkpoint else None
    if done:
        say(f"trained before: taken from {checkpoint.result}")
        run.load(done)
    else:
        signals = checkpoint.signals() if checkpoint else nullcontext()
        with signals, computing(device, repeats=True):
            run.train(epochs, checkpoint)
        if checkpoint:
            checkpoint.finish(run.state())
    return run.results()


def _seeded(
    make_model: Callable[[], nn.Module], seed: int, device: torch.device
) -> tuple[nn.Module, torch.Generator]:
    """Return a new model, and the generator of its dropout, which goes on where weights ended."""
    torch.manual_seed(seed)
    model = make_model().to(device)
    if device.type == "cpu":
        generator = torch.Generator()
        generator.set_state(torch.get_rng_state())
        return model, generator
    return model, torch.Generator(device).manual_seed(seed)


class _Plan:
    """Which windows each step takes of each model, and how it moves it."""

    def __init__(
        self,
        members: Sequence[Member],
        epochs: int,
        batch_size: int,
        max_lr: float,
        frame_step: int,
        schedule: str,
        ema_decay: float,
    ) -> None:
        self.members, self.max_lr, self.decay = members, max_lr, ema_decay
        self.cycles = schedule == "one_cycle"
        self.centres = [one.centres[::frame_step].cpu() for one in members]
        for one, at in zip(members, self.centres, strict=True):
            if one.labels[at.to(one.labels.device)].unique().numel() < 2:
                raise UserError(
                    f"{one.name}: {len(at)} training frames to decode, of fewer than two states; "
                    "use longer recordings, or lower frame_step or half_window"
                )
        self.inputs = [len(at) for at in self.centres]
        # As train.fit: batches of nearly equal size, none of one frame.
        self.batches = [min(math.ceil(n / batch_size), n // 2) for n in self.inputs]
        self.totals = [max(2, epochs * n) for n in self.batches]
        self.steps = max(self.batches)  # in an epoch, of the model with the most
        self.width = max(
            math.ceil(n / parts) for n, parts in zip(self.inputs, self.batches, strict=True)
        )
        self.orders = [torch.Generator().manual_seed(one.seed) for one in members]

    def idle(self) -> torch.Tensor:
        """Return windows (K, width) that any step may read."""
        return torch.stack([at[:1].expand(self.width) for at in self.centres])

    def epoch(self, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return windows (steps, K, width), int32, and moves (steps, 6, K) of an epoch, from 1.

        Draws each model's order of windows.
        """
        windows = self.idle().to(torch.int32).expand(self.steps, -1, -1).clone()
        moves = np.zeros((self.steps, 6, len(self.members)))
        for k, (at, n) in enumerate(zip(self.centres, self.batches, strict=True)):
            order = at[torch.randperm(len(at), generator=self.orders[k])].to(torch.int32)
            size, larger = divmod(len(at), n)  # of the first `larger` batches one more
            first = size + (larger > 0)
            cut = larger * first
            windows[:larger, k, :first] = order[:cut].view(larger, first)
            windows[larger:n, k, :size] = order[cut:].view(n - larger, size)
            steps = np.arange((epoch - 1) * n, epoch * n)
            rate, beta1 = (
                one_cycle(steps, self.totals[k], self.max_lr) if self.cycles else (self.max_lr, 0.9)
            )
            moves[:n, COUNT, k] = size + (np.arange(n) < larger)
            moves[:n, MOVE1, k], moves[:n, MOVE2, k] = 1 - beta1, 1 - BETA2
            moves[:n, MOVE_AVERAGE, k] = np.where(steps == 0, 1, 1 - self.decay)
            moves[:n, RATE, k] = rate / (1 - beta1 ** (steps + 1))
            moves[:n, ROOT, k] = 1 / np.sqrt(1 - BETA2 ** (steps + 1))
        return windows, torch.from_numpy(moves)

    def rate(self, k: int, epoch: int) -> float:
        """Return the learning rate that a model has come to at an epoch's end."""
        if not self.cycles:
            return self.max_lr
        end = np.array([epoch * self.batches[k]])
        return float(one_cycle(end, self.totals[k], self.max_lr)[0][0])


def one_cycle(step: np.ndarray, total: int, max_lr: float) -> tuple[np.ndarray, np.ndarray]:
    """Return learning rate and Adam's first beta at steps from 0, as torch's OneCycleLR sets them.

    Smith & Topin 2019: a third of the steps up from a 25th of `max_lr`, then down to a 250,000th.
    """
    peak = 0.3 * total - 1
    rising = step <= peak
    share = np.where(rising, step / max(peak, 1), (step - peak) / (total - 1 - peak))
    share = (1 - np.cos(np.pi * share)) / 2
    low, last = max_lr / 25, max_lr / 25e4
    rate = np.where(rising, low + (max_lr - low) * share, max_lr + (last - max_lr) * share)
    return rate, np.where(rising, 0.95 - 0.1 * share, 0.85 + 0.1 * share)


class _Run:
    """A stack in training. `step` reads and writes tensors that stay where they are."""

    def __init__(
        self,
        stack: Stack,
        source: Windows,
        plan: _Plan,
        generators: Sequence[torch.Generator],
        label_smoothing: float,
        device: torch.device,
    ) -> None:
        self.stack, self.source, self.plan, self.device = stack, source, plan, device
        self.generators, self.smoothing = generators, label_smoothing
        self.weights = stack.weights.to(device).requires_grad_()
        dtype, n_models = self.weights.dtype, len(plan.members)
        self.mean1, self.mean2 = (torch.zeros_like(self.weights.detach()) for _ in range(2))
        self.average = self.weights.detach().clone() if plan.decay else None
        self.labels = torch.stack([one.labels.to(device, torch.uint8) for one in plan.members])
        self.at = plan.idle().to(device)
        self.moves = torch.zeros(6, n_models, dtype=dtype, device=device)
        self.loss = torch.zeros(n_models, dtype=dtype, device=device)  # summed over an epoch
        self.masks = self._new_masks()
        self.epoch, self.batches, self.seconds = 1, 0, 0.0
        self.order_states = [one.get_state() for one in plan.orders]
        self.kept: list[torch.Tensor] = []  # weights (K, P) after each epoch
        self.history: list[list[Epoch]] = []  # of each epoch a line a model

    def _new_masks(self) -> list[torch.Tensor]:
        rnn, n_models = self.stack.rnn, len(self.plan.members)
        if not rnn.dropout:
            return []
        n_frames = self.source.batch(self.at[0, :1]).shape[1]
        size = (n_models, self.plan.width, n_frames, rnn.hidden_size * (1 + rnn.bidirectional))
        return [
            torch.ones(size, dtype=self.weights.dtype, device=self.device)
            for _ in range(rnn.num_layers - 1)
        ]

    def train(self, epochs: int, checkpoint: Checkpoint | None) -> None:
        """Take all steps that are not yet taken."""
        if checkpoint and (state := checkpoint.load()):
            self.load(state)
            say(f"going on at epoch {self.epoch}, batch {self.batches}")
        take = self.captured() if self.device.type == "cuda" else self.step
        while self.epoch <= epochs:
            self.order_states = [one.get_state() for one in self.plan.orders]
            windows, moves = self.plan.epoch(self.epoch)
            of_models = moves[:, COUNT].int().tolist()  # here: a device would be waited for
            windows, moves = windows.to(self.device), moves.to(self.device)
            counts = [sum(one) for one in of_models]
            start = time.monotonic() - self.seconds
            with Progress(
                sum(counts[self.batches :]), "inputs", f"epoch {self.epoch}/{epochs}"
            ) as progress:
                while self.batches < len(counts):
                    self.at.copy_(windows[self.batches])
                    self.moves.copy_(moves[self.batches])
                    self._draw_masks(of_models[self.batches])
                    take()
                    progress.update(counts[self.batches])
                    self.batches += 1
                    self.seconds = time.monotonic() - start
                    if checkpoint and checkpoint.due():
                        checkpoint.save(self.state())
            self._close_epoch(epochs, start)

    def step(self) -> None:
        """Take one step of every model on what `at`, `moves` and `masks` hold."""
        dtype = self.weights.dtype
        n_models, width = self.at.shape
        windows = self.source.batch(self.at.flatten()).to(dtype)
        windows = windows.view(n_models, width, *windows.shape[1:])
        logits = self.stack.logits(self.weights, windows, self.masks)
        labels = self.labels.gather(1, self.at).to(dtype)
        labels = labels * (1 - self.smoothing) + self.smoothing / 2
        count = self.moves[COUNT]
        among = torch.arange(width, device=self.device) < count[:, None]
        losses = binary_cross_entropy_with_logits(logits, labels, reduction="none")
        losses = (losses * among).sum(1)
        # The mean over a model's batch, the sum over models: each has the gradient it has alone.
        (gradient,) = torch.autograd.grad((losses / count.clamp(min=1)).sum(), self.weights)
        with torch.no_grad():
            _, move1, move2, move_average, rate, root = self.moves[:, :, None]
            self.loss += losses
            self.mean1.lerp_(gradient, move1)
            self.mean2.lerp_(gradient * gradient, move2)
            self.weights -= rate * self.mean1 / (self.mean2.sqrt() * root + EPSILON)
            if self.average is not None:
                self.average.lerp_(self.weights, move_average)

    def captured(self) -> Callable[[], None]:
        """Return `step` as one CUDA graph, its cells compiled where torch can do that here."""
        plain = self.stack.cell
        self.moves.zero_()  # steps of nothing: they move no weight
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            try:
                self.stack.cell = plain.compiled()
                self.step()
            except Exception as error:  # no compiler on this machine, and much else
                tell_not_compiled(error)
                self.stack.cell = plain
            for _ in range(3):
                self.step()
            try:
                take = record(self.step)
            except RuntimeError as error:  # no memory for it, or an operation that no graph takes
                tell_not_captured(error)
                take = self.step
        torch.cuda.current_stream().wait_stream(stream)
        return take

    def _draw_masks(self, counts: Sequence[int]) -> None:
        """Fill the masks as nn.GRU and its like would, of each model from its own generator.

        `counts`: windows of each model in this step.
        """
        share = self.stack.rnn.dropout
        for k, count in enumerate(counts):
            for mask in self.masks:
                n_frames, size = mask.shape[2:]
                drawn = torch.empty(n_frames, count, size, dtype=mask.dtype, device=self.device)
                drawn.bernoulli_(1 - share, generator=self.generators[k]).div_(1 - share)
                mask[k, :count] = drawn.transpose(0, 1)

    def _close_epoch(self, epochs: int, start: float) -> None:
        losses = self.loss.tolist()  # waits for the device
        seconds = time.monotonic() - start
        inputs_per_s = sum(self.plan.inputs) / seconds
        lines = []
        for k, (member, loss) in enumerate(zip(self.plan.members, losses, strict=True)):
            if not math.isfinite(loss):
                raise UserError(
                    f"{member.name}: epoch {self.epoch}: the loss is not finite; lower max_lr"
                )
            line = Epoch(
                epoch=self.epoch,
                step=self.epoch * self.plan.batches[k],
                train_loss=loss / self.plan.inputs[k],
                valid_loss=math.nan,
                valid_auc=math.nan,
                lr=self.plan.rate(k, self.epoch),
                inputs_per_s=inputs_per_s,
                feed_share=0.0,
                peak_memory_mb=peak_memory(self.device) / 2**20,
            )
            lines.append(line)
        mean = np.mean([line.train_loss for line in lines])
        say(
            f"epoch {self.epoch}/{epochs}: {len(lines)} models side by side, mean train loss "
            f"{mean:.4f}, {inputs_per_s:.0f} inputs/s"
        )
        self.history.append(lines)
        kept = self.weights.detach() if self.average is None else self.average
        self.kept.append(kept.to("cpu", copy=True))
        self.loss.zero_()
        self.epoch, self.batches, self.seconds = self.epoch + 1, 0, 0.0

    _TENSORS = ("weights", "mean1", "mean2", "average", "loss")
    _PLAIN = ("epoch", "batches", "seconds", "kept", "order_states")

    def state(self) -> dict[str, Any]:
        """Return all that the next steps and the results depend on."""
        tensors = {name: getattr(self, name) for name in self._TENSORS}
        plain = {name: getattr(self, name) for name in self._PLAIN}
        history = [[asdict(line) for line in lines] for lines in self.history]
        dropout = [one.get_state() for one in self.generators]
        return {
            **{name: None if t is None else t.detach().cpu() for name, t in tensors.items()},
            **plain,
            "history": history,
            "dropout": dropout,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        with torch.no_grad():
            for name in self._TENSORS:
                if state[name] is not None:
                    getattr(self, name).copy_(state[name])
        for name in self._PLAIN:
            setattr(self, name, state[name])
        self.history = [[Epoch(**line) for line in lines] for lines in state["history"]]
        for generator, own in zip(self.plan.orders, state["order_states"], strict=True):
            generator.set_state(own)
        for generator, own in zip(self.generators, state["dropout"], strict=True):
            generator.set_state(own)

    def results(self) -> list[Kept]:
        """Return what each model has come to."""
        weights = torch.stack(self.kept, 1)  # (K, E, P)
        return [
            Kept(self.stack.apart(weights[k]), [lines[k] for lines in self.history])
            for k in range(len(self.plan.members))
        ]
