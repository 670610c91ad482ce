"""Fit a classical decoder to windows of ROI signals and predict the test mice.

Example: mesodecode fit-roi --train m1_s1.h5 m2_s1.h5 --valid m3_s1.h5 --test m4_s1.h5
--model linear_svm --decoder roi_svm --out svm.joblib --predictions p.h5

It chooses nothing by the validation mice, which are read to use the same ROIs in all mice.
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.decoders import _fit
from mesodecode.study.kinds import KINDS

HELP = "ROI signals → classical decoder and its test predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _fit.add_arguments(parser, KINDS["roi_classical"])


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders.fitted import roi_classical

    settings = options.settings_of(args, "roi_classical")
    _fit.run(args, KINDS["roi_classical"], roi_classical.fit, settings)
