"""Which light each frame of a movie was taken with, as rigs record it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError
from mesodecode.recordings.readers import npy
from mesodecode.recordings.readers.arrays import Bouts
from mesodecode.recordings.readers.traces import read_variables

USUAL = ("light_sources", "light_source", "imagingLightSource", "imaging.imagingLightSource")


def read_light_sources(path: str | Path, name: str | None, n_frames: int) -> np.ndarray:
    """Return the light source of each frame of a movie (T,): whole numbers, or words.

    They are the variable `name` of a file; None looks for `USUAL`; a plain NPY vector needs no
    name. Raises UserError unless there is one for each of the `n_frames` frames of all channels.
    """
    known = (name,) if name else USUAL
    values, found = None, "the file"
    if name is None and Path(path).suffix.lower() == ".npy":
        array = npy.load(path)
        values = array.ravel() if array.size == max(array.shape, default=0) else None
        values = None if array.dtype.names else values
    if values is None:
        held, inside = read_variables(path, known)
        found = next((one for one in known if one in held), None)
        if found is None or isinstance(held[found], Bouts):
            raise UserError(
                f"{path}: no '{known[0]}' in it; it holds: {', '.join(inside) or 'nothing'}; name "
                "what has a light source a frame in light_sources_dataset"
            )
        values = held[found].values
    if len(values) != n_frames:
        raise UserError(
            f"{path}: {found} has {len(values)} light sources, but the movie has {n_frames} frames "
            "of all channels; one belongs to each"
        )
    if values.dtype.kind == "f":
        if (values != np.rint(values)).any():  # NaN too
            raise UserError(f"{path}: {found} holds no whole numbers; a light source is a number")
        values = values.astype(np.int64)
    if values.dtype.kind in "bui":
        return values.astype(np.int64)
    return np.array([v.decode() if isinstance(v, bytes) else str(v).strip() for v in values])
