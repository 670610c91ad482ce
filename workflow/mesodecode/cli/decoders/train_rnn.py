"""Train a recurrent decoder on windows of CNN features of the training mice.

Example: mesodecode train-rnn --features cnn.h5 --train-mice 1 2 3 --valid-mice 4 --rnn gru
--out gru.pt --history gru.tsv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mesodecode.cli import options
from mesodecode.cli.decoders import _training

HELP = "features → weights of a recurrent decoder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this verb."""
    add = parser.add_argument
    add("--features", type=Path, required=True, help="HDF5 file of `mesodecode extract`")
    add("--train-mice", nargs="+", required=True, help="mice to train on")
    add("--valid-mice", nargs="+", required=True, help="mice that choose the best epoch")
    _training.add_results(parser)
    _training.add_checkpoint(parser)
    options.add_compute(parser)
    options.add_settings(parser, "cnn_rnn")


def run(args: argparse.Namespace) -> None:
    """Run this verb."""
    from mesodecode.base.windows import IMAGE_REACH
    from mesodecode.decoders import train
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.inputs import Windows, read_features
    from mesodecode.decoders.networks import rnn_decoder
    from mesodecode.decoders.weights import Trained

    settings = options.settings_of(args, "cnn_rnn")
    device = resolve_device(args.device, args.threads)
    half_window = settings["half_window"]
    trained = Trained("cnn_rnn", settings, tuple(args.train_mice), tuple(args.valid_mice), state={})
    train_set, valid_set = (
        Windows(read_features(args.features, mice), half_window, half_window + IMAGE_REACH, device)
        for mice in (args.train_mice, args.valid_mice)
    )
    written = args.features.stat()
    inputs = [f"{args.features.name}: {written.st_size} bytes, {written.st_mtime_ns}"]
    inputs += [*args.train_mice, *args.valid_mice]
    checkpoint = _training.checkpoint_of(args, settings, inputs, "train_rnn")
    fitted = train.fit(
        lambda: rnn_decoder(train_set.n_features, settings),
        train_set,
        valid_set,
        device=device,
        checkpoint=checkpoint,
        **{key: settings[key] for key in train.SETTINGS},
    )
    _training.finish(args, trained, fitted)
