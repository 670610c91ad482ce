"""What the verbs share that train networks on ROI signals, each those of a kind."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mesodecode.cli import options
from mesodecode.cli.decoders import _alone, _label_donors, _training

if TYPE_CHECKING:
    from mesodecode.recordings.recording import Recording
    from mesodecode.recordings.roi_signals import SessionSignals
    from mesodecode.study.allocation import Allocation
    from mesodecode.study.kinds import Kind


def add_arguments(parser: argparse.ArgumentParser, kind: Kind) -> None:
    """Add the flags of a verb that trains networks of a kind."""
    options.add_roles(parser, optional=["valid", "test"], train="", valid="", test="")
    parser.add_argument("--decoder", help="name of the decoder in tables")
    options.add_out(parser, "predictions to write (HDF5)", "--predictions", required=False)
    options.add_dropped(parser)
    options.add_validation(parser)
    _label_donors.add_argument(parser)
    _training.add_arguments(parser)
    options.add_tuned(parser)
    options.add_settings(parser, kind.name)


def run(args: argparse.Namespace, kind: Kind) -> None:
    """Train a network of a kind; write what is asked for."""
    from mesodecode.decoders import roi_networks
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.objectives import trained_on
    from mesodecode.decoders.validation import write_roles
    from mesodecode.decoders.weights import MADE_BY, Trained
    from mesodecode.recordings.recording import frames_of
    from mesodecode.recordings.roi_signals import roi_names

    of_allocation = ("valid", "test", "decoder", "out", "history", "predictions")
    alone = _alone.check_outputs(args, "all_epochs", of_allocation, ["validation"])
    settings = options.settings_of(args, kind.name)
    device = resolve_device(args.device, args.threads)
    allocation, recordings, sets, dropped = read(args, settings)
    training = [one for one in recordings if one.mouse in allocation.train]
    target = trained_on(training)
    settings |= {"dropped": dropped, "roi_names": roi_names(recordings)} | target.settings()
    settings |= frames_of(training, images=False)
    trained = Trained(kind.name, settings, allocation.train, allocation.valid, state={})
    inputs = [*_training.fingerprint(recordings), *args.labels_of]
    checkpoint = _training.checkpoint_of(
        args, lambda: _training.identity_of(settings, inputs, kind.trains.train)
    )
    make = MADE_BY[kind.name]
    fitted = roi_networks.fit(*sets[:2], settings, device, checkpoint, make)
    if alone:
        _training.finish_alone(args, trained, fitted)
        return
    _training.finish(args, trained, fitted)
    model = trained.with_state(fitted.state).build(device)
    predictions = roi_networks.predict(model, [*sets[1], *sets[2]], settings, device)
    files = args.predictions, args.validation
    write_roles(predictions, args.decoder, allocation, *files, protocol(args, settings), target)


def read(
    args: argparse.Namespace, settings: dict[str, Any]
) -> tuple[Allocation, list[Recording], list[list[SessionSignals]], list[int]]:
    """Return allocation, recordings, their signals by role and the ROIs dropped from all."""
    from mesodecode.base.files import read_json
    from mesodecode.recordings.recording import mice_of
    from mesodecode.recordings.roi_signals import session_signals, signals_of
    from mesodecode.study.allocation import Allocation

    paths = (args.train, args.valid, args.test)
    roles = _label_donors.read_roles(args.labels_of, *paths, same_size=False)
    recordings = [recording for role in roles for recording in role]
    signals, dropped = session_signals(recordings, settings)
    if args.dropped:
        dropped = read_json(args.dropped)
        signals = signals_of(recordings, settings | {"dropped": dropped})
    by_role = iter(signals)
    signals_by_role = [[next(by_role) for _ in role] for role in roles]
    return Allocation(*map(mice_of, roles)), recordings, signals_by_role, dropped


def protocol(args: argparse.Namespace, settings: dict[str, Any]) -> str:
    """Return the protocol of a decoder with `settings` (see `mesodecode.study.protocols`)."""
    from mesodecode.recordings.recording import is_corrected, listed
    from mesodecode.study import protocols

    corrected = any(is_corrected(name) for path in args.test for name in listed(path))
    return protocols.of(settings | {"input": "rois"}, corrected)
