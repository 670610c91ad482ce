"""Which difference between mice goes with what a decoder loses from cohort to cohort.

Example: mesodecode cohort-shift --config results/lab/config.json --shift
results/lab/tables/shift.tsv --out cohort_shift.tsv

Writes a row a decoder and difference (frame rate, position, brightness, noise, …; each with its
unit): how large it is within and across cohorts, and the rank correlation over test mice of the
difference with the loss of AUC (of another target of its score), within cohorts, with p. It says
what goes with a loss, not what makes it.
"""

import argparse

from mesodecode.cli import options

HELP = "verdicts of shift → which difference goes with the loss across cohorts"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_file(parser, "--config", "config of the study, or its config.json")
    options.add_file(parser, "--shift", "table of `mesodecode shift-report`")
    options.add_out(parser, "TSV to write, a row a decoder and difference")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import header, read_table, write_table
    from mesodecode.shift import cohort_losses, columns
    from mesodecode.study import study as studies
    from mesodecode.study import targets
    from mesodecode.study.cohort_table import own_tables

    study = studies.load(args.config)
    if not study.config["cohorts"]:
        raise UserError(f"{args.config}: no cohorts; name groups of mice in `cohorts:`")
    rates = {m: own_tables(study.config, m)["recordings"]["frame_rate"] for m in study.mice}
    kind = targets.kind_scored(header(args.shift))
    shift = read_table(args.shift, columns.columns_of(kind), columns.numbers_of(kind))
    write_table(cohort_losses.table(shift, study.config["cohorts"], rates, kind), args.out)
