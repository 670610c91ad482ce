"""Read the ROI signals that a lab has: MAT, HDF5, CSV/TSV and NPY files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from mesodecode.files import UserError
from mesodecode.sources import checked_rois, read_rois

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
        return checked_rois(_frames_first(_read_npy(path), n_frames, path), path), None
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
    with open(path, "rb"):  # a missing file keeps its own words
        pass
    try:
        with h5py.File(path) as file:
            found: list[str] = []
            file.visititems(lambda name, item: found.append(name) if _is_array(item) else None)
            wanted = [dataset] if dataset else DATASETS
            name = next((name for name in wanted if name and name.strip("/") in found), None)
            if name is None:
                raise UserError(
                    f"{path}: no dataset '{' or '.join(map(str, wanted))}' in it; it holds: "
                    f"{', '.join(sorted(found)) or 'no dataset'}; name one in "
                    "recordings.roi_dataset"
                )
            return file[name][()]
    except OSError as error:
        words = " ".join(str(error).split())
        raise UserError(f"{path}: not a readable HDF5 file ({words})") from error


def _is_array(item: h5py.Dataset | h5py.Group) -> bool:
    return isinstance(item, h5py.Dataset)


def _read_npy(path: str | Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        words = " ".join(str(error).split())
        raise UserError(f"{path}: not a readable NPY file of numbers ({words})") from error


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
