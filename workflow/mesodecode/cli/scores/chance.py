"""Compare decoders with chance: with the same decoders, trained and tested on permuted labels.

Example: mesodecode chance --auc results/demo/tables/auc.tsv --null roi_gru_null=roi_gru
--out chance.tsv

p = (r + 1) / (k + 1): r of the k decoders with permuted labels have a mean AUC over allocations
that is as high as the decoder's or higher. It cannot go below 1 / (k + 1).

With `--shifts K` also by K circular shifts of the test labels against the predictions, without
training. Known to fail: signals that drift or are autocorrelated give p values that are too small.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mesodecode.cli import options

if TYPE_CHECKING:
    import pandas as pd

HELP = "compare decoders with permuted labels"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_auc(parser)
    words = "a decoder with permuted labels and that with its own, once for each permutation"
    parser.add_argument("--null", nargs="+", default=[], metavar="NULL=DECODER", help=words)
    parser.add_argument("--shifts", type=int, default=0, metavar="K", help="circular shifts (0)")
    words = "with --shifts: FOLDER/{decoder}/{allocation}.h5"
    options.add_folder(parser, "--predictions", words, required=False)
    options.add_out(parser, "table (.tsv or .csv)")


def run(args: argparse.Namespace) -> None:
    import pandas as pd

    from mesodecode.base.files import UserError
    from mesodecode.base.tables import read_table, write_table
    from mesodecode.scores import chance_tests

    nulls: dict[str, list[str]] = {}
    for pair in args.null:
        null, decoder = options.pair("--null", pair, "NULL=DECODER")
        nulls.setdefault(decoder, []).append(null)
    shifts = args.shifts > 0 and args.predictions
    if not (nulls or shifts) or bool(shifts) != bool(args.shifts or args.predictions):
        raise UserError("give --null, or --shifts with --predictions, or all three")
    table = read_table(args.auc, ("decoder", "allocation", "auc"))
    try:
        tables = [chance_tests.permuted_labels(table, nulls)] if nulls else []
    except UserError as error:
        raise UserError(f"{args.auc}: {error}") from None
    if args.shifts:
        permuted = [name for names in nulls.values() for name in names]
        own = table[~table["decoder"].isin(permuted)].groupby("decoder", sort=False)["allocation"]
        tables += [_shifted(decoder, names, args) for decoder, names in own]
    write_table(pd.concat(tables), args.out)


def _shifted(decoder: str, names: Iterable[str], args: argparse.Namespace) -> pd.DataFrame:
    """Return the row of a decoder by circular shifts of its labels in the allocations `names`."""
    from mesodecode.decoders import predictions
    from mesodecode.scores import chance_tests

    files = (predictions.read(args.predictions / decoder / f"{name}.h5") for name in names)
    labels = ({k: (s.label, s.probability) for k, s in file.sessions.items()} for file in files)
    observed, null = chance_tests.circular_shift(labels, args.shifts)
    note = "; too small where signals drift or are autocorrelated"
    return chance_tests.chance_row(decoder, "circularly shifted labels", observed, null, note)
