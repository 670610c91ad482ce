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
    valid = parser.add_mutually_exclusive_group(required=True)
    valid.add_argument(
        "--valid",
        type=Path,
        nargs="+",
        help="recordings of the validation mice, or lists (.txt) of them; what is fitted does not "
        "depend on them",
    )
    valid.add_argument(
        "--valid-mice", nargs="+", help="validation mice of the allocation, without --validation"
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
    options.add_validation(parser)
    options.add_tuned(parser)
    _label_donors.add_argument(parser)
    options.add_settings(parser, "linear")


def run(args: argparse.Namespace) -> None:
    """Run this verb."""
    import numpy as np

    from mesodecode.base.files import UserError, atomic_path
    from mesodecode.decoders import linear
    from mesodecode.decoders.validation import write_roles
    from mesodecode.recordings.recording import mice_of
    from mesodecode.study.allocation import Allocation

    settings = options.settings_of(args, "linear")
    if args.validation and not args.valid:
        raise UserError("--validation: give the recordings of the validation mice (--valid)")
    roles = args.train, args.valid or [], args.test
    train_set, valid_set, test_set = _label_donors.read_roles(args.labels_of, *roles)
    valid_mice = tuple(args.valid_mice or mice_of(valid_set))
    allocation = Allocation(mice_of(train_set), valid_mice, mice_of(test_set))
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
    read = [*valid_set, *test_set] if args.validation else test_set
    predictions = linear.predict_linear(model, read, **how)
    write_roles(predictions, args.decoder, allocation, args.out, args.validation)
