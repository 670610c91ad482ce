"""Print the mean ± SD of the test AUC of each decoder.

Example: mesodecode summary --auc results/demo/tables/auc.tsv
"""

import argparse
from pathlib import Path

from mesodecode.cli import options

HELP = "print the AUC of each decoder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_auc(parser)
    options.add_file(parser, "--report", "report whose path is printed below", required=False)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.tables import read_table
    from mesodecode.scores.published_tests import summary

    table = summary(read_table(args.auc, ("decoder", "auc")))
    width = max(len("decoder"), *map(len, table["decoder"]))
    print(f"{'decoder':{width}}  {'n':>4}  AUC (mean ± SD)")
    for row in table.itertuples(index=False):
        print(f"{row.decoder:{width}}  {row.n:>4}  {row.mean:.3f} ± {row.sd:.3f}")
    if args.report:
        print(f"report: {Path(args.report).resolve()}")
