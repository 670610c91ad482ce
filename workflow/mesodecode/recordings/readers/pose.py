"""Points of a body in HDF5, as SLEAP exports its analysis, in px; and what DeepLabCut's are not."""

from functools import partial
from pathlib import Path

import h5py
import numpy as np

from mesodecode.recordings.readers import hdf5
from mesodecode.recordings.readers.arrays import Held, unreadable

DEEPLABCUT = "df_with_missing"  # the group that pandas writes its table to


def points(file: h5py.File, path: Path) -> dict[str, Held]:
    """Return the points of an HDF5 file by node, or TRACK/NODE of several; {} of any other file.

    Of SLEAP's `tracks` (tracks, 2, nodes, frames), NODE is x and y (n, 2), NaN where it was not
    found; NODE/x and NODE/y are each alone. Of DeepLabCut's table pandas keeps the names of parts
    as pickled objects, which are not read: it is there as what cannot be.
    """
    if DEEPLABCUT in file:
        how = "save it as CSV (deeplabcut.analyze_videos_converth5_to_csv)"
        why = f"holds names of parts as pickled objects, which are not read; {how}"
        return {DEEPLABCUT: unreadable(why, f"of DeepLabCut: {how}")}
    tracks, nodes = file.get("tracks"), file.get("node_names")
    if not isinstance(tracks, h5py.Dataset) or not isinstance(nodes, h5py.Dataset):
        return {}
    names = [name.decode() for name in nodes[:]]
    if tracks.ndim != 4 or tracks.shape[1:3] != (2, len(names)):
        return {}
    several = [name.decode() for name in file["track_names"][:]] if len(tracks) > 1 else [""]
    found: dict[str, Held] = {}
    for t, track in enumerate(several):
        for i, node in enumerate(names):
            name = f"{track}/{node}" if track else node
            found[name] = Held(partial(_read, tracks, path, np.s_[t, :, i]), note="")
            for axis, letter in enumerate("xy"):
                found[f"{name}/{letter}"] = Held(partial(_read, tracks, path, np.s_[t, axis, i]))
    return found


def _read(tracks: h5py.Dataset, path: Path, part: tuple) -> np.ndarray:
    return hdf5.read_array(tracks, path)[part].T
