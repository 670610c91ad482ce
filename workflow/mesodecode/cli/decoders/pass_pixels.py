"""Pass a mouse through the linear baseline of other mice.

Example: mesodecode fit-linear --train m1_s1.h5 m2_s1.h5 --alone trained.npz
mesodecode pass-pixels --trained trained.npz --recordings m3_s1.h5 --out m3.h5
"""

import argparse

from mesodecode.cli.decoders import _passing

HELP = "linear baseline + a mouse's recordings → what it makes of them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _passing.add_arguments(parser, "fit-linear --alone")


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders import fitted_files, passed

    fitted = fitted_files.load(args.trained)
    recordings = _passing.read(args, fitted, fitted.settings.get("roi_names"))
    _passing.write(args, recordings, passed.of_fitted(fitted.predict(recordings)))
