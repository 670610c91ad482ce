"""Recalibrate decoders on their validation mice and see whether it helps in their test mice.

Example: mesodecode calibrate --decoders cnn roi_gru --predictions results/demo/predictions
--validation results/demo/validation --allocations results/demo/allocations.tsv
--out calibration.tsv --sets prediction_sets.tsv --figure calibration

Writes --out (a row an allocation and method: none, temperature, isotonic; expected calibration
error in 10 bins, Brier score, AUC, in the test mouse) and --sets (a row an allocation and level:
coverage and mean size of conformal prediction sets in the test mouse). Nothing is
fitted to a test mouse.
"""

import argparse

from mesodecode.cli import options

HELP = "predictions → calibration before and after, prediction sets (tables, figure)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    words = "decoders to calibrate"
    parser.add_argument("--decoders", nargs="+", required=True, metavar="NAME", help=words)
    options.add_predictions(parser)
    options.add_folder(parser, "--validation", "the same of validation mice")
    options.add_out(parser, "table, a row an allocation and method")
    options.add_out(parser, "table, a row an allocation and level", "--sets")
    options.add_figure(parser)


def run(args: argparse.Namespace) -> None:
    import pandas as pd

    from mesodecode.base import plots
    from mesodecode.base.progress import Progress
    from mesodecode.base.tables import read_table, write_table
    from mesodecode.decoders import predictions
    from mesodecode.decoders import validation as validations
    from mesodecode.scores import calibration, calibration_figure

    allocations = read_table(args.allocations, ["allocation"])["allocation"]
    rows, sets = [], []
    with Progress(len(args.decoders) * len(allocations), "allocations", "calibrating") as progress:
        for decoder in args.decoders:
            for allocation in allocations:
                item = predictions.read(args.predictions / decoder / f"{allocation}.h5")
                path = args.validation / decoder / f"{allocation}.h5"
                valid = validations.read(path, allocation, item.valid_mouse)
                mine, its_sets = calibration.assess(item, valid)
                rows, sets = rows + mine, sets + its_sets
                progress.update(1)
    table = pd.DataFrame(rows, columns=calibration.COLUMNS)
    sets = pd.DataFrame(sets, columns=calibration.SET_COLUMNS)
    words = calibration_figure.caption(table, sets)
    page = calibration_figure.page(table, sets)
    plots.save(page, args.figure, title="Calibration in new mice", caption=words)
    write_table(sets, args.sets)
    write_table(table, args.out)
