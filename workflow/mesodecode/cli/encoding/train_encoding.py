"""Train a network that predicts responses from images, and predict the held-out presentations.

Example: mesodecode train-encoding --responses s1.h5 --fold s1.fold-1 --backbone vgg19
--out p.h5 --weights w.pt --history h.tsv
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.decoders import _training
from mesodecode.cli.encoding import _data

HELP = "responses → weights of an encoding network, and its predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _data.add_network(parser)
    add = parser.add_argument
    add("--name", default="model", help="name of the model in tables (default: model)")
    options.add_out(parser, "predictions of the test presentations (HDF5)")
    options.add_out(parser, "weights to write (.pt)", "--weights")
    options.add_out(parser, "TSV to write: losses, R², speed by epoch", "--history")
    _training.add_checkpoint(parser)


def run(args: argparse.Namespace) -> None:
    import torch

    from mesodecode.base.files import atomic_path, sha256
    from mesodecode.base.tables import write_table
    from mesodecode.encoding.train import train_network

    settings, device, data, split = _data.of_network(args)
    inputs = [*map(sha256, args.responses), *_training.first_weights(settings)]
    identity = settings | {"fold": [args.by, args.fold, args.folds, args.fold_seed]}
    checkpoint = _training.checkpoint_of(
        args, lambda: _training.identity_of(identity, inputs, "train_encoding")
    )
    fitted, predicted = train_network(data, split, settings, device=device, checkpoint=checkpoint)
    write_table(fitted.history, args.history)
    with atomic_path(args.weights) as part, open(part, "wb") as file:
        torch.save({"settings": settings, "state": fitted.state}, file)
    _data.predictions(args.name, args.fold, data, split, predicted).write(args.out)
