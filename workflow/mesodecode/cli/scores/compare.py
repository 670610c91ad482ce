"""Compare groups of AUCs: a test for all pairs, with Holm correction.

Example: mesodecode compare --auc results/demo/tables/auc.tsv --by decoder --out comparisons.tsv

The table is any CSV or TSV file with a column `auc`. `--where` keeps some of its rows. `--by`
names the column of the groups.
Each value of `--within` is corrected as a family of its own; without it there is one family.
The p of `rank_sum` is by the normal approximation with corrections for ties and continuity, as
published; `rank_sum_exact` is that of all orders of the AUCs, for those without ties.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mesodecode.cli import options

if TYPE_CHECKING:
    import pandas as pd

HELP = "test AUCs between groups (rank-sum, Holm)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_groups(parser)
    parser.add_argument("--within", metavar="COLUMN", help="column of the Holm families")
    parser.add_argument("--name", default="all", help="family name without --within (default: all)")
    parser.add_argument(
        "--test",
        nargs="+",
        default=["rank_sum"],
        help="tests to do: rank_sum (default), rank_sum_exact",
    )
    options.add_out(parser, "table of comparisons (.tsv or .csv)")


def add_groups(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which rows of a table of AUCs are compared."""
    add = parser.add_argument
    options.add_auc(parser, "CSV or TSV with column auc")
    options.add_metric(parser)
    add("--by", required=True, metavar="COLUMN", help="column of the groups")
    add("--only", nargs="+", metavar="VALUE", help="keep these values of --by, in this order")
    add_where(parser)
    words = "compare AUCs of different protocols (column protocol), which is refused otherwise"
    add("--across-protocols", action="store_true", help=words)


def add_where(parser: argparse.ArgumentParser) -> None:
    """Add the flag --where, read by `where`."""
    words = "only rows with this value in this column"
    parser.add_argument("--where", nargs="+", default=[], metavar="COLUMN=VALUE", help=words)


def where(words: Sequence[str], flag: str = "--where") -> dict[str, str]:
    """Return words COLUMN=VALUE as column -> value."""
    from mesodecode.base.files import UserError

    for pair in words:
        if "=" not in pair:
            raise UserError(f"{flag} {pair}: write COLUMN=VALUE")
    return dict(pair.split("=", 1) for pair in words)


def check_protocols(table: pd.DataFrame, by: str, only: Sequence[str] | None, across: bool) -> None:
    """Raise UserError if groups that are compared are of different protocols and not `across`.

    A table without a column protocol, as of other tools, is not checked.
    """
    from mesodecode.study import protocols

    if not {"protocol", by} <= {*table.columns}:
        return
    groups = table[table[by].astype(str).isin(only)] if only else table
    found = {
        str(name): " and ".join(sorted(rows["protocol"].unique()))
        for name, rows in groups.groupby(by, sort=False)
    }
    protocols.check_one(found, across, f"column {by}")


def of_one_protocol(
    table: pd.DataFrame, within: str | None, by: str, only: Sequence[str] | None, across: bool
) -> pd.DataFrame:
    """Return the rows of families (values of `within`) that compare AUCs of one protocol.

    A line says which are left out. Raises UserError (`check_protocols`) if none is left, or without
    families, if the table is none such.
    """
    from mesodecode.base.files import UserError, say

    if within is None or within not in table:
        check_protocols(table, by, only, across)
        return table
    mixed = {}
    for family, rows in table.groupby(within, sort=False):
        try:
            check_protocols(rows, by, only, across)
        except UserError as error:
            mixed[family] = f"family {family}: {error}"
    if len(mixed) == table[within].nunique() > 0:
        more = f" (and so in {len(mixed) - 1} more families)" if len(mixed) > 1 else ""
        raise UserError(f"{next(iter(mixed.values()))}{more}")
    for words in mixed.values():
        say(f"{words}; left out")
    return table[~table[within].isin([*mixed])]


def run(args: argparse.Namespace) -> None:
    import pandas as pd

    from mesodecode.base.files import UserError
    from mesodecode.base.tables import read_scores, write_table
    from mesodecode.scores.published_tests import compare, select

    groups = {"by": args.by, "within": args.within, "only": args.only, "name": args.name}
    table, chosen = read_scores(args.auc, args.metric), where(args.where)
    try:
        table = select(table, chosen)
        asked = args.by, args.only, args.across_protocols
        table = of_one_protocol(table, args.within, *asked)
        comparisons = [compare(table, test=test, **groups) for test in args.test]
    except UserError as error:
        raise UserError(f"{args.auc}: {error}") from None
    write_table(pd.concat(comparisons), args.out, digits=10)
