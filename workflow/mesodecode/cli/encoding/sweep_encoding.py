"""Train a network with every combination of settings: one of several equal parts of them.

Every line is trained on the same fold with its own learning rate, momentum, L2 and
initialisation. With --partial, lines that are done are kept and a killed command goes on.

Example: mesodecode sweep-encoding --responses s1.h5 --fold s1.fold-1 --learning-rates 0.01 0.1
--momenta 0 0.9 --l2s 0 --initialisations kaiming --chunk 1 --chunks 2 --out sweep.tsv
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.decoders import _training
from mesodecode.cli.encoding import _data

HELP = "train a network with many settings (a part of a sweep)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _data.add_network(parser)
    add = parser.add_argument
    add("--learning-rates", type=float, nargs="+", required=True, help="learning rates")
    add("--momenta", type=float, nargs="+", required=True, help="momenta of SGD")
    add("--l2s", type=float, nargs="+", required=True, help="weight decays")
    add("--initialisations", nargs="+", required=True, help="default, kaiming, xavier")
    add("--chunk", type=int, default=1, metavar="N", help="which part, from 1 (default: 1)")
    add("--chunks", type=int, default=1, metavar="N", help="how many parts (default: 1)")
    options.add_out(parser, "TSV to write, a row a training")
    words = "file to keep finished lines in (default: none is kept)"
    options.add_out(parser, words, "--partial", required=False)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError, sha256
    from mesodecode.base.tables import write_table
    from mesodecode.encoding import sweep
    from mesodecode.running.provenance import code_version

    if not 1 <= args.chunk <= args.chunks:
        raise UserError(f"--chunk {args.chunk}: there are chunks 1 to {args.chunks}")
    settings, device, data, split = _data.of_network(args)
    swept = (args.learning_rates, args.momenta, args.l2s, args.initialisations)
    lines = sweep.grid(*swept)[args.chunk - 1 :: args.chunks]
    identity = [
        settings,
        args.by,
        args.fold,
        args.folds,
        args.fold_seed,
        code_version("sweep_encoding"),
    ]
    inputs = [*map(sha256, args.responses), *_training.first_weights(settings)]
    table = sweep.train_all(
        data, split, settings, lines, device, args.partial, str([*identity, inputs])
    )
    write_table(table, args.out)
    if args.partial:
        args.partial.unlink(missing_ok=True)
