"""Compare the AUCs of a run with those of Ajioka et al. 2024: a table and a figure.

Example: mesodecode reproduction --auc results/mine/tables/auc.tsv
--cohort results/mine/tables/cohort.tsv --decoder cnn analysis=image model=CNN
--decoder roi_gru analysis=roi_models model=GRU --out reproduction.tsv --figure reproduction

The column `interval` says how the 95 % CI of the difference was made: paired by allocation where
the sessions are the published ones, else Welch's. Figure: PREFIX.svg and PREFIX.png.
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.scores.compare import where

HELP = "AUCs of a run against the published ones (table, figure)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_auc(parser)
    options.add_file(parser, "--cohort", "table of `mesodecode cohort`")
    parser.add_argument(
        "--decoder",
        nargs="+",
        action="append",
        required=True,
        metavar=("NAME", "COLUMN=VALUE"),
        help="a decoder, and which rows of workflow/reference are the published one; repeat it",
    )
    options.add_out(parser, "table, a row a decoder")
    options.add_figure(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import read_table, write_table
    from mesodecode.scores import auc as auc_tables
    from mesodecode.scores import reproduction_figure
    from mesodecode.scores.reproduction import reproduce

    pairs = {name: where(words, "--decoder") for name, *words in args.decoder}
    auc = read_table(args.auc, auc_tables.COLUMNS)
    cohort = read_table(args.cohort, ("mouse", "session"))
    try:
        table = reproduce(auc, cohort, pairs)
    except UserError as error:
        raise UserError(f"{args.auc}: {error}") from None
    plots.save(
        reproduction_figure.reproduction_figure(table),
        args.figure,
        title="This run and Ajioka et al. 2024",
        caption=reproduction_figure.reproduction_caption(table),
    )
    write_table(table, args.out)
