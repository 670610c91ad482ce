"""What the verbs that train networks share: their flags, checkpoints and outputs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mesodecode.base.files import say
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
    options.add_out(parser, "weights to write (.pt)", required=required)
    words = "TSV to write: losses, AUC, speed by epoch"
    options.add_out(parser, words, "--history", required=required)


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a run that can be killed (see `checkpoint_of`)."""
    words = "file to keep the state in; after a kill the same command goes on from it, at its end "
    words += "the result stays beside it as .finished (default: none is kept)"
    options.add_out(parser, words, "--checkpoint", required=False)
    words = "keep the state this often, and after every epoch (default: 300 s)"
    parser.add_argument(
        "--checkpoint-every", type=float, default=300.0, metavar="SECONDS", help=words
    )


def add_feed(parser: argparse.ArgumentParser) -> None:
    """Add the flag that says where the frames of training recordings are kept."""
    words = "frames: loaded once to the device's memory, or streamed from the recordings while "
    words += "training, to the same weights; auto loads them where they fit (default: auto)"
    parser.add_argument("--feed", choices=["auto", "memory", "stream"], default="auto", help=words)


def image_sets(
    make: Callable[..., Source],
    sets: Sequence[list[Recording]],
    settings: dict[str, Any],
    device: torch.device,
    feed: str,
    normalising: Mapping[str, Any],
) -> list[Source | None]:
    """Return the source of training images, augmented if `settings` say so, and of validation.

    None of no recordings.
    `normalising`: settings of the CNN (see `prepared`).
    """
    from mesodecode.decoders.augment import Augment
    from mesodecode.recordings.baseline import prepared

    augment = Augment(
        settings["augment_shift"], settings["augment_rotation"], settings["augment_intensity"]
    )
    return [
        make(
            list(prepared(recordings, normalising)),
            device=device,
            feed=feed,
            augment=augment if changed else None,
        )
        if recordings
        else None
        for recordings, changed in zip(sets, (bool(augment), False), strict=True)
    ]


def fingerprint(recordings: Iterable[Recording]) -> list[str]:
    """Return what tells a checkpoint that it goes with these recordings, and with their labels."""
    return [f"{r.mouse}/{r.session}: {len(r)} frames, {r.digest()}" for r in recordings]


def first_weights(settings: Mapping[str, Any]) -> list[str]:
    """Return the SHA-256 of the file of first weights that settings name, if they name one."""
    from mesodecode.base.files import file_of, sha256

    weights = file_of(settings.get("pretrained", "none"))
    return [sha256(weights)] if weights else []


def identity_of(settings: dict[str, Any], inputs: Sequence[str], code: str) -> dict[str, Any]:
    """Return all that weights depend on: settings, inputs and the code of a verb."""
    from mesodecode.running.provenance import code_version

    return settings | {"inputs": list(inputs), "code": code_version(code)}


def checkpoint_of(
    args: argparse.Namespace, identity: Callable[[], dict[str, Any]], start: int | None = None
) -> Checkpoint | None:
    """Return the checkpoint that `args` ask for, bound to what its weights depend on.

    `identity` returns that (`identity_of`), and is asked only where a checkpoint is kept. `start`:
    the epoch of a CNN that it starts from, where a job trains from several.
    """
    from mesodecode.decoders.checkpoint import Checkpoint

    if args.checkpoint is None:
        return None
    path = args.checkpoint
    if start is not None:
        path = path.with_name(f"{path.stem}.start-{start}{path.suffix}")
    return Checkpoint(path, identity(), args.checkpoint_every)


def finish(args: argparse.Namespace, trained: Trained, fitted: Fit) -> None:
    """Write history and weights."""
    from mesodecode.decoders.train import write_history
    from mesodecode.study.targets import Target

    write_history(args.history, fitted.history, Target.of_settings(trained.settings))
    trained.with_state(fitted.state).save(args.out)


def finish_alone(args: argparse.Namespace, trained: Trained, fitted: Fit) -> None:
    """Write all epochs of a training."""
    from mesodecode.decoders.weights import TrainedEpochs

    lines = [vars(line) for line in fitted.history]
    about = trained.kind, trained.settings, trained.train_mice
    TrainedEpochs(*about, fitted.states, lines).save(args.all_epochs)


def finish_starts(
    args: argparse.Namespace,
    trained: Trained,
    starts_from: Iterable[int],
    identity: Callable[[int], dict[str, Any]],
    fit: Callable[[int], Fit],
) -> None:
    """Train from each epoch of a CNN and write all epochs of all trainings.

    `identity` returns what the weights from a start depend on, `fit` trains from it. What the
    output of an earlier run holds of the same identity is kept as it is.
    """
    from mesodecode.decoders.checkpoint import digest_of
    from mesodecode.decoders.weights import TrainedEpochs, load_epochs

    digests = {start: digest_of(identity(start)) for start in starts_from}
    old = None
    if args.all_epochs.exists() and args.all_epochs.stat().st_size:
        old = load_epochs(args.all_epochs)
        if old.kind != trained.kind:  # the decoder of this name was another, or its CNN frozen
            old = None
    states, lines, starts = [], [], []
    for start, digest in digests.items():
        if old and old.identities.get(start) == digest:
            rows = old.rows(start)
            states += [old.states[row] for row in rows]
            lines += [old.history[row] for row in rows]
            say(f"trained before from epoch {start}")
        else:
            fitted = fit(start)
            states += fitted.states
            lines += [vars(line) for line in fitted.history]
        starts += [start] * (len(states) - len(starts))
    about = trained.kind, trained.settings, trained.train_mice
    TrainedEpochs(*about, states, lines, starts, digests).save(args.all_epochs)
