"""Which ROIs and masks carry the signal that a simulation planted: the truth of a map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mesodecode.base.files import UserError


def planted_rois(truth: Sequence[str | Path], rois: Sequence[int]) -> np.ndarray:
    """Return 1 for the ROIs (R,) that carry a planted signal in a simulation, 0 for others.

    NaN without a file of truth. `rois` are numbers from 1, those of the simulation.
    """
    if not truth:
        return np.full(len(rois), np.nan)
    planted = {int(roi) for path in truth for roi in _read_truth(path)["signal_rois"]}
    return np.isin(rois, sorted(planted)).astype(float)


def planted_masks(truth: Sequence[str | Path], areas: np.ndarray) -> np.ndarray:
    """Return 1 for the masks (M, H, W) that hide half of a planted area or more, 0 for those that
    hide none of any, NaN for the others (M,). With several files of truth: where all say so.

    A planted area is the disc of a signal ROI; its place differs from mouse to mouse.
    """
    found = np.full((max(1, len(truth)), len(areas)), np.nan)
    rows, columns = np.mgrid[: areas.shape[1], : areas.shape[2]]
    for row, path in enumerate(truth):
        about = _read_truth(path)
        scale = areas.shape[2] / about["image_size"]
        centre = (about["roi_xy"][np.array(about["signal_rois"], int) - 1] + 0.5) * scale - 0.5
        radius = about["signal_radius"] * areas.shape[2]
        discs = np.hypot(columns - centre[:, :1, None], rows - centre[:, 1:, None]) <= radius
        discs = discs[discs.any((1, 2))]
        hidden = np.einsum("mhw,khw->mk", areas.astype(float), discs) / discs.sum((1, 2))
        found[row, (hidden >= 0.5).any(1)] = 1
        found[row, (hidden == 0).all(1)] = 0
    return np.where((found == found[0]).all(axis=0), found[0], np.nan)


def true_labels(path: str | Path) -> np.ndarray:
    """Return whether a simulated mouse runs (T,) uint8, whatever the labels on record say.

    Raises UserError if the file is no truth.
    """
    try:
        with h5py.File(path) as file:
            return file["label"][:]
    except (OSError, KeyError) as error:
        raise UserError(
            f"{path}: no truth of `mesodecode simulate` with labels; simulate the session again"
        ) from error


def _read_truth(path: str | Path) -> dict[str, Any]:
    try:
        with h5py.File(path) as file:
            about = {key: file.attrs[key] for key in ("signal_rois", "signal_radius", "image_size")}
            about["roi_xy"] = file["roi_xy"][:]
            planted = file.attrs["run_signal"] > 0
    except (OSError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not a truth of `mesodecode simulate` ({reason})") from error
    return about if planted else about | {"signal_rois": np.array([], int)}
