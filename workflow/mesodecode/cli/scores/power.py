"""How many mice? The smallest difference of AUC that n mice can show, by a study that was measured.

Example: mesodecode power --auc results/demo/tables/auc.tsv --by decoder --mice 5 10 20
--out power.tsv

From the variance between test mice and within them (ICC), of every pair of decoders and of each
against chance: the difference that a t test of mouse means shows with a power of 80 %, for numbers
of mice and of allocations a mouse. Few mice say little of their spread: `low` and `high` are by its
95 % interval.

The table is any CSV or TSV file with columns auc and test_mouse, mouse or what --mouse names, a row
an allocation; pairs are matched by allocation, valid_mouse and session, as far as it has them.
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.scores.compare import add_where, check_protocols, where

HELP = "say which difference of AUC how many mice can show"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_auc(parser, "CSV or TSV with columns auc and test_mouse, or mouse")
    add("--by", metavar="COLUMN", help="column of what is compared (default: decoder)")
    words = "column of the test mice (default: test_mouse, or mouse)"
    add("--mouse", metavar="COLUMN", help=words)
    add("--only", nargs="+", metavar="VALUE", help="keep these values of --by")
    add_where(parser)
    add("--across-protocols", action="store_true", help="compare AUCs of different protocols")
    words = "numbers of test mice (default: as measured, and 3 to 50)"
    add("--mice", nargs="+", type=int, metavar="N", help=words)
    words = "of each test mouse (default: as measured)"
    add("--allocations", nargs="+", type=int, default=[], metavar="K", help=words)
    add("--power", type=float, default=0.8, help="how often it is shown (default: 0.8)")
    words = "level of the two-sided test; divide it by the number of pairs to correct for them"
    add("--level", type=float, default=0.05, help=f"{words} (default: 0.05)")
    options.add_out(parser, "table (.tsv or .csv)")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import read_table, write_table
    from mesodecode.scores.mouse_power import FEWEST, smallest_differences
    from mesodecode.scores.published_tests import select

    for flag, low, values in (
        ("--mice", FEWEST, args.mice or []),
        ("--allocations", 1, args.allocations),
    ):
        if values and min(values) < low:
            raise UserError(f"{flag} {min(values)}: give {low} or more")
    if not 0 < args.level < args.power < 1:
        raise UserError(
            f"--power {args.power:g}, --level {args.level:g}: both lie between 0 and 1, and the "
            "power above the level"
        )
    table, chosen = read_table(args.auc, ["auc"]), where(args.where)
    try:
        table = select(table, chosen)
        by = args.by or ("decoder" if "decoder" in table else None)
        if by is not None:
            check_protocols(table, by, args.only, args.across_protocols)
        result = smallest_differences(
            table,
            by=by,
            mouse=args.mouse,
            only=args.only,
            mice=args.mice,
            allocations=args.allocations,
            power=args.power,
            level=args.level,
        )
    except UserError as error:
        raise UserError(f"{args.auc}: {error}") from None
    write_table(result, args.out)
