"""Pass every image through a trained CNN once, and keep its features and what it makes of them.

Example: mesodecode extract --weights cnn.pt --recordings *.h5 --features f.h5
mesodecode predict --weights cnn.pt --features f.h5 --test-mice m5 --decoder cnn --out p.h5

Of a training that belongs to no allocation, the features of all epochs that allocations choose:
mesodecode extract --trained trained.pt --chosen-by m3.h5 m4.h5 --recordings m1_s1.h5
--features f.h5
mesodecode join-features --features f.h5 … --epoch 2 --seen m1 m2 m3 --out of_allocation.h5
"""

import argparse
from pathlib import Path

from mesodecode.cli import options
from mesodecode.cli.decoders import _chosen, _label_donors

HELP = "recordings + CNN weights → features of every frame"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    cnn = parser.add_mutually_exclusive_group(required=True)
    cnn.add_argument("--weights", type=Path, metavar="FILE", help="weights of `train-cnn`")
    words = "what `train-cnn --all-epochs` made of training mice alone"
    cnn.add_argument("--trained", type=Path, metavar="FILE", help=words)
    _chosen.add_argument(parser)
    options.add_recordings(parser, "recordings, or lists (.txt) of them")
    options.add_out(parser, "HDF5 file to write, one group a session", "--features")
    _label_donors.add_argument(parser)
    options.add_compute(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.extraction import extract
    from mesodecode.decoders.weights import load_epochs, load_trained
    from mesodecode.recordings.recording import check_frames, read_recordings

    if args.weights and args.chosen_by:
        raise UserError("--chosen-by: weights have no epochs; leave it out, or give --trained")
    device = resolve_device(args.device, args.threads)
    if args.trained:
        every = load_epochs(args.trained, "cnn")
        networks = {epoch: every.at(epoch - 1) for epoch in _chosen.epochs(args, every)}
    else:
        networks = {None: load_trained(args.weights, "cnn")}
    recordings = _label_donors.exchange(read_recordings(args.recordings), args.labels_of)
    first, *_ = networks.values()
    check_frames(first.settings, recordings, args.trained or args.weights)
    extract(networks, recordings, args.features, device)
