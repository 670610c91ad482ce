"""What the verbs of ROI decoders share: their recordings and their signals."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesodecode.cli import options
from mesodecode.cli.decoders import _label_donors

if TYPE_CHECKING:
    from mesodecode.recordings.recording import Recording
    from mesodecode.recordings.roi_signals import SessionSignals
    from mesodecode.study.allocation import Allocation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a verb that decodes from ROI signals."""
    add = parser.add_argument
    add(
        "--train",
        type=Path,
        nargs="+",
        required=True,
        help="recordings of the training mice, or lists (.txt) of them",
    )
    add(
        "--valid",
        type=Path,
        nargs="+",
        required=True,
        help="recordings of the validation mice, or lists (.txt) of them",
    )
    add(
        "--test",
        type=Path,
        nargs="+",
        required=True,
        help="recordings of the test mice, or lists (.txt) of them",
    )
    add("--decoder", required=True, help="name of the decoder in tables")
    add("--predictions", type=Path, required=True, help="predictions to write (HDF5)")
    options.add_validation(parser)
    _label_donors.add_argument(parser)


def read(
    args: argparse.Namespace, settings: dict[str, Any]
) -> tuple[Allocation, list[Recording], list[list[SessionSignals]], list[int]]:
    """Return allocation, recordings, their signals by role and the ROIs dropped from all."""
    from mesodecode.recordings.recording import mice_of
    from mesodecode.recordings.roi_signals import session_signals
    from mesodecode.study.allocation import Allocation

    paths = (args.train, args.valid, args.test)
    roles = _label_donors.read_roles(args.labels_of, *paths, same_size=False)
    recordings = [recording for role in roles for recording in role]
    signals, dropped = session_signals(recordings, settings)
    by_role = iter(signals)
    signals_by_role = [[next(by_role) for _ in role] for role in roles]
    return Allocation(*map(mice_of, roles)), recordings, signals_by_role, dropped


def protocol(args: argparse.Namespace, settings: dict[str, Any]) -> str:
    """Return the protocol of a decoder with `settings` (see `mesodecode.study.protocols`)."""
    import h5py

    from mesodecode.recordings.recording import listed
    from mesodecode.study import protocols

    with h5py.File(listed(args.test[0])[0]) as file:
        return protocols.of(settings | {"input": "rois"}, "corrections" in file)
