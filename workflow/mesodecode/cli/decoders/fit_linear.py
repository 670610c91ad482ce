"""Fit logistic regression to the pixels of the training mice and predict the test mice.

Of recordings with a trace as target, ridge regression; of named states, multinomial.

Example: mesodecode fit-linear --train m1_s1.h5 m2_s1.h5 --valid m3_s1.h5 --test m4_s1.h5
--weights linear.npz --out p.h5
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mesodecode.cli import options
from mesodecode.cli.decoders import _alone, _label_donors

HELP = "recordings → linear baseline and its test predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    more = "; what is fitted does not depend on them"
    optional = ["valid", "test"]
    options.add_roles(parser, optional=optional, train="", valid=more, test="")
    add("--valid-mice", nargs="+", help="validation mice, in the place of --valid")
    add("--decoder", default="linear", help="name of the decoder in tables (default: linear)")
    add("--weights", type=Path, help="coefficients to write (.npz)")
    add("--out", type=Path, help="predictions to write (HDF5)")
    _alone.add_argument(parser, "--alone", "coefficients (.npz)")
    options.add_validation(parser)
    options.add_tuned(parser)
    _label_donors.add_argument(parser)
    options.add_settings(parser, "linear")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError
    from mesodecode.decoders import linear
    from mesodecode.decoders.validation import write_roles
    from mesodecode.recordings.baseline import normalising
    from mesodecode.recordings.recording import frames_of, mice_of
    from mesodecode.study import protocols
    from mesodecode.study.allocation import Allocation

    others = ["valid", "valid_mice", "validation"]
    alone = _alone.check_outputs(args, "alone", ("test", "weights", "out"), others)
    settings = options.settings_of(args, "linear")
    if not alone and bool(args.valid) == bool(args.valid_mice):
        raise UserError("--valid or --valid-mice: needed, one of them")
    if args.validation and not args.valid:
        raise UserError("--validation: give the recordings of the validation mice (--valid)")
    roles = args.train, args.valid or [], args.test or []
    train_set, valid_set, test_set = _label_donors.read_roles(args.labels_of, *roles)
    valid_mice = tuple(args.valid_mice or mice_of(valid_set))
    allocation = Allocation(mice_of(train_set), valid_mice, mice_of(test_set))
    model = linear.fit_linear(train_set, **settings)
    mice, target = (allocation.train, allocation.valid), train_set[0].target
    weights = linear.weights_of(model, settings, *mice, frames_of(train_set), target)
    weights.save(args.alone if alone else args.weights)
    if alone:
        return
    how = {"pixels": settings["pixels"]} | normalising(settings)
    read = [*valid_set, *test_set] if args.validation else test_set
    predictions = linear.predict_linear(model, read, **how)
    protocol = protocols.of(settings, any(one.corrected for one in test_set))
    files = args.out, args.validation
    write_roles(predictions, args.decoder, allocation, *files, protocol, target)
