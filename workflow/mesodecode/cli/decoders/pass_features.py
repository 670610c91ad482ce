"""Pass a mouse through every epoch of a recurrent decoder of a frozen CNN's features.

Example: mesodecode train-rnn --features m1.h5 m2.h5 --rnn gru --all-epochs trained.pt
mesodecode pass-features --trained trained.pt --features m3.h5 --out passed_m3.h5

The windows are those by which an epoch is judged, every `frame_step`-th.
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.decoders import _passing

HELP = "all epochs of a decoder of features + a mouse's features → what each makes of it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    words = "what `mesodecode train-rnn --all-epochs` made of training mice alone"
    options.add_file(parser, "--trained", words)
    words = "features of one other mouse, of `mesodecode extract --trained`"
    options.add_file(parser, "--features", words)
    options.add_out(parser, "what comes out, of every epoch (HDF5)")
    options.add_compute(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.windows import IMAGE_REACH
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.feature_files import read_features
    from mesodecode.decoders.inputs import Windows
    from mesodecode.decoders.pass_mice import pass_starts
    from mesodecode.decoders.passed import Passed
    from mesodecode.decoders.weights import load_epochs

    device = resolve_device(args.device, args.threads)
    trained = load_epochs(args.trained, "cnn_rnn")
    sessions = read_features(args.features, epoch=trained.starts[0])
    mouse = _passing.check_mouse(args.trained, trained, sessions, args.features)
    w = trained.settings["half_window"]

    def sources_of(epoch: int) -> dict[str, Windows]:
        made = read_features(args.features, epoch=epoch)
        return {one.session: Windows([one], w, w + IMAGE_REACH, device) for one in made}

    passed = pass_starts(trained, sources_of, device)
    Passed(mouse, any(one.corrected for one in sessions), passed).write(args.out)
