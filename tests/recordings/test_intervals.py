"""Intervals of run in tables and arrays: of BORIS, bouts of MATLAB, ALF of the IBL."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io

from mesodecode.base.files import UserError
from mesodecode.recordings.readers import intervals
from mesodecode.recordings.readers.arrays import Bouts, Variable
from mesodecode.recordings.readers.behavior import read_behavior, seen
from mesodecode.recordings.readers.clocks import Frames
from mesodecode.recordings.readers.samples import Trace
from mesodecode.recordings.readers.target_traces import read_target
from told import assert_told

FRAMES = Frames(20, 2.0)  # 10 s; the middles of frames are at .25, .75 …
START, STOP = np.array([1.0, 4.0, 8.1]), np.array([2.6, 4.6, 9.0])
RUN = [0] * 2 + [1] * 3 + [0] * 3 + [1] + [0] * 7 + [1] * 2 + [0] * 2
NOON = pd.Timestamp("2024-01-31T12:00:00")
NAMED = {"behavior_time": "Start (s)", "behavior_stop": "Stop (s)"}


@pytest.fixture
def table(tmp_path):
    def write(**columns):
        columns = {"Start (s)": START, "Stop (s)": STOP} | columns
        pd.DataFrame(columns).to_csv(tmp_path / "b.csv", index=False)
        return tmp_path / "b.csv"

    return write


def labels(path, **options):
    return read_behavior(path, frames=FRAMES, **NAMED | options)["labels"].tolist()


@pytest.mark.parametrize(
    ("scale", "unit"), [(1, None), (1000, "ms"), (2, 2.0), (1 / 60, "min")], ids=str
)
def test_frames_whose_middle_lies_in_an_interval_run(table, scale, unit):
    path = table(**{"Start (s)": START * scale, "Stop (s)": STOP * scale})
    assert labels(path, behavior_time_unit=unit) == RUN


@pytest.mark.parametrize("form", ["%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f"])
def test_intervals_may_begin_and_end_by_the_clock_of_the_frames(table, form):
    """In any order: those of one behaviour after those of another."""

    def written(seconds):
        return (NOON + pd.to_timedelta(seconds[::-1], unit="s")).strftime(form)

    path = table(**{"Start (s)": written(START), "Stop (s)": written(STOP)})
    begin = NOON - (NOON.normalize() if form.startswith("%H") else pd.Timestamp(0))
    frames = Frames(20, 2.0, begin.total_seconds() + np.arange(20) / 2)
    assert read_behavior(path, frames=frames, **NAMED)["labels"].tolist() == RUN


def test_intervals_of_a_matrix_a_struct_and_of_alf(tmp_path):
    both = np.stack([START, STOP], 1)
    scipy.io.savemat(tmp_path / "b.mat", {"bouts": both, "on": {"from": START, "to": STOP}})
    np.save(tmp_path / "_ibl_wheelMoves.intervals.npy", both)
    for path, start, stop in (
        (tmp_path / "b.mat", "bouts:1", "bouts:2"),
        (tmp_path / "b.mat", "on/from", "on/to"),
        (tmp_path, "_ibl_wheelMoves.intervals:1", "_ibl_wheelMoves.intervals:2"),
    ):
        assert labels(path, behavior_time=start, behavior_stop=stop) == RUN
    with pytest.raises(UserError, match=r"of intervals .*time: bouts:1, behavior_stop: bouts:2"):
        read_behavior(tmp_path / "b.mat", frames=FRAMES, behavior_labels="bouts")


@pytest.mark.parametrize(
    ("of_run", "other", "label"), [("run", "groom", "run"), ("walk", "run", "walk"), (1, 0, "run")]
)
def test_of_intervals_of_several_behaviours_those_of_run_count(table, of_run, other, label):
    """In any order, as BORIS sorts them by behaviour; a speed of each bout is none of frames."""
    path = table(
        **{"Start (s)": [5.0, *START[::-1]], "Stop (s)": [7.0, *STOP[::-1]]},
        Behavior=[other, *[of_run] * 3],
        speed=[1.0, 2.0, 3.0, 4.0],
    )
    assert labels(path, behavior_labels="Behavior", run_label=label) == RUN
    assert labels(path) != RUN  # all of them


def test_intervals_are_named_states_and_the_first_lies_between(table):
    path = table(Behavior=["walk", "groom", "walk"])
    given = NAMED | {"behavior_labels": "Behavior"}
    states = ["rest", "walk", "groom"]
    _, codes = read_target(path, "states", FRAMES, {}, given, states=states)
    assert codes.tolist() == [2 if i == 8 else run for i, run in enumerate(RUN)]


@pytest.mark.parametrize(
    ("columns", "options", "words"),
    [
        ({}, {"behavior_time": None}, "behavior_stop says when intervals end; .* behavior_time"),
        ({}, {"behavior_stop": "end"}, "no 'end' in it"),
        ({"Stop (s)": START}, {}, "an interval without an end after its start"),
        ({"Stop (s)": [2.6, 4.6, np.nan]}, {}, r"Stop \(s\) is not finite in 1 of 3"),
        ({"Stop (s)": STOP * 1000}, {}, "if in s, ends at 9000 s, .* at 10 s; .*unit: ms "),
        ({"Stop (s)": STOP * 2}, {}, r"ends at 18 s, .*numbers of frames: 2"),
        ({"Behavior": ["walk"] * 3}, {"behavior_labels": "Behavior"}, "is of 'run' by Behavior"),
    ],
)
def test_intervals_that_cannot_be_those_of_the_movie(table, columns, options, words):
    with pytest.raises(UserError, match=words):
        labels(table(**columns), **options)


@pytest.mark.parametrize(("last", "told"), [(11.95, False), (12.05, True)])
def test_intervals_may_end_a_tenth_and_a_second_after_the_movie(table, last, told):
    path = table(**{"Stop (s)": [2.6, 4.6, last]})
    if told:
        with pytest.raises(UserError, match=r"if in s, ends at 12\.05 s, but the movie at 10 s"):
            labels(path)
    else:
        assert labels(path)[16:] == [1] * 4


def test_intervals_that_hold_all_frames_are_counted(table):
    path = table(**{"Start (s)": [0.0], "Stop (s)": [10.0]})
    assert "holds 1 intervals" in seen(path, {}, 0.5, frames=FRAMES, **NAMED)


def test_ends_that_are_not_used_are_named(table, capsys):
    """Held, the first state would go on to the second's start."""
    path = table(**{"Start (s)": [0.0, 4.0, 9.9], "Behavior": ["run", "groom", "run"]})
    options = {"behavior_labels": "Behavior", "behavior_time": "Start (s)"}
    assert read_behavior(path, frames=FRAMES, **options)["labels"][:9].tolist() == [1] * 8 + [0]
    assert "if it ends at 'Stop (s)', and the mouse rests" in capsys.readouterr().err


def test_events_that_begin_and_end_may_be_of_other_behaviours(tmp_path, capsys):
    events = pd.DataFrame({"time": [0, 1, 2.6, 4, 4.6, 9.7], "type": ["STOP", "START"] * 3})
    events.to_csv(tmp_path / "b.csv", index=False)
    options = {"behavior_labels": "type", "behavior_time": "time", "run_label": "START"}
    got = read_behavior(tmp_path / "b.csv", frames=FRAMES, **options)
    assert got["labels"].tolist() == [0] * 2 + [1] * 3 + [0] * 3 + [1] + [0] * 10 + [1]
    assert "wrong of events of other behaviours" in capsys.readouterr().err
    events.loc[2, "type"] = "START"
    events.to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(UserError, match=r"START at samples 1 and 2: events of several"):
        read_behavior(tmp_path / "b.csv", frames=FRAMES, **options)


# --- told ---------------------------------------------------------------------------------------


def test_intervals_by_their_starts_and_ends(capsys):
    frames = Frames(40, 4.0)  # 10 s

    def trace(values, name):
        return Trace("b.csv", name, Variable(np.array(values)))

    def joined(start, stop, kinds=None, unit=None, label=None, frames=frames):
        found = intervals.joined(
            start and trace(start, "start"), trace(stop, "stop"), kinds and trace(kinds, "kind"),
            unit, frames, label,
        )  # fmt: skip
        return [found.name, found.data.start, found.data.stop, found.data.words]

    def labels(start, stop, several=None, known=True):
        held = Bouts(np.array(start, float), np.array(stop, float), None, several)
        return intervals.labels_of(Trace("b.csv", "runs", held, None, frames if known else None))

    def ends(start, *held):
        intervals.say_ends("b.csv", start, held)

    def events(*words):
        intervals.check_events(trace([0.0], "event"), list(words))

    cases = {
        "intervals": lambda: joined([1, 5], [2, 6]),
        "intervals without starts": lambda: joined(None, [2, 6]),
        "intervals of other numbers": lambda: joined([1, 5, 7], [2, 6]),
        "kinds of another number": lambda: joined([1, 5], [2, 6], ["run"]),
        "kinds": lambda: joined([1, 5], [2, 6], ["run", " rest "]),
        "kinds of numbers": lambda: joined([1, 5], [2, 6], [1.0, 2.5]),
        "of a label": lambda: joined([1, 5], [2, 6], ["run", "rest"], label="rest"),
        "of a label that is none": lambda: joined([1, 5], [2, 6], list("ba"), label="run"),
        "of many labels, none of them": lambda: joined(
            range(7), range(1, 8), list("gfedcba"), label="run"
        ),
        "of numbers": lambda: joined([1, 5], [2, 6], [0, 1], label="run"),
        "in ms": lambda: joined([1000, 5000], [2000, 6000], unit="ms"),
        "in ms, which is not said": lambda: joined([1000, 5000], [2000, 6000]),
        "to 12 s": lambda: joined([1, 5], [2, 12]),
        "to more than 12 s": lambda: joined([1, 5], [2, 12.1]),
        "to more than 12 s, said": lambda: joined([1, 5], [2, 12.1], unit="s"),
        "to 12 s of frames from 100 s on": lambda: joined(
            [101, 105], [102, 112.1], frames=Frames(40, 4.0, 100 + np.arange(40) / 4)
        ),
        "numbers of frames": lambda: joined([4, 20], [8, 24]),
        "of text": lambda: joined(["0:00:01"], ["0:00:50"]),
        "run": lambda: labels([1, 3.05], [2, 3.4]),
        "run that is nothing": lambda: labels([1, 3], [1, 4]),
        "run without an end": lambda: labels([1, 3], [2, np.nan]),
        "run of fewer ends": lambda: labels([1, 3], [2]),
        "run without frames": lambda: labels([1], [2], known=False),
        "run and others": lambda: labels([1], [2], "kind"),
        "ends beside": lambda: ends("Start", "x", "Stop"),
        "other ends beside": lambda: ends("run_onset", "run_offset", "run_end"),
        "no ends beside": lambda: ends("time", "stop", "end"),
        "itself beside": lambda: ends("Time", "Time", "time"),
        "events": lambda: events("START", "STOP", "START"),
        "events twice": lambda: events("START", "STOP", "STOP", "START"),
    }
    assert_told(cases, Path(__file__).with_name("told") / "intervals.txt", capsys)
