"""Judge test sessions: in distribution, shifted or unusable, with the AUC to expect of each.

Example: mesodecode shift-report --shift results/demo/shift/*.tsv --images results/demo/tables/
image_shift.tsv --sessions results/demo/tables/session_auc.tsv --out shift.tsv --figure shift

Joins the tables of `mesodecode shift` and `mesodecode image-shift`. The AUC of a session is
predicted from unlabelled data by a regression over the test sessions of the other mice; its own AUC
stands beside it. Of a trace Pearson's r stands for the AUC, of states the macro AUC, by the columns
that --sessions has. docs/shift.md says what the verdicts mean and what to do.
"""

import argparse

from mesodecode.cli import options

HELP = "measures of shift → predicted AUC and a verdict a test session (table, figure)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_files(parser, "--shift", "tables of `mesodecode shift`")
    options.add_file(parser, "--images", "table of `mesodecode image-shift`")
    options.add_file(parser, "--sessions", "scores by session, of `mesodecode auc` or `score`")
    parser.add_argument(
        "--thresholds",
        metavar="JSON",
        default="{}",
        help='settings of tables/shift.yaml other than the default, such as {"rotation": [8, 30]}',
    )
    options.add_out(parser, "table, a row an allocation and test session")
    options.add_out(parser, "path without .svg, .png", "--figure", written=options.FIGURE)


def run(args: argparse.Namespace) -> None:
    import pandas as pd

    from mesodecode.base import plots
    from mesodecode.base.tables import header, read_table, write_table
    from mesodecode.shift import columns, shift_figure, shift_verdicts
    from mesodecode.study import schema, targets

    given = options.json_table(args.thresholds, "--thresholds")
    schema.check(given, "shift", "shift")
    kind = targets.kind_scored(header(args.sessions))
    measured = columns.measure_columns(kind), columns.measure_numbers(kind)
    scored = ["decoder", "allocation", "session", *kind.scores], kind.scores
    table = shift_verdicts.report(
        pd.concat([read_table(path, *measured) for path in args.shift], ignore_index=True),
        read_table(args.sessions, *scored),
        read_table(args.images, columns.IMAGE_COLUMNS, columns.IMAGE_NUMBERS),
        schema.defaults("shift", **given),
        kind,
    )
    page = shift_figure.page(table, schema.defaults("shift", **given))
    words = shift_figure.caption(table)
    plots.save(page, args.figure, title="Shift of test mice", caption=words)
    write_table(table, args.out)
