"""Draw the AUC of every allocation by decoder, with the comparisons between decoders.

Example: mesodecode figures --auc results/demo/tables/auc.tsv --only linear cnn roi_gru
--comparisons results/demo/tables/comparisons.tsv --name decoders --out figures/auc

With --setting and --values, for decoders that differ by one number, AUC is drawn along this number.
Of another table than that of `mesodecode auc`, --by names the column of what is compared, as for
`mesodecode compare`, and --where the rows.

Writes PREFIX.svg (text kept as text) and PREFIX.png (300 dpi), 85 to 174 mm wide.
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.scores.compare import add_where, where

HELP = "draw AUC by decoder (SVG and PNG)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_auc(parser, "CSV or TSV with columns auc, test_mouse")
    options.add_metric(parser)
    parser.add_argument(
        "--by", default="decoder", metavar="COLUMN", help="column of the decoders (decoder)"
    )
    add_where(parser)
    options.add_file(parser, "--comparisons", "table of `mesodecode compare`", required=False)
    parser.add_argument(
        "--only", nargs="+", metavar="DECODER", help="these decoders, in this order (default: all)"
    )
    parser.add_argument("--name", metavar="NAME", help="what is compared, for the title")
    parser.add_argument("--setting", metavar="NAME", help="number that the decoders differ by")
    parser.add_argument(
        "--values", nargs="+", type=float, metavar="X", help="that of each decoder of --only"
    )
    parser.add_argument(
        "--frame-rate", type=float, help="frames/s, for an axis in seconds where it is a time"
    )
    options.add_figure(parser, "--out")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import read_scores, read_table
    from mesodecode.scores import auc_figure, published_tests
    from mesodecode.study.targets import KINDS

    if bool(args.setting) != bool(args.values) or len(args.values or ()) not in (
        0,
        len(args.only or ()),
    ):
        raise UserError("--setting: give --only, and in --values a number for each of its decoders")
    table = read_scores(args.auc, args.metric, (args.by, "test_mouse", "auc"))
    kind = next(kind for kind in KINDS.values() if kind.metric == args.metric)
    try:
        auc = published_tests.select(table, where(args.where))
        auc = auc.assign(decoder=auc[args.by])
        if args.only:
            auc = auc_figure.select(auc, args.only)
    except UserError as error:
        raise UserError(f"{args.auc}: {error}") from None
    comparisons = None
    if args.comparisons:
        comparisons = read_table(args.comparisons, ("test", "a", "b", "p_holm"))
    if args.setting:
        known = {"comparisons": comparisons, "frame_rate": args.frame_rate, "kind": kind}
        figure = auc_figure.auc_by_setting(auc, args.values, args.setting, **known)
    else:
        figure = auc_figure.auc_by_decoder(auc, comparisons, kind)
    by = args.by.replace("_", " ")
    caption = auc_figure.auc_caption(
        auc,
        comparisons,
        lines=bool(args.setting),
        source=args.auc if args.by != "decoder" else None,
        kind=kind,
    )
    title = f"{kind.axis} by {by}" + (f": {args.name}" if args.name not in (None, "all") else "")
    plots.save(figure, args.out, title=title, caption=caption)
