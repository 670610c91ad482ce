"""Predictions of validation mice, which choose a decoder's threshold as a test mouse must not.

`results/{study}/validation/{decoder}/{allocation}.h5` has the root attributes `decoder`,
`allocation` and `valid_mouse` (several joined by "+") and one group a session of these mice, laid
out as in a predictions file. Nothing but the threshold is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from mesodecode.base.files import UserError, atomic_path
from mesodecode.base.windows import tell_short
from mesodecode.decoders import average
from mesodecode.decoders.predictions import SessionPredictions, nothing

ATTRIBUTES = ("decoder", "allocation", "valid_mouse")
ARRAYS = {"frame": "i8", "label": "u1", "probability": "f4"}


def write(path: str | Path, sessions: Mapping[str, SessionPredictions], **about: str) -> None:
    """Write predictions of the sessions of validation mice; `about` are the `ATTRIBUTES`.

    Raises UserError if they are of no frame.
    """
    if not any(len(session.frame) for session in sessions.values()):
        raise UserError(nothing(path, sessions))
    tell_short({name: len(one.frame) for name, one in sessions.items()})
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        for name in ATTRIBUTES:
            file.attrs[name] = about[name]
        for name, session in sessions.items():
            group = file.create_group(name)
            group.attrs["mouse"] = session.mouse
            for key, dtype in ARRAYS.items():
                values = np.asarray(getattr(session, key)).astype(dtype)
                group.create_dataset(key, data=values, compression="gzip", shuffle=True)


def read(path: str | Path, allocation: str, valid_mouse: str) -> dict[str, SessionPredictions]:
    """Return the predictions in a file, by session.

    Raises UserError if it is no such file, or not of this allocation and validation mouse;
    FileNotFoundError if there is none.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; run `mesodecode predict-validation` first")
    try:
        with h5py.File(path) as file:
            about = {name: str(file.attrs[name]) for name in ATTRIBUTES}
            sessions = {
                name: SessionPredictions(
                    str(group.attrs["mouse"]), *(group[key][()] for key in ARRAYS)
                )
                for name, group in file.items()
            }
    except (OSError, KeyError) as error:
        reason = str(error).strip("\"'")
        raise UserError(
            f"{path}: not a file of `mesodecode predict-validation` ({reason}); make it again"
        ) from None
    mice = {session.mouse for session in sessions.values()}
    if about["allocation"] != allocation or not mice <= {*valid_mouse.split("+")}:
        raise UserError(
            f"{path}: predictions of mouse {', '.join(sorted(mice))} in allocation "
            f"{about['allocation']}; needs the validation mouse {valid_mouse} of {allocation}"
        )
    return sessions


def read_mean(
    paths: Sequence[str | Path], allocation: str, valid_mouse: str
) -> dict[str, SessionPredictions]:
    """Return the frame by frame mean of files, for a decoder that averages others."""
    members = [read(path, allocation, valid_mouse) for path in paths]
    if len(members) == 1:
        return members[0]
    for path, member in zip(paths, members, strict=True):
        if member.keys() != members[0].keys():
            raise UserError(f"{path}: other sessions than {paths[0]}; make both again")
    return {
        name: average.mean(name, paths, [member[name] for member in members]) for name in members[0]
    }
