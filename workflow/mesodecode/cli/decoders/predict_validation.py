"""Predict the validation mice of finished models; what a threshold is chosen by, in `quality`.

Example: mesodecode predict-validation --models results/demo/models/roi_gru --decoder roi_gru
--allocations results/demo/allocations.tsv --recordings results/demo/recordings/*.h5
--out results/demo/validation/roi_gru

Reads FOLDER/{allocation}.pt (.npz, .joblib; the last is a pickle, so only of your own run), writes
FOLDER/{allocation}.h5. Nothing is trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesodecode.cli import options
from mesodecode.cli.decoders import _label_donors

if TYPE_CHECKING:
    from mesodecode.decoders.predictions import SessionPredictions
    from mesodecode.recordings.recording import Recording

HELP = "finished models → predictions of their validation mice"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this verb."""
    add = parser.add_argument
    add("--models", type=Path, required=True, metavar="FOLDER", help="folder of one decoder")
    add("--decoder", required=True, help="name of the decoder in tables")
    add(
        "--allocations",
        metavar="FILE",
        help="table of the allocations (default: those of --only, validated on all --recordings)",
    )
    add("--only", nargs="+", metavar="ALLOCATION", help="only these (default: all of the table)")
    inputs = parser.add_mutually_exclusive_group(required=True)
    inputs.add_argument(
        "--recordings",
        type=Path,
        nargs="+",
        help="recordings; those of an allocation's validation mice are predicted",
    )
    inputs.add_argument(
        "--features",
        type=Path,
        metavar="FOLDER",
        help="FOLDER/{allocation}.h5 of `mesodecode extract`, for a CNN or a frozen CNN's decoder",
    )
    _label_donors.add_argument(parser)
    add("--out", type=Path, required=True, metavar="FOLDER", help="folder to write to")
    options.add_compute(parser)


def run(args: argparse.Namespace) -> None:
    """Run this verb."""
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import read_table
    from mesodecode.decoders import validation
    from mesodecode.decoders.device import resolve_device
    from mesodecode.recordings.recording import mice_of, read_recordings

    device = resolve_device(args.device, args.threads)
    if args.features and args.labels_of:
        raise UserError("--labels-of: features have the labels that they were extracted with")
    recordings = read_recordings(args.recordings, same_size=False) if args.recordings else []
    recordings = _label_donors.exchange(recordings, args.labels_of)
    if args.allocations:
        table = read_table(args.allocations, ("allocation", "valid_mouse"))
        valid_mice = dict(zip(table["allocation"], table["valid_mouse"], strict=True))
    elif args.only and recordings:
        valid_mice = dict.fromkeys(args.only, "+".join(mice_of(recordings)))
    else:
        raise UserError("--allocations: give the table, or --only and --recordings")
    unknown = [name for name in args.only or () if name not in valid_mice]
    if unknown:
        raise UserError(f"{args.allocations}: no allocation {unknown[0]}; check --only")
    for name in args.only or valid_mice:
        mice = valid_mice[name].split("+")
        sessions = _predict(args, name, mice, recordings, device)
        about = {"decoder": args.decoder, "allocation": name, "valid_mouse": valid_mice[name]}
        validation.write(args.out / f"{name}.h5", sessions, **about)


def model_file(folder: Path, allocation: str) -> Path:
    """Return the file of the model of an allocation. Raises UserError if there is none."""
    from mesodecode.base.files import UserError
    from mesodecode.study.kinds import TRAINED

    suffixes = dict.fromkeys(kind.suffix for kind in reversed(TRAINED.values()))
    paths = [folder / f"{allocation}{suffix}" for suffix in suffixes]
    model = next((path for path in paths if path.exists()), None)
    if model is None:
        others = ", ".join(list(suffixes)[1:])
        raise UserError(f"{paths[0]}: no such model (nor {others}); train the decoder first")
    return model


def _predict(
    args: argparse.Namespace,
    allocation: str,
    mice: Sequence[str],
    recordings: Sequence[Recording],
    device: Any,
) -> dict[str, SessionPredictions]:
    """Return the predictions of an allocation's validation mice, by session."""
    from mesodecode.base.files import UserError
    from mesodecode.decoders import predict_validation
    from mesodecode.decoders.inputs import read_features

    model = model_file(args.models, allocation)
    if args.features:
        sessions = read_features(args.features / f"{allocation}.h5", mice)
        return predict_validation.from_features(model, sessions, device)
    mine = [recording for recording in recordings if recording.mouse in mice]
    missing = {*mice} - {recording.mouse for recording in mine}
    if missing:
        raise UserError(
            f"--recordings: none of mouse {', '.join(sorted(missing))}, which validates "
            f"{allocation}; give its recordings too"
        )
    return predict_validation.from_recordings(model, mine, device)
