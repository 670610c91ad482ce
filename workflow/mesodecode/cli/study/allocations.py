"""List the allocations of a study's mice to training, validation and test.

Example: mesodecode allocations --config config.yaml --out allocations.tsv
"""

import argparse

from mesodecode.cli import options

HELP = "config → table of allocations"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_file(parser, "--config", "config of the study")
    options.add_out(parser, "TSV to write")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import write_text
    from mesodecode.study import study as studies

    study = studies.load(args.config)
    write_text(args.out, study.allocation_table() + "\n")
