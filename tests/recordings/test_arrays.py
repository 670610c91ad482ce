"""Variables that are there and hold nothing: another usual name is taken, if there is one."""

from __future__ import annotations

import numpy as np
import pytest

from make_movies import save_h5, save_v5, save_v73
from mesodecode.recordings.readers.behavior import read_behavior
from mesodecode.recordings.readers.clocks import Frames, read_times
from mesodecode.recordings.readers.light_sources import read_light_sources
from told import refusal

NOTHING, FRAMES = np.zeros(0), Frames(4, 10.0)
RUN, TIMES = np.array([0, 1, 1, 0]), np.arange(4) / 10


def states(path, name=None):
    return read_behavior(path, 0.5, frames=FRAMES, behavior_labels=name)["labels"]


def lights(path, name=None):
    return read_light_sources(path, name)[1]


def times(path, name=None):
    return read_times(path, name, 4, 10.0)


@pytest.mark.parametrize("save", [save_h5, save_v5, save_v73])
@pytest.mark.parametrize(
    ("read", "first", "second", "values"),
    [
        (states, "labels", "runrest", RUN),
        (lights, "light_sources", "light_source", RUN),
        (times, "frame_times", "time", TIMES),
    ],
)
def test_an_empty_variable_is_passed_over_unless_it_is_named(
    tmp_path, save, read, first, second, values
):
    path = tmp_path / ("b.h5" if save is save_h5 else "b.mat")
    for empty, full in ((first, second), (second, first)):
        save(path, **{empty: NOTHING, full: values})
        np.testing.assert_array_equal(read(path), values)
        assert refusal(read, path, empty) == f"{path}: {empty} is empty"
