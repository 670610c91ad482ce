"""Train a CNN on the pseudo-RGB images of the training mice.

Example: mesodecode train-cnn --train m1_s1.h5 m2_s1.h5 --valid m3_s1.h5 --out cnn.pt
--history cnn.tsv

With --all-epochs and no --valid the training belongs to its mice alone: `pass-images` passes each
other mouse through its epochs, and `choose` takes the epoch of an allocation.
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.decoders import _alone, _label_donors, _training

HELP = "recordings → weights of a CNN"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_roles(parser, optional=["valid"], train="", valid=", which choose the epoch")
    _training.add_arguments(parser)
    _training.add_feed(parser)
    options.add_tuned(parser)
    _label_donors.add_argument(parser)
    options.add_settings(parser, "cnn")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import file_of, sha256
    from mesodecode.decoders import train
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.inputs import Images
    from mesodecode.decoders.networks import CNNDecoder
    from mesodecode.decoders.objectives import trained_on
    from mesodecode.decoders.weights import Trained
    from mesodecode.recordings.recording import frames_of, mice_of

    alone = _alone.check_outputs(args, "all_epochs", ("valid", "out", "history"))
    settings = options.settings_of(args, "cnn")
    device = resolve_device(args.device, args.threads)
    sets = _label_donors.read_roles(args.labels_of, args.train, args.valid)
    target = trained_on(sets[0])
    settings |= frames_of(sets[0]) | target.settings()
    trained = Trained("cnn", settings, *map(mice_of, sets), state={})
    inputs = [*_training.fingerprint([*sets[0], *sets[1]]), *args.labels_of]
    if weights := file_of(settings["pretrained"]):
        inputs.append(sha256(weights))
    checkpoint = _training.checkpoint_of(
        args, lambda: _training.identity_of(settings, inputs, "train_cnn")
    )
    fitted = train.fit(
        lambda: CNNDecoder(settings["backbone"], settings["pretrained"], target.outputs),
        *_training.image_sets(Images, sets, settings, device, args.feed, settings),
        device=device,
        checkpoint=checkpoint,
        target=target,
        **{key: settings[key] for key in train.SETTINGS},
    )
    finish = _training.finish_alone if alone else _training.finish
    finish(args, trained, fitted)
