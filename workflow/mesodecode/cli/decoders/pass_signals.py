"""Pass a mouse's ROI signals through every epoch of a network, or a fitted model, of other mice.

Example: mesodecode train-roi --train m1_s1.h5 m2_s1.h5 --rnn gru --all-epochs trained.pt
mesodecode pass-signals --trained trained.pt --recordings m3_s1.h5 --out m3.h5
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.decoders import _passing, pass_pixels

HELP = "all epochs of an ROI decoder + a mouse's recordings → what each makes of it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _passing.add_arguments(parser, "train-roi --all-epochs` or `fit-roi --alone")
    options.add_compute(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders import pass_mice, roi_networks
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.weights import load_epochs
    from mesodecode.recordings.roi_signals import signals_of
    from mesodecode.study.kinds import SIGNAL_NETWORKS

    device = resolve_device(args.device, args.threads)
    if args.trained.suffix != ".pt":
        pass_pixels.run(args)  # whatever a fitted model reads
        return
    trained = load_epochs(args.trained, *SIGNAL_NETWORKS)
    rois = trained.settings.get("roi_names", [])  # older files do not say them
    recordings = _passing.read(args, trained, rois)
    signals = signals_of(recordings, trained.settings)
    sources = {
        one.session: roi_networks.windows([one], trained.settings, device) for one in signals
    }
    _passing.write(args, recordings, pass_mice.pass_sessions(trained, sources, device))
