"""Where parts of a body are in the frames of a video, in px: DeepLabCut's tables, SLEAP's HDF5."""

from functools import partial
from pathlib import Path

import h5py
import numpy as np

from mesodecode.base.files import refused
from mesodecode.recordings.readers import hdf5
from mesodecode.recordings.readers.arrays import Held, unreadable

LIKELY = 0.6  # DeepLabCut's own cutoff (pcutoff) below which a point is not shown
DEEPLABCUT = "df_with_missing"  # the group that pandas writes its table to


def is_one(first: str) -> bool:
    """Return whether the first line of a table is that of DeepLabCut."""
    return first.split(",", 1)[0].strip().strip('"') == "scorer"


def variables(path: Path) -> dict[str, Held]:
    """Return the points of a CSV file by part of the body, or INDIVIDUAL/PART.

    PART is x and y (n, 2), NaN where its likelihood is below `LIKELY`; PART/x, PART/y and
    PART/likelihood are as they stand. Raises UserError if it is no such table.
    """
    import pandas as pd

    with refused(path, "not a table of DeepLabCut"):
        lines = pd.read_csv(path, header=None, nrows=4, dtype=str, index_col=0)
        levels = 4 if lines.index[1] == "individuals" else 3
        head = lines.iloc[1:levels].fillna("").to_numpy().T
        table = pd.read_csv(path, header=None, skiprows=levels, index_col=0).to_numpy(np.float64)
        columns = {tuple(names): values for names, values in zip(head, table.T, strict=True)}
    found: dict[str, Held] = {}
    for *part, coordinate in columns:
        name = "/".join(part)
        found[f"{name}/{coordinate}"] = Held(partial(np.copy, columns[(*part, coordinate)]))
        if coordinate == "x" and (*part, "y") in columns:
            axes = (columns[(*part, axis)] for axis in ("x", "y"))
            found[name] = Held(partial(_points, *axes, columns.get((*part, "likelihood"))), note="")
    return found


def _points(x: np.ndarray, y: np.ndarray, likelihood: np.ndarray | None) -> np.ndarray:
    points = np.stack([x, y], axis=1)
    if likelihood is not None:
        points[~(likelihood >= LIKELY)] = np.nan
    return points


def nodes(file: h5py.File, path: Path) -> dict[str, Held]:
    """Return the points of an HDF5 file by node, or TRACK/NODE of several; {} of any other file.

    Of SLEAP's `tracks` (tracks, 2, nodes, frames), NODE is x and y (n, 2), NaN where it was not
    found; NODE/x and NODE/y are each alone. Of DeepLabCut's table pandas keeps the names of parts
    as pickled objects, which are not read: it is there as what cannot be.
    """
    if DEEPLABCUT in file:
        how = "save it as CSV (deeplabcut.analyze_videos_converth5_to_csv)"
        why = f"holds names of parts as pickled objects, which are not read; {how}"
        return {DEEPLABCUT: unreadable(why, f"of DeepLabCut: {how}")}
    tracks, known = file.get("tracks"), file.get("node_names")
    if not isinstance(tracks, h5py.Dataset) or not isinstance(known, h5py.Dataset):
        return {}
    names = _words(known)
    if tracks.ndim != 4 or tracks.shape[1:3] != (2, len(names)):
        return {}
    several = _words(file.get("track_names")) if len(tracks) > 1 else [""]
    if len(several) != len(tracks):  # axes in another order, as sleap-io can write them
        return {}
    found: dict[str, Held] = {}
    for t, track in enumerate(several):
        for i, node in enumerate(names):
            name = f"{track}/{node}" if track else node
            found[name] = Held(partial(_read, tracks, path, np.s_[t, :, i]), note="")
            for axis, letter in enumerate("xy"):
                found[f"{name}/{letter}"] = Held(partial(_read, tracks, path, np.s_[t, axis, i]))
    return found


def _words(held: object) -> list[str]:
    text = isinstance(held, h5py.Dataset) and held.ndim == 1 and held.dtype.kind in "SO"
    return [word.decode() for word in held[:]] if text else []


def _read(tracks: h5py.Dataset, path: Path, part: tuple) -> np.ndarray:
    return hdf5.read_array(tracks, path)[part].T
