"""Pulses of a camera: when they begin, and at which edge."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mesodecode.recordings.readers import pulses
from told import assert_told

TOLD = Path(__file__).with_name("told")


def told(*runs, edge=None, levels=(0.0, 5.0), between=0.0, time=None):
    """Tell the onsets of a trace that is low, high, low … for so many samples each, 10 a second."""
    values = np.concatenate([np.full(n, levels[i % 2]) for i, n in enumerate(runs)])
    values = np.where(np.arange(len(values)) % 5 == 1, values + between, values)
    time = np.arange(len(values)) / 10 if time is None else time
    return list(pulses.onsets(values, time, "ttl", "t.csv", edge))


def test_pulses_begin_where_the_trace_leaves_the_level_on_which_it_rests(capsys):
    cases = {
        "rests low": lambda: told(9, 1, 2, 1, 2, 1, 9),
        "rests low, at their ends": lambda: told(9, 1, 2, 1, 2, 1, 9, edge="falling"),
        "rests high": lambda: told(0, 9, 1, 2, 1, 2, 1, 9),
        "rests high, at their beginnings": lambda: told(0, 9, 1, 2, 1, 2, 1, 9, edge="rising"),
        "rests high between pulses": lambda: told(1, 2, 1, 2, 1, 9, 1, 2, 1, 2),
        "rests on both": lambda: told(9, 1, 2, 1, 2, 9, 2, 1, 2),
        "nowhere rests": lambda: told(1, 2, 1, 2, 1, 2, 1),
        # the period is 3 samples: of the median, whatever the longest
        "rests for two periods": lambda: told(6, 1, 2, 1, 2, 1, 2, 1, 2),
        "rests for more than two periods": lambda: told(7, 1, 2, 1, 2, 1, 2, 1, 2),
        "rests for two periods, and once for longer": lambda: told(6, 1, 2, 1, 2, 1, 30, 1, 2),
        "rests for long at the end": lambda: told(1, 2, 1, 2, 1, 2, 1, 2, 8),
        "three edges": lambda: told(9, 1, 2, 1),
        "four edges": lambda: told(9, 1, 2, 1, 2),
        "levels below 0": lambda: told(9, 1, 2, 1, 2, 1, 9, levels=(-3.0, -1.0)),
        "some between": lambda: told(9, 1, 2, 1, 2, 1, 9, between=2.5),
        "some near a level": lambda: told(9, 1, 2, 1, 2, 1, 9, between=1.6),
        "as many between as may be": lambda: told(9, 1, between=2.5),
        "one level": lambda: told(9),
        "one sample": lambda: told(1),
        "steps": lambda: list(pulses.onsets(np.arange(10.0), np.arange(10.0), "x", "t.csv")),
        "a third up": lambda: list(
            pulses.onsets(
                np.array([0, 1, 3, 0, 2, 3, 0, 0, 0, 0, 3]), np.arange(11.0), "x", "t.csv"
            )
        ),
        "rests on both, on one for far longer": lambda: told(2, 1, 60, 1, 2, 8, 2, 1, 2, 1, 2),
        "by times of its own": lambda: told(2, 1, 2, 1, time=np.arange(6.0) ** 2),
    }
    assert_told(cases, TOLD / "pulses.txt", capsys)
