"""Fit an encoding model in closed form and predict the presentations of every fold.

Baselines (mean; mean of the other repeats of the same image, an oracle) and ridge regression on
pixels, a Gabor pyramid or a backbone's maps. Writes FOLDER/{fold}.h5, a file a fold.

Example: mesodecode fit-encoding --responses s1.h5 --folds 10 --model ridge --out predictions/ridge
"""

import argparse

from mesodecode.base.files import say
from mesodecode.cli import options
from mesodecode.cli.encoding import _data

HELP = "responses → baseline or ridge, and its predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _data.add_arguments(parser, one_fold=False)
    add = parser.add_argument
    add("--name", default="model", help="name of the model in tables (default: model)")
    options.add_out(parser, "folder of the predictions", written=options.FOLDER)
    options.add_settings(parser, "encoding_linear")


def run(args: argparse.Namespace) -> None:
    from mesodecode.encoding.linear import fit_predict
    from mesodecode.encoding.study import make_folds

    settings = options.settings_of(args, "encoding_linear")
    oracle = settings["model"] == "image_mean"
    sessions = _data.read(args)
    for fold in make_folds(list(sessions), args.by, args.folds):
        data, split = _data.split(args, sessions, fold)
        predicted = fit_predict(data, split, settings)
        made = _data.predictions(args.name, fold, data, split, predicted, oracle)
        made.write(args.out / f"{fold}.h5")
        say(f"{args.name}: {fold}")
