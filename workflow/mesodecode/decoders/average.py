"""The average of decoders: the mean of their probabilities at every frame that all decode."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError
from mesodecode.decoders import predictions, validation
from mesodecode.decoders.predictions import ATTRIBUTES, Predictions, SessionPredictions
from mesodecode.study import protocols


def average(paths: Sequence[str | Path], decoder: str) -> Predictions:
    """Return the mean of the predictions files `paths`, as predictions of `decoder`.

    Raises UserError, naming the file, unless they are of two or more different decoders, of one
    allocation, of the same sessions, with the same labels, and share frames in every session.
    """
    members = [predictions.read(path, of_any=True) for path in paths]
    if len({member.decoder for member in members}) < max(2, len(members)):
        raise UserError(
            f"{paths[-1]}: decoders {', '.join(member.decoder for member in members)}; an average "
            "is of two or more, each given once"
        )
    first = members[0]
    for path, member in zip(paths, members, strict=True):
        for name in ATTRIBUTES[1:]:
            if getattr(member, name) != getattr(first, name):
                raise UserError(
                    f"{path}: {name} is {getattr(member, name)}, but {getattr(first, name)} in "
                    f"{paths[0]}; average predictions of one allocation"
                )
        if member.target != first.target:
            raise UserError(
                f"{path}: decodes {member.target.told}, but {paths[0]} {first.target.told}; "
                "average decoders of one target"
            )
        if member.sessions.keys() != first.sessions.keys():
            other = sorted(member.sessions.keys() ^ first.sessions.keys())
            raise UserError(f"{path}: session {other[0]} is not both here and in {paths[0]}")
    sessions = {
        name: mean(name, paths, [member.sessions[name] for member in members])
        for name in first.sessions
    }
    protocol = protocols.weakest(member.protocol for member in members)
    return replace(first, decoder=decoder, sessions=sessions, protocol=protocol)


def average_validation(
    paths: Sequence[str | Path], of: Predictions
) -> dict[str, SessionPredictions]:
    """Return the mean of the files `paths` of validation mice, for the average `of` test mice.

    Raises UserError, naming the file, unless they are of its allocation and the same sessions.
    """
    members = [validation.read(path, of.allocation, of.valid_mouse) for path in paths]
    for path, member in zip(paths, members, strict=True):
        if member.keys() != members[0].keys():
            raise UserError(f"{path}: other sessions than {paths[0]}; make both again")
    return {name: mean(name, paths, [one[name] for one in members]) for name in members[0]}


def mean(
    name: str, paths: Sequence[str | Path], members: Sequence[SessionPredictions]
) -> SessionPredictions:
    """Return the mean over one session's predictions, at the frames that all of them have."""
    common = functools.reduce(np.intersect1d, [member.frame for member in members])
    if not len(common) and all(len(member.frame) for member in members):  # else too short for one
        raise UserError(f"{paths[0]}: session {name}: no frame that all {len(members)} files have")
    at = [np.isin(member.frame, common) for member in members]
    label = members[0].label[at[0]]
    for path, member, here in zip(paths, members, at, strict=True):
        differs = member.label[here] != label
        if member.mouse != members[0].mouse or differs.any():
            what = f"the label of frame {common[differs][0]}" if differs.any() else "the mouse"
            raise UserError(
                f"{path}: session {name}: {what} is not that of {paths[0]}; these decoders were "
                "not tested on the same labels"
            )
    # Summed in float64: sums in float32 would depend on the order of the members.
    values = [member.probability[here] for member, here in zip(members, at, strict=True)]
    return SessionPredictions(
        members[0].mouse, common, label, np.mean(values, axis=0, dtype=np.float64)
    )
