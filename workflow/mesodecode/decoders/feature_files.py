"""Features of a frozen CNN as files, which recurrent decoders of it read.

A file `results/{study}/features/{cnn}/{training}/{mouse}.h5` has a group `epoch_{n}` for each epoch
of the training that some allocation chose, and in it a group a session: `features` (T, F) float16,
of a causal CNN float32, and `logit` (T,) float32 of the CNN itself, both zero where a frame has no
image, `labels` (T,) uint8, `segment` (T,) if the recording has it; attributes `mouse`, `weights`,
of which CNN, `normalising` (JSON), how its images were, `skip` and `corrected` of the recording,
and its target where that is not run and rest (`labels` are then its values, `logit` of K states
(T, K)). The file `features/{cnn}/{allocation}.h5` holds links to the sessions of all mice of an
allocation under the epoch that it chose; attribute `seen`: whether its CNN was trained or validated
on that mouse.
"""

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py

from mesodecode.base.files import UserError, as_text, sha256_of
from mesodecode.base.records import creating, reading
from mesodecode.decoders.inputs import SessionFeatures
from mesodecode.study.targets import Target

ARRAYS = ("features", "logit", "labels", "segment")
OF_EPOCH = re.compile(r"epoch_(\d+)")


def link(paths: Iterable[str | Path], epoch: int, seen: Sequence[str], out: str | Path) -> None:
    """Write links to the sessions of an epoch in files of `mesodecode extract`, a file a mouse.

    Mice that are `seen` are marked as such.
    Links are relative to `out`, so that a folder of results can be moved. Raises UserError if a
    file has not that epoch.
    """
    with creating(out) as file:
        for path in map(Path, paths):
            relative = os.path.relpath(path, Path(out).parent)
            with reading(path, "a file of features", "extract") as source:
                for name, group in _sessions(source, path, epoch).items():
                    session = file.create_group(name)
                    session.attrs.update(group.attrs)
                    session.attrs["seen"] = as_text(group.attrs["mouse"]) in seen
                    for key in group:
                        session[key] = h5py.ExternalLink(relative, group[key].name)


def epochs_in(path: str | Path) -> list[int]:
    """Return the epochs (from 1) in a file of `mesodecode extract`; none if it is of one CNN."""
    with reading(path, "a file of features", "extract") as file:
        groups = [name for name in file if "mouse" not in file[name].attrs]
        found = {name: OF_EPOCH.fullmatch(name) for name in groups}
        if strangers := [name for name in groups if not found[name]]:
            raise KeyError(f"'{strangers[0]}' is none of an epoch")
        return sorted(int(match[1]) for match in found.values())


def mice_in(path: str | Path, epoch: int | None = None) -> list[str]:
    """Return the mice in a file of `mesodecode extract`, under an epoch if it has several."""
    with reading(path, "a file of features", "extract") as file:
        groups = _sessions(file, path, epoch).values()
        return list(dict.fromkeys(as_text(group.attrs["mouse"]) for group in groups))


def read_features(
    path: str | Path, mice: Sequence[str] | None = None, epoch: int | None = None
) -> list[SessionFeatures]:
    """Read the sessions of `mice` (all if None) from a file of `mesodecode extract` or `link`.

    `epoch`: which of them, from 1, in a file that has several. Raises UserError if it is no such
    file, or holds nothing of one of the mice.
    """
    sessions = []
    with reading(path, "a file of features", "extract") as file:
        for name, group in _sessions(file, path, epoch).items():
            mouse = as_text(group.attrs["mouse"])
            if mice is None or mouse in mice:
                features, logit, labels, segment = (
                    group[key][:] if key in group else None for key in ARRAYS
                )
                about = bool(group.attrs.get("seen")), str(group.attrs.get("weights"))
                read = SessionFeatures(name, mouse, features, labels, segment, *about, logit)
                sessions.append(replace(read, **_normalised(group)))
    missing = sorted({*(mice or [])} - {s.mouse for s in sessions})
    if missing or not sessions:
        raise UserError(f"{path}: no features of mice {', '.join(missing) or 'of any name'}")
    return sessions


def _normalised(group: h5py.Group) -> dict[str, Any]:
    """Return how the images of a session were normalised; older files do not say it."""
    about = group.attrs
    found = {"skip": int(about.get("skip", 0)), "corrected": bool(about.get("corrected"))}
    found["target"] = Target.of_attributes(about)
    return found | {"normalising": json.loads(about.get("normalising", "{}"))}


def fingerprint(session: SessionFeatures) -> str:
    """Return a digest of features and of the labels that go with them."""
    digest = sha256_of(session.features, session.labels, session.segment)
    return f"{session.mouse}/{session.session}: {digest}"


def group_of(epoch: int) -> str:
    """Return the name of the group of an epoch."""
    return f"epoch_{epoch}"


def _sessions(file: h5py.File, path: str | Path, epoch: int | None) -> h5py.Group:
    if epoch is not None and group_of(epoch) not in file:
        raise UserError(f"{path}: no features of epoch {epoch}; make it again")
    return file if epoch is None else file[group_of(epoch)]
