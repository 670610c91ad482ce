"""Find out why an encoding network does not learn: data, preprocessing, architecture, optimisation.

Writes PREFIX_checks.tsv (a row a check, with words and numbers; the last row concludes),
PREFIX_neurons.tsv (explainable variance and its p value), PREFIX_layers.tsv (gradients by layer)
and PREFIX_rates.tsv (learning-rate range test).

Example: mesodecode diagnose --responses s1.h5 --fold s1.fold-1 --backbone vgg19 --out diagnosis
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.encoding import _data

HELP = "why does an encoding network not learn? checks and a conclusion"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _data.add_network(parser)
    words = "epochs of the network's training, if it was trained (TSV)"
    options.add_file(parser, "--history", words, required=False)
    options.add_out(parser, "path without _checks.tsv and so on", written=options.PREFIX)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.tables import read_table, write_table
    from mesodecode.encoding.columns import HISTORY
    from mesodecode.encoding.diagnose import diagnose

    settings, device, data, split = _data.of_network(args)
    history = read_table(args.history, HISTORY, HISTORY) if args.history else None
    found = diagnose(data, split, settings, history=history, device=device)
    for name in ("checks", "neurons", "layers", "rates"):
        write_table(getattr(found, name), f"{args.out}_{name}.tsv")
    print(found.checks["sentence"].iloc[-1])
