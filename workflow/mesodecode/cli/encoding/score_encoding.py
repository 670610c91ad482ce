"""Score encoding models: R² and correlation on held-out images, ceiling, chance.

Example: mesodecode score-encoding --predictions results/encoding-demo/predictions
--models mean ridge_gabor --folds s1.fold-1 s1.fold-2 --out scores/encoding

Writes PREFIX_neurons.tsv (a row a model, session and neuron), PREFIX_folds.tsv and
PREFIX_summary.tsv (means with 95 % intervals over neurons and folds).
"""

import argparse

from mesodecode.cli import options

HELP = "predictions of encoding models → tables of scores"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_folder(parser, "--predictions", "folder of the models")
    add("--models", nargs="+", required=True, metavar="NAME", help="models in the folder")
    add("--folds", nargs="+", required=True, metavar="ID", help="folds of each model")
    words = "times that images are permuted within folds (default: 999)"
    add("--permutations", type=int, default=999, metavar="N", help=words)
    add("--seed", type=int, default=0, metavar="N", help="of the permutations (default: 0)")
    options.add_out(parser, "path without _neurons.tsv and so on", written=options.PREFIX)


def run(args: argparse.Namespace) -> None:
    import numpy as np
    import pandas as pd

    from mesodecode.base.tables import write_table
    from mesodecode.encoding import scores
    from mesodecode.encoding.predictions import read_predictions

    neurons, folds, chance = [], [], {}
    for model in args.models:
        parts = [read_predictions(args.predictions / model / f"{f}.h5") for f in args.folds]
        nulls = []
        for session in dict.fromkeys(part.session for part in parts):
            mine = [part for part in parts if part.session == session]
            rows, by_fold, null = scores.score_session(
                mine, permutations=args.permutations, seed=args.seed
            )
            neurons.append(rows)
            folds.append(by_fold)
            nulls.append(null)
        chance[model] = np.concatenate(nulls, axis=1)
    tables = {"neurons": pd.concat(neurons), "folds": pd.concat(folds)}
    tables["summary"] = scores.summarise(tables["neurons"], tables["folds"], chance)
    for name, table in tables.items():
        write_table(table, f"{args.out}_{name}.tsv")
