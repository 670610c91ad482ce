"""Tables of DeepLabCut: where parts of the body are in the frames of a video, in px."""

from functools import partial
from pathlib import Path

import numpy as np

from mesodecode.base.files import refused
from mesodecode.recordings.readers.arrays import Held

LIKELY = 0.6  # DeepLabCut's own cutoff (pcutoff) below which a point is not shown


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
        head = lines.iloc[1:levels].to_numpy().T
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
