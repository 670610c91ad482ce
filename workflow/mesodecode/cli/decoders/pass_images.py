"""Pass a mouse through every epoch of a network of images that was trained on other mice.

Example: mesodecode train-cnn --train m1_s1.h5 m2_s1.h5 --all-epochs trained.pt
mesodecode pass-images --trained trained.pt --recordings m3_s1.h5 --out m3.h5
mesodecode choose --trained trained.pt --valid m3.h5 --out cnn.pt --history cnn.tsv

The frames are those by which an epoch is judged, every `frame_step`-th.
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.decoders import _passing

HELP = "all epochs of a network of images + a mouse's recordings → what each makes of it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _passing.add_arguments(parser, "train-cnn` or `finetune --all-epochs")
    options.add_compute(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.inputs import images_read
    from mesodecode.decoders.pass_mice import pass_sessions
    from mesodecode.decoders.weights import load_epochs
    from mesodecode.recordings.baseline import prepared
    from mesodecode.study.kinds import IMAGE_NETWORKS

    device = resolve_device(args.device, args.threads)
    trained = load_epochs(args.trained, *IMAGE_NETWORKS)
    recordings = _passing.read(args, trained)
    based = prepared(recordings, trained.settings)
    make = images_read(trained.settings)
    sources = {one.session: make([one], device=device) for one in based}
    _passing.write(args, recordings, pass_sessions(trained, sources, device))
