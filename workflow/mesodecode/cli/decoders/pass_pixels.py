"""Pass a mouse through the linear baseline of other mice.

Example: mesodecode fit-linear --train m1_s1.h5 m2_s1.h5 --alone trained.npz
mesodecode pass-pixels --trained trained.npz --recordings m3_s1.h5 --out m3.h5
"""

from __future__ import annotations

import argparse

from mesodecode.cli.decoders import _passing

HELP = "linear baseline + a mouse's recordings → what it makes of them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this verb."""
    _passing.add_arguments(parser, "fit-linear --alone")


def run(args: argparse.Namespace) -> None:
    """Run this verb."""
    from mesodecode.decoders.linear import predict_linear, read_weights
    from mesodecode.decoders.passed import of_fitted

    weights = read_weights(args.trained)
    recordings = _passing.read(args, weights.train_mice, size=weights.size or ())
    how = {"pixels": weights.pixels} | weights.normalising
    _passing.write(
        args, recordings, of_fitted(predict_linear(weights.pipeline(), recordings, **how))
    )
