"""Judge an importance map by the checks of all its allocations: a table and a figure.

Example: mesodecode map-checks --maps importance/shap/roi_gru/*[0-9].h5 --checks
importance/shap/roi_gru/*.check.h5 --name shap --out checks.tsv --figure checks

Writes --out (check, verdict, value, limit, n allocations, sentence; what a check means is in
`workflow/mesodecode/explain/map_measures.py`) and the figure as PREFIX.svg and PREFIX.png.
"""

import argparse
from pathlib import Path

from mesodecode.cli import options
from mesodecode.cli.explain import _checks

HELP = "maps + their checks → verdicts: is the map right? (table, figure)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    files = {"type": Path, "nargs": "+", "metavar": "FILE"}
    _checks.add_maps(parser)
    options.add_files(
        parser, "--checks", "files of `mesodecode shap-check`, or lists (.txt) of them"
    )
    words = "maps of the decoder trained with another seed, or lists of them; once for each"
    add("--seed-maps", **files, action="append", default=[], help=words)
    add("--name", default="importance", help="name in the figure's title (default: importance)")
    options.add_out(parser, "TSV to write")
    options.add_figure(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.files import listed
    from mesodecode.base.tables import write_table
    from mesodecode.explain import check_files, checks_figure, map_verdicts, maps

    scores, whole = maps.read_whole(args.maps)
    evidence = map_verdicts.gather(
        scores,
        [check_files.read(path) for named in args.checks for path in listed(named, "checks")],
        maps.read(args.null_maps) if args.null_maps else None,
        [maps.read(paths) for paths in args.seed_maps],
        whole,
    )
    plots.save(
        checks_figure.draw(evidence),
        args.figure,
        title=f"{args.name}: checks of the map",
        caption=checks_figure.caption(evidence),
    )
    write_table(map_verdicts.table(evidence), args.out)
