"""Train a CNN, already trained, together with a recurrent network over windows of its images.

Example: mesodecode finetune --start cnn.pt --train m1_s1.h5 m2_s1.h5 --valid m3_s1.h5 --rnn gru
--out gru.pt --history gru.tsv

Or without validation mice, once for every epoch of a CNN that some allocation chose; what comes of
it is for `pass-images` and `choose`:
mesodecode finetune --start trained/cnn.pt --chosen-by passed/m3.h5 passed/m4.h5
--train m1_s1.h5 m2_s1.h5 --rnn gru --all-epochs trained/gru.pt
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

from mesodecode.cli import options
from mesodecode.cli.decoders import _alone, _chosen, _label_donors, _training

if TYPE_CHECKING:
    from mesodecode.decoders.weights import Trained

HELP = "recordings + CNN weights → weights of a CNN-RNN, trained end to end"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    words = "weights of `train-cnn` on the same mice; with --all-epochs its --all-epochs"
    options.add_file(parser, "--start", words)
    _chosen.add_argument(parser)
    options.add_roles(parser, optional=["valid"], train="", valid=", which choose the epoch")
    _training.add_arguments(parser)
    _training.add_feed(parser)
    _label_donors.add_argument(parser)
    options.add_settings(parser, "cnn_rnn")


def starts_of(args: argparse.Namespace) -> dict[int | None, Trained]:
    """Return the CNNs to start from, by their epochs; one of None, as it is, without epochs."""
    from mesodecode.base.files import UserError
    from mesodecode.decoders.weights import load_epochs, load_trained

    if not args.all_epochs:
        if args.chosen_by:
            raise UserError("--chosen-by: goes with --all-epochs; leave it out")
        return {None: load_trained(args.start, "cnn")}
    every = load_epochs(args.start, "cnn")
    return {n: every.at(n - 1) for n in _chosen.epochs(args, every)}


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError
    from mesodecode.decoders import train
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.inputs import ImageWindows
    from mesodecode.decoders.networks import cnn_rnn_decoder
    from mesodecode.decoders.objectives import trained_on
    from mesodecode.decoders.weights import Trained, digest
    from mesodecode.recordings.baseline import normalising
    from mesodecode.recordings.recording import frames_of, mice_of
    from mesodecode.study import causality
    from mesodecode.study.allocation import join_ids
    from mesodecode.study.targets import Target

    alone = _alone.check_outputs(args, "all_epochs", ("valid", "out", "history"))
    settings = options.settings_of(args, "cnn_rnn")
    device = resolve_device(args.device, args.threads)
    starts = starts_of(args)
    first = next(iter(starts.values()))
    sets = _label_donors.read_roles(args.labels_of, args.train, args.valid)
    mice = tuple(map(mice_of, sets))
    if tuple(map(set, mice)) != (set(first.train_mice), set(first.valid_mice)):
        validated = f" and validated on {join_ids(first.valid_mice)}" if first.valid_mice else ""
        raise UserError(
            f"{args.start}: trained on {join_ids(first.train_mice)}{validated}; --train and "
            "--valid must hold the same mice"
        )
    settings["backbone"] = first.settings["backbone"]
    of_start = bool(first.settings.get("causal"))
    causality.check_start(settings["causal"], of_start, str(args.start), "--")
    settings |= normalising(first.settings)
    target = trained_on(sets[0])
    if Target.of_settings(first.settings) != target:
        raise UserError(f"{args.start}: of another target than the recordings ({target.name})")
    settings |= frames_of(sets[0]) | target.settings()
    trained = Trained("finetuned", settings, *mice, state={})
    inputs = [*_training.fingerprint([*sets[0], *sets[1]]), *args.labels_of]

    def identity(epoch: int | None) -> dict[str, Any]:
        begun = digest(starts[epoch].state)
        return _training.identity_of(settings, [*inputs, begun], "finetune")

    windows = partial(ImageWindows, half_window=settings["half_window"])
    sources = _training.image_sets(windows, sets, settings, device, args.feed, settings)

    def fit(epoch: int | None) -> train.Fit:
        return train.fit(
            lambda: cnn_rnn_decoder(starts[epoch].build(), settings),
            *sources,
            device=device,
            run_length=settings["run_length"],
            checkpoint=_training.checkpoint_of(args, partial(identity, epoch), epoch),
            target=target,
            **{key: settings[key] for key in train.SETTINGS},
        )

    if alone:
        _training.finish_starts(args, trained, starts, identity, fit)
    else:
        _training.finish(args, trained, fit(None))
