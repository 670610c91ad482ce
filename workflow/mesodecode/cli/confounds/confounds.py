"""Hold the AUCs of controls against those of decoders: verdicts by mouse, and a figure.

Example: mesodecode confounds --controls results/demo/confounds/*.tsv --auc auc.tsv
--out confounds.tsv --figure confounds

Writes --out (decoder, signal, verdict, AUCs of both as means over test mice, their difference with
its 95 % interval, and a sentence) and the figure as PREFIX.svg and PREFIX.png. Controls of another
target than run and rest are held against its scores, of `mesodecode score`.
"""

import argparse

from mesodecode.cli import options

HELP = "AUCs of controls + of decoders → could it be no neurons? (table, figure)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    words = "tables of `mesodecode decode-controls`, of all allocations"
    options.add_files(parser, "--controls", words)
    options.add_auc(parser)
    options.add_out(parser, "TSV to write")
    options.add_figure(parser)


def run(args: argparse.Namespace) -> None:
    import pandas as pd

    from mesodecode.base import plots
    from mesodecode.base.tables import header, read_table, write_table
    from mesodecode.confounds import confounds_figure, control_verdicts, controls
    from mesodecode.decoders.predictions import ATTRIBUTES
    from mesodecode.study.targets import kind_scored

    kind = kind_scored(header(args.controls[0]))
    columns, numbers = controls.columns_of(kind), controls.numbers_of(kind)
    tables = [read_table(path, columns, numbers) for path in args.controls]
    found = pd.concat(tables, ignore_index=True)
    found["missing"] = found["missing"].replace("nan", "")
    auc = read_table(args.auc, [*ATTRIBUTES, *numbers], numbers)
    rows = control_verdicts.table(found, auc)
    plots.save(
        confounds_figure.draw(found, auc, rows),
        args.figure,
        title="Controls without neurons",
        caption=confounds_figure.caption(rows),
    )
    write_table(rows, args.out)
