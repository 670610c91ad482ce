"""Average the test probabilities of decoders, such as of one decoder trained from several seeds.

Frame by frame, at the frames that all of them decode.

Example: mesodecode average --predictions cnn_gru/A.h5 cnn_gru_seed2/A.h5 --decoder cnn_gru_avg
--out cnn_gru_avg/A.h5
"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "predictions of several decoders → their average"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this verb."""
    add = parser.add_argument
    add(
        "--predictions",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="predictions (HDF5) of two or more decoders in one allocation",
    )
    add("--decoder", required=True, help="name of the average in tables")
    add("--out", type=Path, required=True, help="predictions to write (HDF5)")


def run(args: argparse.Namespace) -> None:
    """Run this verb."""
    from mesodecode.decoders.average import average

    average(args.predictions, args.decoder).write(args.out)
