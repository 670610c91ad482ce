"""What the verbs that pass a mouse through a training share."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesodecode.base.files import UserError
from mesodecode.cli import options
from mesodecode.cli.decoders import _label_donors

if TYPE_CHECKING:
    from mesodecode.decoders.passed import Passed, PassedSession
    from mesodecode.recordings.recording import Recording


def add_arguments(parser: argparse.ArgumentParser, trained: str) -> None:
    """Add the flags of a verb that passes a mouse through what the verb `trained` made."""
    words = f"what `mesodecode {trained}` made of training mice alone"
    options.add_file(parser, "--trained", words)
    options.add_recordings(parser, "recordings of one other mouse, or lists (.txt) of them")
    options.add_out(parser, "what comes out, of every epoch (HDF5)")
    _label_donors.add_argument(parser)


def read(
    args: argparse.Namespace,
    trained: Any,
    rois: Sequence[str] | None = None,
) -> list[Recording]:
    """Return the recordings.

    `trained` is the model of `args.trained`; names of the `rois` that it was trained on, None of
    images. Raises UserError unless they are of one mouse, not a seen one, of its target, and of the
    size of its frames or these ROIs.
    """
    from mesodecode.recordings.recording import read_recordings
    from mesodecode.recordings.roi_signals import check_rois

    recordings = read_recordings(args.recordings, same_size=rois is None)
    recordings = _label_donors.exchange(recordings, args.labels_of)
    if rois:
        check_rois(rois, recordings, args.trained)
    check_mouse(args.trained, trained, recordings, "--recordings")
    return recordings


def check_mouse(path: Path, trained: Any, sessions: Sequence[Any], where: str) -> str:
    """Return the mouse of recordings or features, to be passed through the model of a file.

    Raises UserError, with `where` they are from, unless it is one mouse, which the model has not
    seen, with the model's target and frames.
    """
    from mesodecode.decoders.validation import check_alike
    from mesodecode.recordings.recording import mice_of

    mice = mice_of(sessions)
    if len(mice) > 1:
        raise UserError(f"{where}: of mice {', '.join(mice)}; give those of one mouse")
    if mice[0] in trained.train_mice:
        raise UserError(f"{path}: has seen mouse {mice[0]}; a decoder never tests it")
    check_alike(trained, sessions, path)
    return mice[0]


def write(
    args: argparse.Namespace,
    recordings: Sequence[Recording],
    sessions: Mapping[str, PassedSession],
) -> None:
    """Write what came out of a mouse's sessions."""
    from mesodecode.base.windows import tell_short
    from mesodecode.decoders.passed import Passed
    from mesodecode.recordings.recording import is_corrected

    tell_short({name: len(one.frame) for name, one in sessions.items()})
    Passed(recordings[0].mouse, any(is_corrected(r.path) for r in recordings), sessions).write(
        args.out
    )


def add_passed(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a verb that keeps, for an allocation, what mice were passed through."""
    passed = "of `pass-images`, `pass-signals` or `pass-pixels`, "
    options.add_files(parser, "--valid", passed + "the mice that validate")
    options.add_files(parser, "--test", passed + "the mice to predict", required=False)
    parser.add_argument("--decoder", help="name of the decoder in tables, with --predictions")
    options.add_out(
        parser, "predictions of --test to write (HDF5)", "--predictions", required=False
    )
    options.add_validation(parser)


def read_passed(args: argparse.Namespace) -> tuple[list[Passed], list[Passed]]:
    """Return the mice that validate and those that test."""
    from mesodecode.decoders.passed import Passed

    if len({bool(args.test), bool(args.predictions), bool(args.decoder)}) > 1:
        raise UserError("--test, --predictions and --decoder: give all three, or none")
    if args.validation and not args.predictions:
        raise UserError("--validation: goes with --predictions; leave it out")
    return tuple([Passed.read(path) for path in paths] for paths in (args.valid, args.test))


def write_predictions(
    args: argparse.Namespace,
    train_mice: Sequence[str],
    valid: Sequence[Passed],
    test: Sequence[Passed],
    settings: Mapping[str, Any],
    row: int = 0,
) -> None:
    """Write the predictions of both roles, if asked for.

    Raises UserError if a mouse has two roles, whether asked for or not.
    """
    from mesodecode.decoders.passed import predictions_of
    from mesodecode.decoders.validation import write_roles
    from mesodecode.study import protocols
    from mesodecode.study.allocation import Allocation
    from mesodecode.study.targets import Target

    mice = (tuple(one.mouse for one in role) for role in (valid, test))
    allocation = Allocation(tuple(train_mice), *mice)
    if not args.predictions:
        return
    read = "rois" if "normalise" in settings else "images"
    corrected = any(one.corrected for one in test)
    protocol = protocols.of(dict(settings) | {"input": read}, corrected)
    target = Target.of_settings(settings)
    made = predictions_of([*valid, *test], row, target)
    files = args.predictions, args.validation
    write_roles(made, args.decoder, allocation, *files, protocol, target)
