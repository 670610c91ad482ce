"""Read the ROI signals that a lab has: MAT, HDF5, NWB, CSV/TSV and NPY files."""

import re
from collections.abc import Collection
from pathlib import Path

import h5py
import numpy as np

from mesodecode.base.files import UserError, say
from mesodecode.recordings.movie import check_opens
from mesodecode.recordings.readers import by_name, hdf5, npy
from mesodecode.recordings.readers.arrays import Held, Unreadable
from mesodecode.recordings.readers.mat import holding
from mesodecode.recordings.readers.table import read_table
from mesodecode.recordings.readers.traces import DATE, listed
from mesodecode.study import file_formats

DATASETS = ("dat_roi", "rois")  # looked for in an HDF5 file, in this order
# Columns of a table that are no signals: what programs call the frame's number or its time.
NO_ROI = (
    r"unnamed: \d+|(frame|sample|time|row|t|idx|index|sec(ond)?|millisecond|ms)s?"
    r"|(frame|time|sample)[ _]?(no|nr|num(ber)?|id|idx|index|stamps?|points?|s|ms|sec(onds)?)"
    r"|(frame|time|t) ?[\[(](s|ms|sec|seconds|us|min)[\])]"
)

# Columns that are behaviour, and would tell a decoder what it decodes
BEHAVIOR = r"run_?rest|labels?|states?|segments?|(speed|velocity)([ _(\[].*)?"
MANY = 20  # frames in which no signal grows without an end
# Of ImageJ's Multi Measure: Mean3 or Mean(V1), and what stands beside it
MEAN = r"Mean(\d+|\(.+\))"
MEASURES = (
    r"(Area|StdDev|Mode|Min|Max|X|Y|XM|YM|Perim\.|BX|BY|Width|Height|Major|Minor|Angle|Circ\.|Feret"
    r"|IntDen|Median|Skew|Kurt|%Area|RawIntDen|AR|Round|Solidity)(\d+|\(.+\))"
)


def read_signals(
    path: str | Path, n_frames: int, dataset: str | None = None, behavior: Collection[str] = ()
) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Return ROI signals (T, R) float32, NaN where missing, and their names (R,) if they have any.

    By suffix: .mat, variable `dataset` (default dat_roi), ROIs x frames, as MATLAB shows it; .h5,
    .hdf5, dataset `dataset` (default dat_roi or rois); .npy; .nwb, RoiResponseSeries `dataset`
    (default the only one); .csv, .tsv, a row a frame and a named column an ROI, but for those that
    count frames or time and those of behaviour, as their names say or `behavior` does. Of HDF5 and
    NPY the axis of `n_frames` (T of the movie) is time.
    Raises UserError if it is no such file or its size leaves open which axis is time.
    """
    known = file_formats.format_of(path, "rois")
    check_opens(path)
    if known is None:
        raise file_formats.unknown(path, "rois", "ROI signals are")
    if known == "MAT":
        return read_rois(path, dataset or "dat_roi"), None
    if known == "HDF5":
        return checked_rois(_frames_first(_read_hdf5(path, dataset), n_frames, path), path), None
    if known == "NPY":
        return checked_rois(_frames_first(npy.load(path), n_frames, path), path), None
    if known == "table":
        signals = _signals_of_table(path, behavior)
        values = np.stack(list(signals.values()), axis=1).astype(np.float64)
        return checked_rois(values, path), tuple(signals)
    values, names = by_name.reader(known).read_rois(path, dataset)
    return checked_rois(values, path), names


def names_of(
    path: str | Path, dataset: str | None = None, behavior: Collection[str] = ()
) -> tuple[str, ...] | None:
    """Return the names of the ROIs of a file, as `read_signals` does, if it has any.

    Of MAT, HDF5 and NPY, which have none, signals are not read. Raises UserError if they are not
    in it.
    """
    known = file_formats.format_of(path, "rois")
    check_opens(path)
    if known == "MAT":
        with holding(path) as held:
            _variable(held, dataset or "dat_roi", path)
    elif known == "HDF5":
        with hdf5.open_file(path) as file:
            _dataset(file, path, dataset)
    elif known == "table":
        return tuple(_signals_of_table(path, behavior))
    elif known == "NWB":
        return by_name.reader(known).read_rois(path, dataset)[1]
    return None


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
        return hdf5.unpacked(_dataset(file, path, dataset), path)


def _dataset(file: h5py.File, path: str | Path, dataset: str | None) -> h5py.Dataset:
    found = hdf5.datasets(file, path)
    wanted = [dataset] if dataset else DATASETS
    name = next((name.strip("/") for name in wanted if name.strip("/") in found), None)
    if name is None:
        raise UserError(
            f"{path}: no dataset '{' or '.join(map(str, wanted))}' in it; it holds: "
            f"{', '.join(sorted(found)) or 'no dataset'}; name one in recordings.roi_dataset"
        )
    return found[name]


def _signals_of_table(path: str | Path, behavior: Collection[str]) -> dict[str, np.ndarray]:
    """Return the signals of a table by name, without the columns of frames, time and behaviour.

    Of ImageJ's results, with several measures of each ROI, the means are the signals.
    """
    table = read_table(path)
    if all(re.fullmatch(r"\s*[+-]?\d*\.\d+(e[+-]?\d+)?", name, re.IGNORECASE) for name in table):
        raise UserError(
            f"{path}: no header (its first line: {', '.join(list(table)[:4])} …): write the ROIs' "
            "names above it"
        )
    known = [n for n in table if n in behavior or re.fullmatch(BEHAVIOR, n.lower())]
    if known:
        say(f"{path}: {', '.join(known)} taken for behaviour, not for an ROI")
        table = {name: column for name, column in table.items() if name not in known}
    means = {name: match[1].strip("()") for name in table if (match := re.fullmatch(MEAN, name))}
    measured = {name for name in table if re.fullmatch(MEASURES, name)}
    if means and measured:
        say(f"{path}: signals are {', '.join(means)}; left out: {', '.join(sorted(measured))}")
        table = {name: column for name, column in table.items() if name not in measured}
    found, left = {}, []
    timed = any(re.fullmatch(NO_ROI, name.lower()) for name in table)
    for name, column in table.items():
        if re.fullmatch(NO_ROI, name.lower()):
            left += [] if name.startswith("Unnamed:") else [name]
            continue
        values = column.read()
        if isinstance(values, Unreadable):
            raise UserError(f"{path}: column {name} {values.why}")
        if values.ndim > 1:
            raise UserError(
                f"{path}: {name} is a point of a body (DeepLabCut), no signal of an ROI"
            )
        # A signal may only grow, too: of numbers, one column is time.
        if _is_time(values) and not (timed and values.dtype.kind in "biuf"):
            left.append(name)
            timed = True
        elif values.dtype.kind not in "biuf":
            raise UserError(f"{path}: column {name} holds text; needs a number a frame")
        else:
            found[means.get(name, name) if measured else name] = values
    if not found:
        raise UserError(f"{path}: no column of signals; needs a named column an ROI")
    if left:
        say(f"{path}: {', '.join(left)} taken for time, not for an ROI")
    return found


def _is_time(values: np.ndarray) -> bool:
    """Return whether a column grows from each of many frames to the next, or holds dates."""
    if values.dtype.kind in "biuf":
        return len(values) >= MANY and bool((np.diff(values.astype(np.float64)) > 0).all())
    return bool(len(values)) and all(re.match(DATE, str(value).strip()) for value in values)


def read_rois(path: str | Path, variable: str = "dat_roi") -> np.ndarray:
    """Read ROI signals (T, R) float32 from `variable` (R x T) of a MAT file.

    NaN stays: it says that a signal is missing there, and a decoder decides what that means.
    """
    with holding(path) as held:
        rois = _variable(held, variable, path).read()
    if isinstance(rois, Unreadable):
        raise UserError(f"{path}: {variable} {rois.why}")
    if rois.dtype.kind not in "buif":
        raise UserError(f"{path}: {variable} holds text; needs numbers, ROIs x frames")
    if rois.ndim != 2:
        raise UserError(f"{path}: {variable} has shape {rois.shape}; needs ROIs x frames")
    return checked_rois(rois.T, path)


def _variable(held: dict[str, Held], name: str, path: str | Path) -> Held:
    if name not in held:
        raise UserError(
            f"{path}: no variable '{name}' in it; it holds: "
            f"{', '.join(listed(held)) or 'nothing'}; name one in recordings.roi_dataset"
        )
    return held[name]


def checked_rois(rois: np.ndarray, path: str | Path) -> np.ndarray:
    """Return ROI signals (T, R) as float32. Raises UserError for infinite values."""
    infinite = np.flatnonzero(np.isinf(rois).any(axis=0)) + 1
    if infinite.size:
        raise UserError(f"{path}: infinite values in ROI {', '.join(map(str, infinite[:10]))}")
    return rois.astype(np.float32)
