"""Pass every image through a trained CNN once: features of all, predictions of unseen mice.

Example: mesodecode extract --weights cnn.pt --recordings *.h5 --decoder cnn --features f.h5
--predictions p.h5 --validation v.h5
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mesodecode.cli import options
from mesodecode.cli.decoders import _label_donors

HELP = "recordings + CNN weights → features and test predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this verb."""
    add = parser.add_argument
    add("--weights", type=Path, required=True, help="weights of `mesodecode train-cnn`")
    add(
        "--recordings",
        type=Path,
        nargs="+",
        required=True,
        help="recordings of all roles, or lists (.txt) of them",
    )
    add("--decoder", default="cnn", help="name of the CNN decoder in tables (default: cnn)")
    add("--features", type=Path, required=True, help="HDF5 file to write, one group a session")
    add("--predictions", type=Path, required=True, help="predictions to write (HDF5)")
    options.add_validation(parser)
    _label_donors.add_argument(parser)
    options.add_compute(parser)


def run(args: argparse.Namespace) -> None:
    """Run this verb."""
    from mesodecode.base.files import UserError
    from mesodecode.decoders import predict
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.validation import check_given, write_roles
    from mesodecode.decoders.weights import load_trained
    from mesodecode.recordings.recording import mice_of, read_recordings

    device = resolve_device(args.device, args.threads)
    trained = load_trained(args.weights, "cnn")
    recordings = _label_donors.exchange(read_recordings(args.recordings), args.labels_of)
    seen = {*trained.train_mice, *trained.valid_mice}
    test_mice = [mouse for mouse in mice_of(recordings) if mouse not in seen]
    if not test_mice:  # before any work
        raise UserError(f"{args.weights}: has seen all mice of --recordings; add a test mouse's")
    allocation = trained.allocate(test_mice)
    if args.validation:
        check_given(allocation, mice_of(recordings))
    sessions = predict.extract(trained, recordings, args.features, device)
    write_roles(sessions, args.decoder, allocation, args.predictions, args.validation)
