"""Train a recurrent decoder on ROI signals and predict the test mice.

Example: mesodecode train-roi --train m1_s1.h5 m2_s1.h5 --valid m3_s1.h5 --test m4_s1.h5 --rnn gru
--decoder roi_gru --out gru.pt --history gru.tsv --predictions p.h5

With --all-epochs it reads training mice alone, as `train-cnn`.
"""

import argparse

from mesodecode.cli.decoders import _roi_training
from mesodecode.study.kinds import KINDS

HELP = "ROI signals → recurrent decoder and its test predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _roi_training.add_arguments(parser, KINDS["roi_rnn"])


def run(args: argparse.Namespace) -> None:
    _roi_training.run(args, KINDS["roi_rnn"])
