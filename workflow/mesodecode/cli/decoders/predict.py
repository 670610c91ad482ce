"""Predict test mice from their recordings, or from CNN features for a frozen CNN's decoder.

Example: mesodecode predict --weights gru.pt --features f.h5 --test-mice 5 --decoder cnn_gru
--out p.h5 --validation v.h5

With --validation the validation mice are predicted too, in the same pass: what a threshold is
chosen by, and nothing else.
"""

import argparse
from pathlib import Path

from mesodecode.cli import options
from mesodecode.cli.decoders import _label_donors

HELP = "weights + recordings or features → test predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_file(parser, "--weights", "weights of train-cnn, finetune or train-rnn")
    inputs = parser.add_mutually_exclusive_group(required=True)
    inputs.add_argument(
        "--recordings",
        type=Path,
        nargs="+",
        help="recordings of the test mice, and of the validation mice for --validation, or lists "
        "(.txt) of them",
    )
    inputs.add_argument(
        "--features",
        type=Path,
        help="features of `mesodecode extract` or `join-features` (for an RNN, or the CNN itself)",
    )
    add("--test-mice", nargs="+", help="mice to test from --features (default: all in it)")
    add("--decoder", required=True, help="name of the decoder in tables")
    options.add_out(parser, "predictions to write (HDF5)")
    options.add_validation(parser)
    _label_donors.add_argument(parser)
    options.add_compute(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError
    from mesodecode.decoders import predict
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.feature_files import read_features
    from mesodecode.decoders.validation import allocated, write_roles
    from mesodecode.decoders.weights import load_trained
    from mesodecode.recordings.recording import read_recordings
    from mesodecode.study import protocols
    from mesodecode.study.kinds import IMAGE_NETWORKS
    from mesodecode.study.targets import Target

    device = resolve_device(args.device, args.threads)
    if args.recordings and args.test_mice:
        raise UserError("--test-mice chooses from --features; leave it out with --recordings")
    if args.features and args.labels_of:
        raise UserError("--labels-of: features have the labels that they were extracted with")
    if args.recordings:
        trained = load_trained(args.weights, *IMAGE_NETWORKS)
        sessions = _label_donors.exchange(read_recordings(args.recordings), args.labels_of)
    else:
        trained = load_trained(args.weights, "cnn_rnn", "cnn")
        valid = trained.valid_mice if args.validation else ()
        sessions = read_features(args.features, args.test_mice and [*args.test_mice, *valid])
    # before any work: refuses a mouse that it saw
    allocation = allocated(trained, sessions, args.weights, validates=bool(args.validation))
    predictions = predict.predict(trained, sessions, device)
    corrected = any(one.corrected for one in sessions if one.mouse in allocation.test)
    protocol = protocols.of(trained.settings, corrected)
    target, files = Target.of_settings(trained.settings), (args.out, args.validation)
    write_roles(predictions, args.decoder, allocation, *files, protocol, target)
