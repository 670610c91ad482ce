"""How well decoders of one cohort do in mice of another: a matrix, losses in the same mouse.

Example: mesodecode cohorts --config results/lab/config.json --auc results/lab/tables/auc.tsv
--out cohorts.tsv --figure cohorts

`cohorts:` of the config says which mice are of which cohort. Writes --out (a row a decoder, cohort
of training and cohort of test mice: AUC, 0 to 1, with a 95 % interval over mice, what is lost
against training in the test mouse's own cohort, and a sentence) and the figure as PREFIX.svg and
PREFIX.png. Of another target the config's R² or macro AUC, of its table of `mesodecode score`.
"""

import argparse

from mesodecode.cli import options

HELP = "AUCs → cohort by cohort, what is lost between them (table, figure)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_file(parser, "--config", "config of the study, or its config.json")
    options.add_file(parser, "--auc", "AUCs of allocations, of `mesodecode auc`")
    options.add_out(parser, "TSV to write, a row a decoder and pair of cohorts")
    options.add_figure(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import read_scores, write_table
    from mesodecode.scores import auc, cohort_matrix, cohort_matrix_figure
    from mesodecode.study import study as studies
    from mesodecode.study import targets

    study = studies.load(args.config)
    cohorts = study.config["cohorts"]
    if not cohorts:
        raise UserError(f"{args.config}: no cohorts; name groups of mice in `cohorts:`")
    kind = targets.kind_named(study.config["target"])
    found = read_scores(args.auc, kind.metric, [*auc.columns_of(kind), "protocol"])
    own = [d.name for d in study.decoders.values() if d.settings.get("labels", "own") == "own"]
    try:
        rows = cohort_matrix.table(found[found["decoder"].isin(own)], cohorts, kind)
    except UserError as error:
        raise UserError(f"{args.auc}: {error}") from None
    plots.save(
        cohort_matrix_figure.draw(rows),
        args.figure,
        title="From cohort to cohort",
        caption=cohort_matrix_figure.caption(rows),
    )
    write_table(rows, args.out)
