"""Speeds and positions at both sides of each limit: what is returned, said and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mesodecode.recordings.readers import speeds
from mesodecode.recordings.readers.arrays import Variable
from mesodecode.recordings.readers.clocks import Frames
from mesodecode.recordings.readers.samples import Trace
from told import assert_told

TOLD = Path(__file__).with_name("told")
NAN = np.nan
RUNS = np.array([0, 0, 4, 8, 8, 8, 4, 0, 0, 0.0])  # cm/s


def trace(values, name="x", time=None, unit=None, rate=8.0, n_frames=None):
    values = np.asarray(values)
    count = n_frames or len(values)
    time = None if time is None else np.asarray(time, float)
    return Trace("b.csv", name, Variable(values, None, unit), time, Frames(count, rate))


def speed(values, name="speed", unit=None, decides=True, threshold=0.5, offset=0.0, scale=None):
    return speeds.speed_of(
        trace(values, name, unit="m/s" if name == "own" else None),
        **{"unit": unit, "offset": offset, "scale": scale},
        **{"threshold": threshold, "decides": decides},
    )


def wheel(counts, per_turn=100, turn=20.0, time=None, decides=True, n_frames=None, rate=8.0):
    told = trace(counts, "counts", time, n_frames=n_frames, rate=rate)
    return speeds.speed_of_wheel(told, per_turn, turn, threshold=0.5, decides=decides)


def position(*axes, unit=None, scale=None, own=None, decides=True, rate=10.0):
    return speeds.speed_of_position(
        [trace(axis, name, None, own, rate) for axis, name in zip(axes, "xy", strict=False)],
        **{"unit": unit, "scale": scale, "threshold": 0.5, "decides": decides},
    )


def bridged(*values):
    return speeds.bridged(trace(np.array(values)))


WAY = np.array([0, 0, 0.4, 1.2, 2.0, 2.8, 3.2, 3.2, 3.2, 3.2])
NOISE = np.array([1, -1.0] * 5)
LONG = np.r_[np.zeros(100), 1.0]


def test_what_speeds_are_made_of_and_what_is_refused(capsys):
    cases = {
        # NaN are interpolated: up to a fifth, and the ends are held
        "one of ten is lost": lambda: bridged(0, 1, 2, NAN, 6, 5, 4, 3, 2, 1.0),
        "two of ten, the first": lambda: bridged(NAN, 1, 2, 3, NAN, 5, 4, 3, 2, 1),
        "two of ten, in a row": lambda: bridged(0, 1, NAN, NAN, 4, 5, 4, 3, 2, 1),
        "the last": lambda: bridged(0, 1, 2, 3, 4, 5, 4, 3, 2, NAN),
        "the last but one": lambda: bridged(0, 1, 2, 3, 4, 5, 4, 3, NAN, 1),
        "the second": lambda: bridged(0, NAN, 2, 3, 4, 5, 4, 3, 2, 1),
        "three of ten": lambda: bridged(0, NAN, 2, NAN, 4, 5, 4, 3, 2, NAN),
        "whole numbers": lambda: bridged(3, 1, 2),
        "infinite": lambda: bridged(0, 1, NAN, np.inf, 4, 5, 4, 3, 2, 1),
        # speeds
        "cm/s": lambda: speed(RUNS),
        "backwards, by 0.5 of a threshold of 0.5": lambda: speed(RUNS - 0.5),
        "backwards, by 0.6": lambda: speed(RUNS - 0.6),
        "of its own unit": lambda: speed(RUNS / 100, "own"),
        "slow, but for a glitch": lambda: speed(np.r_[0.6 * np.ones(199), 3.0])[-2:],
        "fast in a glitch": lambda: speed(np.r_[9 * np.ones(199), 300.0])[-2:],
        "of another unit than its own": lambda: speed(10 * RUNS, "own", "mm/s"),
        "of a unit in its name": lambda: speed(10 * RUNS, "v_mm_s"),
        "of a scale and an offset": lambda: speed(3 + RUNS / 2, scale=2.0, offset=3.0),
        "of a unit that is none": lambda: speed(RUNS, unit="V"),
        "of a scale and a unit": lambda: speed(RUNS, unit="m/s", scale=2.0),
        "fast, if in cm/s": lambda: speed(RUNS * 20),
        "as fast as the fastest of sessions": lambda: speed(np.full(10, 150.0)),
        "fast, in cm/s": lambda: speed(RUNS * 20, unit="cm/s"),
        "fast, of what decides nothing": lambda: speed(RUNS * 100, decides=False),
        "as fast as no mouse": lambda: speed(RUNS * 70, unit="cm/s"),
        "500 cm/s": lambda: speed(np.full(10, 500.0), unit="cm/s"),
        "slow, if in cm/s": lambda: speed(RUNS / 5),
        "2 cm/s": lambda: speed(RUNS / 4),
        "at rest": lambda: speed(0 * RUNS),
        "one glitch of a hundred": lambda: speed(800 * LONG, unit="cm/s").max(),
        "noise, as high as the threshold": lambda: speed(NOISE, threshold=1.0),
        "noise above the threshold": lambda: speed(NOISE, threshold=0.9),
        "noise that decides nothing": lambda: speed(NOISE, threshold=0.9, decides=False),
        # wheels
        "a wheel": lambda: wheel(5 * WAY),
        "a wheel of one place less": lambda: wheel(5 * WAY, n_frames=9),
        "a wheel by its own times": lambda: wheel(5 * WAY, time=np.arange(10) / 20, n_frames=6),
        "a wheel without its size": lambda: wheel(5 * WAY, None),
        "a wheel without its turn": lambda: wheel(5 * WAY, turn=None),
        "a wheel that begins anew": lambda: wheel(30 * np.arange(12) % 100),
        "a wheel that tells less than 100 cm/s": lambda: wheel(10 * np.arange(40) % 100, turn=24.5),
        "a wheel that tells 100 cm/s": lambda: wheel(10 * np.arange(40) % 100, turn=25.0),
        "a wheel that tells 100 cm/s, but for a pause": lambda: wheel(
            10 * np.arange(40) % 100, turn=25.0, time=[*np.arange(39) / 8, 30.0], n_frames=39
        ),
        "a wheel as fast as a mouse": lambda: wheel(250 * np.arange(10), turn=25.0),
        "a wheel faster than a mouse": lambda: wheel(251 * np.arange(10), turn=25.0),
        "a wheel that trembles": lambda: wheel(np.cumsum(NOISE)),
        "a wheel that trembles, and decides nothing": lambda: wheel(
            np.cumsum(NOISE), decides=False
        ),
        "steps of a wheel": lambda: wheel(np.where(np.arange(60) % 20 < 10, 0, 5)),
        # positions
        "a position in cm": lambda: position(WAY, unit="cm/s"),
        "a position in its own mm": lambda: position(10 * WAY, own="mm"),
        "a position in px": lambda: position(WAY / 2, scale=2.0),
        "a position of which nothing is said": lambda: position(WAY),
        "a position in px without a scale": lambda: position(WAY, own="px"),
        "a position in a plane": lambda: position(3 * WAY, 4 * WAY, scale=0.2),
        "a position that trembles": lambda: position(np.cumsum(NOISE), scale=1.0),
        "a position that is faster than a mouse": lambda: position(100 * WAY, scale=1.0),
        "a position, lost once": lambda: position(np.where(WAY == 2, NAN, WAY), scale=1.0),
        "laps": lambda: position(2.5 * (np.arange(14) % 5), scale=1.0, rate=1.0),
        "laps the other way": lambda: position(-2.5 * (np.arange(14) % 5), scale=1.0, rate=1.0),
        "laps of three times a step": lambda: position(
            3.0 * (np.arange(14) % 4), scale=1.0, rate=1.0
        ),
        "laps, of which one was left early": lambda: position(
            [0, 2.5, 5, 7.5, 10, 0, 2.5, 5, 7.5, 1.5, 4, 6.5], scale=1.0, rate=1.0
        ),
        "laps of 1.6 cm": lambda: position(0.4 * (np.arange(14) % 5), scale=1.0, rate=1.0),
        "one lap, slowly": lambda: position(2.5 * (np.arange(9) % 5), scale=1.0, rate=1.0),
        "one lap, fast": lambda: position(2.5 * (np.arange(9) % 5), scale=4.0, rate=64.0),
        "one lap at 500 cm/s": lambda: position(2.5 * (np.arange(9) % 5), scale=0.78125, rate=64.0),
        "laps either way": lambda: position(
            [0, 9, 7, 5, 3, 1, 3, 5, 7, 9, 0, 2], scale=1.0, rate=1.0
        ),
        "half of the range": lambda: position([0, 5, 5, 0, 10, 5, 0, 0], scale=1.0, rate=1.0),
        "a place that stays": lambda: position(np.ones(10), scale=1.0),
    }
    assert_told(cases, TOLD / "speeds.txt", capsys)


def test_units_in_names():
    names = {
        **{"speed (m/s)": "m/s", "speed [deg/s]": "deg/s", "speed (rpm)": "rpm", "v (left)": None},
        **{"wheelVolts": "Volts", "wheel_mV": "mV", "wheel.a.u": "a.u", "wheelV": "V", "wV": "V"},
        **{"speed_kmph": "km/h", "Speed_RPM": "rpm", "speedCmPerSec": "cm/sec", "v_cms": "cm/s"},
        **{"speed_cmph": "cm/h", "v_in_per_min": "in/min", "v_deg_s-1": "deg/s", "v_um_s": "um/s"},
        **{"ticks/frame": "ticks/frame", "feet per hour": "feet/hour", "px.per.frame": "px/frame"},
        **{"wheel (V)": "V", "wheel [RPM]": "RPM", "wheel (Counts)": "Counts", "v (M/S)": "M/S"},
        **{"arm_s": None, "cms2": None, "2cm/s": None, "speed": None, "": None, "volts": None},
    }
    assert {name: speeds._named(name) for name in names} == names
