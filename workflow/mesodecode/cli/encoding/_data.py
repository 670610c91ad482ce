"""What the verbs that fit encoding models share: which presentations train and which test."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mesodecode.base.files import UserError
from mesodecode.cli import options

if TYPE_CHECKING:
    import numpy as np
    import torch

    from mesodecode.encoding.folds import Split
    from mesodecode.encoding.predictions import Predictions
    from mesodecode.encoding.responses import Responses


def add_arguments(parser: argparse.ArgumentParser, one_fold: bool = True) -> None:
    """Add the flags that say which presentations train, validate and test."""
    add = parser.add_argument
    options.add_files(parser, "--responses", "responses of sessions (HDF5)")
    words = "what is held out: images of each session, or whole sessions (default: images)"
    add("--by", choices=["images", "sessions"], default="images", help=words)
    add("--folds", type=int, default=10, metavar="K", help="folds of images (default: 10)")
    add("--fold-seed", type=int, default=0, metavar="N", help="of the folds (default: 0)")
    if one_fold:
        words = "SESSION.fold-N holds out images of a session, test-SESSION a session"
        add("--fold", required=True, metavar="ID", help=words)


def add_network(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a verb that trains a network on one fold (see `of_network`)."""
    add_arguments(parser)
    options.add_compute(parser)
    options.add_settings(parser, "encoding_network")


def of_network(
    args: argparse.Namespace,
) -> tuple[dict[str, Any], torch.device, Responses, Split]:
    """Return the settings of a network, its device, and the responses of its fold, split."""
    from mesodecode.decoders.device import resolve_device

    settings = options.settings_of(args, "encoding_network")
    device = resolve_device(args.device, args.threads)
    return settings, device, *split(args, read(args), args.fold)


def read(args: argparse.Namespace) -> dict[str, Responses]:
    """Read the responses, by session."""
    from mesodecode.encoding.responses import read_responses

    found = [read_responses(path) for path in args.responses]
    return {one.session: one for one in found}


def split(
    args: argparse.Namespace, sessions: dict[str, Responses], fold: str
) -> tuple[Responses, Split]:
    """Return the responses of a fold and their split. Raises UserError if there is no such fold."""
    from mesodecode.encoding import folds
    from mesodecode.encoding.study import make_folds

    known = make_folds(list(sessions), args.by, args.folds)
    if fold not in known:
        raise UserError(f"--fold {fold}: no such fold; known: {', '.join(known)}")
    chosen, test = known[fold], sessions[known[fold].test]
    if chosen.number is not None:
        return test, folds.split_images(test, chosen.number, args.folds, args.fold_seed)
    if not chosen.train:
        raise UserError("--by sessions: needs responses of two sessions or more")
    train = [sessions[name] for name in chosen.train]
    return folds.split_sessions(train, test, args.folds, args.fold_seed)


def predictions(
    name: str, fold: str, data: Responses, split: Split, predicted: np.ndarray, oracle: bool = False
) -> Predictions:
    """Return what model `name` predicted as the file that scores read."""
    from mesodecode.encoding.predictions import Predictions
    from mesodecode.study.allocation import join_ids, split_ids

    names = split_ids(data.session)
    return Predictions(
        model=name,
        fold=fold,
        session=names[-1],
        train_sessions=join_ids(names[:-1] or names),
        oracle=oracle,
        presentation=split.test,
        image=data.image[split.test],
        response=data.response[split.test],
        prediction=predicted,
        neurons=data.neurons,
        mean=data.response[split.fit].mean(0),
    )
