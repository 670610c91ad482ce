"""Score predictions: AUC and accuracy (threshold 0.5) per allocation and per test session.

Example: mesodecode auc --predictions results/demo/predictions --decoders cnn roi_gru
--allocations results/demo/allocations.tsv --out auc.tsv --sessions session_auc.tsv

In the first table all test frames of an allocation are pooled. A session with run frames only,
or rest frames only, has no AUC: it stays in the second table with `nan`.

The predictions are named one by one, or in a list, or as a folder with the decoders and the
table of allocations: FOLDER/{decoder}/{allocation}.h5.
"""

import argparse
from pathlib import Path

from mesodecode.cli import options

HELP = "score predictions: AUC and accuracy"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_scored(parser)
    options.add_out(parser, "table, a row an allocation")
    options.add_out(parser, "table, a row a test session", "--sessions")


def add_scored(parser: argparse.ArgumentParser) -> None:
    """Add the flags that name the predictions to score, as `paths_of` reads them."""
    add, words = parser.add_argument, "predictions files (HDF5), or one folder"
    add("--predictions", nargs="+", required=True, metavar="PATH", help=words)
    add("--decoders", nargs="+", metavar="NAME", help="decoders in the folder")
    options.add_allocations(parser, required=False)


def run(args: argparse.Namespace) -> None:
    import pandas as pd

    from mesodecode.base.files import UserError
    from mesodecode.base.tables import write_table
    from mesodecode.decoders import predictions
    from mesodecode.scores import auc

    pooled, sessions, seen = [], [], {}
    for path in paths_of(args):  # one file in memory at a time
        item = predictions.read(path)
        key = (item.decoder, item.allocation)
        if key in seen:
            raise UserError(
                f"{path}: decoder {item.decoder}, allocation {item.allocation} is also in "
                f"{seen[key]}; give each once"
            )
        seen[key] = path
        pooled.append(auc.auc_table([item]))
        sessions.append(auc.session_table([item]))
    write_table(pd.concat(pooled), args.out)
    write_table(pd.concat(sessions), args.sessions)


def paths_of(args: argparse.Namespace) -> list[str | Path]:
    """Return the predictions files that the arguments name."""
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import read_table

    folder = Path(args.predictions[0])
    if not folder.is_dir():
        return args.predictions
    if not args.decoders or not args.allocations or len(args.predictions) > 1:
        raise UserError(
            f"{folder}: a folder goes alone, with --decoders and --allocations to say what is in it"
        )
    allocations = read_table(args.allocations, ["allocation"])["allocation"]
    return [folder / name / f"{each}.h5" for name in args.decoders for each in allocations]
