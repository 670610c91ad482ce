"""Predictions of a session that was left out of a training on other sessions (ceilings).

A file `results/{study}/ceilings/{decoder}/{split}.h5` has the root attributes `decoder`, `arm`,
`train`, `valid` and `test` (sessions as MOUSE/SESSION, several joined by "+"), those of another
target than run and rest, and the datasets of the session tested, as in a predictions file: `frame`,
`label` and `probability`, or those of the target; of no frame if its training cannot have taught
what it holds, or the session is too short. It is none: what reads those by allocation cannot take
it for one.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py

from mesodecode.base.files import NO_FILE, UserError, one_line
from mesodecode.base.records import creating
from mesodecode.decoders.predictions import SessionPredictions, arrays_of, session_of
from mesodecode.study.allocation import join_ids, split_ids
from mesodecode.study.ceilings import Member, SessionSplit
from mesodecode.study.targets import RUN, Target

ROLES = ("train", "valid", "test")


@dataclass(frozen=True)
class HeldOut:
    """What a decoder makes of the session that its training left out."""

    decoder: str
    split: SessionSplit
    predictions: SessionPredictions
    target: Target = RUN

    def write(self, path: str | Path) -> None:
        """Write to `path`, whole or not at all."""
        with creating(path) as file:
            file.attrs.update(decoder=self.decoder, arm=self.split.arm)
            for role in ROLES:
                file.attrs[role] = join_ids(one.address for one in getattr(self.split, role))
            file.attrs.update(self.target.attributes())
            for key, values in arrays_of(self.predictions, self.target).items():
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
            target = Target.of_attributes(file.attrs)
            made = session_of(file, target, split.test[0].mouse)
            decoder = str(file.attrs["decoder"])
    except NO_FILE:
        raise
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: not of `mesodecode hold-out` ({one_line(error)}); make it again"
        ) from None
    return HeldOut(decoder, split, made, target)


def _members(text: str) -> tuple[Member, ...]:
    return tuple(Member(*word.split("/")) for word in split_ids(text) if word)
