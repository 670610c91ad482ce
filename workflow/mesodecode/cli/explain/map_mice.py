"""Give each area of an importance map its interval over mice, and test all areas together.

Example: mesodecode map-mice --maps importance/shap/roi_gru/*[0-9].h5 --null-maps
importance/shap/roi_null/*[0-9].h5 --decoder roi_gru --name shap --out mice.tsv --figure mice

Writes --out (a row an ROI or mask: unit, n allocations, n_mice; mean over test mice, low and high
of its 95 % interval, in the map's unit; against, what is tested against: permuted labels where
--null-maps are given, else 0 for masks and nothing for ROIs; difference, its interval; t, p_max_t
of sign flips over mice, corrected over all rows, p_smallest that so many mice allow) and the figure
as PREFIX.svg and PREFIX.png.
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.explain import _checks

HELP = "maps of allocations → interval of each area over mice (table, figure)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    _checks.add_maps(parser)
    add("--decoder", default="the decoder", help="its name in the figure's caption")
    add("--name", default="importance", help="name in the figure's title (default: importance)")
    options.add_out(parser, "TSV to write")
    options.add_figure(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.tables import write_table
    from mesodecode.explain import map_mice, map_mice_figure, maps

    scores = maps.read(args.maps)
    null = maps.read(args.null_maps) if args.null_maps else None
    table = map_mice.over_mice(scores, null)
    kind, score = str(scores.columns.name), maps.scored_by(args.maps)
    plots.save(
        map_mice_figure.draw(table, map_mice.tested(scores, null), score),
        args.figure,
        title=f"{args.name}: intervals over mice",
        caption=map_mice_figure.caption(
            table, args.decoder, kind, map_mice.in_words(table, f"{kind}s"), score
        ),
    )
    write_table(table, args.out)
