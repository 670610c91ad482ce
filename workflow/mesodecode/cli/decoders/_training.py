"""What the verbs that train networks share: their flags, checkpoints and outputs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesodecode.cli import options

if TYPE_CHECKING:
    import torch

    from mesodecode.decoders.checkpoint import Checkpoint
    from mesodecode.decoders.inputs import Source
    from mesodecode.decoders.train import Fit
    from mesodecode.decoders.weights import Trained
    from mesodecode.recordings.recording import Recording


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a verb that trains a network."""
    add_results(parser)
    add_checkpoint(parser)
    options.add_compute(parser)


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add the flags of what `finish` writes."""
    add = parser.add_argument
    add("--out", type=Path, required=True, help="weights to write (.pt)")
    add("--history", type=Path, required=True, help="TSV to write: losses, AUC, speed by epoch")


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a run that can be killed (see `checkpoint_of`)."""
    add = parser.add_argument
    add(
        "--checkpoint",
        type=Path,
        help="file to keep the state in; after a kill the same command goes on from it, at its end "
        "the result stays beside it as .finished (default: none is kept)",
    )
    add(
        "--checkpoint-every",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="keep the state this often, and after every epoch (default: 300 s)",
    )


def add_feed(parser: argparse.ArgumentParser) -> None:
    """Add the flag that says where the frames of training recordings are kept."""
    parser.add_argument(
        "--feed",
        choices=["auto", "memory", "stream"],
        default="auto",
        help="frames: loaded once to the device's memory, or streamed from the recordings while "
        "training, to the same weights; auto loads them where they fit (default: auto)",
    )


def image_sets(
    make: Callable[..., Source],
    sets: Sequence[list[Recording]],
    settings: dict[str, Any],
    device: torch.device,
    feed: str,
    baseline: int | None,
) -> list[Source]:
    """Return the source of training images, augmented if `settings` say so, and of validation.

    `baseline` is that of the CNN (see its schema).
    """
    from mesodecode.decoders.augment import Augment
    from mesodecode.recordings.baseline import with_baseline

    augment = Augment(
        settings["augment_shift"], settings["augment_rotation"], settings["augment_intensity"]
    )
    return [
        make(
            with_baseline(recordings, baseline),
            device=device,
            feed=feed,
            augment=augment if changed else None,
        )
        for recordings, changed in zip(sets, (bool(augment), False), strict=True)
    ]


def fingerprint(recordings: Iterable[Recording]) -> list[str]:
    """Return what tells a checkpoint that it goes with these recordings."""
    return [f"{r.mouse}/{r.session}: {len(r)} frames, SD {r.stack_sd:.9g}" for r in recordings]


def checkpoint_of(
    args: argparse.Namespace, settings: dict[str, Any], inputs: Sequence[str], code: str
) -> Checkpoint | None:
    """Return the checkpoint that `args` ask for, bound to settings, inputs and code."""
    from mesodecode.decoders.checkpoint import Checkpoint
    from mesodecode.running.provenance import code_version

    if args.checkpoint is None:
        return None
    identity = settings | {"inputs": list(inputs), "code": code_version(code)}
    return Checkpoint(args.checkpoint, identity, args.checkpoint_every)


def finish(args: argparse.Namespace, trained: Trained, fitted: Fit) -> None:
    """Write history and weights."""
    from mesodecode.decoders.train import write_history

    write_history(args.history, fitted.history)
    trained.with_state(fitted.state).save(args.out)
