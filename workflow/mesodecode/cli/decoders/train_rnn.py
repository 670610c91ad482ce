"""Train a recurrent decoder on windows of CNN features of the training mice.

Example: mesodecode train-rnn --features cnn.h5 --train-mice 1 2 3 --valid-mice 4 --rnn gru
--out gru.pt --history gru.tsv

Or without validation mice, once for every epoch of the CNN that the features are of; what comes of
it is for `pass-features` and `choose`:
mesodecode train-rnn --features features/m1.h5 features/m2.h5 --rnn gru --all-epochs trained/gru.pt
"""

from __future__ import annotations

import argparse
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesodecode.cli import options
from mesodecode.cli.decoders import _alone, _training

if TYPE_CHECKING:
    from mesodecode.decoders.inputs import SessionFeatures

HELP = "features → weights of a recurrent decoder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    words = "of `mesodecode extract` or `join-features`; with --all-epochs a file a training mouse"
    options.add_files(parser, "--features", words)
    add("--train-mice", nargs="+", help="mice to train on (with --all-epochs: all in --features)")
    add("--valid-mice", nargs="+", help="mice that choose the best epoch")
    _training.add_arguments(parser)
    options.add_settings(parser, "cnn_rnn")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError
    from mesodecode.base.windows import IMAGE_REACH
    from mesodecode.decoders import train
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.feature_files import epochs_in, fingerprint, mice_in
    from mesodecode.decoders.inputs import Windows, normalising_of
    from mesodecode.decoders.networks import rnn_decoder
    from mesodecode.decoders.objectives import trained_on
    from mesodecode.decoders.weights import Trained
    from mesodecode.study.targets import Target

    of_allocation = ("train_mice", "valid_mice", "out", "history")
    alone = _alone.check_outputs(args, "all_epochs", of_allocation)
    settings = options.settings_of(args, "cnn_rnn")
    device = resolve_device(args.device, args.threads)
    starts = epochs_in(args.features[0]) if alone else [None]
    if not starts:
        raise UserError(
            f"{args.features[0]}: features of one CNN, not of the epochs that allocations chose; "
            "give those of `mesodecode extract --trained`, or train without --all-epochs"
        )

    def sets_of(epoch: int | None) -> tuple[list[SessionFeatures], list[SessionFeatures]]:
        training = _read(args.features, args.train_mice, epoch)
        valid = [] if alone else _read(args.features, args.valid_mice, epoch)
        settings.update(normalising_of(settings, [*training, *valid]))
        settings.update(trained_on(training).settings())
        return training, valid

    @functools.cache  # asked for by the checkpoint and by what is kept of an earlier run
    def identity(epoch: int | None) -> dict[str, Any]:
        inputs = [fingerprint(one) for sessions in sets_of(epoch) for one in sessions]
        return _training.identity_of(settings, inputs, "train_rnn")

    def fit(epoch: int | None) -> train.Fit:
        train_set, valid_set = (
            Windows(sessions, *reach, device) if sessions else None for sessions in sets_of(epoch)
        )
        return train.fit(
            lambda: rnn_decoder(train_set.n_features, settings),
            train_set,
            valid_set,
            device=device,
            checkpoint=_training.checkpoint_of(args, functools.partial(identity, epoch), epoch),
            target=Target.of_settings(settings),
            **{key: settings[key] for key in train.SETTINGS},
        )

    reach = settings["half_window"], settings["half_window"] + IMAGE_REACH
    mice = args.train_mice or [m for path in args.features for m in mice_in(path, starts[0])]
    trained = Trained("cnn_rnn", settings, tuple(mice), tuple(args.valid_mice or ()), state={})
    if alone:
        _training.finish_starts(args, trained, starts, identity, fit)
    else:
        _training.finish(args, trained, fit(None))


def _read(paths: list[Path], mice: list[str] | None, epoch: int | None) -> list[SessionFeatures]:
    """Return the sessions of all files, or of `mice` in the only one."""
    from mesodecode.decoders.feature_files import read_features

    return [one for path in paths for one in read_features(path, mice, epoch)]
