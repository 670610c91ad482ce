"""Behaviour as labs keep it: formats, names, clocks, units, and one line for what does not fit."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from make_movies import save_table
from mesodecode.base.files import UserError
from mesodecode.recordings.readers import behavior
from mesodecode.recordings.readers.behavior import read_behavior, seen
from mesodecode.recordings.readers.clocks import Frames, read_times
from told import assert_told

FRAMES = Frames(4, 1.0)  # four frames of a second, from 0 s on
LABELS, SPEED = np.array([0, 1, 1, 0]), np.array([0.1, 3.0, 0.6, 0.5])


def save_h5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def save_npy(path, **columns):
    np.save(path, np.rec.fromarrays(list(columns.values()), names=list(columns)))


def save_folder(path, **columns):
    path.mkdir()
    for name, column in columns.items():
        np.save(path / f"{name}.npy", column)


WRITERS = {
    "b.mat": lambda p, **x: scipy.io.savemat(p, x),
    "b.h5": save_h5,
    "b.csv": save_table,
    "b.tsv": save_table,
    "b.npy": save_npy,
    "folder": save_folder,
}


@pytest.mark.parametrize("file", WRITERS)
def test_every_format_gives_the_same_behavior(tmp_path, file):
    WRITERS[file](tmp_path / file, labels=LABELS, speed=SPEED, segment=np.array([1, 1, 2, 2]))
    got = read_behavior(tmp_path / file, frames=FRAMES)
    assert {key: (value.tolist(), str(value.dtype)) for key, value in got.items()} == {
        "labels": ([0, 1, 1, 0], "uint8"),
        "speed": (SPEED.astype(np.float32).tolist(), "float32"),
        "segment": ([1, 1, 2, 2], "int64"),
    }


@pytest.mark.parametrize("file", WRITERS)
def test_names_are_the_users(tmp_path, file):
    WRITERS[file](tmp_path / file, labels=1 - LABELS, moving=LABELS, v=SPEED, other=SPEED)
    got = read_behavior(tmp_path / file, behavior_labels="moving", behavior_speed="v")
    assert got["labels"].tolist() == [0, 1, 1, 0]
    with pytest.raises(UserError, match="no 'wheel' in it; it holds: labels, moving, other, v"):
        read_behavior(tmp_path / file, behavior_speed="wheel")


def test_structs_of_matlab_and_groups_of_hdf5(tmp_path):
    scipy.io.savemat(tmp_path / "b.mat", {"beh": {"run": LABELS, "deep": {"v": SPEED}}})
    save_h5(tmp_path / "b.h5", **{"beh/run": LABELS, "beh/deep/v": SPEED})
    for file in ("b.mat", "b.h5"):
        names = {"behavior_labels": "/beh/run", "behavior_speed": "beh/deep/v"}
        got = read_behavior(tmp_path / file, **names)
        assert got["labels"].tolist() == [0, 1, 1, 0]
        np.testing.assert_allclose(got["speed"], SPEED)


def test_a_plain_vector_is_labels_or_speed_by_its_type(tmp_path):
    for values, keys in (
        (LABELS, {"labels"}),
        (LABELS > 0, {"labels"}),
        (LABELS.astype(np.uint8), {"labels"}),
        (np.where(LABELS, "run", "rest"), {"labels"}),
        (SPEED, {"labels", "speed"}),
    ):
        np.save(tmp_path / "b.npy", values)
        got = read_behavior(tmp_path / "b.npy")
        assert set(got) == keys
        assert got["labels"].tolist() == [0, 1, 1, 0]  # of speeds, those above 0.5
    np.save(tmp_path / "b.npy", np.where(LABELS, "false", "true"))
    got = read_behavior(tmp_path / "b.npy", run_label="false")
    assert got["labels"].tolist() == [0, 1, 1, 0]


def test_labels_in_words(tmp_path):
    save_table(tmp_path / "b.csv", labels=["still", "run", "run", "still"])
    assert read_behavior(tmp_path / "b.csv")["labels"].tolist() == [0, 1, 1, 0]
    got = read_behavior(tmp_path / "b.csv", run_label="still")
    assert got["labels"].tolist() == [1, 0, 0, 1]
    with pytest.raises(
        UserError, match=r"holds run, still: .* set run_label: 'run' or 'still', whichever"
    ):
        read_behavior(tmp_path / "b.csv", run_label="walk")


@pytest.mark.parametrize("labels", [["run", "rest", "groom", "rest"], [0, 1, 2, 1], [1, 2, 3, 3]])
def test_of_more_than_two_states_what_decodes_all_is_said(tmp_path, labels):
    save_table(tmp_path / "b.csv", labels=labels)
    with pytest.raises(
        UserError, match=r"3 states \(.* set target: states, behavior_target: labels and target_st"
    ):
        read_behavior(tmp_path / "b.csv")


SAID = {  # two states that are none of those that are read -> what is to be done
    ("Run", "Rest"): "'Run' is another word, though by case alone: set run_label: 'Run'",
    ("läuft", "steht"): "set run_label: 'läuft' or 'steht', whichever says run",
    ("RUN", "Run"): "set run_label: 'RUN' or 'Run', whichever",  # no telling
    (1, 2): "labels are 0 (rest) and 1 (run); write these for them, or words, one of which run_l",
}


@pytest.mark.parametrize("states", SAID)
def test_of_two_other_states_it_is_said_what_to_set_or_to_write(tmp_path, states):
    save_table(tmp_path / "b.csv", labels=[*states, *states], start=range(4), stop=range(1, 5))
    with pytest.raises(UserError, match=re.escape(SAID[states])):
        read_behavior(tmp_path / "b.csv", behavior_labels="labels")
    ends = {"behavior_time": "start", "behavior_stop": "stop", "frames": Frames(4, 1.0)}
    if isinstance(states[0], str):  # of intervals too
        with pytest.raises(UserError, match=re.escape(SAID[states])):
            read_behavior(tmp_path / "b.csv", behavior_labels="labels", **ends)


def test_numbers_that_are_no_states_may_be_a_speed(tmp_path):
    for n, said in ((20, "20 states (0, 1, 2, 3, 4 and 15 more)"), (21, "behavior_speed")):
        save_table(tmp_path / "b.csv", labels=range(n))
        with pytest.raises(UserError, match=re.escape(said)):
            read_behavior(tmp_path / "b.csv")


# --- states from speed -------------------------------------------------------------------------


def test_states_are_made_from_speed_where_asked(tmp_path):
    speed = np.array([0, 3, 1.5, 0.9, 0, 3, 0, 0])
    save_table(tmp_path / "b.csv", labels=np.zeros(8, int), speed=speed)
    frames = Frames(8, 2.0)

    def labels(**options):
        got = read_behavior(tmp_path / "b.csv", 2.0, frames=frames, **options)
        return "".join(map(str, got["labels"]))

    assert labels() == "00000000"
    assert labels(states="speed") == "01000100"
    assert labels(states="speed", speed_threshold_low=1.0) == "01100100"
    assert labels(states="speed", speed_threshold_low=1.0, min_bout=1) == "01100000"  # 2 frames
    for options in ({"min_bout": 1}, {"speed_threshold_low": 1.0}):
        with pytest.raises(UserError, match=r"labels 'labels' are taken.*states: speed"):
            labels(**options)


@pytest.mark.parametrize(("column", "states"), [("labels", "speed"), ("speed", "labels")])
def test_states_need_what_they_are_made_of(tmp_path, column, states):
    save_table(tmp_path / "b.csv", **{column: LABELS})
    with pytest.raises(UserError, match=f"has no {states}, which 'states: {states}' needs"):
        read_behavior(tmp_path / "b.csv", states=states)


@pytest.mark.parametrize(("unit", "factor"), [("cm/s", 1), ("m/s", 100), ("mm/s", 0.1), (None, 1)])
def test_speed_is_kept_in_cm_s(tmp_path, unit, factor):
    save_table(tmp_path / "b.csv", speed=SPEED)
    got = read_behavior(tmp_path / "b.csv", speed_unit=unit)
    np.testing.assert_allclose(got["speed"], factor * SPEED, rtol=1e-6)
    assert got["labels"].tolist() == (factor * SPEED > 0.5).astype(int).tolist()


@pytest.mark.parametrize(
    ("columns", "options", "words"),
    [
        (
            {"speed": [0, 0.1, 0.35, 0]},
            {},
            "the speed of speed is 0 to 0.35 cm/s (taken to be in cm/s), and run is above "
            "speed_threshold, 0.5 cm/s; check speed_unit and speed_threshold",
        ),
        (
            {"speed": [0, 0, 0, 0, 0, 9, 9, 9], "t": [0, 1, 2, 3, 4, 5, 6, 7]},
            {"behavior_time": "t", "speed_unit": "mm/s"},
            "is 0 to 0 cm/s (taken to be in mm/s) during the movie's 4 frames (4 s); the file "
            "holds 0 to 9, and run is above speed_threshold, 0.5 cm/s; check speed_unit, "
            "speed_threshold, behavior_time and frame_times",
        ),
        (
            {"labels": ["go", "go", "go", "go"]},
            {"run_label": "go"},
            "labels holds go 4 times; check behavior_labels and run_label",
        ),
        (
            {"labels": [0, 0, 0, 0, 1, 1], "t": [0, 1, 2, 3, 4, 5]},
            {"behavior_time": "t"},
            "labels holds 0 4 times, 1 2 times, one of them during the movie's 4 frames (4 s); "
            "check behavior_labels, behavior_time, frame_times and movie_axes",
        ),
        (
            {"c": [0, 1, 1, 1]},
            {"behavior_encoder": "c", "counts_per_turn": 1e6, "wheel_circumference": 1},
            "check counts_per_turn, wheel_circumference and speed_threshold",
        ),
        (  # what speed was made of, not what stands beside it
            {"c": [0, 1, 1, 1], "speed": [9, 9, 9, 9]},
            {"behavior_encoder": "c", "counts_per_turn": 1e6, "wheel_circumference": 1},
            "the speed of c is 0 to",
        ),
    ],
)
def test_what_a_session_of_one_state_holds(tmp_path, columns, options, words):
    save_table(tmp_path / "b.csv", **columns)
    about = {"frames": FRAMES, **options}
    got = read_behavior(tmp_path / "b.csv", **about)
    assert len(set(got["labels"])) == 1
    assert words in seen(tmp_path / "b.csv", got, 0.5, **about)


# --- clocks ------------------------------------------------------------------------------------


def test_behavior_at_another_rate_is_brought_onto_the_frames(tmp_path):
    time = 10 + np.arange(16) / 4  # four samples a frame, by a clock that begins at 10 s
    speed = np.repeat([1, 5, 0, 2.0], 4) + np.tile([-0.3, 0.3, -0.1, 0.1], 4)
    run = np.repeat([0, 1, 0, 1], 4)
    part = np.repeat([7, 9], [6, 10])  # from the middle of the second frame on
    save_table(tmp_path / "b.csv", labels=run, speed=speed, segment=part, t=time)
    frames = Frames(4, 1.0, 10 + np.arange(4.0))
    got = read_behavior(tmp_path / "b.csv", frames=frames, behavior_time="t")
    np.testing.assert_allclose(got["speed"], [1, 5, 0, 2], atol=1e-6)
    assert got["labels"].tolist() == [0, 1, 0, 1]
    assert got["segment"].tolist() == [7, 9, 9, 9]
    # the same by its rate: the first sample is taken with the first frame, whenever that is
    for clock in (FRAMES, frames, Frames(4, 1.0, 3 + np.arange(4.0))):
        got = read_behavior(tmp_path / "b.csv", frames=clock, behavior_rate=4)
        np.testing.assert_allclose(got["speed"], [1, 5, 0, 2], atol=1e-6)
        assert got["labels"].tolist() == [0, 1, 0, 1]


def test_segments_are_whole_numbers(tmp_path):
    save_table(tmp_path / "b.csv", labels=LABELS, segment=[1, 1, 1.5, 2])
    with pytest.raises(UserError, match="segment holds fractions; needs whole numbers, one a seg"):
        read_behavior(tmp_path / "b.csv", frames=FRAMES)


def test_labels_a_frame_beside_a_speed_of_another_rate(tmp_path):
    speed = np.repeat([1, 5, 0, 2.0], 4)
    save_h5(tmp_path / "b.h5", labels=LABELS, speed=speed, t=np.arange(16) / 4)
    got = read_behavior(tmp_path / "b.h5", frames=FRAMES, behavior_time="t")
    assert (got["labels"].tolist(), got["speed"].tolist()) == ([0, 1, 1, 0], [1, 5, 0, 2])


def test_speed_of_an_encoder(tmp_path):
    """200 counts a turn of 40 cm: a count is 2 mm."""
    time = np.arange(9) / 2
    counts = np.array([0, 5, 10, 10, 10, 40, 70, 70, 69.0])
    save_table(tmp_path / "b.csv", counts=counts, t=time)
    wheel = {"behavior_encoder": "counts", "counts_per_turn": 200, "wheel_circumference": 40}
    got = read_behavior(tmp_path / "b.csv", frames=FRAMES, behavior_time="t", **wheel)
    np.testing.assert_allclose(got["speed"], [2, 0, 12, 0.2], rtol=1e-6)
    assert got["labels"].tolist() == [1, 0, 1, 0]
    save_table(tmp_path / "b.csv", counts=counts[::2][:4])  # one a frame needs no time stamps
    got = read_behavior(tmp_path / "b.csv", frames=FRAMES, **wheel)
    np.testing.assert_allclose(got["speed"], [2, 0, 12, 12], rtol=1e-6)


def test_an_encoder_that_is_reset_is_named(tmp_path):
    save_table(tmp_path / "b.csv", counts=[95000, 95500, 400, 900])
    wheel = {"behavior_encoder": "counts", "counts_per_turn": 4096, "wheel_circumference": 47}
    with pytest.raises(UserError, match="1091 cm/s at frame 1: the counter is reset"):
        read_behavior(tmp_path / "b.csv", frames=FRAMES, **wheel)
    with pytest.raises(UserError, match="need counts_per_turn and wheel_circumference"):
        read_behavior(tmp_path / "b.csv", frames=FRAMES, behavior_encoder="counts")


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ([0, 1, 1, 2, 3, 4], "t repeats at sample 2 (1 s)"),
        ([0, 1, 2, 1.5, 3, 4], "t goes back at sample 3 (1.5 s)"),
        ([7198, 7199, 3600, 3601, 3602, 3603], "must increase: an hour back, as clocks go when"),
        ([0, 1, np.nan, 2, 3, 4], "t is not finite"),
        ([0, 0.1, 0.2, 0.3, 0.4, 0.5], "covers 0 to 0.5 s, but the movie 0 to 3 s"),
        ([100, 101, 102, 103, 104, 105], "covers 100 to 105 s, but the movie 0 to 3 s"),
    ],
)
def test_time_stamps_that_cannot_be_used_are_named(tmp_path, time, words):
    save_table(tmp_path / "b.csv", speed=np.arange(6.0), t=time)
    with pytest.raises(UserError) as caught:
        read_behavior(tmp_path / "b.csv", frames=FRAMES, behavior_time="t")
    assert words in str(caught.value) and str(tmp_path / "b.csv") in str(caught.value)


def test_every_sample_needs_a_time_stamp(tmp_path):
    save_h5(tmp_path / "b.h5", speed=np.arange(6.0), t=np.arange(5.0))
    with pytest.raises(UserError, match="speed has 6 values, but t has 5 time stamps"):
        read_behavior(tmp_path / "b.h5", frames=FRAMES, behavior_time="t")


TIMES = 5 + np.arange(4) / 30


@pytest.mark.parametrize("file", [*WRITERS, "plain.npy"])
def test_time_stamps_of_frames(tmp_path, file):
    if file == "plain.npy":
        np.save(tmp_path / file, TIMES[:, None])
    else:
        WRITERS[file](tmp_path / file, frame_times=TIMES, other=TIMES + 1)
        other = read_times(tmp_path / file, "other", 4, 30.0)
        np.testing.assert_allclose(other, TIMES + 1)
    np.testing.assert_allclose(read_times(tmp_path / file, None, 4, 30.0), TIMES)


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (TIMES[:3], "3 time stamps, but the movie has 4 frames"),
        (TIMES * 1000, "0.03 frames/s, but frame_rate is 30"),
        ([0, 1 / 30, 1 / 30, 0.1], "repeats at sample 2"),
    ],
)
def test_time_stamps_that_are_none_of_the_movie(tmp_path, times, words):
    np.save(tmp_path / "t.npy", times)
    with pytest.raises(UserError, match=words):
        read_times(tmp_path / "t.npy", None, 4, 30.0)


# --- NWB ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nwb(tmp_path_factory):
    """A file with a speed in m/s, states, an interval series and a table of intervals."""
    from pynwb import NWBHDF5IO, NWBFile, TimeSeries
    from pynwb.behavior import BehavioralEpochs, BehavioralTimeSeries
    from pynwb.epoch import TimeIntervals
    from pynwb.misc import IntervalSeries

    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    file = NWBFile(session_description="s", identifier="s1", session_start_time=start)
    module = file.create_processing_module("behavior", "b")
    speed = np.repeat([0.001, 0.2, 0.03, 0.0], 2)
    series = [
        TimeSeries(name="speed", data=speed, unit="m/s", rate=2.0, starting_time=0.0),
        TimeSeries(name="both", data=np.stack([speed, 1 - speed], 1), unit="m/s", rate=2.0),
        TimeSeries(name="column", data=speed[:, None], unit="m/s", rate=2.0),
        TimeSeries(name="odd", data=speed, unit="furlongs", rate=2.0),
        TimeSeries(name="milli", data=speed * 1000, unit="m/s", conversion=0.001, rate=2.0),
        TimeSeries(name="state", data=[0, 1, 0], unit="n.a.", timestamps=[0.0, 1.2, 3.6]),
    ]
    module.add(BehavioralTimeSeries(time_series=series))
    edges = IntervalSeries(name="running", data=[0, 1, 0, -1], timestamps=[0.2, 0.9, 1.5, 2.9])
    module.add(BehavioralEpochs(interval_series=[edges]))
    bouts = TimeIntervals(name="bouts", description="d")
    bouts.add_column("kind", "run or rest")
    for begin, end, kind in ((0.0, 0.9, "rest"), (0.9, 2.9, "run"), (2.9, 4.0, "rest")):
        bouts.add_interval(start_time=begin, stop_time=end, kind=kind)
    file.add_time_intervals(bouts)
    path = tmp_path_factory.mktemp("nwb") / "b.nwb"
    with NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({}, [0, 1, 1, 0]),  # of the speed, 0.1, 20, 3 and 0 cm/s
        ({"behavior_labels": "running"}, [0, 1, 1, 0]),
        ({"behavior_labels": "bouts/kind"}, [0, 1, 1, 0]),
        ({"behavior_labels": "bouts/kind", "run_label": "rest"}, [1, 0, 0, 1]),
        ({"behavior_labels": "bouts", "run_label": "walk"}, [1, 1, 1, 1]),  # all intervals
        ({"behavior_labels": "state"}, [0, 1, 1, 1]),  # held from 1.2 s on: middles at 0.5, 1.5, …
        ({"behavior_speed": "milli"}, [0, 1, 1, 0]),
        ({"behavior_speed": "both:1"}, [0, 1, 1, 0]),
        ({"behavior_speed": "column"}, [0, 1, 1, 0]),
    ],
)
def test_series_and_intervals_of_nwb(nwb, options, labels):
    got = read_behavior(nwb, frames=FRAMES, **options)
    assert got["labels"].tolist() == labels
    np.testing.assert_allclose(got["speed"], [0.1, 20, 3, 0], atol=1e-5)


def test_a_table_of_several_states_is_not_taken_for_run(nwb):
    with pytest.raises(UserError, match=r"run and of others, by its column kind: .* bouts/kind"):
        read_behavior(nwb, frames=FRAMES, behavior_labels="bouts")


def test_what_is_not_in_an_nwb_file_is_answered_by_what_is(nwb):
    with pytest.raises(
        UserError, match=r"no 'x' in it; it holds: both .8 x 2., bouts, bouts/kind, .*speed, state"
    ):
        read_behavior(nwb, frames=FRAMES, behavior_labels="x")
    with pytest.raises(UserError, match=r"'furlongs', no speed that is known.*speed_unit"):
        read_behavior(nwb, frames=FRAMES, behavior_speed="odd")
    with pytest.raises(UserError, match="bouts holds intervals; needs a value a sample"):
        read_behavior(nwb, frames=FRAMES, behavior_speed="bouts")


@pytest.mark.parametrize("rate", [30.0, 15.0])
def test_a_sample_a_frame_tells_a_wrong_frame_rate(tmp_path, rate):
    time, speed = np.arange(900) / 20, np.arange(900) % 2
    save_table(tmp_path / "b.csv", speed=speed, time=time)
    names = {"behavior_speed": "speed", "behavior_time": "time"}
    with pytest.raises(UserError, match=r"as the movie has frames, 900, but 20 a second, not"):
        read_behavior(tmp_path / "b.csv", **names, frames=Frames(900, rate))
    for frames in (Frames(900, 20.0), Frames(899, 30.0)):
        got = read_behavior(tmp_path / "b.csv", **names, frames=frames)
        assert len(got["speed"]) == frames.count


# --- told: whole files, by all that the config may name -------------------------------------------


def test_behaviour_of_one_file_by_what_the_config_names(capsys, tmp_path, monkeypatch):
    """Eight frames of half a second."""
    monkeypatch.chdir(tmp_path)
    eight = Frames(8, 2.0)
    speed = [0, 0.4, 0.6, 3, 0.2, 0, 2, 2]
    run = [0, 0, 1, 1, 1, 0, 1, 0]

    def told(columns, **options):
        save_table(tmp_path / "b.csv", **columns)
        threshold = options.pop("speed_threshold", 0.5)
        options.setdefault("frames", eight)
        return read_behavior("b.csv", threshold, **options)

    def of_matlab(columns, **options):
        scipy.io.savemat("b.mat", columns)
        return read_behavior("b.mat", 0.5, frames=eight, **options)

    def named(columns, **options):
        save_table(tmp_path / "b.csv", **columns)
        return behavior.check_names("b.csv", options)

    def only(labels=None, values=None, columns=None, **options):
        """What is said of a session in one state."""
        columns = columns or {k: v for k, v in (("labels", labels), ("speed", values)) if v}
        save_table(tmp_path / "b.csv", **columns)
        found = read_behavior("b.csv", 0.5, frames=eight, **options)
        options.pop("speed_offset", None)
        return behavior.seen("b.csv", found, 0.5, frames=eight, **options)

    times = {"t": np.arange(16) / 4, "speed": np.repeat(speed, 2)}
    long = {"t": np.arange(240.0), "speed": np.arange(240) % 2}
    bouts = {"t": [0.4, 2.9], "end": [1.6, 3.6], "kind": ["run", "groom"], "speed": [3, 4]}
    wheel = {"counts_per_turn": 100, "wheel_circumference": 20.0}
    matrix = np.ones((8, 3))
    cases = {
        "labels": lambda: told({"runrest": run, "speed_rs": speed, "segment": [1] * 4 + [7] * 4}),
        "labels by another name": lambda: told({"a": run}, behavior_labels="a"),
        "labels before speed": lambda: told({"labels": run, "speed": speed}),
        "speed before labels": lambda: told({"labels": run, "speed": speed}, states="speed"),
        "labels alone, but by speed": lambda: told({"labels": run}, states="speed"),
        "speed alone, but by labels": lambda: told({"speed": speed}, states="labels"),
        "speed": lambda: told({"speed": speed}),
        "speed, of another threshold": lambda: told({"speed": speed}, speed_threshold=2.0),
        "speed, of two thresholds": lambda: told({"speed": speed}, speed_threshold_low=0.2),
        "speed, of short bouts": lambda: told({"speed": speed}, min_bout=1.1),
        "speed, of short bouts, in two segments": lambda: told(
            {"speed": speed, "segment": [1] * 5 + [2] * 3}, min_bout=1.1
        ),
        "speed, of a scale": lambda: told({"speed": speed}, speed_scale=0.5, speed_offset=-0.6),
        "labels, of short bouts": lambda: told({"labels": run}, min_bout=1.1),
        "labels, of two thresholds": lambda: told({"labels": run}, speed_threshold_low=0.1),
        "neither": lambda: told({"x": run}),
        "what is not there": lambda: told({"labels": run}, behavior_speed="v"),
        "words": lambda: told({"labels": ["run" if r else "rest" for r in run]}),
        "other words": lambda: told({"labels": ["go" if r else "no" for r in run]}, run_label="go"),
        "words without that of run": lambda: told({"labels": ["go" if r else "no" for r in run]}),
        "true and false": lambda: told({"labels": ["True" if r else "false" for r in run]}),
        "true and false, of which false says run": lambda: told(
            {"labels": ["True" if r else "False" for r in run]}, run_label="False"
        ),
        "numbers, of which 0 says run": lambda: told(
            {"resting": [1 - r for r in run]}, behavior_labels="resting", run_label="0"
        ),
        "starts without stops": lambda: told({"labels": ["start"] * 8}),
        "three words": lambda: told({"labels": ["run", "rest", "groom", *["run"] * 5]}),
        "seven words": lambda: told({"labels": [*"abcdef", "run", "run"]}),
        "six words": lambda: told({"labels": [*"abcde", *["run"] * 3]}),
        "five words": lambda: told({"labels": [*"abcd", *["run"] * 4]}),
        "a word that is missing": lambda: told(
            {"labels": ["run", "", "rest", "none", "NONE", *["run"] * 3]}
        ),
        "three numbers": lambda: told({"labels": [0, 1, 2, *run[3:]]}),
        "two numbers": lambda: told({"labels": [2 * r for r in run]}),
        "labels of rest": lambda: told({"isResting": run}, behavior_labels="isResting"),
        "labels of no movement": lambda: told({"not moving": run}, behavior_labels="not moving"),
        "labels of run or rest": lambda: told({"run_rest": run}, behavior_labels="run_rest"),
        "segments of fractions": lambda: told({"labels": run, "segment": [0.5] * 8}),
        "times": lambda: told(times, behavior_time="t"),
        "a rate": lambda: told({"speed": times["speed"]}, behavior_rate=4.0),
        "times that go on for long after": lambda: told(
            long, behavior_time="t", frames=Frames(8, 2.0, np.arange(8) / 2)
        ),
        "times that go on for long after, said to be in s": lambda: told(
            long,
            behavior_time="t",
            behavior_time_unit="s",
            frames=Frames(8, 2.0, np.arange(8) / 2),
        ),
        "a speed that is 0 before and after a gap": lambda: told(
            {"v": [1, 1, 0, 0, 1, 1, 0, 0], "t": [0, 0.1, 0.2, 2.2, 2.3, 2.4, 2.5, 3.4]},
            behavior_speed="v",
            behavior_time="t",
        ),
        "times of starts, with ends beside": lambda: told(
            {"start": np.arange(8) / 2, "end": np.arange(8) / 2 + 0.2, "labels": run},
            behavior_labels="labels",
            behavior_time="start",
        ),
        "intervals": lambda: told(bouts, behavior_time="t", behavior_stop="end"),
        "intervals beside labels that are not asked for": lambda: told(
            bouts | {"labels": bouts["kind"]}, behavior_time="t", behavior_stop="end"
        ),
        "intervals beside a speed that is asked for": lambda: told(
            {
                "t": [0.4, 2.9, *(3.6 + np.arange(6) / 100)],
                "end": [1.6, 3.6, *(3.605 + np.arange(6) / 100)],
                "v": speed,
            },
            behavior_time="t",
            behavior_stop="end",
            behavior_speed="v",
        ),
        "intervals of kinds": lambda: told(
            bouts, behavior_time="t", behavior_stop="end", behavior_labels="kind"
        ),
        "intervals of another kind": lambda: told(
            bouts,
            behavior_time="t",
            behavior_stop="end",
            behavior_labels="kind",
            run_label="groom",
        ),
        "intervals of kinds by number": lambda: told(
            bouts | {"kind": [2, 1]}, behavior_time="t", behavior_stop="end", behavior_labels="kind"
        ),
        "intervals of another kind by number": lambda: told(
            bouts | {"kind": [2, 1]},
            behavior_time="t",
            behavior_stop="end",
            behavior_labels="kind",
            run_label="2",
        ),
        "intervals without starts": lambda: told(bouts, behavior_stop="end"),
        "a wheel": lambda: told(
            {"counts": np.cumsum([0, 0, 5, 9, 9, 0, 3, 3]), "speed": speed},
            behavior_encoder="counts",
            **wheel,
        ),
        "a wheel without its size": lambda: told({"counts": run}, behavior_encoder="counts"),
        "a position": lambda: told(
            {"x": [0, 0, 3, 6, 6, 6, 9, 9], "y": [0, 0, 4, 8, 8, 8, 12, 12]},
            behavior_position=["x", "y"],
            speed_unit="cm/s",
        ),
        "a position that is logged as it changes": lambda: told(
            {"x": [0, 1, 2, 3, 3, 4, 5, 6], "t": [0.8, 0.9, 1.0, 1.1, 2.3, 2.4, 2.5, 2.6]},
            behavior_position="x",
            behavior_time="t",
            speed_unit="cm/s",
        ),
        "a speed that is logged as it changes": lambda: told(
            {"v": [0, 1, 2, 0, 0, 4, 5, 0], "t": [0.8, 0.9, 1.0, 1.1, 2.3, 2.4, 2.5, 2.6]},
            behavior_speed="v",
            behavior_time="t",
        ),
        "a position of a scale": lambda: told(
            {"x": [0, 0, 3, 6, 6, 6, 9, 9]}, behavior_position="x", speed_scale=0.1
        ),
        "a speed that is empty beside labels": lambda: told({"labels": run, "speed": [None] * 8}),
        "a speed that is no vector beside labels": lambda: of_matlab(
            {"labels": run, "speed": matrix}
        ),
        "a speed that is no vector beside labels, by speed": lambda: of_matlab(
            {"labels": run, "speed": matrix}, states="speed"
        ),
        "a speed that is no vector beside labels, asked for": lambda: of_matlab(
            {"labels": run, "speed": matrix}, behavior_speed="speed"
        ),
        "a speed that is no vector": lambda: of_matlab({"speed": matrix}),
        "labels that are no vector beside a speed": lambda: of_matlab(
            {"labels": matrix, "speed": speed}
        ),
        "labels that are no vector beside a speed, by speed": lambda: of_matlab(
            {"labels": matrix, "speed": speed}, states="speed"
        ),
        "labels that are no vector": lambda: of_matlab({"labels": matrix, "x": speed}),
        "names that are there": lambda: named({"a": run, "v": speed}, behavior_labels="a"),
        "names that are not": lambda: named({"a": run}, behavior_labels="b"),
        "names of nothing": lambda: named({"x": run}),
        # all of one state
        "labels of rest alone": lambda: only([0] * 8),
        "labels of rest alone, by name": lambda: only(columns={"a": [0] * 8}, behavior_labels="a"),
        "words of rest alone": lambda: only(
            columns={"a": [*["rest"] * 7, "run"]}, behavior_labels="a"
        ),
        "words of run alone": lambda: only(columns={"a": ["run"] * 8}, behavior_labels="a"),
        "labels of rest alone, by a rate": lambda: only(
            columns={"a": [0] * 16}, behavior_labels="a", behavior_rate=4.0
        ),
        "labels of rest alone at frames": lambda: only(
            columns={"a": [0] * 8 + [1], "t": [*np.arange(8) / 2, 4.6]},
            behavior_labels="a",
            behavior_time="t",
        ),
        "a slow speed": lambda: only(values=[0.1] * 8),
        "a slow speed, in another unit": lambda: only(values=[0.1] * 8, speed_unit="mm/s"),
        "a slow speed, of a scale": lambda: only(values=[0.1] * 8, speed_scale=2.0),
        "a slow speed at frames": lambda: only(
            columns={"v": [0.1] * 8 + [9], "t": [*np.arange(8) / 2, 4.6]},
            behavior_speed="v",
            behavior_time="t",
        ),
        "a wheel that stands": lambda: only(columns={"n": [3] * 8}, behavior_encoder="n", **wheel),
        "a place that stays": lambda: only(
            columns={"x": [3] * 8}, behavior_position="x", speed_scale=1.0
        ),
        "words from starts on, with ends beside": lambda: only(
            columns={"start": [-1.0, 2.0, 4.0], "end": [1.0, 3.0, 5.0], "kind": ["run"] * 3},
            behavior_labels="kind",
            behavior_time="start",
        ),
        "intervals that hold all": lambda: only(
            columns={"t": [-1.0], "end": [4.4]}, behavior_time="t", behavior_stop="end"
        ),
    }
    assert_told(cases, Path(__file__).with_name("told") / "behavior.txt", capsys)
