"""Whether two recordings are of one movie, in whatever files it was saved.

A mouse that is listed under two names would train and test, and a copy of its movie in another
format has other bytes. Its frames are known again (`qc_measures.frame_codes`), also where the copy
was cut, turned, or holds one wavelength of both.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from mesodecode.base.files import UserError

SHARE, FEW = 0.05, 10  # of the frames of the shorter one, and frames, that two recordings share
IN_ORDER = 0.95  # of them that follow each other in both, as those of no chance do


def check_apart(paths: Sequence[str | Path]) -> None:
    """Raise UserError if recordings are of one movie, or of parts of it that overlap.

    That is where their movies are of the same bytes, or share frames, in one order. Of recordings
    of earlier versions bytes alone are known.
    """
    digests: dict[str, str | Path] = {}
    codes, frames = [], []
    for path in paths:
        with h5py.File(path) as file:
            found = file["frame_codes"][:] if "frame_codes" in file else np.empty(0, np.uint64)
            digest = str(file.attrs.get("movie_sha256", ""))
        if digest and digests.setdefault(digest, path) != path:
            raise _refusal(digests[digest], path, "its movie has the same bytes as that of")
        own, first, counts = np.unique(found, return_index=True, return_counts=True)
        once = (counts == 1) & (own > 0)  # repeated and even frames tell nothing
        codes.append(own[once])
        frames.append(first[once])
    for a, b in _sharing(codes):
        shared, at_a, at_b = np.intersect1d(
            codes[a], codes[b], assume_unique=True, return_indices=True
        )
        enough = len(shared) >= max(FEW, SHARE * min(len(codes[a]), len(codes[b])))
        order = np.argsort(frames[a][at_a])
        if enough and (np.diff(frames[b][at_b][order]) > 0).mean() >= IN_ORDER:
            words = f"{len(shared)} frames of its movie are also in"
            raise _refusal(paths[a], paths[b], words)


def _sharing(codes: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """Return which two recordings have a code (each has its own once) in common."""
    owner = np.repeat(np.arange(len(codes)), [len(own) for own in codes])
    known = np.concatenate([*codes, np.empty(0, np.uint64)])
    order = np.argsort(known, kind="stable")
    groups = np.split(owner[order], np.flatnonzero(np.diff(known[order])) + 1)
    sharing = {tuple(group.tolist()) for group in groups if len(group) > 1}
    return sorted({pair for group in sharing for pair in itertools.combinations(group, 2)})


def _refusal(old: str | Path, new: str | Path, words: str) -> UserError:
    said = []
    for path in (old, new):
        with h5py.File(path) as file:
            said.append(f"session {file.attrs['session']} of mouse {file.attrs['mouse']}")
    return UserError(
        f"{new}: {said[1]}: {words} {old}, {said[0]}: one recording under two names; list one "
        "session under exclude"
    )
