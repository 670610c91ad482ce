"""Read the ROI signals that a lab has: MAT, HDF5, CSV/TSV and NPY files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mesodecode.files import UserError
from mesodecode.sources import hdf5, npy
from mesodecode.sources.mat import read_mat

DATASETS = ("dat_roi", "rois")  # looked for in an HDF5 file, in this order
NO_ROI = ("", "frame", "time", "time_s")  # columns of a table that are no signals


def read_signals(
    path: str | Path, n_frames: int, dataset: str | None = None
) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Return ROI signals (T, R) float32, NaN where missing, and their names (R,) if they have any.

    By suffix: .mat, variable `dataset` (default dat_roi), ROIs x frames, as MATLAB shows it; .h5,
    .hdf5, dataset `dataset` (default dat_roi or rois); .npy; .csv, .tsv, a row a frame and a named
    column an ROI. Of HDF5 and NPY the axis of `n_frames` (T of the movie) is time.
    Raises UserError if it is no such file or its size leaves open which axis is time.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".mat":
        return read_rois(path, dataset or "dat_roi"), None
    if suffix in (".h5", ".hdf5"):
        return checked_rois(_frames_first(_read_hdf5(path, dataset), n_frames, path), path), None
    if suffix == ".npy":
        return checked_rois(_frames_first(npy.load(path), n_frames, path), path), None
    if suffix in (".csv", ".tsv"):
        table = _read_table(path)
        return checked_rois(table.to_numpy(np.float64), path), tuple(table.columns)
    raise UserError(
        f"{path}: ROI signals are read from .mat, .h5, .hdf5, .csv, .tsv and .npy files"
    )


def _frames_first(values: np.ndarray, n_frames: int, path: str | Path) -> np.ndarray:
    """Return values (R, T) or (T, R) as (T, R)."""
    if values.ndim != 2 or values.dtype.kind not in "iuf":
        raise UserError(
            f"{path}: an array of shape {values.shape} and type {values.dtype}; needs numbers, "
            "ROIs x frames or frames x ROIs"
        )
    if values.shape == (n_frames, n_frames):
        raise UserError(
            f"{path}: {n_frames} x {n_frames} values for {n_frames} frames: which axis is time "
            "cannot be told; save it as a table (.csv) or as .mat"
        )
    return values.T if values.shape[1] == n_frames else values


def _read_hdf5(path: str | Path, dataset: str | None) -> np.ndarray:
    with hdf5.open_file(path) as file:
        found = hdf5.datasets(file, path)
        wanted = [dataset] if dataset else DATASETS
        name = next((name.strip("/") for name in wanted if name.strip("/") in found), None)
        if name is None:
            raise UserError(
                f"{path}: no dataset '{' or '.join(map(str, wanted))}' in it; it holds: "
                f"{', '.join(sorted(found)) or 'no dataset'}; name one in recordings.roi_dataset"
            )
        return hdf5.read_array(found[name], path)


def _read_table(path: str | Path) -> pd.DataFrame:
    """Return a table of signals; the columns `NO_ROI` (and a nameless index) are left out."""
    separator = "\t" if Path(path).suffix.lower() == ".tsv" else ","
    try:
        table = pd.read_csv(path, sep=separator, encoding="utf-8-sig")
    except (ValueError, pd.errors.ParserError) as error:
        raise UserError(f"{path}: not a table ({' '.join(str(error).split())})") from error
    names = [str(name).strip() for name in table.columns]
    table.columns = ["" if name.startswith("Unnamed:") else name for name in names]
    table = table.loc[:, [name.lower() not in NO_ROI for name in table.columns]]
    for name in table.columns:
        if table[name].dtype.kind not in "iuf":
            raise UserError(f"{path}: column {name} holds text; needs a number a frame")
    if table.shape[1] == 0:
        raise UserError(f"{path}: no column of signals; needs a named column an ROI")
    return table


def read_rois(path: str | Path, variable: str = "dat_roi") -> np.ndarray:
    """Read ROI signals (T, R) float32 from `variable` (R x T) of a MAT file.

    NaN stays: it says that a signal is missing there, and a decoder decides what that means.
    """
    variables = read_mat(path)
    if variable not in variables:
        raise UserError(
            f"{path}: no variable '{variable}' in it; it holds: "
            f"{', '.join(sorted(variables)) or 'no numeric variable'}"
        )
    rois = variables[variable]
    if rois.ndim != 2:
        raise UserError(f"{path}: {variable} has shape {rois.shape}; needs ROIs x frames")
    return checked_rois(rois.T, path)


def checked_rois(rois: np.ndarray, path: str | Path) -> np.ndarray:
    """Return ROI signals (T, R) as float32. Raises UserError for infinite values."""
    infinite = np.flatnonzero(np.isinf(rois).any(axis=0)) + 1
    if infinite.size:
        raise UserError(f"{path}: infinite values in ROI {', '.join(map(str, infinite[:10]))}")
    return rois.astype(np.float32)
