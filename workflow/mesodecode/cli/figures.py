"""Draw the AUC of every allocation by decoder, with the comparisons between decoders.

Writes PREFIX.svg (text kept as text) and PREFIX.png (300 dpi), 85 to 174 mm wide.
"""

from __future__ import annotations

import argparse

HELP = "draw AUC by decoder (SVG and PNG)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this verb's flags."""
    parser.add_argument("--auc", required=True, metavar="FILE", help="table of `mesodecode auc`")
    parser.add_argument("--comparisons", metavar="FILE", help="table of `mesodecode compare`")
    parser.add_argument(
        "--only", nargs="+", metavar="DECODER", help="these decoders, in this order (default: all)"
    )
    parser.add_argument("--name", metavar="NAME", help="what is compared, for the title")
    parser.add_argument("--out", required=True, metavar="PREFIX", help="path without .svg, .png")


def run(args: argparse.Namespace) -> None:
    """Write both files."""
    from mesodecode import figures
    from mesodecode.evaluate import read_table

    auc = read_table(args.auc, ("decoder", "test_mouse", "auc"))
    if args.only:
        auc = figures.select(auc, args.only)
    comparisons = None
    if args.comparisons:
        comparisons = read_table(args.comparisons, ("test", "a", "b", "p_holm"))
    figure = figures.auc_by_decoder(auc, comparisons)
    title = "AUC by decoder" + (f": {args.name}" if args.name not in (None, "all") else "")
    caption = figures.auc_caption(auc, comparisons)
    figures.save(figure, args.out, title=title, caption=caption)
