"""Take, of predictions of several decoders, those of the one that was chosen for the test mouse.

Example: mesodecode adaptive --choice adaptive.tsv --predictions linear/A.h5 linear_dff/A.h5
--of-validation validation/linear/A.h5 validation/linear_dff/A.h5 --decoder best --out best/A.h5
--validation validation/best/A.h5
"""

import argparse

from mesodecode.cli import options

HELP = "predictions of several decoders, a choice among them → those of the one chosen"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_file(parser, "--choice", "table of `mesodecode choose-variant`")
    options.add_files(parser, "--predictions", "predictions of all decoders, one allocation")
    options.add_files(parser, "--of-validation", "what they said of the validation mice")
    parser.add_argument("--decoder", required=True, help="name of what is made in tables")
    options.add_out(parser, "predictions to write (HDF5)")
    options.add_validation(parser)
    options.add_settings(parser, "adaptive")


def run(args: argparse.Namespace) -> None:
    from dataclasses import replace

    from mesodecode.base.files import UserError
    from mesodecode.base.tables import read_table
    from mesodecode.decoders import predictions, validation
    from mesodecode.shift import variant_choice
    from mesodecode.study import protocols

    settings = options.settings_of(args, "adaptive")
    table = read_table(args.choice, ["test_mouse", "decoder", "chosen"], ())
    members = [predictions.read(path, of_any=True) for path in args.predictions]
    made = {one.decoder: one for one in members}
    if len({one.allocation for one in members}) > 1 or len(made) < len(members):
        raise UserError("--predictions: give one file of each decoder, all of one allocation")
    if len(args.of_validation) != len(made):
        words = f"{len(args.of_validation)} files for {len(made)} of --predictions"
        raise UserError(f"--of-validation: {words}; give one for each, in the same order")
    name = variant_choice.chosen_of(table, members[0].test_mouse)
    files = dict(zip(made, args.of_validation, strict=True))
    if name not in made:
        raise UserError(f"--predictions: none of {name}, which {args.choice} names; give all")
    taken = made[name]
    protocol = protocols.chosen((one.protocol for one in members), settings["by"])
    if args.validation:
        sessions = validation.read(files[name], taken.allocation, taken.valid_mouse)
        about = {"decoder": args.decoder, "allocation": taken.allocation}
        about["valid_mouse"] = taken.valid_mouse
        validation.write(args.validation, sessions, taken.target, **about)
    replace(taken, decoder=args.decoder, protocol=protocol).write(args.out)
