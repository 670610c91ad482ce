"""Average the test probabilities of decoders, such as of one decoder trained from several seeds.

Frame by frame, at the frames that all of them decode.

Example: mesodecode average --predictions cnn_gru/A.h5 cnn_gru_seed2/A.h5 --decoder cnn_gru_avg
--out cnn_gru_avg/A.h5
"""

import argparse

from mesodecode.cli import options

HELP = "predictions of several decoders → their average"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    words = "predictions (HDF5) of two or more decoders in one allocation"
    options.add_files(parser, "--predictions", words)
    parser.add_argument("--decoder", required=True, help="name of the average in tables")
    options.add_out(parser, "predictions to write (HDF5)")
    options.add_validation(parser)
    words = "with --validation: what these decoders said of the validation mice"
    options.add_files(parser, "--of-validation", words, required=False)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError
    from mesodecode.decoders import average, validation

    if bool(args.validation) != bool(args.of_validation):
        raise UserError("--validation: goes with --of-validation, the files that are averaged")
    made = average.average(args.predictions, args.decoder)
    if args.validation:
        sessions = average.average_validation(args.of_validation, made)
        about = {"decoder": args.decoder, "allocation": made.allocation}
        mice = {"valid_mouse": made.valid_mouse}
        validation.write(args.validation, sessions, made.target, **about, **mice)
    made.write(args.out)
