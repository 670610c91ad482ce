"""Training: one loop for every network, on any source of inputs and labels."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from mesodecode.datasets import Source
from mesodecode.files import UserError, atomic_path
from mesodecode.progress import Progress
from mesodecode.scores import roc_auc

SETTINGS = ("epochs", "batch_size", "max_lr", "frame_step", "seed")  # of `fit`, in every schema


@dataclass(frozen=True)
class Epoch:
    """One line of `history.tsv`: losses in nats, the final lr, training inputs per second."""

    epoch: int
    step: int
    train_loss: float
    valid_loss: float
    valid_auc: float
    lr: float
    inputs_per_s: float


@dataclass(frozen=True)
class Fit:
    """The weights of the epoch with the lowest validation loss, and all epochs."""

    state: dict[str, torch.Tensor]
    history: list[Epoch]


def resolve_device(device: str, threads: int | None) -> torch.device:
    """Return the torch device of "auto", "cpu" or "cuda"; set the CPU threads of this process."""
    if threads:
        torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: torch sees no GPU here; use --device auto or cpu")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def fit(
    make_model: Callable[[], nn.Module],
    train: Source,
    valid: Source,
    *,
    epochs: int,
    batch_size: int,
    max_lr: float,
    frame_step: int,
    seed: int,
    device: torch.device | str = "cpu",
) -> Fit:
    """Train with binary cross-entropy, Adam and a one-cycle learning rate; keep the best epoch.

    `make_model` returns a network that maps a source's batches to logits (N,); it is called after
    seeding, so that new weights follow `seed`. `frame_step` n trains and validates on every n-th
    decodable frame. Best is the epoch of lowest validation loss (Ajioka et al. 2024, Methods).
    Raises UserError if there is nothing to train on, one state only, or the loss is not finite.
    """
    torch.manual_seed(seed)
    model = make_model().to(device, memory_format=torch.channels_last)
    order_of = torch.Generator().manual_seed(seed)
    train_at, valid_at = train.centres[::frame_step], valid.centres[::frame_step]
    for name, source, at in (("training", train, train_at), ("validation", valid, valid_at)):
        if len(at) == 0 or source.labels[at].unique().numel() < 2:
            raise UserError(
                f"{len(at)} {name} frames to decode, of fewer than two states; use longer "
                "recordings, or lower frame_step or half_window"
            )
    n_batches = math.ceil(len(train_at) / batch_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=max_lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=max_lr, total_steps=max(2, epochs * n_batches)
    )
    best, state, history = math.inf, {}, []
    for epoch in range(1, epochs + 1):
        start, total = time.monotonic(), 0.0
        order = train_at[torch.randperm(len(train_at), generator=order_of).to(train_at.device)]
        model.train()
        with Progress(len(order), "inputs", f"epoch {epoch}/{epochs}") as progress:
            # Batches of nearly equal size: a last batch of one frame would break BatchNorm.
            for at in torch.tensor_split(order, n_batches):
                loss = binary_cross_entropy_with_logits(model(train.batch(at)), train.labels[at])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.item() * len(at)
                progress.update(len(at), loss=loss.item())
        seconds = time.monotonic() - start
        logits = predict_logits(model, valid, valid_at, batch_size=batch_size)
        labels = valid.labels[valid_at]
        line = Epoch(
            epoch=epoch,
            step=epoch * n_batches,
            train_loss=total / len(order),
            valid_loss=binary_cross_entropy_with_logits(logits, labels).item(),
            valid_auc=roc_auc(labels.cpu().numpy(), logits.cpu().numpy()),
            lr=schedule.get_last_lr()[0],
            inputs_per_s=len(order) / seconds,
        )
        if not math.isfinite(line.train_loss + line.valid_loss):
            raise UserError(f"epoch {epoch}: the loss is not finite; lower max_lr")
        history.append(line)
        print(describe(line, epochs), file=sys.stderr, flush=True)
        if line.valid_loss < best:
            best = line.valid_loss
            state = {key: value.cpu().clone() for key, value in model.state_dict().items()}
    return Fit(state, history)


@torch.inference_mode()
def predict_logits(
    model: nn.Module, source: Source, at: torch.Tensor, *, batch_size: int = 256
) -> torch.Tensor:
    """Return logits (N,) for the positions `at` (N,) of a source, in evaluation mode."""
    model.eval()
    return torch.cat([model(source.batch(part)) for part in at.split(batch_size)])


def describe(line: Epoch, epochs: int) -> str:
    """Return one epoch in words for the log."""
    return (
        f"epoch {line.epoch}/{epochs}: train loss {line.train_loss:.4f}, valid loss "
        f"{line.valid_loss:.4f}, valid AUC {line.valid_auc:.3f}, {line.inputs_per_s:.0f} inputs/s"
    )


def write_history(path: str | Path, history: list[Epoch]) -> None:
    """Write epochs as a TSV with one column a field of `Epoch`."""
    rows = [vars(line) for line in history]
    with atomic_path(path) as part, open(part, "w") as file:
        print(*rows[0], sep="\t", file=file)
        for row in rows:
            print(
                *(f"{v:.6g}" if isinstance(v, float) else v for v in row.values()),
                sep="\t",
                file=file,
            )
