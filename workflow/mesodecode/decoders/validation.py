"""Predictions of validation mice, which choose a decoder's threshold as a test mouse must not.

They come from the same pass as those of the test mice. A file
`results/{study}/validation/{decoder}/{allocation}.h5` has the root attributes `decoder`,
`allocation` and `valid_mouse` (several joined by "+") and one group a session of these mice, laid
out as in a predictions file. Nothing but the threshold is made of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py

from mesodecode.base.files import NO_FILE, UserError, as_text
from mesodecode.decoders.predictions import (
    SessionPredictions,
    bind,
    nothing,
    session_of,
    write_sessions,
)
from mesodecode.recordings.recording import Recording, check_frames, mice_of
from mesodecode.recordings.roi_signals import check_named
from mesodecode.study import protocols
from mesodecode.study.allocation import Allocation, split_ids
from mesodecode.study.targets import RUN, Target

ATTRIBUTES = ("decoder", "allocation", "valid_mouse")


def write(
    path: str | Path,
    sessions: Mapping[str, SessionPredictions],
    target: Target = RUN,
    **about: str,
) -> None:
    """Write predictions of the sessions of validation mice; `about` are the `ATTRIBUTES`.

    Raises UserError if they are of no frame.
    """
    if not any(len(session.frame) for session in sessions.values()):
        raise UserError(nothing(path, sessions))
    write_sessions(path, {name: about[name] for name in ATTRIBUTES}, sessions, target)


def check_given(allocation: Allocation, mice: Iterable[str]) -> None:
    """Raise UserError, naming the mouse, if one that validates is not among `mice`."""
    missing = sorted({*allocation.valid} - {*mice})
    if missing:
        raise UserError(
            f"--validation: no recording of mouse {', '.join(missing)}, which validates "
            f"{allocation.id}; give its recordings too"
        )


def check_alike(trained: Any, sessions: Sequence[Any], path: Path) -> None:
    """Raise UserError unless a model, of the file `path`, decodes the target of all sessions.

    And frames of their size, and their ROIs, of recordings (see `check_frames`, `check_named`).
    """
    target = Target.of_settings(trained.settings)
    for one in sessions:
        target.check_same(one.target, path)
    recordings = [one for one in sessions if isinstance(one, Recording)]
    check_frames(trained.settings, recordings, path)
    check_named(trained.settings, recordings, path)


def allocated(
    trained: Any, sessions: Sequence[Any], weights: Path, *, validates: bool
) -> Allocation:
    """Return the allocation of a trained decoder with the mice of recordings or features.

    `trained` is of the file `weights`; `validates`: whether predictions of the mice that it
    validated on are asked for, which are apart from those to test. Raises UserError if the decoder
    has seen a mouse to test, decodes another target than `sessions` have or frames of another size,
    or a validation mouse is not among them.
    """
    check_alike(trained, sessions, weights)
    mice = mice_of(sessions)
    known = trained.valid_mice if validates else ()
    allocation = trained.allocate([mouse for mouse in mice if mouse not in known])
    if validates:
        check_given(allocation, mice)
    return allocation


def write_roles(
    sessions: Mapping[str, SessionPredictions],
    decoder: str,
    allocation: Allocation,
    out: str | Path,
    validation: str | Path | None = None,
    protocol: str = protocols.TRANSDUCTIVE,
    target: Target = RUN,
) -> None:
    """Write predictions of test mice to `out`, and those of validation mice to `validation`.

    `sessions` are of both roles, from one pass; without `validation` of test mice only. Raises
    UserError, naming the mouse, if those of a validation mouse are asked for and not there.
    """
    chosen = {name: one for name, one in sessions.items() if one.mouse in allocation.valid}
    tested = {name: one for name, one in sessions.items() if name not in chosen}
    if validation is not None:
        check_given(allocation, {one.mouse for one in chosen.values()})
        about = {"decoder": decoder, "allocation": allocation.id}
        write(validation, chosen, target, **about, valid_mouse=allocation.joined("valid"))
    bind(decoder, allocation, tested, protocol, target).write(out)


def read(path: str | Path, allocation: str, valid_mouse: str) -> dict[str, SessionPredictions]:
    """Return the predictions in a file, by session.

    Raises UserError if it is no such file, or not of this allocation and validation mouse, or of
    several (joined by "+") not of each; FileNotFoundError if there is none.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; run its decoder with --validation")
    try:
        with h5py.File(path) as file:
            about = {name: as_text(file.attrs[name]) for name in ATTRIBUTES}
            target = Target.of_attributes(file.attrs)
            sessions = {name: session_of(group, target) for name, group in file.items()}
    except NO_FILE:
        raise
    except (OSError, KeyError, TypeError, ValueError) as error:
        reason = str(error).strip("\"'")
        raise UserError(
            f"{path}: not predictions of validation mice ({reason}); make them again"
        ) from None
    mice = {session.mouse for session in sessions.values()}
    if about["allocation"] != allocation or mice != {*split_ids(valid_mouse)}:
        raise UserError(
            f"{path}: predictions of mouse {', '.join(sorted(mice))} in allocation "
            f"{about['allocation']}; needs the validation mouse {valid_mouse} of {allocation}"
        )
    return sessions
