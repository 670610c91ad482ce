"""Give an allocation the fitted model of its training mice, and the predictions of its other mice.

Example: mesodecode keep-fitted --trained trained.npz --valid passed/m3.h5 --test passed/m4.h5
--decoder linear --out linear.npz --predictions p.h5 --validation v.h5
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.decoders import _passing

HELP = "fitted model + mice passed through it → model and predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_file(parser, "--trained", "of `fit-linear --alone` or `fit-roi --alone`")
    _passing.add_passed(parser)
    options.add_out(parser, "model of this allocation, of the suffix of --trained")


def run(args: argparse.Namespace) -> None:
    from dataclasses import replace

    from mesodecode.decoders import fitted_files

    valid, test = _passing.read_passed(args)
    fitted = fitted_files.load(args.trained)
    replace(fitted, valid_mice=tuple(one.mouse for one in valid)).save(args.out)
    _passing.write_predictions(args, fitted.train_mice, valid, test, fitted.settings)
