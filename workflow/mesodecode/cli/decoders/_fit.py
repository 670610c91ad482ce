"""What the verbs share that fit a decoder in one step, each those of a kind."""

import argparse
from collections.abc import Callable
from typing import Any

from mesodecode.cli import options
from mesodecode.cli.decoders import _alone, _label_donors
from mesodecode.study.kinds import Kind


def add_arguments(parser: argparse.ArgumentParser, kind: Kind) -> None:
    """Add the flags of a verb that fits decoders of a kind."""
    add, suffix = parser.add_argument, kind.suffix
    options.add_roles(parser, optional=["valid", "test"], train="", valid="", test="")
    add("--valid-mice", nargs="+", help="validation mice, in the place of --valid")
    add(
        "--decoder", default=kind.name, help=f"name of the decoder in tables (default: {kind.name})"
    )
    options.add_out(parser, f"fitted model to write ({suffix})", required=False)
    options.add_out(parser, "predictions to write (HDF5)", "--predictions", required=False)
    _alone.add_argument(parser, "--alone", f"fitted model ({suffix})")
    options.add_validation(parser)
    options.add_tuned(parser)
    _label_donors.add_argument(parser)
    if not kind.of_images:
        options.add_dropped(parser)
    options.add_settings(parser, kind.name)


def run(
    args: argparse.Namespace, kind: Kind, fit: Callable[..., Any], settings: dict[str, Any]
) -> None:
    """Fit a decoder of a kind, by `fit` of its module, with `settings`; write what is asked for."""
    from dataclasses import replace

    from mesodecode.base.files import UserError, read_json
    from mesodecode.decoders.validation import write_roles
    from mesodecode.recordings.recording import mice_of
    from mesodecode.study import protocols
    from mesodecode.study.allocation import Allocation

    others = ["valid", "valid_mice", "validation"]
    alone = _alone.check_outputs(args, "alone", ("test", "out", "predictions"), others)
    if not alone and bool(args.valid) == bool(args.valid_mice):
        raise UserError("--valid or --valid-mice: needed, one of them")
    if args.validation and not args.valid:
        raise UserError("--validation: give the recordings of the validation mice (--valid)")
    roles = args.train, args.valid, args.test
    read = _label_donors.read_roles(args.labels_of, *roles, same_size=kind.of_images)
    training, valid, test = read
    valid_mice = tuple(args.valid_mice or mice_of(valid))
    allocation = Allocation(mice_of(training), valid_mice, mice_of(test))
    path = None if kind.of_images else args.dropped
    dropped = read_json(path) if path else None
    model = fit(training, settings, [*valid, *test], dropped)
    model = replace(model, valid_mice=valid_mice)
    model.save(args.alone if alone else args.out)
    if alone:
        return
    predictions = model.predict([*valid, *test] if args.validation else test)
    corrected = any(one.corrected for one in test)
    protocol = protocols.of(settings | {"input": kind.input}, corrected)
    files = args.predictions, args.validation
    write_roles(predictions, args.decoder, allocation, *files, protocol, training[0].target)
