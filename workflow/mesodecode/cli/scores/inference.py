"""Compare decoders with the mice in mind, beside the published test.

Example: mesodecode inference --auc results/demo/tables/auc.tsv --by decoder
--sessions results/demo/tables/session_auc.tsv --out inference.tsv

For each pair of values of `--by`: the rank-sum p as published; signed-rank; mean difference of the
test mice with 95 % CI, Hedges' g, t test and exact sign-flip test with the smallest p it can reach;
Nadeau-Bengio corrected t; hierarchical bootstrap; linear mixed model; intraclass correlation by
test mouse, design effect and effective n; one sentence. p_..._holm are corrected within the family.

The table has columns auc, valid_mouse, test_mouse, that of `--by` and, if it has them, allocation
and train_mice. Of a table of several studies (column study) mice of one name are different animals,
and studies themselves are not compared. The bootstrap is over mice and sessions with `--sessions`,
else over mice and allocations.
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.scores.compare import add_groups, check_protocols, where

HELP = "compare decoders with mice as the unit, beside the published test"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_groups(parser)
    options.add_file(parser, "--sessions", "the same, a row a test session", required=False)
    parser.add_argument("--name", default="all", help="name of the family (default: all)")
    options.add_out(parser, "table (.tsv or .csv)")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import read_scores, write_table
    from mesodecode.scores.paired_tests import infer
    from mesodecode.scores.published_tests import select

    table, chosen = read_scores(args.auc, args.metric, ["auc"]), where(args.where)
    columns = ["auc", "test_mouse", "session", args.by]
    sessions = read_scores(args.sessions, args.metric, columns) if args.sessions else None
    try:
        table = select(table, chosen)
        check_protocols(table, args.by, args.only, args.across_protocols)
        if sessions is not None:
            sessions = select(sessions, chosen)
        result = infer(table, by=args.by, only=args.only, name=args.name, sessions=sessions)
    except UserError as error:
        raise UserError(f"{args.auc}: {error}") from None
    write_table(result, args.out, digits=10)
