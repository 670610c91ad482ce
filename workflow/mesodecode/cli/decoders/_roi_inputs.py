"""What the verbs of ROI decoders share: their recordings and their signals."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mesodecode.cli import options
from mesodecode.cli.decoders import _label_donors

if TYPE_CHECKING:
    from mesodecode.recordings.recording import Recording
    from mesodecode.recordings.roi_signals import SessionSignals
    from mesodecode.study.allocation import Allocation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a verb that decodes from ROI signals."""
    options.add_roles(parser, optional=["valid", "test"], train="", valid="", test="")
    parser.add_argument("--decoder", help="name of the decoder in tables")
    options.add_out(parser, "predictions to write (HDF5)", "--predictions", required=False)
    options.add_dropped(parser)
    options.add_validation(parser)
    _label_donors.add_argument(parser)


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
