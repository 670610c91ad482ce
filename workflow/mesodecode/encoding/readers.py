"""Sessions of images shown to neurons, as files have them: plain HDF5, NPY, Allen NWB.

Datasets of a plain HDF5 file, or files NAME.npy of a folder:
  images (I, H, W), image (P,) numbers from 0, -1 for grey, start, end (P,) in s,
  dff and/or events (neurons, samples), time (samples,) in s;
  optional: speed, pupil, and speed_time, pupil_time in s if they have clocks of their own;
  neurons (neurons,), ids that sessions are matched by, numbers or words.
NWB files are those of the Allen Brain Observatory (Visual Coding; NWB 1, as allensdk reads them).
"""

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mesodecode.base.files import UserError, as_text, check_memory, counted, one_line, unpacked_size
from mesodecode.recordings.readers import hdf5, npy

ALLEN = "processing/brain_observatory_pipeline"
STIMULI = "stimulus/presentation"
SCENES = ("natural_scenes_stimulus", "natural_scenes")  # the two names that allensdk looks for
ALLEN_NAMES = {  # name here -> path in the file (allensdk/core/brain_observatory_nwb_data_set.py)
    "images": "stimulus/templates/natural_scenes_image_stack/data",
    "image": f"{STIMULI}/{{scenes}}/data",
    "frames": f"{STIMULI}/{{scenes}}/frame_duration",  # first sample, and the one after the last
    "dff": f"{ALLEN}/DfOverF/imaging_plane_1/data",
    "time": f"{ALLEN}/DfOverF/imaging_plane_1/timestamps",
    "neurons": f"{ALLEN}/ImageSegmentation/cell_specimen_ids",
    "speed": f"{ALLEN}/BehavioralTimeSeries/running_speed/data",
    "speed_time": f"{ALLEN}/BehavioralTimeSeries/running_speed/timestamps",
    "pupil": f"{ALLEN}/PupilTracking/pupil_size/data",
    "pupil_time": f"{ALLEN}/PupilTracking/pupil_size/timestamps",
}


@dataclass(frozen=True)
class Session:
    """Images and what neurons did: images (I, H, W) float32; image, start, end (P,), sorted by
    start (s); time (T,) s; traces (N, T); covariates: name -> (values, times), NaN where unknown;
    neurons (N,) ids.
    """

    images: np.ndarray
    image: np.ndarray
    start: np.ndarray
    end: np.ndarray
    time: np.ndarray
    traces: np.ndarray
    neurons: np.ndarray
    covariates: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


def read_session(
    path: str | Path,
    signal: str = "dff",
    covariates: list[str] | None = None,
    events: str | Path | None = None,
) -> Session:
    """Read a session; `signal`: dff or events, `events`: a file that holds them alone.

    Presentations of image -1 (grey, the blank sweeps of Allen's sessions) get a grey image of
    their own, the last. Raises UserError naming file and dataset if something is missing or does
    not fit, OSError if a file cannot be opened.
    """
    path = Path(path)
    if path.is_dir():
        found = {file.stem: npy.load(file) for file in sorted(path.glob("*.npy"))}
        numbers = {
            name: one
            for name, one in found.items()
            if one.dtype.kind in "buif" or (name == "neurons" and one.dtype.kind in "SU")
        }
        arrays = _Arrays(path, numbers.get, sorted(numbers), {}, covariates or [])
        return _session(arrays, signal, events)
    with hdf5.open_file(path) as file:
        names = sorted(hdf5.datasets(file, path))
        scenes = _scenes(file, path)
        places = {k: v.format(scenes=scenes) for k, v in ALLEN_NAMES.items()} if scenes else {}

        def get(name: str) -> np.ndarray | None:
            item = file.get(places.get(name, name))  # follows links, which `names` are without
            if not isinstance(item, h5py.Dataset):
                return None
            words = name == "neurons" and h5py.check_string_dtype(item.dtype) is not None
            return hdf5.read_array(item, path) if words or item.dtype.kind in "buif" else None

        return _session(_Arrays(path, get, names, places, covariates or []), signal, events)


def _scenes(file: h5py.File, path: Path) -> str | None:
    """Return the name of the natural scenes of an NWB file of Allen's; None for a plain file."""
    shown = list(file.get(STIMULI, ()))
    found = next((name for name in SCENES if name in shown), None)
    if found is None and ALLEN in file:
        stimuli = ", ".join(name.removesuffix("_stimulus") for name in shown) or "none"
        raise UserError(
            f"{path}: no natural scenes among its stimuli ({stimuli}); name a session that has "
            "them (Allen's session B)"
        )
    if found is None and "nwb_version" in file.attrs:
        raise UserError(
            f"{path}: NWB {file.attrs['nwb_version']}, not the layout of the Allen Brain "
            "Observatory (NWB 1); write its arrays as plain HDF5 (docs/encoding.md)"
        )
    return found


@dataclass(frozen=True)
class _Arrays:
    """The arrays of a file by their names here; `names`: of all in it, `places`: where some lie."""

    path: Path
    get: Callable[[str], np.ndarray | None]
    names: list[str]
    places: dict[str, str]
    covariates: list[str]

    def need(self, name: str, axes: int) -> np.ndarray:
        """Return an array. Raises UserError if it is not there or has other axes."""
        array = self.get(name)
        if array is None:
            hint = "; name its file in recordings.events" if name == "events" else ""
            hint = "; leave it out of responses.covariates" if name in self.covariates else hint
            if name in self.places:
                raise UserError(
                    f"{self.path}: no '{name}' in it (dataset {self.places[name]}){hint}"
                )
            held = ", ".join(self.names[:20]) or "nothing"
            raise UserError(f"{self.path}: no '{name}' in it{hint}; it holds: {held}")
        if array.ndim != axes:
            raise UserError(f"{self.path}: {name} has {array.ndim} axes; needs {axes}")
        return array


def _session(arrays: _Arrays, signal: str, events: str | Path | None) -> Session:
    path, need = arrays.path, arrays.need
    images, image = need("images", 3), need("image", 1)
    if not len(image):
        raise UserError(f"{path}: no presentations in it; 'image' is empty")
    if (whole := image % 1 == 0).all():
        image = image.astype(np.int64)
    else:
        raise UserError(f"{path}: image has {image[~whole][0]}; needs whole numbers of images")
    if not np.isfinite(images).all():
        raise UserError(f"{path}: images have pixels that are not finite")
    time = need("time", 1).astype(np.float64)
    if unknown := int((~np.isfinite(time)).sum()):
        words = f"time has no number for {counted(unknown, 'sample')}; interpolate it"
        raise UserError(f"{path}: {words}")
    if np.any(np.diff(time) <= 0):
        raise UserError(f"{path}: time goes back or repeats; time stamps must increase")
    traces = _events(events) if events and signal == "events" else need(signal, 2)
    if traces.shape[1] != len(time):
        raise UserError(
            f"{path}: {signal} has {traces.shape[1]} samples and time {len(time)}; traces are "
            "neurons x samples"
        )
    start, end = _presentations(arrays, time, len(image))
    if image.min() < -1 or image.max() >= len(images):
        raise UserError(
            f"{path}: image goes from {image.min()} to {image.max()}, but there are {len(images)} "
            "images, counted from 0 (-1 = grey)"
        )
    images = images.astype(np.float32)
    if np.any(image == -1):
        grey = np.full((1, *images.shape[1:]), images.mean(), np.float32)
        images, image = np.concatenate([images, grey]), np.where(image == -1, len(images), image)
    order = np.argsort(start, kind="stable")
    ids = arrays.get("neurons")
    ids = np.arange(len(traces)) if ids is None else np.asarray(ids)
    if ids.dtype.kind in "SOU":
        ids = np.array([as_text(one) for one in ids.ravel()], str)
    if len(ids) != len(traces):
        raise UserError(f"{path}: {len(ids)} neurons and {len(traces)} traces")
    found = {name: _covariate(arrays, name, time) for name in arrays.covariates}
    return Session(images, image[order], start[order], end[order], time, traces, ids, found)


def _presentations(arrays: _Arrays, time: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return start and end (s) of the `n` presentations; Allen's are given in samples of `time`."""
    if arrays.get("frames") is None:
        start, end = (arrays.need(name, 1).astype(np.float64) for name in ("start", "end"))
    else:
        at = np.clip(arrays.need("frames", 2).astype(int), 0, len(time) - 1)
        start, end = time[at[:, 0]], time[at[:, -1]]
    if not n == len(start) == len(end):
        raise UserError(
            f"{arrays.path}: image, start and end have {n}, {len(start)} and {len(end)} rows"
        )
    if np.any(end <= start):
        raise UserError(
            f"{arrays.path}: presentation {int(np.argmax(end <= start))} ends before it starts"
        )
    return start, end


def _covariate(arrays: _Arrays, name: str, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a covariate and its times (s), those of the traces if it has none of its own."""
    values, own = arrays.get(name), arrays.get(f"{name}_time")
    if values is None or values.shape[1:] != (1,):  # a column in early files of Allen's
        values = arrays.need(name, 1)
    values = values.astype(np.float64).ravel()
    clock = time if own is None else own.astype(np.float64)
    if len(values) != len(clock):
        raise UserError(f"{arrays.path}: {name} has {len(values)} values for {len(clock)} times")
    known = np.isfinite(clock)  # as where a camera dropped frames
    if np.any(np.diff(clock[known]) < 0):
        raise UserError(f"{arrays.path}: {name}_time goes back; time stamps must increase")
    return values[known], clock[known]


def _events(path: str | Path) -> np.ndarray:
    """Read events (neurons, samples): `ev` of an .npz file, or an .npy file."""
    loaded: Any = npy.load(Path(path)) if str(path).endswith(".npy") else None
    if loaded is None:
        try:
            check_memory(unpacked_size(path), path, "all in it")
            file = np.load(path, allow_pickle=False)
            if isinstance(file, np.ndarray):
                raise ValueError("an array, no archive")
            with file:
                loaded = file["ev"]
            if loaded.dtype.kind not in "buif":
                raise ValueError("an array of text, not of numbers")
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            why = one_line(error)
            raise UserError(f"{path}: no events in it ({why}); needs `ev` in an .npz") from error
    if loaded.ndim != 2:
        raise UserError(f"{path}: events have {loaded.ndim} axes; needs neurons x samples")
    return loaded
