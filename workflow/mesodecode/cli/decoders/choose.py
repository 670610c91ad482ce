"""Choose the epoch of a training that an allocation keeps, by what its validation mice make of it.

Example: mesodecode choose --trained trained.pt --valid passed/m3.h5 --test passed/m4.h5
--decoder roi_gru --out gru.pt --history gru.tsv --predictions p.h5 --validation v.h5

Best is the epoch of lowest validation loss; epochs after `early_stopping` in a row that were no
better are not looked at, as if the training had ended there. With --test, mice that no choice
depends on are predicted from what was passed: of networks that look at every frame (frame_step 1).
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.decoders import _alone, _passing

HELP = "all epochs + validation mice passed through them → weights and predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_file(parser, "--trained", "of a training without --valid")
    _passing.add_passed(parser)
    options.add_out(parser, "weights of this allocation (.pt)")
    words = "of a decoder that starts from a CNN: which epoch of it this allocation chose, or the "
    words += "file of --epoch that says so"
    parser.add_argument("--start-epoch", metavar="EPOCH", help=words)
    options.add_out(
        parser, "text to write: the number of the epoch kept", "--epoch", required=False
    )
    words = "TSV to write: losses, AUC, speed by epoch"
    options.add_out(parser, words, "--history")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError, write_text
    from mesodecode.decoders.choose import kept

    valid, test = _passing.read_passed(args)
    start = args.start_epoch and _alone.epoch_of(args.start_epoch, "--start-epoch")
    choice = kept(args.trained, valid, args.out, args.history, start)
    settings = choice.settings
    if args.epoch:
        write_text(args.epoch, f"{choice.epoch}\n")
    if args.predictions and settings["frame_step"] > 1:
        raise UserError(
            f"{args.trained}: looked at every {settings['frame_step']}. frame; predict with its "
            "weights instead"
        )
    _passing.write_predictions(args, choice.train_mice, valid, test, settings, choice.row)
