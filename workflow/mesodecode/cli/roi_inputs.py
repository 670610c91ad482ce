"""What the verbs of ROI decoders share: their recordings, and whose labels a session is given."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesodecode.files import UserError

if TYPE_CHECKING:
    from mesodecode.allocation import Allocation
    from mesodecode.recordings import Recording
    from mesodecode.rois import SessionSignals


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
    add(
        "--labels-of",
        nargs="+",
        default=[],
        metavar="SESSION=OTHER",
        help="give a session the labels of another of the same mouse (default: its own)",
    )
    add("--decoder", required=True, help="name of the decoder in tables")
    add("--predictions", type=Path, required=True, help="predictions to write (HDF5)")


def read(
    args: argparse.Namespace, settings: dict[str, Any]
) -> tuple[Allocation, list[Recording], list[list[SessionSignals]], list[int]]:
    """Return allocation, recordings, their signals by role and the ROIs dropped from all."""
    from mesodecode.allocation import Allocation
    from mesodecode.recordings import mice_of, read_roles
    from mesodecode.rois import session_signals

    roles = read_roles(args.train, args.valid, args.test, same_size=False)
    recordings = [recording for role in roles for recording in role]
    signals, dropped = session_signals(recordings, settings, _donors(args.labels_of, recordings))
    by_role = iter(signals)
    signals_by_role = [[next(by_role) for _ in role] for role in roles]
    return Allocation(*map(mice_of, roles)), recordings, signals_by_role, dropped


def _donors(words: list[str], recordings: list[Recording]) -> dict[str, str]:
    mouse_of = {recording.session: recording.mouse for recording in recordings}
    donors = {}
    for word in words:
        session, _, donor = word.partition("=")
        if session not in mouse_of or mouse_of.get(donor) != mouse_of[session]:
            raise UserError(
                f"--labels-of {word}: needs SESSION=OTHER, two sessions of one mouse among the "
                "recordings given"
            )
        donors[session] = donor
    return donors
