"""Channels of WaveSurfer by name: of sweeps in their order, active ones alone, in their units."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from mesodecode.recordings.readers import wavesurfer
from told import assert_told

TOLD = Path(__file__).with_name("told")
HEAD = {
    "AcquisitionSampleRate": 4.0,
    "AIChannelNames": ["lick", "wheel", "led"],
    "AIChannelUnits": ["V", "cm/s", "mV"],
    "IsAIChannelActive": [1, 0, 1],
    "AIChannelScales": [2.0, 5.0, 4.0],
    "AIScalingCoefficients": [[1.0, 10], [0, 100]],
    "DIChannelNames": ["camera", "trial"],
}
ANALOG, DIGITAL = np.array([[1, 2, 3], [4, 5, 6]], np.int16), np.array([[1, 2, 3]], np.uint8)


def test_channels_of_sweeps(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def read(*sweeps, without=(), **head):
        """Tell the channels of sweeps: name, time stamp or None, analog and digital scans."""
        with h5py.File("w.h5", "w") as file:
            for key, value in (HEAD | head).items():
                if key not in without:
                    file[f"header/{key}"] = value
            for name, stamp, analog, digital in sweeps:
                group = file.create_group(name)
                for key, values in (
                    ("timestamp", None if stamp is None else [[stamp]]),
                    *(("analogScans", analog), ("digitalScans", digital)),
                ):
                    if values is not None:
                        group[key] = values
        with h5py.File("w.h5") as file:
            found = wavesurfer.channels(file, Path("w.h5"))
            made = {}
            for name, held in found.items():
                values = held.read()
                made[name] = [values, held.unit, held.times(len(values))]
            return made

    one = ("sweep_0001", 9.0, ANALOG, DIGITAL)
    two = ("sweep_0002", 12.0, 10 * ANALOG, DIGITAL[:, ::-1])
    cases = {
        "one sweep": lambda: read(one),
        "one sweep without a time": lambda: read(("sweep_0001", None, ANALOG, DIGITAL)),
        "two sweeps": lambda: read(one, two),
        "two sweeps, one without a time": lambda: read(one, ("sweep_0002", None, ANALOG, DIGITAL)),
        "sweeps by their numbers": lambda: read(
            ("sweep_10", 20.0, 5 * ANALOG, None), ("sweep_9", 15.0, ANALOG, None)
        ),
        "trials": lambda: read(("trial_0001", 9.0, ANALOG, None)),
        "digital ones alone": lambda: read(("sweep_0001", 9.0, None, DIGITAL)),
        "a vector of digital ones": lambda: read(("sweep_0001", 9.0, None, DIGITAL[0])),
        "all channels": lambda: read(
            one,
            without=["IsAIChannelActive"],
            AIChannelNames=["lick", "led"],
            AIChannelUnits=["V", "mV"],
            AIChannelScales=[2.0, 4.0],
        ),
        "counts": lambda: read(one, without=["AIScalingCoefficients"]),
        "no units": lambda: read(one, without=["AIChannelUnits"]),
        "no names": lambda: read(one, without=["AIChannelNames", "DIChannelNames"]),
        "no rate": lambda: read(one, without=["AcquisitionSampleRate"]),
        "no sweeps": read,
    }
    assert_told(cases, TOLD / "wavesurfer.txt", capsys)
