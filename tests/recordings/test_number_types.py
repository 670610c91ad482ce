"""Numbers are what they say, whatever type a program saved them in."""

from __future__ import annotations

import numpy as np
import pytest

from make_movies import save_h5
from mesodecode.recordings.readers import clocks
from mesodecode.recordings.readers.arrays import Variable
from mesodecode.recordings.readers.behavior import read_behavior
from mesodecode.recordings.readers.clocks import Frames
from mesodecode.recordings.readers.target_traces import read_target
from mesodecode.recordings.roi_files import read_signals

TYPES = ["u1", ">u2", "i2", "f4"]
FRAMES = Frames(25, 10.0)
TICKS = np.arange(250)  # 100 a second
RUNS = TICKS // 50 % 2 == 1
WAY = np.cumsum(np.where(TICKS < 150, RUNS, -1.0 * RUNS)) + 1  # there and back
ROIS = np.c_[200 - 5 * np.arange(25), np.arange(25) % 7, 99 + np.arange(25) % 3]
HELD = {
    **{"t": TICKS, "speed": 3 + 20 * RUNS, "back": 50 - 20 * RUNS, "way": WAY, "run": RUNS},
    **{"pupil": 40 + WAY // 2, "frame_times": 10 * np.arange(25), "rois": ROIS},
}
TIMED = {"behavior_time": "t", "behavior_time_unit": 100}
CLOCK = TIMED | {"frames": FRAMES}
READ = {
    "labels": lambda path: read_behavior(path, behavior_labels="run", run_label="1", **CLOCK),
    "a speed": lambda path: read_behavior(path, behavior_speed="speed", speed_offset=3, **CLOCK),
    "a speed below its offset": lambda path: read_behavior(
        path, behavior_speed="back", speed_offset=50, **CLOCK
    ),
    "a wheel": lambda path: read_behavior(
        path, behavior_encoder="way", counts_per_turn=100, wheel_circumference=20, **CLOCK
    ),
    "a position": lambda path: read_behavior(
        path, behavior_position=["way", "speed"], speed_scale=0.1, **CLOCK
    ),
    "a target": lambda path: {"trace": read_target(path, "pupil", FRAMES, {}, TIMED)[1]},
    "ROI signals": lambda path: {"rois": read_signals(path, 25, "rois")[0]},
    "time stamps": lambda path: {
        "time": clocks.read_times(path, "frame_times", 25, 10.0, unit=100)
    },
}


def all_of(path, kind):
    save_h5(path, **{name: np.asarray(values, kind) for name, values in HELD.items()})
    return {f"{of}: {k}": v for of, read in READ.items() for k, v in read(path).items()}


@pytest.fixture(scope="module")
def doubles(tmp_path_factory):
    return all_of(tmp_path_factory.mktemp("doubles") / "b.h5", "f8")


@pytest.mark.parametrize("kind", TYPES)
def test_behaviour_and_times_are_those_of_doubles(tmp_path, doubles, kind):
    found = all_of(tmp_path / "b.h5", kind)
    assert found.keys() == doubles.keys()
    for name, values in doubles.items():
        np.testing.assert_array_equal(found[name], values, name)
        assert found[name].dtype == values.dtype
    assert doubles["a speed below its offset: speed"].max() == 20
    assert doubles["a wheel: speed"].max() == pytest.approx(20)


@pytest.mark.parametrize("kind", ["?", "u8", *TYPES])
def test_pulses_of_two_samples_are_no_time_stamps(monkeypatch, kind):
    """Up and down in turn: a difference of unsigned numbers is above 0 both ways."""
    pulses = Variable(np.asarray(np.arange(50) % 2, kind), np.arange(50) / 20)
    monkeypatch.setattr(clocks, "read_variables", lambda *_: ({"camera": pulses}, ["camera"]))
    times = clocks.read_times("b.nwb", "camera", 25, 10.0)
    np.testing.assert_allclose(times, np.arange(1, 50, 2) / 20)
