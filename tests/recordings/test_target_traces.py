"""What else than run and rest is read of a session's behaviour: traces and named states."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import tifffile

from make_movies import save_table
from mesodecode.base.files import UserError
from mesodecode.cli import main
from mesodecode.recordings import preprocess
from mesodecode.recordings.harmonise import harmonise
from mesodecode.recordings.readers import nwb, target_traces
from mesodecode.recordings.readers.clocks import Frames
from mesodecode.recordings.readers.target_traces import read_beside, read_target
from mesodecode.recordings.recording import read_recordings, with_labels_of
from told import assert_told

FRAMES = Frames(6, 10.0)
STATES = ["rest", "walk", "groom"]


def behavior(tmp_path, **columns):
    path = tmp_path / "b.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def states(path, words=STATES, variable="state", frames=FRAMES, **labelling):
    target, codes = read_target(
        path, "states", frames, {}, labelling, variable=variable, states=words
    )
    return target.states, codes.tolist()


def refuse(words, *args, **more):
    with pytest.raises(UserError) as error:
        read_target(*args, **more)
    line = str(error.value)
    assert "\n" not in line
    for word in words:
        assert word in line


def test_trace_is_read_in_its_own_unit_and_as_it_is(tmp_path):
    path = behavior(tmp_path, pupil=[1.5, -2, 3, 4, 5, 6.25])
    target, values = read_target(path, "pupil", FRAMES, {}, {})
    assert (target.name, target.kind.name, target.outputs) == ("pupil", "regression", 1)
    assert values.dtype == np.float32
    assert values.tolist() == [1.5, -2, 3, 4, 5, 6.25]  # signed, unlike a speed


@pytest.mark.parametrize(
    ("name", "unit"), [("pupil (mm)", "mm"), ("pupil [px²]", "px²"), ("pupil", ""), ("pupil_2", "")]
)
def test_the_unit_of_a_trace_is_that_in_its_columns_name(tmp_path, name, unit):
    path = behavior(tmp_path, **{name: np.arange(6.0)})
    target, _ = read_target(path, "pupil", FRAMES, {}, {}, variable=name)
    assert target.unit == unit


@pytest.mark.parametrize(
    ("lost", "words"), [([4, 5, 12], "up to 2 in a row"), ([0, 1, 2], "up to 3 in a row (held at")]
)
def test_how_long_a_trace_is_unknown_is_said(tmp_path, capsys, lost, words):
    values = np.arange(20.0)
    values[lost] = np.nan
    path = behavior(tmp_path, pupil=values)
    _, got = read_target(path, "pupil", Frames(20, 10.0), {}, {})
    expected = np.arange(20.0) if lost[0] else np.maximum(np.arange(20.0), 3)
    np.testing.assert_allclose(got, expected)
    line = capsys.readouterr().err
    assert f"interpolated in 15.0% of its samples (NaN), {words}" in line
    assert ("held" in line) == (lost[0] == 0)


def test_faster_samples_are_averaged_within_a_frame(tmp_path):
    time = np.arange(24) / 40  # four samples a frame of 0.1 s
    path = behavior(tmp_path, t=time, whisking=np.repeat(np.arange(6.0), 4) + [0, 1, 2, 3] * 6)
    _, values = read_target(path, "whisking", FRAMES, {}, {"behavior_time": "t"})
    np.testing.assert_allclose(values, np.arange(6) + 1.5)


def test_speed_is_the_speed_as_read_unless_another_variable_is_named(tmp_path):
    path = behavior(tmp_path, velocity=[-1.0, 2, -3, 4, 0, 1])
    speed = np.arange(6, dtype=np.float32)
    target, values = read_target(path, "speed", FRAMES, {"speed": speed}, {})
    assert target.unit == "cm/s" and values.tolist() == speed.tolist()
    _, values = read_target(path, "speed", FRAMES, {"speed": speed}, {}, variable="velocity")
    assert values.tolist() == [-1, 2, -3, 4, 0, 1]
    refuse(["no speed", "behavior_speed"], path, "speed", FRAMES, {}, {})


def test_blinks_are_bridged_and_said_and_more_is_refused(tmp_path, capsys):
    path = behavior(tmp_path, pupil=[0, 1, np.nan, 3, 4, 5])
    _, values = read_target(path, "pupil", FRAMES, {}, {})
    assert values.tolist() == [0, 1, 2, 3, 4, 5]
    assert "interpolated in 16.7%" in capsys.readouterr().err
    path = behavior(tmp_path, pupil=[0, np.nan, np.nan, 3, 4, 5])
    refuse(["pupil is not known in 33%"], path, "pupil", FRAMES, {}, {})


def test_traces_that_are_none_are_refused_by_name(tmp_path):
    path = behavior(tmp_path, flat=[2.0] * 6, word=list("abcdef"), t=[0, 0.1, 0.2, 3, 3.1, 3.2])
    refuse(["no 'pupil'", "flat", "behavior_target"], path, "pupil", FRAMES, {}, {})
    refuse(["flat is 2 in every frame", "exclude"], path, "flat", FRAMES, {}, {})
    refuse(["holds text"], path, "word", FRAMES, {}, {})
    gap = {"behavior_time": "t"}
    long = Frames(33, 10.0)
    path = behavior(tmp_path, p=[1.0, 2, 3, 4, 5, 6], t=[0, 0.1, 0.2, 3, 3.1, 3.2])
    refuse(["p has no samples from 0.2 to 3 s", "unknown"], path, "p", long, {}, gap)


def test_words_and_numbers_are_states_and_two_are_joined(tmp_path):
    path = behavior(tmp_path, state=["walk", "rest", "rest", "trot", "groom", "rest"])
    words = ["rest", "walk", "walk=trot", "groom"]
    assert states(path, words) == (("rest", "walk", "groom"), [1, 0, 0, 1, 2, 0])
    path = behavior(tmp_path, state=["walk", "rest", "NONE", "trot", "groom", "rest"])
    with pytest.raises(UserError, match=r"holds 'NONE', none of .*; write the state of each sam"):
        states(path, words)
    path = behavior(tmp_path, state=[3.0, 1, 1, 2, 3, 3])
    np.save(tmp_path / "blanks.npy", [" walk", "rest ", "rest", "walk", "groom", "rest"])
    blanks = states(tmp_path / "blanks.npy", words, None, behavior_labels="labels")
    assert blanks[1] == [1, 0, 0, 1, 2, 0]
    assert states(path, ["c=3", "a=1", "b=2"]) == (("c", "a", "b"), [0, 1, 1, 2, 0, 0])


def test_states_are_held_until_the_next_is_logged(tmp_path):
    path = behavior(tmp_path, state=STATES, t=[0.0, 0.16, 0.41])
    labelling = {"behavior_time": "t"}
    # frames' middles: 0.05, 0.15, 0.25 …
    assert states(path, **labelling)[1] == [0, 0, 1, 1, 2, 2]
    path = behavior(tmp_path, state=STATES, t=[0.3, 2.3, 4.5])
    with pytest.raises(UserError, match="write the one before it, at 0 s"):
        states(path, frames=Frames(50, 10.0), **labelling)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rest", "walk", "sniff"], "holds 'groom', none of target_states (rest, walk, sniff)"),
        (["rest", "walk"], "2 states (rest, walk); needs three or more"),
        (["rest", "walk", "groom", "a b"], "'a b' is not NAME or NAME=VALUE"),
        (["rest", "walk", "groom", "x=walk"], "'walk' is there twice"),
    ],
)
def test_states_that_do_not_fit_are_refused(tmp_path, words, said):
    path = behavior(tmp_path, state=["walk", "rest", "rest", "walk", "groom", "rest"])
    with pytest.raises(UserError) as error:
        states(path, words)
    assert said in str(error.value)


def write_nwb(path, table=(), kinds=()):
    from datetime import UTC, datetime

    import pynwb
    from pynwb.epoch import TimeIntervals
    from pynwb.misc import IntervalSeries

    nwb = pynwb.NWBFile("s", "id", datetime(2026, 1, 1, tzinfo=UTC))
    if table:
        bouts = TimeIntervals(name="bouts", description="states")
        bouts.add_column(name="state", description="which")
        for start, stop, state in table:
            bouts.add_row(start_time=start, stop_time=stop, state=state)
        nwb.add_time_intervals(bouts)
    if kinds:
        edges = IntervalSeries(
            name="edges",
            data=np.array([n for n, _ in kinds], np.int8),
            timestamps=[t for _, t in kinds],
        )
        nwb.add_acquisition(edges)
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)
    return path


def test_intervals_of_nwb_are_states_and_the_first_lies_between(tmp_path):
    rows = [(0.1, 0.3, "walk"), (0.4, 0.6, "groom")]
    path = write_nwb(tmp_path / "a.nwb", rows)
    assert states(path, variable="bouts/state")[1] == [0, 1, 1, 0, 2, 2]
    with pytest.raises(UserError, match="intervals of one kind, a state against rest"):
        states(path, variable="bouts")
    path = write_nwb(tmp_path / "b.nwb", [*rows, (0.2, 0.3, "groom")])
    with pytest.raises(UserError, match=r"frame.*intervals of walk and of groom"):
        states(path, variable="bouts/state")
    more = [(0.1, 0.3, "groom"), (0.1, 0.3, "rest"), (0.4, 0.6, "rest")]
    path = write_nwb(tmp_path / "c.nwb", [*rows, *more])
    with pytest.raises(UserError, match=r"frame.*intervals of rest and of walk; a frame has one"):
        states(path, variable="bouts/state")


def test_kinds_of_an_interval_series_are_states(tmp_path):
    path = write_nwb(tmp_path / "a.nwb", kinds=[(1, 0.1), (-1, 0.3), (2, 0.4), (-2, 0.6)])
    words = ["rest", "walk=1", "groom=2"]
    assert states(path, words, variable="edges")[1] == [0, 1, 1, 0, 2, 2]


def test_run_and_rest_beside_a_target_may_be_unknown_but_not_misnamed(tmp_path, capsys):
    path = behavior(tmp_path, pupil=np.arange(6.0), segment=[0, 0, 0, 1, 1, 1])
    found = read_beside(path, 0.5, FRAMES, "pupil", None, {})
    assert found["labels"].tolist() == [0] * 6 and found["segment"].tolist() == [0] * 3 + [1] * 3
    assert "every frame counts as rest" in capsys.readouterr().err
    with pytest.raises(UserError, match="no 'wheel'"):
        read_beside(path, 0.5, FRAMES, "pupil", None, {"behavior_speed": "wheel"})
    path = behavior(tmp_path, labels=STATES * 2, speed=[0.0, 1, 0, 1, 0, 1])
    found = read_beside(path, 0.5, FRAMES, "states", None, {"behavior_labels": "labels"})
    assert found["labels"].tolist() == [0, 1, 0, 1, 0, 1]  # of the speed


def recorded(tmp_path, name, target="run", **more):
    rng = np.random.default_rng(0)
    tifffile.imwrite(tmp_path / f"{name}.tif", rng.integers(0, 99, (6, 8, 8), np.uint16))
    variables = {"runrest": [0, 0, 1, 1, 0, 0], "pupil": np.arange(6.0), "speed": np.arange(6.0)}
    scipy.io.savemat(tmp_path / f"{name}.mat", variables)
    out = tmp_path / f"{name}.h5"
    preprocess.preprocess(
        out,
        session=name,
        mouse="m1",
        movie=tmp_path / f"{name}.tif",
        behavior=tmp_path / f"{name}.mat",
        frame_rate=10,
        target=target,
        **more,
    )
    return out


def test_recording_holds_the_target_beside_run_and_rest_and_decoders_learn_it(tmp_path):
    plain = recorded(tmp_path, "a")
    with h5py.File(plain) as file:
        assert "target" not in file
    (one,) = read_recordings([recorded(tmp_path, "b", "pupil")])
    assert one.labels.tolist() == [0, 0, 1, 1, 0, 0] and one.target.name == "pupil"
    (learnt,) = with_labels_of([one], {})
    assert learnt.labels.tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(UserError, match="its target is run, but pupil in"):
        with_labels_of([one, *read_recordings([plain])], {})
    coded = ["rest=0", "run=1", "jump=2"]
    path = recorded(tmp_path, "c", "states", behavior_target="runrest", target_states=coded)
    (one,) = read_recordings([path])
    assert one.target.states == ("rest", "run", "jump")
    assert one.decoded.tolist() == [0, 0, 1, 1, 0, 0]


def test_another_frame_rate_keeps_the_target(tmp_path):
    trace, coded = tmp_path / "trace.h5", tmp_path / "coded.h5"
    harmonise(recorded(tmp_path, "a", "pupil"), trace, frame_rate=5.0)
    named = {"behavior_target": "runrest", "target_states": ["jump=2", "run=1", "rest=0"]}
    harmonise(recorded(tmp_path, "b", "states", **named), coded, frame_rate=5.0)
    (one,), (other,) = read_recordings([trace]), read_recordings([coded])
    assert one.target.name == "pupil" and one.decoded.tolist() == [0.5, 2.5, 4.5]
    assert other.target.states == ("jump", "run", "rest") and other.decoded.tolist() == [2, 1, 2]


def test_a_trace_of_a_few_whole_numbers_is_told_of_named_states(tmp_path, capsys):
    for values, told in (([0, 1, 2, 2, 1, 0], True), ([0, 1, 2, 2, 1, 0.5], False)):
        path = behavior(tmp_path, state=values)
        _, found = read_target(path, "state", FRAMES, {}, {})
        assert found.tolist() == values  # some traces are counts
        assert ("if they are states, take target: states" in capsys.readouterr().err) == told


@pytest.mark.parametrize(("n", "told"), [(3, True), (10, True), (11, False)])
def test_ten_whole_numbers_may_be_states_and_eleven_are_a_trace(tmp_path, capsys, n, told):
    path = behavior(tmp_path, state=np.arange(n))
    read_target(path, "state", Frames(n, 10.0), {}, {})
    assert ("take target: states" in capsys.readouterr().err) == told


def test_times_of_a_trace_are_in_the_unit_that_is_said(tmp_path):
    time = np.arange(24) * 25  # ms: four samples a frame of 0.1 s
    path = behavior(tmp_path, t=time, whisking=np.repeat(np.arange(6.0), 4))
    how = {"behavior_time": "t", "behavior_time_unit": "ms"}
    _, values = read_target(path, "whisking", FRAMES, {}, how)
    np.testing.assert_allclose(values, np.arange(6))


def test_times_of_intervals_are_none_of_a_trace_or_of_the_speed_beside(tmp_path):
    """A row of six intervals is no sample at the time at which it begins."""
    row = np.arange(6)
    bouts = {"from": row / 10 + 0.01, "to": row / 10 + 0.09, "kind": STATES * 2}
    path = behavior(tmp_path, pupil=row, speed=row % 2, **bouts)
    how = {"behavior_time": "from", "behavior_stop": "to"}
    _, values = read_target(path, "pupil", FRAMES, {}, how)
    assert values.tolist() == [0, 1, 2, 3, 4, 5]
    how |= {"behavior_labels": "kind"}
    found = read_beside(path, 0.5, FRAMES, "states", None, how)
    assert found["labels"].tolist() == [0, 1, 0, 1, 0, 1]
    assert states(path, variable=None, **how)[1] == [0, 1, 2] * 2
    refuse(["no 'end'"], path, "states", FRAMES, {}, how | {"behavior_stop": "end"}, states=STATES)


def test_named_states_that_are_logged_all_along_have_no_gaps(tmp_path):
    time = np.arange(60) / 20
    kept = (time < 1) | (time > 2)
    path = behavior(tmp_path, state=np.repeat(STATES, 20)[kept], t=time[kept])
    with pytest.raises(UserError, match=r"no samples from 0\.95 to 2\.05 s .*: what it was is unk"):
        states(path, frames=Frames(30, 10.0), behavior_time="t")


def test_what_labels_and_segments_are_called_is_asked_for(tmp_path):
    path = behavior(
        tmp_path,
        states=STATES * 2,
        phase=["groom", *STATES, "rest", "rest"],
        part=[0, 0, 1, 1, 2, 2],
    )
    assert states(path, variable=None)[1] == [0, 1, 2] * 2
    assert states(path, variable=None, behavior_labels="phase")[1] == [2, 0, 1, 2, 0, 0]
    found = read_beside(path, 0.5, FRAMES, "states", "phase", {"behavior_segment": "part"})
    assert found["segment"].tolist() == [0, 0, 1, 1, 2, 2]


def test_a_target_that_cannot_be_read_is_refused_by_name(tmp_path):
    scipy.io.savemat(tmp_path / "b.mat", {"pupil": np.ones((6, 2))})
    with pytest.raises(UserError, match=r"b\.mat: pupil has shape \(6, 2\); needs one value a fr"):
        read_target(tmp_path / "b.mat", "pupil", FRAMES, {}, {})


def test_the_unit_of_a_trace_is_that_of_its_file(tmp_path):
    path = tmp_path / "b.csv"
    path.write_text("pupil,x\n[px],[mm]\n1.5,0\n2,0\n3,1\n4,1\n5,0\n6,0\n")
    target, values = read_target(path, "pupil", FRAMES, {}, {})
    assert target.unit == "px" and values.tolist() == [1.5, 2, 3, 4, 5, 6]


def test_a_trace_of_two_values_is_told_of_run_and_rest(tmp_path, capsys):
    for values, told in (([0, 1, 0, 1, 0, 1], True), ([0, 1, 0, 1, 0, 0.5], False)):
        read_target(behavior(tmp_path, gate=values), "gate", FRAMES, {}, {})
        said = capsys.readouterr().err
        assert ("a state against rest is decoded by target: run" in said) == told
        assert "take target: states" not in said  # which are three or more


def test_a_trace_without_times_may_have_a_rate_of_its_own(tmp_path):
    path = behavior(tmp_path, whisking=np.repeat(np.arange(6.0), 4) + [0, 1, 2, 3] * 6)
    _, values = read_target(path, "whisking", FRAMES, {}, {"behavior_rate": 40.0})
    np.testing.assert_allclose(values, np.arange(6) + 1.5)


def test_the_verb_is_told_what_is_decoded(tmp_path):
    recorded(tmp_path, "a")  # its files
    words = ["--movie", tmp_path / "a.tif", "--behavior", tmp_path / "a.mat", "--frame-rate", 10]
    words += ["--session", "b", "--mouse", "m1", "--target", "pupil", "--out", tmp_path / "b.h5"]
    assert main(["preprocess", *map(str, words)]) == 0
    (one,) = read_recordings([tmp_path / "b.h5"])
    assert one.target.name == "pupil" and one.decoded.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_zero_in_an_interval_series_begins_no_kind():
    begins = nwb._bouts(np.arange(6.0), np.array([1, -1, 0, 2, -2, 0]), None)
    assert (begins.start.tolist(), begins.stop.tolist()) == ([0, 3], [1, 4])
    assert begins.words.tolist() == ["1", "2"]


# --- told: whole files ----------------------------------------------------------------------------


def test_what_is_decoded_of_one_file(capsys, tmp_path, monkeypatch):
    """Eight frames of half a second."""
    monkeypatch.chdir(tmp_path)
    eight = Frames(8, 2.0)
    wave, names = [0.5, 1, 2, 3.5, 3, 2, 1, 0.2], ["a", "b", "c", "c", "a", "b", "b", "a"]

    def told(columns, target="pupil", behavior=None, states=None, variable=None, **labelling):
        save_table(tmp_path / "b.csv", **columns)
        found, values = target_traces.read_target(
            "b.csv", target, eight, behavior or {}, labelling, variable=variable, states=states
        )
        return [found.told, found.unit, *found.states, values]

    def beside(columns, target="pupil", variable=None, **labelling):
        save_table(tmp_path / "b.csv", **columns)
        return target_traces.read_beside("b.csv", 0.5, eight, target, variable, labelling)

    def named(columns, target, variable=None, **labelling):
        save_table(tmp_path / "b.csv", **columns)
        return target_traces.check_names("b.csv", target, variable, labelling)

    abc = {"states": ["a", "b", "c"]}
    fine = {"t": np.arange(16) / 4, "pupil": np.repeat(wave, 2)}
    bouts = {"t": [0.4, 2.0, 3.1], "end": [1.1, 2.6, 3.6], "kind": ["b", "c", "b"]}
    cases = {
        "a trace": lambda: told({"pupil": wave}),
        "a trace in a unit": lambda: told({"pupil (mm)": wave}, variable="pupil (mm)"),
        "a trace of times": lambda: told(fine, behavior_time="t"),
        "a trace of a rate": lambda: told({"pupil": fine["pupil"]}, behavior_rate=4.0),
        "a trace, lost once": lambda: told({"pupil": [None, *wave[1:]]}),
        "a trace of codes": lambda: told({"pupil": [1, 2, 3, 1, 2, 3, 1, 1]}),
        "a trace of ten codes": lambda: told({"pupil": [1, 2, 3, 4, 5, 6, 7, 10]}),
        "a trace of two values": lambda: told({"pupil": [0.5, 1.5] * 4}),
        "a trace of one value": lambda: told({"pupil": [0.5] * 8}),
        "a trace that is not there": lambda: told({"x": wave}),
        "a trace of words": lambda: told({"pupil": names}),
        "a trace without its times": lambda: told({"pupil": wave}, behavior_time="t"),
        "speed": lambda: told({"x": wave}, "speed", {"speed": np.array(wave)}),
        "speed that is not there": lambda: told({"x": wave}, "speed"),
        "speed by another name": lambda: told({"x": wave}, "speed", variable="x"),
        "states": lambda: told({"states": names}, "states", **abc),
        "states by labels": lambda: told({"s": names}, "states", **abc, behavior_labels="s"),
        "states by their own name": lambda: told({"s": names}, "states", **abc, variable="s"),
        "states of several words": lambda: told(
            {"states": [*names[:7], "d"]}, "states", states=["x=a", "y=b", "x=d", "z=c"]
        ),
        "states of numbers": lambda: told(
            {"labels": [1, 2, 2, 5, 1, 1, 2, 5]}, "states", states=["x=1", "y=2", "z=5"]
        ),
        "states without a name": lambda: told({"states": [*names[:7], "d"]}, "states", **abc),
        "many states without a name": lambda: told({"states": list("defghijk")}, "states", **abc),
        "five states without a name": lambda: told({"states": list("defghabc")}, "states", **abc),
        "states that are missing": lambda: told({"states": [*names[:7], ""]}, "states", **abc),
        "states that are not there": lambda: told({"x": names}, "states", **abc),
        "states of times": lambda: told(
            {"t": np.arange(16) / 4, "states": np.repeat(names, 2)},
            "states",
            **abc,
            behavior_time="t",
        ),
        "intervals of states": lambda: told(
            bouts, "states", **abc, variable="kind", behavior_time="t", behavior_stop="end"
        ),
        "intervals of states, in ms": lambda: told(
            {"t": [0, 1000, 2500], "end": [900, 2400, 4000], "kind": ["a", "b", "c"]},
            "states",
            states=["a", "b", "c"],
            variable="kind",
            behavior_time="t",
            behavior_stop="end",
            behavior_time_unit="ms",
        ),
        "intervals of states, overlapping": lambda: told(
            bouts | {"end": [2.4, 2.6, 3.6]},
            "states",
            **abc,
            variable="kind",
            behavior_time="t",
            behavior_stop="end",
        ),
        "run and rest beside": lambda: beside({"labels": [0, 1] * 4, "pupil": wave}),
        "speed beside": lambda: beside({"speed": wave, "pupil": wave}),
        "labels of states beside": lambda: beside({"labels": names, "speed": wave}),
        "nothing beside": lambda: beside({"pupil": wave}),
        "segments beside": lambda: beside({"pupil": wave, "segment": [1] * 5 + [2] * 3}),
        "segments by name beside": lambda: beside(
            {"pupil": wave, "part": [1] * 5 + [2] * 3}, behavior_segment="part"
        ),
        "labels that are named beside": lambda: beside({"a": names}, behavior_labels="a"),
        "labels of states, named": lambda: beside({"a": names}, "states", behavior_labels="a"),
        "speed that is decoded": lambda: beside({"x": wave}, "speed"),
        "names of a trace": lambda: named({"pupil": wave}, "pupil"),
        "names of a trace that is not there": lambda: named({"x": wave}, "pupil"),
        "names of a trace by another": lambda: named({"x": wave}, "pupil", "x"),
        "names of run": lambda: named({"labels": wave}, "run"),
        "names of run that are not there": lambda: named({"x": wave}, "run"),
        "names of states": lambda: named({"labels": names}, "states"),
        "names of states that are not there": lambda: named({"x": names}, "states"),
        "names of speed": lambda: named({"speed": wave}, "speed"),
        "names of speed that are not there": lambda: named({"x": wave}, "speed"),
        "names of ends": lambda: named(
            {"a": names, "t": wave}, "states", "a", behavior_time="t", behavior_stop="end"
        ),
    }
    assert_told(cases, Path(__file__).with_name("told") / "targets.txt", capsys)
