"""Train a CNN, already trained, together with a recurrent network over windows of its images.

Example: mesodecode finetune --start cnn.pt --train m1_s1.h5 m2_s1.h5 --valid m3_s1.h5 --rnn gru
--out gru.pt --history gru.tsv
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from mesodecode.cli import options
from mesodecode.cli.decoders import _label_donors, _training

HELP = "recordings + CNN weights → weights of a CNN-RNN, trained end to end"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this verb."""
    add = parser.add_argument
    add("--start", type=Path, required=True, help="weights of `train-cnn` on the same mice")
    add(
        "--train",
        type=Path,
        nargs="+",
        required=True,
        help="recordings of the training mice, or lists (.txt) of them",
    )
    add(
        "--valid",
        type=Path,
        nargs="+",
        required=True,
        help="recordings of the validation mice, or lists (.txt) of them",
    )
    _training.add_arguments(parser)
    _training.add_feed(parser)
    _label_donors.add_argument(parser)
    options.add_settings(parser, "cnn_rnn")


def run(args: argparse.Namespace) -> None:
    """Run this verb."""
    from mesodecode.base.files import UserError, sha256
    from mesodecode.decoders import train
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.inputs import ImageWindows
    from mesodecode.decoders.networks import cnn_rnn_decoder
    from mesodecode.decoders.weights import Trained, load_trained
    from mesodecode.recordings.recording import mice_of

    settings = options.settings_of(args, "cnn_rnn")
    device = resolve_device(args.device, args.threads)
    start = load_trained(args.start, "cnn")
    sets = _label_donors.read_roles(args.labels_of, args.train, args.valid)
    mice = tuple(map(mice_of, sets))
    if tuple(map(set, mice)) != (set(start.train_mice), set(start.valid_mice)):
        raise UserError(
            f"{args.start}: trained on {'+'.join(start.train_mice)} and validated on "
            f"{'+'.join(start.valid_mice)}; --train and --valid must hold the same mice"
        )
    settings["backbone"] = start.settings["backbone"]
    settings["baseline"] = start.settings.get("baseline")
    trained = Trained("finetuned", settings, *mice, state={})
    inputs = [*_training.fingerprint([*sets[0], *sets[1]]), *args.labels_of, sha256(args.start)]
    checkpoint = _training.checkpoint_of(args, settings, inputs, "finetune")
    windows = partial(ImageWindows, half_window=settings["half_window"])
    fitted = train.fit(
        lambda: cnn_rnn_decoder(start.build(), settings),
        *_training.image_sets(windows, sets, settings, device, args.feed, settings["baseline"]),
        device=device,
        run_length=settings["run_length"],
        checkpoint=checkpoint,
        **{key: settings[key] for key in train.SETTINGS},
    )
    _training.finish(args, trained, fitted)
