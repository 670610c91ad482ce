"""Predictions of a session that was left out of a training on other sessions (ceilings).

A file `results/{study}/ceilings/{decoder}/{split}.h5` has the root attributes `decoder`, `arm`,
`train`, `valid` and `test` (sessions as MOUSE/SESSION, several joined by "+"), and the datasets
`frame`, `label` and `probability` of the session tested, as in a predictions file; of no frame if
its training had one state only, or the session is too short. It is none: what reads those by
allocation cannot take it for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mesodecode.base.files import UserError
from mesodecode.base.records import creating
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.decoders.validation import ARRAYS
from mesodecode.study.allocation import join_ids, split_ids
from mesodecode.study.ceilings import Member, SessionSplit

ROLES = ("train", "valid", "test")


@dataclass(frozen=True)
class HeldOut:
    """What a decoder makes of the session that its training left out."""

    decoder: str
    split: SessionSplit
    predictions: SessionPredictions

    def write(self, path: str | Path) -> None:
        """Write to `path`, whole or not at all."""
        with creating(path) as file:
            file.attrs.update(decoder=self.decoder, arm=self.split.arm)
            for role in ROLES:
                file.attrs[role] = join_ids(one.address for one in getattr(self.split, role))
            for key, dtype in ARRAYS.items():
                values = np.asarray(getattr(self.predictions, key)).astype(dtype)
                file.create_dataset(key, data=values, compression="gzip", shuffle=True)


def read(path: str | Path) -> HeldOut:
    """Read what `HeldOut.write` wrote.

    Raises UserError if it is no such file, or a session has two roles; FileNotFoundError if there
    is none.
    """
    try:
        with h5py.File(path) as file:
            roles = [_members(str(file.attrs[role])) for role in ROLES]
            split = SessionSplit(str(file.attrs["arm"]), *roles)
            arrays = [file[key][()] for key in ARRAYS]
            decoder = str(file.attrs["decoder"])
    except FileNotFoundError:
        raise
    except (OSError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not of `mesodecode hold-out` ({reason}); make it again") from None
    return HeldOut(decoder, split, SessionPredictions(split.test[0].mouse, *arrays))


def _members(text: str) -> tuple[Member, ...]:
    return tuple(Member(*word.split("/")) for word in split_ids(text) if word)
