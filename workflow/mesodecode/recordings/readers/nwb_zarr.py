"""NWB files in Zarr folders, as hdmf-zarr lays them out: names and attributes are those of HDF5.

Attributes are read as JSON: Zarr 3 does not open the arrays of text that hdmf-zarr writes (their
fill value is 0), nor any group above them.
"""

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError
from mesodecode.recordings.axes import Axes
from mesodecode.recordings.readers import nwb

KINDS = ("OnePhotonSeries", "TwoPhotonSeries")


def series(path: Path) -> dict[str, Path]:
    """Return the folders of an NWB file's photon series by name; {} if it is no NWB file.

    By their path in the file where two have one name. Raises UserError if it is one without a
    series of frames.
    """
    if _attributes(path).get("neurodata_type") != "NWBFile":
        return {}
    found: list[Path] = []
    for top, folders, files in os.walk(path):
        group = Path(top)
        if _attributes(group).get("neurodata_type") in KINDS and (group / "data").is_dir():
            found.append(group)
        if ".zarray" in files or _json(group / "zarr.json").get("node_type") == "array":
            folders.clear()  # of chunks, many of them
    if not found:
        raise UserError(f"{path}: an NWB file without a {' or '.join(KINDS)} in it")
    count = Counter(group.name for group in found)
    return {
        group.name if count[group.name] == 1 else group.relative_to(path).as_posix(): group
        for group in found
    }


def axes(path: Path, group: Path, shape: tuple[int, ...], asked: str | None) -> Axes:
    """Return the axes of a series; see `mesodecode.recordings.readers.nwb.axes_of_series`."""
    import zarr

    folder = group / "dimension"
    dimension = zarr.open_array(folder, mode="r")[:].tolist() if folder.is_dir() else None
    script = _text(path / "general" / "source_script")
    return nwb.axes_of_series(shape, asked, dimension, script, path)


def times(group: Path, n_frames: int) -> np.ndarray | None:
    """Return the time stamp (s) of each frame of a series, None where it has none."""
    import zarr

    if (group / "timestamps").is_dir():
        return zarr.open_array(group / "timestamps", mode="r")[:].astype(np.float64)
    rate = _attributes(group / "starting_time").get("rate")
    if not rate:
        return None
    start = zarr.open_array(group / "starting_time", mode="r")[...]
    return float(np.ravel(start)[0]) + np.arange(n_frames) / float(rate)


def _json(file: Path) -> dict:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}


def _attributes(folder: Path) -> dict:
    """Return the attributes of a Zarr group or array, version 2 or 3; {} if it has none."""
    return _json(folder / ".zattrs") or _json(folder / "zarr.json").get("attributes", {})


def _text(folder: Path) -> str:
    """Return the words in the first chunk of an array of text, with whatever stands around them."""
    import numcodecs

    if not (folder / "0").is_file():
        return ""
    chunk, codec = (folder / "0").read_bytes(), _json(folder / ".zarray").get("compressor")
    return bytes(numcodecs.get_codec(codec).decode(chunk) if codec else chunk).decode(
        errors="replace"
    )
