"""Fit logistic regression to the pixels of the training mice and predict the test mice.

Example: mesodecode fit-linear --train m1_s1.h5 m2_s1.h5 --valid m3_s1.h5 --test m4_s1.h5
--weights linear.npz --out p.h5
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mesodecode.cli import options
from mesodecode.cli.decoders import _label_donors

HELP = "recordings → linear baseline and its test predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this verb."""
    add = parser.add_argument
    add(
        "--train",
        type=Path,
        nargs="+",
        required=True,
        help="recordings of the training mice, or lists (.txt) of them",
    )
    add(
        "--valid-mice",
        nargs="+",
        required=True,
        help="validation mice of the allocation (the baseline chooses nothing, so it reads none)",
    )
    add(
        "--test",
        type=Path,
        nargs="+",
        required=True,
        help="recordings of the test mice, or lists (.txt) of them",
    )
    add("--decoder", default="linear", help="name of the decoder in tables (default: linear)")
    add("--weights", type=Path, required=True, help="coefficients to write (.npz)")
    add("--out", type=Path, required=True, help="predictions to write (HDF5)")
    options.add_tuned(parser)
    _label_donors.add_argument(parser)
    options.add_settings(parser, "linear")


def run(args: argparse.Namespace) -> None:
    """Run this verb."""
    import numpy as np

    from mesodecode.base.files import atomic_path
    from mesodecode.decoders import linear
    from mesodecode.decoders.predictions import bind
    from mesodecode.recordings.recording import mice_of
    from mesodecode.study.allocation import Allocation

    settings = options.settings_of(args, "linear")
    train_set, test_set = _label_donors.read_roles(args.labels_of, args.train, args.test)
    allocation = Allocation(mice_of(train_set), tuple(args.valid_mice), mice_of(test_set))
    model = linear.fit_linear(train_set, **settings)
    with atomic_path(args.weights) as part, open(part, "wb") as file:  # a path would gain ".npz"
        np.savez(
            file,
            **linear.coefficients(model),
            pixels=settings["pixels"],
            baseline=settings["baseline"] or 0,
            train_mice=allocation.train,
            valid_mice=allocation.valid,
        )
    how = {key: settings[key] for key in ("pixels", "baseline")}
    predictions = linear.predict_linear(model, test_set, **how)
    bind(args.decoder, allocation, predictions).write(args.out)
