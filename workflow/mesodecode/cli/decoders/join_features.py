"""Join the features of an allocation's mice, each in a file of its own, by links.

Example: mesodecode join-features --features features/cnn/train-m1+m2+m3/*.h5 --epoch 2
--seen m1 m2 m3 m4 --out features/cnn/train-m1+m2+m3.valid-m4.test-m5.h5

Nothing is copied: the file is of use as long as those that it links to lie where they lie.
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.decoders import _alone

HELP = "features of mice → those of an allocation, under the epoch that it chose"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_files(parser, "--features", "of `mesodecode extract --trained`, a file a mouse")
    words = "the epoch that the allocation chose, or the file of `choose --epoch` that says so"
    add("--epoch", required=True, metavar="EPOCH", help=words)
    words = "mice that train and validate, which no decoder of these features may test"
    add("--seen", nargs="+", required=True, metavar="MOUSE", help=words)
    options.add_out(parser, "HDF5 file to write, one group a session")


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders.feature_files import link

    link(args.features, _alone.epoch_of(args.epoch, "--epoch"), args.seen, args.out)
