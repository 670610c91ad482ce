"""What the verbs that train networks share: their flags, checkpoints and outputs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesodecode.base.files import UserError
from mesodecode.cli import options
from mesodecode.cli.decoders import _alone

if TYPE_CHECKING:
    import torch

    from mesodecode.decoders.checkpoint import Checkpoint
    from mesodecode.decoders.inputs import Source
    from mesodecode.decoders.train import Fit
    from mesodecode.decoders.weights import Trained
    from mesodecode.recordings.recording import Recording


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a verb that trains a network, of an allocation or of training mice alone."""
    add_results(parser, required=False)
    _alone.add_argument(parser, "--all-epochs", "weights of every epoch (.pt)")
    add_checkpoint(parser)
    options.add_compute(parser)


def add_results(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the flags of what `finish` writes."""
    add = parser.add_argument
    add("--out", type=Path, required=required, help="weights to write (.pt)")
    words = "TSV to write: losses, AUC, speed by epoch"
    add("--history", type=Path, required=required, help=words)


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
) -> list[Source | None]:
    """Return the source of training images, augmented if `settings` say so, and of validation.

    None of no recordings.
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
        if recordings
        else None
        for recordings, changed in zip(sets, (bool(augment), False), strict=True)
    ]


def fingerprint(recordings: Iterable[Recording]) -> list[str]:
    """Return what tells a checkpoint that it goes with these recordings."""
    return [f"{r.mouse}/{r.session}: {len(r)} frames, SD {r.stack_sd:.9g}" for r in recordings]


def add_start_epochs(parser: argparse.ArgumentParser) -> None:
    """Add the flag of the epochs of a CNN that a training starts from."""
    parser.add_argument(
        "--start-epochs",
        nargs="+",
        default=[],
        metavar="EPOCH",
        help="with --all-epochs: epochs of the CNN to train from, each once, as numbers from 1 or "
        "as files of `mesodecode choose --epoch`",
    )


def start_epochs(args: argparse.Namespace, n_epochs: int) -> list[int]:
    """Return the epochs of a CNN that `args` ask for, each once, in order.

    Raises UserError if the CNN, of `n_epochs`, has not all of them.
    """
    if not args.all_epochs:
        raise UserError("--start-epochs: goes with --all-epochs, for allocations to choose from")
    found = sorted({_alone.epoch_of(word, "--start-epochs") for word in args.start_epochs})
    if found[-1] > n_epochs:
        raise UserError(f"--start-epochs: no epoch {found[-1]} of a CNN with {n_epochs}")
    return found


def checkpoint_of(
    args: argparse.Namespace,
    settings: dict[str, Any],
    inputs: Sequence[str],
    code: str,
    start: int | None = None,
) -> Checkpoint | None:
    """Return the checkpoint that `args` ask for, bound to settings, inputs and code.

    `start`: the epoch of a CNN that it starts from, where a job trains from several.
    """
    from mesodecode.decoders.checkpoint import Checkpoint
    from mesodecode.running.provenance import code_version

    if args.checkpoint is None:
        return None
    identity = settings | {"inputs": list(inputs), "code": code_version(code)}
    path = args.checkpoint
    if start is not None:
        path = path.with_name(f"{path.stem}.start-{start}{path.suffix}")
    return Checkpoint(path, identity, args.checkpoint_every)


def finish(args: argparse.Namespace, trained: Trained, fitted: Fit) -> None:
    """Write history and weights."""
    from mesodecode.decoders.train import write_history

    write_history(args.history, fitted.history)
    trained.with_state(fitted.state).save(args.out)


def finish_alone(
    args: argparse.Namespace, trained: Trained, *fits: Fit, starts: Sequence[int] = ()
) -> None:
    """Write all epochs: of one training, or of several from the epochs `starts` of a CNN."""
    from mesodecode.decoders.weights import TrainedEpochs

    lines = [vars(line) for fitted in fits for line in fitted.history]
    states = [state for fitted in fits for state in fitted.states]
    each = [n for n, fitted in zip(starts, fits, strict=False) for _ in fitted.states]
    about = trained.kind, trained.settings, trained.train_mice
    TrainedEpochs(*about, states, lines, each).save(args.all_epochs)
