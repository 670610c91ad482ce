"""Pass a mouse through every epoch of a network of images that was trained on other mice.

Example: mesodecode train-cnn --train m1_s1.h5 m2_s1.h5 --all-epochs trained.pt
mesodecode pass-images --trained trained.pt --recordings m3_s1.h5 --out m3.h5
mesodecode choose --trained trained.pt --valid m3.h5 --out cnn.pt --history cnn.tsv

The frames are those by which an epoch is judged, every `frame_step`-th.
"""

import argparse
from functools import partial

from mesodecode.cli import options
from mesodecode.cli.decoders import _passing

HELP = "all epochs of a network of images + a mouse's recordings → what each makes of it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _passing.add_arguments(parser, "train-cnn` or `finetune --all-epochs")
    options.add_compute(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.inputs import Images, ImageWindows
    from mesodecode.decoders.pass_mice import pass_sessions
    from mesodecode.decoders.weights import load_epochs
    from mesodecode.recordings.baseline import prepared

    device = resolve_device(args.device, args.threads)
    trained = load_epochs(args.trained, "cnn", "finetuned")
    recordings = _passing.read(args, trained)
    based = prepared(recordings, trained.settings)
    make = Images
    if trained.kind == "finetuned":
        make = partial(ImageWindows, half_window=trained.settings["half_window"])
    sources = {one.session: make([one], device=device) for one in based}
    _passing.write(args, recordings, pass_sessions(trained, sources, device))
