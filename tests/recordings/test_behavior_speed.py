"""Speed in any unit, sign and offset; wheels whose counts begin anew: right, or refused by name."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesodecode.base.files import UserError
from mesodecode.recordings import locomotion
from mesodecode.recordings.readers.behavior import Frames, read_behavior
from mesodecode.recordings.readers.speeds import in_cm_s

T = 300
FRAMES = Frames(T, 30.0)
RUN = np.arange(T) % 100 >= 50
SPEED = np.where(RUN, 20.0, 0.0)  # cm/s


@pytest.fixture
def read(tmp_path):
    def read(name="speed", values=SPEED, **options):
        pd.DataFrame({name: values}).to_csv(tmp_path / "b.csv", index=False)
        if name != "speed" and not {"behavior_encoder", "behavior_position"} & {*options}:
            options["behavior_speed"] = name
        return read_behavior(tmp_path / "b.csv", frames=FRAMES, **options)

    return read


# --- sign --------------------------------------------------------------------------------------


def test_a_wheel_mounted_the_other_way_is_as_fast(read, capsys):
    got = read(values=-SPEED)
    np.testing.assert_array_equal(got["speed"], SPEED)
    np.testing.assert_array_equal(got["labels"], RUN)
    line = capsys.readouterr().err
    assert "speed is negative in 150 of 300 frames (to -20 cm/s)" in line


def test_steps_backwards_are_run_and_noise_at_rest_is_not(read, capsys):
    values = SPEED.copy()
    values[:10], values[10:20] = -4.0, -0.4
    got = read(values=values)
    np.testing.assert_array_equal(got["labels"], RUN | (np.arange(T) < 10))
    assert "negative in 10 of 300 frames (to -4 cm/s)" in capsys.readouterr().err
    read(values=np.where(np.arange(T) < 10, -0.4, SPEED))
    assert "negative" not in capsys.readouterr().err


def test_noise_about_zero_is_averaged_before_its_size_is_taken(tmp_path):
    """Four samples a frame, +2 and -2 in turn at rest: a mean of 0, not of 2."""
    values = np.where(np.repeat(RUN, 4), 20.0, np.tile([2.0, -2.0], 2 * T))
    pd.DataFrame({"speed": values}).to_csv(tmp_path / "b.csv", index=False)
    got = read_behavior(tmp_path / "b.csv", frames=FRAMES, behavior_rate=120.0)
    np.testing.assert_allclose(got["speed"], SPEED, atol=1e-6)


# --- units -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("cm/s", 1), ("m/s", 100), ("mm/s", 0.1), ("cm s-1", 1), ("m·s⁻¹", 100), ("mm*s^-1", 0.1),
     ("meters/second", 100), ("centimeters per second", 1), (" M/S ", 100), ("V", None),
     ("cm", None), ("s", None), ("deg/s", None), ("a.u.", None)],
)  # fmt: skip
def test_units_of_speed(unit, factor):
    assert in_cm_s(unit) == factor


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("Encoder", 7 * np.arange(T), True),
        ("lever", 7 * np.arange(T), True),
        ("Encoder", 7.5 * np.arange(T), True),
        ("lever", 7.5 * np.arange(T), False),
        ("wheel_counts", SPEED + 0.5, True),
        ("wheel (ticks)", SPEED + 0.5, True),
        ("wheel_V", 7 * np.arange(T), False),
    ],
)
def test_an_encoder_that_is_named_as_speed_is_sent_to_its_key(read, name, values, said):
    with pytest.raises(UserError, match="speed_unit") as refused:
        read(name, values)
    assert ("name it in behavior_encoder, with counts_per_turn" in str(refused.value)) == said


def test_a_position_of_whole_numbers_that_is_faster_than_a_mouse_is_no_encoder(read):
    with pytest.raises(UserError, match="faster than any mouse") as refused:
        read("x", 30 * np.arange(T) ** 2, behavior_position="x", speed_unit="m/s")
    assert "behavior_encoder" not in str(refused.value)


@pytest.mark.parametrize("name", ["speed (m/s)", "v [m/s]", "Speed_m/s"])
def test_a_unit_in_the_name_of_a_column(read, name):
    np.testing.assert_allclose(read(name, SPEED / 100)["speed"], SPEED, rtol=1e-6)
    np.testing.assert_allclose(read(name, SPEED, speed_unit="cm/s")["speed"], SPEED)


@pytest.mark.parametrize("unit", ["km/h", "deg/s", "in / s", "counts/frame", "V", "rpm", "a.u."])
def test_another_unit_in_the_name_of_a_column_is_refused_by_name(read, unit):
    with pytest.raises(UserError, match=f"is in '{unit}', no speed that is known.*speed_scale"):
        read(f"speed ({unit})", SPEED)
    np.testing.assert_allclose(read(f"speed ({unit})", SPEED / 2, speed_scale=2)["speed"], SPEED)


@pytest.mark.parametrize(
    "name", ["speed (smoothed)", "speed (run/rest)", "wheel/speed", "v (left)"]
)
def test_what_is_no_unit_in_a_name_is_none(read, name):
    np.testing.assert_allclose(read(name, SPEED)["speed"], SPEED)


def test_a_line_of_units_and_an_attribute_of_hdf5(tmp_path):
    lines = [f"{i / 30};{v / 100}" for i, v in enumerate(SPEED)]
    (tmp_path / "b.csv").write_text("\n".join(["time;speed", "s;m/s", *lines]).replace(".", ","))
    np.testing.assert_allclose(read_behavior(tmp_path / "b.csv")["speed"], SPEED, rtol=1e-6)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["speed"] = SPEED / 100
        file["speed"].attrs["units"] = "m/s"
        file["volts"] = SPEED
        file["volts"].attrs["unit"] = np.bytes_("V")
    np.testing.assert_allclose(read_behavior(tmp_path / "b.h5")["speed"], SPEED, rtol=1e-6)
    with pytest.raises(UserError, match=r"volts is in 'V', no speed .*speed_scale"):
        read_behavior(tmp_path / "b.h5", behavior_speed="volts")
    got = read_behavior(tmp_path / "b.h5", behavior_speed="volts", speed_scale=1)
    np.testing.assert_allclose(got["speed"], SPEED)


@pytest.mark.parametrize("scale", [50.0, -50.0])
def test_a_wheel_in_volts(read, scale):
    got = read("wheel", 1.52 + SPEED / scale, speed_offset=1.52, speed_scale=scale)
    np.testing.assert_allclose(got["speed"], SPEED, atol=1e-5)
    np.testing.assert_array_equal(got["labels"], RUN)
    with pytest.raises(UserError, match="speed_unit and speed_scale are given"):
        read(speed_scale=scale, speed_unit="m/s")


def test_counts_of_16_bits_do_not_overflow(tmp_path):
    """A row of a matrix of WaveSurfer: 1000 counts are 10 cm/s, less an offset of -30000."""
    scans = np.stack([np.zeros(T), 100 * SPEED - 30000, np.ones(T)]).astype("i2")
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["sweep_0001/analogScans"] = scans
    got = read_behavior(
        tmp_path / "w.h5",
        behavior_speed="sweep_0001/analogScans:2",
        speed_scale=0.01,
        speed_offset=-30000,
    )
    np.testing.assert_allclose(got["speed"], SPEED)


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("speed_mm_s", 10),
        ("wheel_speed_mmps", 10),
        ("v_mms", 10),
        ("Velocity_mm_per_sec", 10),
        ("speed_m_s", 0.01),
        ("velocity (m.s-1)", 0.01),
        ("speed_mps", 0.01),
        ("speed_cm_s", 1),
        ("speed_cmps", 1),
        ("speedMmPerSec", 10),
        ("speed_mm_per_s_smoothed", 10),
        ("Speed (mm/sec.)", 10),
        ("arm_s", 1),  # none of these says a unit of speed
        ("speed_ms", 1),
        ("platform_s", 1),
        ("speed_tau", 1),
        ("accounts", 1),
        ("in/speed", 1),
    ],
)
def test_a_unit_at_the_end_of_a_name_is_taken(read, name, factor):
    np.testing.assert_allclose(read(name, factor * SPEED)["speed"], SPEED, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "unit"),
    [("speed_deg_s", "deg/s"), ("omegaRadPerSec", "rad/sec"), ("speed_rpm", "rpm"),
     ("wheel_V", "V"), ("speed_dps", "dps"), ("v_m_min", "m/min"), ("Speed_Kmh", "kmh"),
     ("speed_in/s", "in/s"), ("speed_cm_per_frame", "cm/frame"), ("wheelCounts", "Counts"),
     ("speed_um_s", "um/s")],
)  # fmt: skip
def test_another_unit_in_words_is_refused_by_name(read, name, unit):
    with pytest.raises(UserError, match=f"{name} is in '{unit}', no speed that is known"):
        read(name, SPEED)
    np.testing.assert_allclose(read(name, SPEED, speed_unit="cm/s")["speed"], SPEED)


def test_values_that_netcdf_packed_are_those_they_stand_for(tmp_path):
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["speed"] = np.rint((SPEED + 3) / 0.01).astype("i2")
        file["speed"].attrs.update(scale_factor=0.01, add_offset=-3.0, units="cm/s")
    np.testing.assert_allclose(read_behavior(tmp_path / "b.h5")["speed"], SPEED, atol=0.006)
    with h5py.File(tmp_path / "b.h5", "a") as file:
        file["plain"] = SPEED
        file["plain"].attrs.update(scale_factor="0.01", add_offset=-3.0)  # of another meaning
        file["less"], file["halves"] = SPEED - 2, 2 * SPEED
        file["less"].attrs["add_offset"], file["halves"].attrs["scale_factor"] = 2.0, 0.5
    for name in ("plain", "less", "halves"):
        found = read_behavior(tmp_path / "b.h5", behavior_speed=name)["speed"]
        np.testing.assert_allclose(found, SPEED, rtol=1e-6, atol=1e-6)
    with h5py.File(tmp_path / "b.h5", "a") as file:
        file["speed"][4] = -1
        file["speed"].attrs["_FillValue"] = np.int16(-1)
    with pytest.raises(UserError, match=r"speed is not finite in 1 of .* first 4"):
        read_behavior(tmp_path / "b.h5")


@pytest.mark.parametrize("unit", ["mm/s ", np.bytes_("mm/s"), np.array([["mm/s"]], "S4")])
@pytest.mark.parametrize("key", ["unit", "units", "Unit", "Units"])
def test_the_unit_of_hdf5_is_taken_by_either_case_and_as_programs_write_text(tmp_path, key, unit):
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["speed"] = 10 * SPEED
        file["speed"].attrs[key] = unit
        if key != "unit":
            file["speed"].attrs["unit"] = " "  # is none
    np.testing.assert_allclose(read_behavior(tmp_path / "b.h5")["speed"], SPEED, rtol=1e-6)


def test_a_speed_of_no_mouse_names_the_unit(read, capsys):
    with pytest.raises(UserError, match=r"up to 2e\+03 cm/s.*faster than any mouse.*speed_unit"):
        read(values=100 * SPEED)
    capsys.readouterr()
    read(values=10 * SPEED)
    assert "if it is in mm/s, set speed_unit" in capsys.readouterr().err
    read(values=SPEED / 25)  # 0.8: run, but hardly in cm/s
    assert "goes up to 0.8 cm/s: taken to be in cm/s; if it is in m/s" in capsys.readouterr().err
    read(values=SPEED / 25, speed_unit="cm/s")
    read(values=np.where(np.arange(T) == 70, 900.0, SPEED))  # one glitch
    read(values=SPEED * 500 / SPEED.max(), speed_unit="cm/s")  # as fast as any, and no faster
    with pytest.raises(UserError, match="faster than any mouse"):
        read(values=SPEED * 501 / SPEED.max(), speed_unit="cm/s")
    read(values=0 * SPEED)  # at rest in any unit
    assert capsys.readouterr().err == ""


# --- wheels ------------------------------------------------------------------------------------

WHEEL = {"behavior_encoder": "counts", "wheel_circumference": 12.0}
TURNS = np.append(0, np.cumsum(SPEED)[:-1]) / 30 / 12


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize(
    ("per_turn", "start", "size", "low"),
    [
        (1024, 0, None, 0),
        (1024, 500, 1024, 0),  # anew in each turn
        (360, 17, 360, 0),  # degrees
        (360, 17, 360, -180),
        (2 * np.pi, 1, 2 * np.pi, -np.pi),
        (5.0, 0, 5.0, 0),  # volts a turn
        (40960, 60000, 2**16, 0),
        (40960, 30000, 2**16, -(2**15)),
        (409600, 2**32 - 1000, 2**32, 0),
    ],
)
def test_counts_that_begin_anew_are_run_on(read, capsys, per_turn, start, size, low, direction):
    counts = direction * (start + per_turn * TURNS)
    counts = counts if per_turn < 10 else np.round(counts)
    if size:
        counts = (counts - low) % size + low
    got = read("counts", counts, counts_per_turn=per_turn, **WHEEL)
    np.testing.assert_allclose(got["speed"][:-1], SPEED[:-1], atol=0.6)  # 1 degree is 0.5 cm/s
    np.testing.assert_array_equal(got["labels"][:-1], RUN[:-1])
    assert ("begins anew every" in capsys.readouterr().err) == (size is not None)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (np.round(1024 * TURNS) % 800, r"begins anew \d+ times, every 7\d\d.* has 1,024; correct"),
        (np.round(1024 * TURNS) % 256, r"begins anew \d+ times, every 2\d\d"),
        (np.arange(T) * 20 % 1080, "begins anew 5 times, every 1,060 counts or a little more, but"),
        (np.where(np.arange(T) < 200, 1024 * TURNS, 1024 * (TURNS - TURNS[200])), "is reset from"),
        (np.r_[np.arange(80), np.arange(220)], "is reset from 79 to 0 at sample 80"),
        (
            np.r_[np.arange(600, 700), np.arange(100, 300)],
            "stays within 1,024 counts and moves far at sample 100:",
        ),
        (
            np.arange(T) * 300 % 1024,
            "stays within 1,024 counts and moves far at sample 1:",
        ),  # of 30 % of a turn
        (np.r_[np.arange(100), np.arange(90000, 90200)], "cm/s at frame 99: the counter is reset"),
    ],
)
def test_counts_that_leave_open_how_far_the_wheel_turned(read, counts, words):
    with pytest.raises(UserError, match=words):
        read("counts", counts, counts_per_turn=1024, **(WHEEL | {"wheel_circumference": 40.0}))


@pytest.mark.parametrize(
    "counts",
    [
        np.zeros(T),
        np.where(np.arange(T) < 100, 0, 3),  # hardly moves, in one step
        np.where(np.arange(T) % 20 < 10, 0, 3),  # to and fro
        np.where(np.arange(T) < 100, 30, 0),  # back to 0 by less than 1 cm
    ],
)
def test_a_wheel_that_hardly_moves_is_no_counter_that_begins_anew(read, counts):
    got = read("counts", counts, counts_per_turn=4096, **(WHEEL | {"wheel_circumference": 40.0}))
    assert got["speed"].max() < 10


@pytest.mark.parametrize(("hz", "said"), [(30, False), (2, True)])
def test_a_wheel_that_is_sampled_too_rarely_for_its_turns_is_said(tmp_path, capsys, hz, said):
    """A disc of 12 cm, at 2 samples/s: 20 cm/s is .83 turns a sample, or .17 the other way."""
    time = np.arange(0, 11, 1 / hz)
    counts = np.round(np.clip(time - 3, 0, 3) * 20 / 12 * 1024) % 1024
    pd.DataFrame({"time": time, "counts": counts}).to_csv(tmp_path / "b.csv", index=False)
    read_behavior(
        tmp_path / "b.csv",
        frames=FRAMES,
        behavior_time="time",
        counts_per_turn=1024,
        speed_threshold=0.5,
        **WHEEL,
    )
    line = capsys.readouterr().err
    assert ("every 0.5 s, which tells speeds up to 12 cm/s" in line) == said
    assert ("which tells speeds" in line) == said


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("lap", [15.0, 25.0])
def test_a_position_that_begins_anew_in_each_lap_is_refused_and_read_as_an_encoder(
    read, lap, direction
):
    """On a belt or a virtual track; 20 cm/s is .67 cm a frame, back by 15 cm would be 430 cm/s."""
    position = direction * 12 * TURNS % lap
    with pytest.raises(UserError, match=r"cm between two samples, \d+ times so.*behavior_encoder"):
        read("x", position, behavior_position="x", speed_unit="cm/s")
    wheel = {"counts_per_turn": lap, "wheel_circumference": lap}
    got = read("x", position, behavior_encoder="x", **wheel)
    np.testing.assert_allclose(got["speed"][:-1], SPEED[:-1], atol=1e-3)
    there_and_back = np.where(np.arange(T) == 30, 99.0, 12 * TURNS)  # a point that was lost once
    read("x", there_and_back, behavior_position="x", speed_unit="cm/s")


def test_counts_since_the_last_sample_are_no_position(read):
    """Such a log is 0 at each rest, before and after the run; a position is another there."""
    ways = np.where(RUN, 20 + np.arange(T) % 3, 0)
    with pytest.raises(UserError, match=r"counts is 0 whenever the wheel stands still.*cumsum"):
        read("counts", ways, counts_per_turn=1024, **WHEEL)
    got = read("counts", np.cumsum(ways), counts_per_turn=1024, **WHEEL)
    assert (got["labels"] == RUN).mean() > 0.97
    creeping = np.arange(T) // 7 - 20  # each count for 7 samples, 0 among them
    read("counts", np.where(np.arange(T) < 250, creeping, 0), counts_per_turn=1024, **WHEEL)


def test_noise_that_is_taken_for_run_is_said(read, capsys):
    """At rest +2 and -2 cm/s in turn, a value a frame; the threshold is 0.5 cm/s.

    Three rests of 50 frames turn 49 times each, and once more as the run begins.
    """
    noise = np.tile([2.0, -2.0], T // 2)
    assert read(values=np.where(RUN, 20.0, noise))["labels"].all()
    assert "150 times: noise, taken for run; raise speed_threshold" in capsys.readouterr().err
    read(values=np.where(RUN, 20.0, 0.2 * noise))  # below the threshold
    read(values=np.where(RUN, 20.0, -2.0))  # backwards, each time for 50 frames
    assert "noise, taken" not in capsys.readouterr().err
    read("counts", np.cumsum(np.where(RUN, 20, noise)), counts_per_turn=1024, **WHEEL)
    assert "counts turns from one frame to the next" in capsys.readouterr().err


@given(
    steps=st.lists(st.integers(-200, 200), min_size=3, max_size=60),
    start=st.integers(0, 999),
    low=st.integers(-999, 999),
)
def test_a_position_is_run_on_whatever_its_way(steps, start, low):
    """Up to a fifth of a turn a sample, either way: each step as it was, or a refusal."""
    run_on = start + np.append(0, np.cumsum(steps))
    anew = (run_on - low) % 1000 + low
    if (anew == run_on - run_on[0] + anew[0]).all():
        return  # it never does
    try:
        got, size = locomotion.run_on(anew.astype("i4"), 1000, 1e9)
    except ValueError:  # it goes farther where it begins anew than anywhere else
        over, way = np.abs(np.diff(anew)) > 500, np.abs(steps)
        assert way[over].max() > 1.5 * way[~over].max(initial=0)
        return
    assert size == 1000
    np.testing.assert_array_equal(np.diff(got), steps)
