"""What the verbs share that train networks of images, each those of a kind."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mesodecode.cli import options
from mesodecode.cli.decoders import _alone, _label_donors, _training

if TYPE_CHECKING:
    from mesodecode.study.kinds import Kind


def add_arguments(parser: argparse.ArgumentParser, kind: Kind) -> None:
    """Add the flags of a verb that trains networks of a kind."""
    options.add_roles(parser, optional=["valid"], train="", valid=", which choose the epoch")
    _training.add_arguments(parser)
    _training.add_feed(parser)
    options.add_tuned(parser)
    _label_donors.add_argument(parser)
    options.add_settings(parser, kind.name)


def run(args: argparse.Namespace, kind: Kind) -> None:
    """Train a network of a kind; write what is asked for."""
    from mesodecode.decoders import train
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.inputs import images_read
    from mesodecode.decoders.objectives import trained_on
    from mesodecode.decoders.weights import MADE_BY, Trained
    from mesodecode.recordings.recording import frames_of, mice_of

    alone = _alone.check_outputs(args, "all_epochs", ("valid", "out", "history"))
    settings = options.settings_of(args, kind.name)
    device = resolve_device(args.device, args.threads)
    sets = _label_donors.read_roles(args.labels_of, args.train, args.valid)
    target = trained_on(sets[0])
    settings |= frames_of(sets[0]) | target.settings()
    trained = Trained(kind.name, settings, *map(mice_of, sets), state={})
    inputs = [*_training.fingerprint([*sets[0], *sets[1]]), *args.labels_of]
    inputs += _training.first_weights(settings)
    checkpoint = _training.checkpoint_of(
        args, lambda: _training.identity_of(settings, inputs, kind.trains.train)
    )
    fitted = train.fit(
        lambda: MADE_BY[kind.name](0, settings),
        *_training.image_sets(images_read(settings), sets, settings, device, args.feed, settings),
        device=device,
        run_length=settings.get("run_length", 1),
        checkpoint=checkpoint,
        target=target,
        **{key: settings[key] for key in train.SETTINGS},
    )
    finish = _training.finish_alone if alone else _training.finish
    finish(args, trained, fitted)
