"""Recordings and movies in memory, written without the code under test."""

from __future__ import annotations

import functools
from pathlib import Path

import h5py
import numpy as np

from mesodecode.recordings.recording import Recording, read_recording
from mesodecode.simulation import simulate
from mesodecode.study import schema

H, W = 5, 7


def write_recording(path, frames, *, mouse="m1", segment=None, labels=None):
    """Write a recording as the contract describes it, without the code under test."""
    labels = np.arange(len(frames)) % 3 == 0 if labels is None else labels
    with h5py.File(path, "w") as file:
        file["frames"] = frames
        file["labels"] = np.asarray(labels).astype(np.uint8)
        file["pixel_mean"] = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
        file["stack_sd"] = np.float32(frames.std(dtype=np.float64))
        if segment is not None:
            file["segment"] = np.asarray(segment, np.int64)
        file.attrs.update(session=path.stem, mouse=mouse, frame_rate=30.0)
    return read_recording(path)


def stack(dtype, n_frames, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return (scale * rng.normal(3, 2, (n_frames, H, W))).astype(dtype)
    info = np.iinfo(dtype)
    high = int(info.max * scale)
    return rng.integers(info.min, high, (n_frames, H, W), endpoint=True).astype(dtype)


RATE = 30.0  # frames/s
DEFAULTS = schema.defaults("corrections")


class Stack:
    """A movie in memory, as a reader would open it."""

    def __init__(self, frames):
        self.frames, self.path = np.asarray(frames), Path("s1.tif")
        self.shape, self.dtype = self.frames.shape, self.frames.dtype

    def blocks(self, size):
        for start in range(0, len(self.frames), size):
            yield start, self.frames[start : start + size]


def interleave(*channels):
    return np.stack(channels, axis=1).reshape(-1, *channels[0].shape[1:])


PLANTED = [6, 8, 31, 33]
LEAD = 6  # frames by which the planted activity leads the behaviour (0.2 s)
SIMULATION = {
    **{"seed": 3, "image_size": 48, "n_frames": 900, "photons": 250, "run_signal": 0.04},
    **{"signal_rois": PLANTED, "lead_s": LEAD / 30, "global_fraction": 0.0, "cycle_s": 4},
    **{"fast_amplitude": 0.015},
}


@functools.cache
def recordings() -> list[Recording]:
    settings = schema.defaults("simulate", **SIMULATION)
    made = []
    for mouse, session, share in simulate.cohort(5, 2):
        one = simulate.simulate_session(mouse=mouse, session=session, run_share=share, **settings)
        where = Path(f"{session}.h5")
        made.append(
            Recording(
                **{"path": where, "session": session, "mouse": mouse, "frame_rate": 30.0},
                **{"labels": one.label, "speed": None, "segment": None, "rois": one.rois.T},
                **{"pixel_mean": None, "stack_sd": 1.0, "shape": one.frames.shape},
            )
        )
    return made


def write_rois(folder: Path, one: Recording) -> Path:
    """Write a recording with its ROI signals, and frames whose size differs between mice."""
    path, size = folder / one.path, (2, 2 + sum(map(ord, one.mouse)) % 3)
    with h5py.File(path, "w") as file:
        file["frames"] = np.zeros((len(one), *size), np.uint8)
        file["labels"], file["rois"] = one.labels, one.rois
        file["pixel_mean"], file["stack_sd"] = np.zeros(size), 1.0
        file.attrs.update(session=one.session, mouse=one.mouse, frame_rate=30.0)
    return path
