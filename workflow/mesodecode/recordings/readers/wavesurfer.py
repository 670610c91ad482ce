"""Channels of WaveSurfer's HDF5 files by the names that its header gives them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from mesodecode.base.natural_order import in_order
from mesodecode.recordings.readers import hdf5
from mesodecode.recordings.readers.arrays import Held
from mesodecode.recordings.readers.pose import nodes


@contextmanager
def holding(path: Path) -> Iterator[dict[str, Held]]:
    """Open any HDF5 file for what it holds by path, and WaveSurfer's channels, SLEAP's nodes."""
    with hdf5.open_file(path) as file:
        yield hdf5.variables(file, path) | channels(file, path) | nodes(file, path)


def channels(file: h5py.File, path: Path) -> dict[str, Held]:
    """Return the channels of an HDF5 file by name, {} if WaveSurfer did not write it.

    Analog ones are counts x `AIScalingCoefficients` (a polynomial, to volts) / `AIChannelScales`,
    or counts where the header has none; of digital ones, the first is the lowest bit. Sweeps follow
    each other by their time stamps; times (s) are from the beginning of the first.
    """
    head = file.get("header")
    if not isinstance(head, h5py.Group) or "AcquisitionSampleRate" not in head:
        return {}
    rate = float(np.ravel(head["AcquisitionSampleRate"][()])[0])
    names = [str(name) for name in in_order(Path(name) for name in file)]
    sweeps = [file[name] for name in names if name.startswith(("sweep_", "trial_"))]
    found: dict[str, Held] = {}
    for kind, scans, read in (("AI", "analogScans", _analog), ("DI", "digitalScans", _bit)):
        parts = [sweep for sweep in sweeps if isinstance(sweep, h5py.Group) and scans in sweep]
        times = partial(_times, parts, scans, rate)
        for row, name in enumerate(_active(head, f"{kind}ChannelNames", f"Is{kind}ChannelActive")):
            reader = partial(_joined, parts, scans, partial(read, head, row), path)
            if parts:
                unit = _active(head, f"{kind}ChannelUnits", f"Is{kind}ChannelActive")
                scaled = kind == "AI" and "AIScalingCoefficients" in head and row < len(unit)
                found[name] = Held(reader, unit[row] if scaled else None, times=times)
    return found


def _active(head: h5py.Group, key: str, active: str) -> list:
    """Return what the header says of each channel that was recorded."""
    if key not in head:
        return []
    values = np.ravel(head[key].asstr()[()] if head[key].dtype.kind in "OS" else head[key][()])
    if active in head:
        kept = np.ravel(head[active][()]).astype(bool)
        values = values[kept] if len(kept) == len(values) else values
    return values.tolist()


def _analog(head: h5py.Group, row: int, counts: np.ndarray) -> np.ndarray:
    values = np.atleast_2d(counts)[row].astype(np.float64)
    if "AIScalingCoefficients" not in head:
        return values
    polynomial = np.atleast_2d(head["AIScalingCoefficients"][()])[row]
    scale = _active(head, "AIChannelScales", "IsAIChannelActive")[row]
    return np.polynomial.polynomial.polyval(values, polynomial) / scale


def _bit(_: h5py.Group, row: int, words: np.ndarray) -> np.ndarray:
    return (np.atleast_2d(words)[0] >> np.atleast_2d(words).dtype.type(row)) & 1


def _joined(
    sweeps: list[h5py.Group], scans: str, read: Callable[[np.ndarray], np.ndarray], path: Path
) -> np.ndarray:
    return np.concatenate([read(hdf5.read_array(sweep[scans], path)) for sweep in sweeps])


def _times(sweeps: list[h5py.Group], scans: str, rate: float, n_values: int) -> np.ndarray | None:
    stamps = [np.ravel(s["timestamp"][()])[0] if "timestamp" in s else None for s in sweeps]
    if None in stamps and len(sweeps) > 1:
        return None
    starts = np.zeros(1) if None in stamps else np.array(stamps, np.float64) - stamps[0]
    return np.concatenate(
        [
            start + np.arange(s[scans].shape[-1]) / rate
            for start, s in zip(starts, sweeps, strict=True)
        ]
    )
