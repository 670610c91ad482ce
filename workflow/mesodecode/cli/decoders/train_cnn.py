"""Train a CNN on the pseudo-RGB images of the training mice.

Example: mesodecode train-cnn --train m1_s1.h5 m2_s1.h5 --valid m3_s1.h5 --out cnn.pt
--history cnn.tsv

With --all-epochs and no --valid the training belongs to its mice alone: `pass-images` passes each
other mouse through its epochs, and `choose` takes the epoch of an allocation.
"""

import argparse

from mesodecode.cli.decoders import _image_training
from mesodecode.study.kinds import KINDS

HELP = "recordings → weights of a CNN"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _image_training.add_arguments(parser, KINDS["cnn"])


def run(args: argparse.Namespace) -> None:
    _image_training.run(args, KINDS["cnn"])
