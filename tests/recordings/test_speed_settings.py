"""Settings of a speed that leave each other no use, and wheels that pass for a speed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mesodecode.base.files import UserError, doubts
from mesodecode.recordings.readers.behavior import Frames, read_behavior

T = 300
FRAMES = Frames(T, 30.0)
WHEEL = {"behavior_encoder": "x", "counts_per_turn": 1000, "wheel_circumference": 40}
WAY = np.cumsum(np.where(np.arange(T) % 100 >= 50, 0.5, 0.0))


@pytest.fixture
def read(tmp_path):
    def read(name, values, **options):
        pd.DataFrame({name: values}).to_csv(tmp_path / "b.csv", index=False)
        with doubts() as found:
            read_behavior(tmp_path / "b.csv", frames=FRAMES, **options)
        return " ".join(found)

    return read


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"behavior_position": "x", "speed_unit": "m/s", "speed_scale": 0.1},
            "speed_unit and speed_scale are given; leave one out",
        ),
        ({"behavior_position": "x", "speed_scale": 0.0}, "speed_scale: 0 makes every speed 0"),
        ({"behavior_speed": "x", "speed_scale": 0.0}, "speed_scale: 0 makes every speed 0"),
        (
            {"behavior_position": "x", "speed_unit": "cm/s", "speed_offset": 1.5},
            "that of x, of which speed_offset says nothing; leave speed_offset out",
        ),
        (WHEEL | {"speed_unit": "m/s"}, "that of x, of which speed_unit says nothing"),
        (WHEEL | {"speed_scale": 0.1}, "that of x, of which speed_scale says nothing"),
        (WHEEL | {"speed_offset": 2.0}, "that of x, of which speed_offset says nothing"),
    ],
)
def test_settings_that_would_be_passed_over_in_silence_are_refused(read, options, words):
    with pytest.raises(UserError, match=words):
        read("x", WAY, **options)


@pytest.mark.parametrize(
    ("name", "values", "options", "said"),
    [
        ("x", np.cumsum(np.arange(T) % 100 >= 50) % 20, {}, "from 19 to 0 between two samples, 7"),
        ("x", -np.cumsum(np.arange(T) % 100 >= 50) % 20, {}, "from 0 to 19 between two samples"),
        ("x", np.cumsum(np.arange(T) % 100 >= 50) % 20, {"speed_unit": "cm/s"}, "begin anew"),
        ("encoder", np.cumsum(np.arange(T) % 100 >= 50), {}, "named as an encoder's counts"),
        ("encoder", np.cumsum(np.arange(T) % 100 >= 50), {"speed_unit": "cm/s"}, ""),
        ("encoder", np.cumsum(np.arange(T) % 100 >= 50) / 7, {}, ""),  # no whole numbers
        ("rotaryEncoder", np.cumsum(np.arange(T) % 100 >= 50), {}, "named as an encoder's counts"),
        ("encoder_speed", np.cumsum(np.arange(T) % 100 >= 50), {}, ""),
        ("joystick", np.cumsum(np.arange(T) % 100 >= 50), {}, ""),
        ("x", np.where(np.arange(T) % 100 >= 50, 20, 0), {}, ""),  # starts as fast as it stops
        ("x", np.cumsum(np.arange(T) % 100 >= 50), {}, ""),
    ],
)
def test_counts_of_a_wheel_that_are_no_faster_than_a_mouse_are_doubted(
    read, name, values, options, said
):
    found = read(name, values, behavior_speed=name, **options)
    assert said in found
    assert ("behavior_encoder" in found) == bool(said)
