"""Fit logistic regression to the pixels of the training mice and predict the test mice.

Of recordings with a trace as target, ridge regression; of named states, multinomial. What is fitted
does not depend on the validation mice.

Example: mesodecode fit-linear --train m1_s1.h5 m2_s1.h5 --valid m3_s1.h5 --test m4_s1.h5
--out linear.npz --predictions p.h5
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.decoders import _fit
from mesodecode.study.kinds import KINDS

HELP = "recordings → linear baseline and its test predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _fit.add_arguments(parser, KINDS["linear"])


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders.fitted import linear

    settings = options.settings_of(args, "linear")
    _fit.run(args, KINDS["linear"], linear.fit, settings)
