"""Summarise the SHAP maps of all allocations: a table by ROI, and a figure.

Example: mesodecode shap-summary --maps results/demo/importance/shap/*.h5 --name shap
--out importance.tsv --figure importance

Writes --out (roi, name, n allocations, mean and sd of mean |SHAP| summed over the window's frames)
and the figure as PREFIX.svg and PREFIX.png. With --null-maps also n_null, mean_null and sd_null,
and statistic, p and p_holm of the rank-sum test between the two, Holm-corrected over the ROIs; the
figure marks ROIs that differ.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mesodecode.cli import options

HELP = "SHAP maps of allocations → importance of each ROI (table, figure)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this verb."""
    add = parser.add_argument
    add("--maps", type=Path, nargs="+", required=True, help="files of `mesodecode shap`")
    null = "maps of the same decoder trained on permuted labels"
    add("--null-maps", type=Path, nargs="+", default=[], help=null)
    add("--name", default="importance", help="name in the figure's title (default: importance)")
    options.add_out(parser, "TSV to write")
    options.add_figure(parser)


def run(args: argparse.Namespace) -> None:
    """Write table and figure."""
    from mesodecode.base import plots
    from mesodecode.base.tables import write_table
    from mesodecode.explain import map_measures, shap_figure, shap_maps

    maps = [shap_maps.read(path) for path in args.maps]
    mean, table = shap_maps.mean_map(maps), shap_maps.roi_table(maps)
    if args.null_maps:
        null = [shap_maps.read(path) for path in args.null_maps]
        shap_maps.check_alike([*maps, *null])
        sums = shap_maps.roi_sums(maps), shap_maps.roi_sums(null)
        table = table.join(map_measures.real_against_permuted(*sums))
    figure = shap_figure.draw(mean, table, maps[0].frame, _rate(maps))
    title = f"{args.name}: ROIs that {maps[0].decoder} looks at"
    plots.save(figure, args.figure, title=title, caption=shap_figure.caption(maps, table))
    write_table(table, args.out)


def _rate(maps: list) -> float:
    """Return the common frame rate, 0 if there is none."""
    rates = {one.frame_rate for one in maps}
    return rates.pop() if len(rates) == 1 else 0.0
