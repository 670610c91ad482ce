"""Put the variants of a study side by side: scores, shift and quality by mouse (table, figure).

Example: mesodecode variants --config results/lab/config.json --auc results/lab/tables/auc.tsv
--qc results/lab/tables/qc.tsv small=results/lab/variants/small/qc.tsv --out variants.tsv
--figure variants

Columns, a row a variant of a decoder and test mouse: auc (of another target r2 or macro_auc), mean
over n_allocations; difference from the study's own preprocessing; shifted, the share of its rows in
the shift report that are not in distribution; qc, the worst verdict on its recordings; chosen, what
an adaptive decoder took.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mesodecode.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping

HELP = "AUCs of decoders on variants of a study → what holds in all of them (table, figure)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_file(parser, "--config", "config of the study, or its config.json")
    options.add_file(parser, "--auc", "AUCs by allocation, of `mesodecode auc`, or of `score`")
    words = "tables of `mesodecode qc`, of variants as VARIANT=FILE"
    add("--qc", nargs="+", required=True, metavar="[VARIANT=]FILE", help=words)
    options.add_file(parser, "--shift", "table of `mesodecode shift-report`", required=False)
    words = "tables of `mesodecode choose-variant`"
    add("--adaptive", nargs="*", default=[], metavar="DECODER=FILE", help=words)
    options.add_out(parser, "TSV to write, a row a variant and mouse")
    options.add_figure(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import read_scores, read_table, write_table
    from mesodecode.recordings import qc
    from mesodecode.scores import auc, multiverse, multiverse_figure
    from mesodecode.study import study as studies
    from mesodecode.study import targets

    study = studies.load(args.config)
    lines = multiverse.families(study.decoders)
    if not lines:
        raise UserError(f"{args.config}: variants: no decoder is on one; name some there")
    worst: dict[str, Mapping[str, str]] = {}
    for word in args.qc:
        name, _, path = word.partition("=")
        if name not in study.config["variants"]:  # a path may have the sign, too
            name, path = "", word
        table = read_table(path, qc.COLUMNS, qc.NUMBERS)
        worst[name] = table.groupby("mouse")["verdict"].agg(qc.worst).to_dict()
    chosen = {}
    for word in args.adaptive:
        name, path = options.pair("--adaptive", word, "DECODER=FILE")
        if name not in study.decoders:
            raise UserError(f"--adaptive {word}: no decoder '{name}' in {args.config}")
        table = read_table(path, ["test_mouse", "decoder", "chosen"], ())
        taken = table[table["chosen"] == "True"]
        chosen[name] = dict(zip(taken["test_mouse"], taken["decoder"], strict=True))
    kind = targets.kind_named(study.config["target"])
    scores = read_scores(args.auc, kind.metric, auc.columns_of(kind))
    shift = read_table(args.shift, ["decoder", "test_mouse", "verdict"]) if args.shift else None
    verdicts = {name: worst.get(study.variant(name) or "", {}) for name in study.decoders}
    try:
        rows = multiverse.table(scores, lines, shift, verdicts, chosen, kind)
    except UserError as error:
        raise UserError(f"{args.auc}: {error}") from None
    caption = multiverse_figure.caption(rows)
    figure = multiverse_figure.draw(rows)
    plots.save(figure, args.figure, title="Variants of the study", caption=caption)
    write_table(rows, args.out)
