"""Put studies of simulated mice together: each decoder by what was planted (table, figure).

Example: mesodecode suite --studies results/suite1_clean results/suite1_shifted --out suite.tsv
--figure suite

Reads the tables that `snakemake benchmark` makes of each study, its predictions and its truth.
Writes --out, a row a study and decoder: AUC by the labels on record and by the true ones, expected
calibration error, average precision of its importance map, and whether quality control, the shift
report, the controls and the comparison with chance said what should be said of the study, and
nothing else. docs/benchmark-suite.md explains every column.
"""

import argparse
from pathlib import Path

from mesodecode.cli import options

HELP = "studies of simulated mice → the ground-truth benchmark (table, figure)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    words = "results/{study} of each, in the order of the figure"
    parser.add_argument(
        "--studies", type=Path, nargs="+", metavar="FOLDER", required=True, help=words
    )
    options.add_out(parser, "table, a row a study and decoder")
    options.add_figure(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.tables import write_table
    from mesodecode.suite import suite, suite_figure

    table = suite.table(args.studies)
    page, words = suite_figure.page(table), suite_figure.caption(table)
    plots.save(page, args.figure, title="Ground-truth benchmark", caption=words)
    write_table(table, args.out)
