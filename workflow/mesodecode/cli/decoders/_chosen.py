"""Epochs of a CNN that allocations choose, for verbs that go on from each of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mesodecode.base.files import UserError

if TYPE_CHECKING:
    from mesodecode.decoders.weights import TrainedEpochs


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add the flag of who chooses among the epochs of a CNN's training."""
    words = "which epochs of the CNN: for each allocation its validation mice as `pass-images` "
    words += "passed them, several of one allocation joined by commas"
    parser.add_argument("--chosen-by", nargs="+", default=[], metavar="FILE[,FILE]", help=words)


def epochs(args: argparse.Namespace, trained: TrainedEpochs) -> list[int]:
    """Return the epochs of a CNN's training, from 1, that --chosen-by choose.

    Raises UserError without it, or if a validation mouse is one that was trained on.
    """
    from mesodecode.decoders import choose
    from mesodecode.decoders.passed import Passed

    if not args.chosen_by:
        raise UserError("--chosen-by: needed to choose among epochs; see --help")
    files = [word.split(",") for word in args.chosen_by]
    passed = {name: Passed.read(name) for names in files for name in names}
    for name, one in passed.items():
        if one.mouse in trained.train_mice:
            raise UserError(f"{name}: of mouse {one.mouse}, which the CNN was trained on")
    return choose.chosen_epochs(trained, [[passed[name] for name in names] for names in files])
