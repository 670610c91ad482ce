"""Predict test mice from their ROI signals with a network.

Example: mesodecode predict-rois --weights gru.pt --recordings m3_s1.h5 m4_s1.h5 --decoder roi_gru
--out p.h5 --validation v.h5

With --validation the validation mice are predicted too: what a threshold is chosen by.
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.decoders import _label_donors

HELP = "weights of train-roi + recordings → test predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_file(parser, "--weights", "weights of train-roi")
    options.add_recordings(parser, "recordings of the test mice, and of those of --validation")
    parser.add_argument("--decoder", required=True, help="name of the decoder in tables")
    options.add_out(parser, "predictions (HDF5)")
    options.add_validation(parser)
    _label_donors.add_argument(parser)
    options.add_compute(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders import roi_networks
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.validation import allocated, write_roles
    from mesodecode.decoders.weights import load_trained
    from mesodecode.recordings.recording import is_corrected, read_recordings
    from mesodecode.recordings.roi_signals import check_rois, signals_of
    from mesodecode.study import protocols
    from mesodecode.study.kinds import SIGNAL_NETWORKS
    from mesodecode.study.targets import Target

    device = resolve_device(args.device, args.threads)
    trained = load_trained(args.weights, *SIGNAL_NETWORKS)
    recordings = read_recordings(args.recordings, same_size=False)
    recordings = _label_donors.exchange(recordings, args.labels_of)
    # before any work: refuses a mouse that it saw
    allocation = allocated(trained, recordings, args.weights, validates=bool(args.validation))
    if rois := trained.settings.get("roi_names"):
        check_rois(rois, recordings, args.weights)
    signals = signals_of(recordings, trained.settings)
    made = roi_networks.predict(trained.build(device), signals, trained.settings, device)
    corrected = any(is_corrected(r.path) for r in recordings if r.mouse in allocation.test)
    protocol = protocols.of(trained.settings | {"input": "rois"}, corrected)
    target, files = Target.of_settings(trained.settings), (args.out, args.validation)
    write_roles(made, args.decoder, allocation, *files, protocol, target)
