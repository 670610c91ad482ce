"""Compare areas of the left with their mirror images: which side matters more to a decoder.

Example: mesodecode sides --sessions importance_cutout_sessions.tsv
--masks importance_cutout.tsv --name cutout --out sides.tsv --figure sides
mesodecode sides --maps results/demo/importance/shap/*.h5 --mirror 25 --name shap
--out sides.tsv --figure sides

Writes --out (a row a pair: means, difference left - right and its SD over allocations, p of the
signed-rank test over allocations and Holm-corrected, p_mice of the sign-flip test over mice) and
the figure as PREFIX.svg and PREFIX.png.
"""

import argparse
from pathlib import Path

from mesodecode.cli import options

HELP = "importance of allocations → left against right (table, figure)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    sources = parser.add_mutually_exclusive_group(required=True)
    sources.add_argument("--sessions", type=Path, help="table of sessions of cutout-summary")
    words = "files of `mesodecode shap`, or a list (.txt) of them"
    sources.add_argument("--maps", type=Path, nargs="+", metavar="FILE", help=words)
    words = "table of masks of cutout-summary (with --sessions)"
    options.add_file(parser, "--masks", words, required=False)
    words = "with --maps: 25 if ROI i + 25 is the mirror image of ROI i (published), or pairs "
    words += "left:right such as 6:31 8:33"
    add("--mirror", nargs="+", metavar="ROI", help=words)
    add("--name", default="importance", help="name in the figure's title (default: importance)")
    options.add_out(parser, "TSV to write")
    options.add_figure(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.tables import write_table
    from mesodecode.explain import sides, sides_figure

    values, pairs, mice, decoder, quantity, what = (_masks if args.sessions else _rois)(args)
    table = sides.compare(values, pairs, mice)
    figure = sides_figure.draw(table, values, quantity)
    title = f"{args.name}: left and right areas that {decoder} looks at"
    caption = sides_figure.caption(table, decoder, quantity, what)
    plots.save(figure, args.figure, title=title, caption=caption)
    write_table(table, args.out)


def _masks(args: argparse.Namespace) -> tuple:
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import read_table
    from mesodecode.explain import cutout_tables, sides

    if args.masks is None:
        raise UserError("--sessions: needs --masks, the table of masks of the same cut-out")
    rows = cutout_tables.read_rows([args.sessions])
    masks = read_table(args.masks, ("mask", "mirror", "x"), ("x",))
    pairs = sides.of_masks(masks)
    if not pairs:
        raise UserError(f"{args.masks}: no mask has its mirror image among the others")
    values = cutout_tables.allocation_scores(rows)
    mice = rows.groupby("allocation", sort=False)["test_mouse"].first().loc[values.columns]
    what = "every mask of the image's left half"
    score = cutout_tables.kind_of(rows.columns).axis
    return values, pairs, mice.tolist(), rows["decoder"][0], f"{score} lost when hidden", what


def _rois(args: argparse.Namespace) -> tuple:
    from mesodecode.base.files import UserError
    from mesodecode.explain import maps, shap_files, shap_tables, sides

    if args.mirror is None:
        raise UserError("--maps: needs --mirror, which ROIs are mirror images")
    found = [shap_files.read(path) for path in maps.listed(args.maps)]
    shap_tables.mean_map(found)  # refuses maps of different analyses
    values = maps.of_shap(found).droplevel("test_mouse").T
    pairs = sides.of_rois(list(values.index), args.mirror)
    mice = [one.test_mouse for one in found]
    return values, pairs, mice, found[0].decoder, "Mean |SHAP|", "every ROI of the left side"
