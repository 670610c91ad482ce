"""Clocks of frames and of behaviour: units, gaps, raw frames; right, or refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io

import told
from make_movies import save_h5, save_table
from mesodecode.base.files import UserError
from mesodecode.recordings.intake import frames_of
from mesodecode.recordings.movie import Movie
from mesodecode.recordings.readers import clocks
from mesodecode.recordings.readers.arrays import Variable
from mesodecode.recordings.readers.behavior import read_behavior
from mesodecode.recordings.readers.clocks import (
    Frames,
    _alternate,
    of_frames,
    read_times,
    seconds,
)
from mesodecode.recordings.readers.samples import Trace, check_spans, shown
from mesodecode.recordings.session_sources import Sources
from told import assert_told

TWENTY = Frames(600, 30.0)  # 20 s from 0 s on
TIME = np.arange(2050) / 100
RUNS = (TIME >= 5) & (TIME < 10) | (TIME >= 15) & (TIME < 20)
STARTS = np.arange(600) / 30
RAN = (STARTS >= 5 - 1e-9) & (STARTS < 10 - 1e-9) | (STARTS >= 15 - 1e-9)
NOON = pd.Timestamp("2024-01-31T12:00:00")


def timed(path):
    settings = {"movie": "m.tif", "behavior": "b.csv", "frame_rate": 30.0, "frame_times": path}
    return Sources.of(settings, None)


def labels(path, columns, frames=TWENTY, **options):
    save_table(path, **columns)
    return read_behavior(path, frames=frames, behavior_time="t", **options)["labels"]


def refusal(path, columns, frames=TWENTY, **options):
    message = told.refusal(labels, path, columns, frames, **options)
    assert str(path) in message
    return message


# --- units -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "ticks"),
    [("ms", 1e3), ("us", 1e6), ("ns", 1e9), ("min", 1 / 60), ("day", 1 / 86400), (30000, 3e4)],
)
@pytest.mark.parametrize("column", ["speed", "labels"])
def test_a_clock_in_another_unit_is_refused_by_name_and_read_where_it_is_named(
    tmp_path, unit, ticks, column
):
    columns = {"t": TIME * ticks, column: 20 * RUNS if column == "speed" else RUNS.astype(int)}
    line = refusal(tmp_path / "b.csv", columns)
    assert "20.49 s" in line or "lasts" in line or "covers" in line
    assert f"set behavior_time_unit: {unit}" in line or unit == 30000
    assert "behavior_time_unit" in line
    got = labels(tmp_path / "b.csv", columns, behavior_time_unit=unit)
    assert (got == RAN).mean() > 0.99


def test_numbers_of_samples_or_frames_are_no_seconds(tmp_path):
    columns = {"t": np.arange(2050), "speed": 20.0 * RUNS}
    assert "ticks in a second" in refusal(tmp_path / "b.csv", columns)
    assert (labels(tmp_path / "b.csv", columns, behavior_time_unit=100) == RAN).mean() > 0.99
    columns = {"t": np.arange(600), "labels": RAN.astype(int)}
    assert "numbers of frames? leave behavior_time out" in refusal(tmp_path / "b.csv", columns)
    assert (labels(tmp_path / "b.csv", columns, behavior_time_unit=30) == RAN).all()


def test_a_rate_by_which_the_movie_ends_before_its_behaviour_is_said(tmp_path, capsys):
    """Of 20 s of frames at 30/s that are taken to come at 40/s; not where frames have times."""
    columns = {"t": TIME, "labels": RUNS.astype(int)}
    labels(tmp_path / "b.csv", columns)
    labels(tmp_path / "b.csv", columns, Frames(600, 40.0, np.arange(600) / 40))
    assert "frame_rate" not in capsys.readouterr().err
    labels(tmp_path / "b.csv", columns, Frames(600, 40.0))
    words = "goes on to 20.49 s, the movie by frame_rate (40/s), which alone says when its frames "
    words += "were taken, to 15 s; if both end together it is 29.28"
    assert words in capsys.readouterr().err


def test_slow_clocks_in_seconds_are_read(tmp_path):
    """States logged as they change, a speed a second, and behaviour that goes on for an hour."""
    columns = {"t": [0, 5, 10, 15, 20, 300, 303], "labels": [0, 1, 0, 1, 0, 1, 0]}
    stamped = Frames(600, 30.0, STARTS)
    assert (labels(tmp_path / "b.csv", columns, stamped) == RAN).all()
    seconds = np.arange(21.0)
    columns = {"t": seconds, "speed": np.where((seconds % 10) >= 5, 20.0, 0)}
    assert (labels(tmp_path / "b.csv", columns) == RAN).mean() > 0.9  # ramps of a second
    hour = np.arange(36000) / 10
    columns = {"t": hour, "speed": np.where(hour % 10 >= 5, 20.0, 0)}
    assert "behavior_time_unit" in refusal(tmp_path / "b.csv", columns, stamped)
    got = labels(tmp_path / "b.csv", columns, stamped, behavior_time_unit="s")
    assert (got == RAN).mean() > 0.98


def test_behaviour_of_a_whole_day_is_in_seconds_where_frames_lie_in_it(tmp_path):
    """At 600 s of a day; in ms it would be over after 86 s. Not where ms fit the movie as well."""
    day = np.arange(172800) / 2
    columns = {"t": day, "speed": np.where(day % 10 >= 5, 20.0, 0)}
    got = labels(tmp_path / "b.csv", columns, Frames(600, 30.0, 600 + STARTS))
    assert (got == RAN).mean() > 0.9  # ramps of half a second
    for begins in (0, 30):
        line = refusal(tmp_path / "b.csv", columns, Frames(600, 30.0, begins + STARTS))
        assert "set behavior_time_unit: ms (s, if it is)" in line
    whole = {"t": np.arange(86400), "speed": columns["speed"][::2]}  # may be numbers of samples
    line = refusal(tmp_path / "b.csv", whole, Frames(600, 30.0, 600 + STARTS))
    assert "behavior_time_unit" in line
    assert labels(tmp_path / "b.csv", whole, Frames(600, 30.0, 40000 + STARTS)).any()


def test_before_the_first_change_to_run_the_mouse_rests(tmp_path, capsys):
    columns = {"t": [5, 10, 15, 21], "labels": [1, 0, 1, 0]}
    np.testing.assert_array_equal(labels(tmp_path / "b.csv", columns), RAN)
    assert "5 s after the movie begins and is to run" in capsys.readouterr().err
    columns = {"t": [5, 10, 15, 21], "labels": [0, 1, 0, 1]}
    assert "write the state before it, at 0 s" in refusal(tmp_path / "b.csv", columns)
    # a logger that begins a little after the camera, with the state that is
    columns = {"t": [0.2, 5, 10, 15, 21], "labels": [0, 1, 0, 1, 0]}
    np.testing.assert_array_equal(labels(tmp_path / "b.csv", columns), RAN)
    # changes alone, the last of them long before the movie ends
    line = refusal(tmp_path / "b.csv", {"t": [0, 2, 5], "labels": [0, 1, 0]})
    assert "add what holds at the movie's beginning and end" in line
    short = {"t": TIME[:1900], "speed": 20.0 * RUNS[:1900]}  # a regular log has other reasons
    assert "add what holds" not in refusal(tmp_path / "b.csv", short)


def test_a_frame_in_whose_middle_the_mouse_runs_is_run(tmp_path):
    columns = {"t": [0.31, 0.64, 0.97], "labels": [1, 0, 1]}
    frames = Frames(10, 10.0)  # in the middle of the fourth, at 0.35 s, it has begun
    assert labels(tmp_path / "b.csv", columns, frames).tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0]


def test_a_frame_lasts_as_long_as_most_do():
    assert Frames(5, 9.0, np.array([0, 0.1, 0.2, 5, 5.1])).lasts == pytest.approx(0.1)
    assert Frames(5, 10.0).lasts == Frames(1, 10.0).lasts == pytest.approx(0.1)


@pytest.mark.parametrize(("counts", "told"), [(151, False), (152, True)])
def test_a_wheel_may_turn_in_a_gap_by_half_more_than_between_samples(tmp_path, counts, told):
    t = np.arange(2000) / 100
    there = (t < 5) | (t > 8)
    steps = np.where(np.arange(there.sum()) < 600, 100, 0)
    steps[500] = counts  # of the first sample after the gap
    columns = {"t": t[there], "c": 7 + np.cumsum(steps)}
    wheel = {"behavior_encoder": "c", "counts_per_turn": 4096, "wheel_circumference": 47}
    if told:
        line = refusal(tmp_path / "b.csv", columns, **wheel)
        assert "turned by 152 counts meanwhile" in line
    else:
        labels(tmp_path / "b.csv", columns, **wheel)


@pytest.mark.parametrize("form", ["iso", "zone", "clock"])
def test_text_is_time_where_both_clocks_are_text(tmp_path, form):
    def text(seconds):
        stamps = NOON + pd.to_timedelta(seconds, unit="s")
        if form == "clock":
            return [stamp.strftime("%H:%M:%S.%f") for stamp in stamps]
        return [stamp.isoformat() + ("+01:00" if form == "zone" else "") for stamp in stamps]

    save_table(tmp_path / "t.csv", time=text(STARTS))
    time = read_times(tmp_path / "t.csv", None, 600, 30.0)
    np.testing.assert_allclose(time - time[0], STARTS, atol=1e-6)
    columns = {"t": text(TIME), "speed": 20.0 * RUNS}
    got = labels(tmp_path / "b.csv", columns, Frames(600, 30.0, time))
    assert (got == RAN).mean() > 0.99
    assert "covers" in refusal(tmp_path / "b.csv", columns)  # frames from 0 s on
    line = refusal(tmp_path / "b.csv", {"t": TIME, "speed": RUNS}, Frames(600, 30.0, time))
    assert "both need one clock" in line and ("dates" in line or form == "clock")
    line = refusal(tmp_path / "b.csv", columns, Frames(600, 30.0, STARTS))
    assert ("but one is dates and the other numbers" in line) == (form != "clock")
    assert "no numbers in ms" in refusal(tmp_path / "b.csv", columns, behavior_time_unit="ms")
    night = (NOON + pd.to_timedelta(43190 + TIME, unit="s")).strftime("%H:%M:%S.%f")
    assert "past midnight" in refusal(tmp_path / "b.csv", columns | {"t": night})


@pytest.mark.parametrize("kind", ["f4", "u2", "i8", ">f8"])
def test_time_stamps_are_doubles_whatever_they_were(kind):
    found = clocks.increasing(np.array([1, 3], kind), "t", "t.npy")
    assert found.dtype.str == "<f8" and found.tolist() == [1, 3]


def test_text_that_is_no_time_is_named(tmp_path):
    for word, part in (("soon", "no time, such as 'soon'"), (None, "no time at sample 2")):
        columns = {"t": [NOON.isoformat(), "2024-01-31T12:00:01", word], "speed": [0, 1, 2]}
        assert part in refusal(tmp_path / "b.csv", columns)


def test_frames_in_another_unit_are_refused_by_name(tmp_path):
    for unit, ticks in (("ms", 1e3), ("us", 1e6), ("day", 1 / 86400)):
        np.save(tmp_path / "t.npy", STARTS * ticks)
        with pytest.raises(UserError, match=f"frame_rate is 30 .*set frame_times_unit: {unit}"):
            read_times(tmp_path / "t.npy", None, 600, 30.0)
        got = read_times(tmp_path / "t.npy", None, 600, 30.0, unit=unit)
        np.testing.assert_allclose(got, STARTS, atol=1e-9)
    np.save(tmp_path / "t.npy", np.arange(600))
    with pytest.raises(UserError, match="numbers of frames"):
        read_times(tmp_path / "t.npy", None, 600, 30.0)


@pytest.mark.parametrize("first", [0, -(2**31)])
def test_a_counter_of_32_bits_that_begins_anew_runs_on(tmp_path, capsys, first):
    ticks = (np.round(TIME * 1000).astype(np.int64) + 2**32 - 8000) % 2**32 + first
    frames = Frames(600, 30.0, STARTS + (2**32 - 8000 + first) / 1000)
    columns = {"t": ticks, "speed": 20.0 * RUNS}
    got = labels(tmp_path / "b.csv", columns, frames, behavior_time_unit="ms")
    assert (got == RAN).mean() > 0.99
    assert "begins anew after 4,294,967,296 in 1 places" in capsys.readouterr().err
    columns["t"] = np.where(TIME < 8, TIME, TIME - 8)  # another clock, begun again
    assert "t goes back at sample 800" in refusal(tmp_path / "b.csv", columns)


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (np.append(TIME[:-50], np.zeros(50)), "the last 50 of 2050 values of t are 0: never writt"),
        (np.append(TIME[:-50], np.full(50, np.nan)), "the last 50 of 2050 values of t are nan"),
        (np.append(TIME[:-2], [-2, -1]), "t goes back at sample 2048 .-2 s., in 1 places"),
        (np.append(TIME[:-2], [0, -1]), "t goes back at sample 2048 .0 s., in 2 places"),
        (
            np.r_[TIME[:-3], np.nan, TIME[-2], np.nan],
            "t is not finite in 2 of 2050 samples, the first 2047",
        ),
        (
            np.array([b"\xe9", *[b"1"] * 2049]),
            "t holds text that is no time, such as '�' at sample 0",
        ),
        ((1.7e9 + TIME).astype(np.float32), "float32 has steps of 128 there"),
    ],
)
def test_what_is_wrong_with_time_stamps_is_said(tmp_path, spoilt, words):
    save_h5(tmp_path / "b.h5", t=spoilt, speed=20.0 * RUNS)
    with pytest.raises(UserError, match=words):
        read_behavior(tmp_path / "b.h5", frames=TWENTY, behavior_time="t")


# --- gaps --------------------------------------------------------------------------------------


def logged(there, speed=20.0 * RUNS):
    return {"t": TIME[there], "speed": speed[there]}


def test_a_speed_logged_while_the_wheel_turns_rests_between(tmp_path, capsys):
    there = RUNS | np.isin(np.arange(2050), [0, 1000, 2000, 2049])
    got = read_behavior(
        (save_table(tmp_path / "b.csv", **logged(there)), tmp_path / "b.csv")[1],
        frames=TWENTY,
        behavior_time="t",
    )
    assert (got["labels"] == RAN).mean() > 0.99
    np.testing.assert_allclose(got["speed"][STARTS < 4.9], 0)
    assert "speed is 0 before 2 gaps without samples (10 s in all)" in capsys.readouterr().err
    there |= (TIME >= 10) & (TIME < 10.5) | (TIME < 0.5)  # half a second of 0 each time
    assert (labels(tmp_path / "b.csv", logged(there)) == RAN).mean() > 0.99


@pytest.mark.parametrize(("until", "known"), [(1.005, True), (1.015, False)])
def test_a_wheel_that_is_logged_while_it_turns_is_logged_at_0_for_a_second_at_most(
    tmp_path, until, known
):
    there = RUNS | (until > TIME) | np.isin(np.arange(2050), [1000, 2000, 2049])
    if known:
        assert (labels(tmp_path / "b.csv", logged(there)) == RAN).mean() > 0.99
    else:
        line = refusal(tmp_path / "b.csv", logged(there))
        assert "it is 0 before, but logged at rest too" in line


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (RUNS | (TIME == 0) | (TIME > 20), "from 9.99 to 15 s (it is 20 before)"),  # no last 0
        ((TIME < 6) | (TIME > 8), "from 5.99 to 8.01 s (it is 20 before)"),  # lost while running
        ((TIME < 4) | (TIME > 11), "from 3.99 to 11.01 s (it is 0 before, but logged at rest"),
        ((TIME < 3) | (TIME > 4), "from 2.99 to 4.01 s (it is 0 before, but logged at rest too)"),
    ],
)
@pytest.mark.parametrize("column", ["speed", "labels"])
def test_a_gap_of_which_nothing_is_known_is_refused(tmp_path, there, why, column):
    columns = {"t": TIME[there], column: (20.0 if column == "speed" else 1) * RUNS[there]}
    why = why if column == "speed" else why.replace("is 20", "is 1")
    assert why in refusal(tmp_path / "b.csv", columns)


@pytest.mark.parametrize("paused", [False, True])
def test_what_ends_before_the_movie_is_told_what_to_add_if_it_pauses(tmp_path, paused):
    """A log of changes, or of a wheel that turns, lacks its end; one of all samples stopped."""
    there = (TIME < 15) & ~(paused & (TIME > 5) & (TIME < 9))
    words = refusal(tmp_path / "b.csv", {"t": TIME[there], "labels": RUNS[there].astype(int)})
    assert "covers 0 to 14.99 s, but the movie 0 to 19.967 s" in words
    assert "behavior_time_unit" not in words  # in s it is about as long as the movie
    assert ("if only changes" in words) == paused


def test_a_refused_clock_says_how_long_the_movie_lasts_by_its_rate(tmp_path):
    frames = Frames(4, 2.0)
    words = refusal(tmp_path / "b.csv", {"t": TIME * 1e3, "labels": RUNS.astype(int)}, frames)
    assert "but the movie lasts 2 s (4 frames)" in words


def test_gaps_without_frames_and_short_ones_are_none(tmp_path):
    there = (TIME < 6) | (TIME > 6.2)  # 20 samples dropped
    assert (labels(tmp_path / "b.csv", logged(there)) == RAN).mean() > 0.99
    there = (TIME < 6) | (TIME > 8)  # the camera paused too
    on = (STARTS < 6) | (STARTS > 8.01)
    frames = Frames(on.sum(), 30.0, STARTS[on])
    assert (labels(tmp_path / "b.csv", logged(there), frames) == RAN[on]).mean() > 0.99


def test_a_position_logged_as_it_changes_and_one_that_was_missed(tmp_path):
    position = np.round(np.cumsum(20.0 * RUNS) / 100 / 47 * 4096)
    wheel = {"behavior_encoder": "c", "counts_per_turn": 4096, "wheel_circumference": 47}
    moved = np.append(True, np.diff(position) != 0)
    moved[-1] = True
    columns = {"t": TIME[moved], "c": position[moved]}
    assert (labels(tmp_path / "b.csv", columns, **wheel) == RAN).mean() > 0.98
    there = (TIME < 4) | (TIME > 11)  # a run within it: a slow walk of 7 s, if interpolated
    columns = {"t": TIME[there], "c": position[there]}
    line = refusal(tmp_path / "b.csv", columns, **wheel)
    assert "c has no samples from 3.99 to 11.01 s" in line and "turned by" in line
    line = refusal(tmp_path / "b.csv", columns, behavior_position="c", speed_unit="mm/s")
    assert "c has no samples from 3.99 to 11.01 s" in line and "moved by" in line
    there = (TIME < 1) | (TIME > 4)  # at rest
    columns = {"t": TIME[there], "c": position[there]}
    assert (labels(tmp_path / "b.csv", columns, **wheel) == RAN).mean() > 0.98


# --- frames of all channels ---------------------------------------------------------------------


class Stack(Movie):
    path = "m.tif"

    def __init__(self, n):
        self.shape = (n, 4, 4)


RAW = np.arange(1200) / 60
EDGES = np.sort(np.concatenate([RAW, RAW + 0.004]))


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        (RAW, RAW[1::2]),
        (EDGES, RAW[1::2]),
        (RAW[1::2], RAW[1::2]),
        (EDGES[[i for k in range(1, 1200, 2) for i in (2 * k, 2 * k + 1)]], RAW[::2]),
    ],
)
def test_time_stamps_of_all_channels(tmp_path, stamps, expected):
    """Two channels, of which the second is the signal's; the last case can be RAW or EDGES."""
    np.save(tmp_path / "t.npy", stamps)
    taken = np.arange(1, 1200, 2)
    if len(stamps) == 1200 and stamps is not RAW:
        expected = stamps[taken]
    got = frames_of(timed(tmp_path / "t.npy"), Stack(1200), taken)
    np.testing.assert_allclose(got.time, expected)


def test_both_edges_of_the_signals_exposures_alone(tmp_path):
    """Of three channels, so that these are no stamps of all raw frames."""
    taken = np.arange(1, 1200, 3)
    begins = taken / 90
    np.save(tmp_path / "t.npy", np.sort(np.concatenate([begins, begins + 0.004])))
    got = frames_of(timed(tmp_path / "t.npy"), Stack(1200), taken)
    np.testing.assert_allclose(got.time, begins)


def test_both_edges_of_exposures_of_one_channel(tmp_path, capsys):
    np.save(tmp_path / "t.npy", np.sort(np.concatenate([STARTS, STARTS + 0.01])))
    np.testing.assert_allclose(read_times(tmp_path / "t.npy", None, 600, 30.0), STARTS)
    assert "the first of each two is taken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stamps", "words"),
    [
        (RAW[:-1], "needs 600 .one a frame., 1200 .one for each frame of all channels. or 2400"),
        (RAW[:-1], "which frames lack one is not known"),
        (np.append(RAW, 20.0), "cut off those without a frame"),
        (np.sort(np.random.default_rng(0).uniform(0, 20, 2400)), "has 2400 time stamps"),
        (RAW[:1200] * 2, "says 15 frames/s, but frame_rate is 30"),
    ],
)
def test_time_stamps_of_no_frames(tmp_path, stamps, words):
    np.save(tmp_path / "t.npy", stamps)
    with pytest.raises(UserError, match=words):
        frames_of(timed(tmp_path / "t.npy"), Stack(1200), np.arange(0, 1200, 2))


def test_values_of_all_channels_and_their_times(tmp_path, capsys):
    frames = Frames(600, 30.0, None, np.arange(0, 1200, 2), 1200)
    state = np.repeat(RAN.astype(int), 2)
    save_table(tmp_path / "b.csv", labels=state, speed=20.0 * state, segment=np.arange(1200) // 600)
    got = read_behavior(tmp_path / "b.csv", frames=frames)
    assert (got["labels"] == RAN).all() and (got["speed"] == 20 * RAN).all()
    assert (got["segment"] == np.arange(600) // 300).all()
    assert "of 1200 values of labels" in capsys.readouterr().err
    columns = {"t": RAW, "labels": state}
    assert (labels(tmp_path / "b.csv", columns, frames) == RAN).all()


# --- Spike2 ------------------------------------------------------------------------------------


def test_spike2_gives_times_itself(tmp_path):
    wheel = {"title": "Wheel", "interval": 0.01, "start": 0.005, "length": 2050.0}
    wheel["values"] = 20.0 * RUNS[:, None]
    events = {"times": STARTS[:, None], "resolution": 1e-5, "length": 600.0}
    edges = {"times": [[0.0], [5.0], [10.0], [15.0]], "level": [[0], [1], [0], [1]]}
    kept = {"times": TIME[:, None], "values": 20.0 * RUNS[:, None], "interval": 9.0, "start": 9.0}
    torn = wheel | {"times": np.arange(len(RUNS) + 1)[:, None] * 1.0}  # of another channel
    channels = {"Wheel": wheel, "TTL": events, "Door": edges, "Kept": kept, "Torn": torn}
    scipy.io.savemat(tmp_path / "b.mat", {f"V_{name}": one for name, one in channels.items()})
    np.testing.assert_allclose(read_times(tmp_path / "b.mat", "V_TTL/times", 600, 30.0), STARTS)
    for name in ("V_Wheel", "V_Kept", "V_Torn"):
        got = read_behavior(tmp_path / "b.mat", frames=TWENTY, behavior_speed=f"{name}/values")
        assert (got["labels"] == RAN).mean() > 0.99
    got = read_behavior(tmp_path / "b.mat", frames=TWENTY, behavior_labels="V_Door/level")
    assert (got["labels"] == RAN).all()
    wheel |= {"units": "m/s", "values": wheel["values"] / 100}
    scipy.io.savemat(tmp_path / "b.mat", {"V_Wheel": wheel})
    got = read_behavior(tmp_path / "b.mat", frames=TWENTY, behavior_speed="V_Wheel/values")
    assert (got["labels"] == RAN).mean() > 0.99 and got["speed"].max() == 20
    scipy.io.savemat(tmp_path / "b.mat", {"V_Wheel": wheel | {"units": " volt "}})
    with pytest.raises(UserError, match="V_Wheel/values is in 'volt', no speed that is known"):
        read_behavior(tmp_path / "b.mat", frames=TWENTY, behavior_speed="V_Wheel/values")
    wheel["start"] = 100.0
    scipy.io.savemat(tmp_path / "b.mat", {"V_Wheel": wheel})
    with pytest.raises(UserError, match=r"covers 100 to 120\.49 s, but the movie 0 to 19\.967 s"):
        read_behavior(tmp_path / "b.mat", frames=TWENTY, behavior_speed="V_Wheel/values")


@pytest.mark.parametrize(("late", "rests"), [(0.2, 0), (0.4, 12)])
def test_before_a_change_to_run_is_rest_unless_it_comes_within_a_quarter_of_a_second(
    tmp_path, late, rests
):
    columns = {"t": [late, 5.0, 10.0, 15.0, 19.9], "runrest": [1, 0, 1, 0, 1]}
    got = labels(tmp_path / "b.csv", columns)
    assert got[:150].tolist() == [0] * rests + [1] * (150 - rests)


# --- text as programs write it ------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["12:00:00,500", "12:00:01,500", "12:00:03,000"],
        ["2024-01-31 12:00:00,500", "2024-01-31 12:00:01,500", "2024-01-31 12:00:03"],
        ["0 days 00:00:00.5", "0 days 00:00:01.500000", "0 days 00:00:03"],
        ["1 day 23:59:59.5", "2 days 00:00:00.5", "2 days 00:00:02"],
    ],
)
def test_times_of_logs_with_commas_and_of_pandas(words):
    time = seconds(np.array(words, object), None, "t", "b.csv")
    np.testing.assert_allclose(time - time[0], [0, 1, 2.5])


@pytest.mark.parametrize("bad", ["Mean", "time", "\0\0\0"])
def test_one_word_among_numbers_is_the_one_that_is_named(bad):
    with pytest.raises(UserError, match=r"no time, such as .* at sample 2;") as caught:
        seconds(np.array(["0.000", "0.010", bad], object), None, "t", "b.csv")
    assert repr(bad) in str(caught.value)


def test_a_span_of_dates_is_said_in_dates():
    assert shown(1.7e9, 1.7e9 + 0.5) == "2023-11-14T22:13:20.000 to 2023-11-14T22:13:20.500"
    assert shown(0, 2.0004) == "0 to 2 s"
    assert shown(5.0, 1.7e9) == "5 to 1700000000 s"  # one of them is none


@pytest.mark.parametrize(("spread", "told"), [(0.0124, True), (0.0126, False)])
def test_intervals_alternate_where_most_of_each_are_within_a_fifth_of_a_period(spread, told):
    """Of a linear spread four fifths lie between the tenth and the 90th percentile."""
    both = np.c_[np.full(401, 0.03), 0.02 - spread / 2 + np.linspace(0, spread, 401)]
    assert _alternate(np.append(0, np.cumsum(both))) == told


@pytest.mark.parametrize(
    ("n_frames", "more", "told"),
    [(100, 3, True), (100, 4, False), (990, 9, True), (990, 10, False), (1000, 10, True)],
)
def test_stamps_that_are_three_or_a_hundredth_off_are_told_to_be_cut(n_frames, more, told):
    stamps = np.sort(np.random.default_rng(0).uniform(0, 9, n_frames + more))
    with pytest.raises(UserError) as caught:
        of_frames(stamps, "t", "t.npy", Frames(n_frames, 30.0))
    assert ("; cut off those without a frame" in str(caught.value)) == told
    assert f"needs {n_frames} (one a frame) or {2 * n_frames} (both" in str(caught.value)


def off(n, by, every):
    """Time stamps of `n` samples, one a second, of which every so many-th comes later."""
    return np.cumsum(np.where(np.arange(n) % every == every - 1, 1 + by, 1.0)) - 1


@pytest.mark.parametrize(
    ("time", "frames", "slow"),
    [
        (off(60, 0.009, 1), Frames(300, 30.0), True),  # the intervals of nearly all differ by
        (off(60, 0.0105, 2), Frames(300, 30.0), False),  # less than 1 %
        (off(60, 0.1, 11), Frames(300, 30.0), True),  # but for a tenth
        (off(60, 0.1, 9), Frames(300, 30.0), False),
        (off(60, 0.0, 9)[:51], Frames(300, 30.0), False),  # five times as long as the movie
        (off(60, 0.0, 9)[:52], Frames(300, 30.0), True),
        (1.6 * np.arange(40), Frames(10, 1.0), True),  # half as long again as frames
        (1.45 * np.arange(40), Frames(10, 1.0), False),
        (0.95 * np.arange(60), Frames(300, 30.0), False),  # a second
    ],
)
def test_samples_a_second_apart_are_taken_for_another_unit_where_they_outlast_the_movie(
    time, frames, slow
):
    """Where fifty times is a usual log, of all that is sampled faster."""
    if slow:
        with pytest.raises(UserError, match=r"if in s, lasts .*behavior_time_unit"):
            check_spans(time, frames, "x", "b.csv", guessed=True)
    else:
        check_spans(time, frames, "x", "b.csv", guessed=True)


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (np.arange(1050.0), "are they numbers of frames? leave behavior_time out"),
        (np.arange(1054.0), "say their unit in behavior_time_unit"),
        (np.arange(950.0), "are they numbers of frames? leave behavior_time out"),
        (np.arange(946.0), "say their unit in behavior_time_unit"),
        (np.arange(0, 30700, 100.0), "are they in ms? set behavior_time_unit: ms"),  # .92 of it
        (np.arange(0, 29500, 100.0), "say their unit in behavior_time_unit"),  # .88
    ],
)
def test_of_a_clock_that_is_not_in_s_the_likely_unit_is_named(time, words):
    with pytest.raises(UserError) as caught:
        check_spans(time, Frames(1000, 30.0), "x", "b.csv", guessed=True)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("long", "by", "same", "changes"),
    [
        (8, 2.1, 52, False),  # of 99 intervals a tenth may be twice as long
        (12, 2.1, 52, True),
        (12, 1.9, 52, False),
        (0, 1, 52, False),
        (0, 1, 48, True),  # most states follow another one
    ],
)
def test_states_are_logged_as_they_change_or_time_and_again(long, by, same, changes):
    time = np.append(0, np.cumsum(np.where(np.arange(99) < long, by, 1.0)))
    states = np.append(0, np.cumsum(np.arange(99) >= same)) % 2
    trace = Trace("b.csv", "x", Variable(states), time=time)
    assert trace._changes(states) == changes


@pytest.mark.parametrize(("ends", "gaps"), [(6.45, []), (6.55, [40])])
def test_a_gap_is_longer_than_two_frames(ends, gaps):
    time = np.r_[4.45 + np.arange(-40, 1) / 10, ends + np.arange(40) / 10]
    trace = Trace("b.csv", "x", Variable(time), time=time, frames=Frames(10, 1.0))
    assert trace._gaps(1.5)[1].tolist() == gaps


def test_edges_of_exposures_alternate_only_where_both_intervals_last():
    exposure, readout = np.full(40, 0.03), np.full(40, 0.02)
    times = np.cumsum(np.c_[exposure, readout])
    assert _alternate(times) and _alternate(times[:-1]) and _alternate(times[1:])
    for wanders in (0, 1):
        both = np.c_[exposure, readout]
        both[:, wanders] += np.linspace(0, 0.02, 40)
        assert not _alternate(np.cumsum(both))


# --- both sides of each limit -----------------------------------------------------------------

TOLD = Path(__file__).with_name("told")
NAN = float("nan")


def stamps(*values, unit=None, dtype=None):
    return seconds(np.array(values, dtype), unit, "t", "b.csv")


def of(n_values, n_frames, n_raw=None, every=1, time=None, first=0, orders=None):
    taken = None if n_raw is None else np.arange(n_frames) * every + first
    held = Frames(n_frames, 10.0, None, taken, n_raw, orders or {}, sure=False)
    time = np.arange(n_values) / 10 if time is None else np.asarray(time, float)
    found = of_frames(time, "t", "t.npy", held)
    return float(found[0]), float(found[-1]), len(found)


def rate(measured, given, scale=1.0, pause=0.0, every=1):
    time = np.arange(5) / measured * scale + pause * (np.arange(5) > 3)
    return clocks.check_times(time, "t", "t.npy", given, every=every) is time


def test_time_stamps_in_seconds(capsys):
    half = [0, 0.5, 1.0]
    counter = np.array([65530, 65534, 2, 6])
    cases = {
        "s": lambda: stamps(*half),
        "ms": lambda: stamps(*half, unit="ms"),
        "min": lambda: stamps(*half, unit="min"),
        "day": lambda: stamps(*half, unit="day"),
        "of 4 ticks in a second": lambda: stamps(*half, unit=4),
        "one": lambda: stamps(3.0),
        "none": lambda: stamps(dtype=float),
        "the last NaN": lambda: stamps(*half, NAN, NAN),
        "the last infinite": lambda: stamps(0.5, np.inf),
        "one amid NaN": lambda: stamps(0.5, NAN, 1.0),
        "all NaN": lambda: stamps(NAN, NAN),
        "the first NaN": lambda: stamps(NAN, 1.0, 2.0, NAN),
        "the last 0": lambda: stamps(0, 0.5, 1.0, 0, 0),
        "the last but the first 0": lambda: stamps(1.0, 0, 0),
        "two and zeros": lambda: stamps(1.0, 2.0, 0),
        "twice the same": lambda: stamps(0, 0.5, 0.5, 1.0, 0.75),
        "twice the same, of float32": lambda: stamps(1, 1e6, 1e6 + 0.01, dtype=np.float32),
        "an hour back": lambda: stamps(0, 1800, 3600, 30, 1830),
        "an hour back, less a minute": lambda: stamps(0, 1800, 3600, 60, 1830),
        "an hour back, less 59 s": lambda: stamps(0, 1800, 3600, 59, 1830),
        "a counter of 16 bits": lambda: stamps(*counter),
        "a counter of 32 bits, twice anew": lambda: stamps(
            *(np.arange(7) * 1_500_000_000 % 2**32), unit="us"
        ),
        "a counter of 16 bits, ten steps on": lambda: stamps(65528, 65532, 32, 36),
        "a counter of 16 bits, more than that on": lambda: stamps(65528, 65532, 40, 44),
        "a counter of 16 bits that is set back as well": lambda: stamps(
            65000, 65500, 464, 964, 400, 900
        ),
        "a counter of one more than 16 bits": lambda: stamps(65530, 65536, 0, 6),
        "two of a counter of 16 bits": lambda: stamps(65535, 0),
        "two of a counter of 16 bits, two steps on": lambda: stamps(65535, 1),
        "a counter of no whole numbers": lambda: stamps(65530.5, 65534.5, 2.5),
        "times of day": lambda: stamps("00:00:01", "0:00:01.5", "00:01:02,25"),
        "times of day, with days": lambda: stamps("1 day 00:00:01", "2 days 00:00:00"),
        "past midnight": lambda: stamps("23:59:59", "00:00:00"),
        "more than a day back": lambda: stamps("1 day 00:00:00.5", "00:00:00"),
        "twelve hours back": lambda: stamps("12:00:00", "00:00:00"),
        "dates": lambda: stamps("1970-01-01T00:00:01", "1970-01-01T02:00:02+01:00"),
        "dates of another kind": lambda: stamps("1970-01-01", "1970-01-02", dtype="M8[D]"),
        "dates of no clock that was set": lambda: stamps(
            "0001-01-01T00:00:00", "0001-01-01T00:00:01.5", "9999-12-31T23:00:00-10:00"
        ),
        "such dates of another kind": lambda: stamps("0001-01-01", "9999-12-31", dtype="M8[D]"),
        "no date of another kind": lambda: stamps("1970-01-01", "NaT", "1970-01-03", dtype="M8[s]"),
        "a date of nanoseconds too early": lambda: stamps(
            "1970-01-01T00:00:01", "0001-01-01T00:00:00.123456789"
        ),
        "no times": lambda: stamps("1970-01-01T00:00:01", "soon", "3"),
        "numbers among times": lambda: stamps("00:00:01", "3", "4"),
        "no date": lambda: stamps("1970-01-01T00:00:01", "NaT"),
        "dates in a unit": lambda: stamps("00:00:01", unit="ms"),
        "moments, in any order": lambda: clocks.moments(np.array([2.0, 1, 2]), "ms", "t", "b.csv"),
        "moments of text": lambda: clocks.moments(np.array(["0:00:02", "0:00:01"]), None, "t", ""),
        "moments, one NaN": lambda: clocks.moments(np.array([2.0, NAN]), "ms", "t", "b.csv"),
    }
    assert_told(cases, TOLD / "clocks_seconds.txt", capsys)


def test_time_stamps_of_frames(capsys):
    edges = np.sort(np.r_[np.arange(20) / 10, np.arange(20) / 10 + 0.03])
    shaken = edges + np.where(np.arange(40) % 4 == 1, 0.025, 0) + 10 * (np.arange(40) > 20)
    cases = {
        "one a frame": lambda: of(20, 20),
        "one a frame of all channels": lambda: of(40, 20, 40, 2, first=1),
        "but those of the last cycle": lambda: of(40, 20, 41, 2, first=1),
        "one short of all channels": lambda: of(39, 20, 40, 2, first=1),
        "one short, after the last of the signal": lambda: of(39, 20, 40, 2),
        "of the signal, of which some were left out": lambda: Frames(
            4, 10.0, None, np.array([2, 6, 8, 10]), 12
        ).among(6),
        "of the signal, of which many were left out": lambda: Frames(
            4, 10.0, None, np.array([2, 10, 12, 14]), 16
        ).among(8),
        "of frames that take no turns": lambda: Frames(
            4, 10.0, None, np.array([2, 5, 8, 10]), 12
        ).among(6),
        "of turns of which one was dropped": lambda: Frames(
            4, 10.0, None, np.array([2, 4, 6, 9]), 12
        ).among(6),
        "of too few": lambda: Frames(4, 10.0, None, np.array([2, 6, 8, 10]), 10).among(5),
        "of whole cycles, without the last one": lambda: Frames(
            3, 10.0, None, np.array([3, 6, 9]), 10
        ).among(9),
        "of whole cycles, with the last one": lambda: Frames(
            3, 10.0, None, np.array([2, 5, 8]), 10
        ).among(9),
        "of one frame": lambda: Frames(1, 10.0, None, np.array([2]), 5).among(5),
        "of any": lambda: Frames(3, 10.0).among(5),
        "both edges": lambda: of(40, 20, time=edges),
        "both edges of all channels": lambda: of(40, 10, 20, 2, time=edges, first=1),
        "twice as many, at random": lambda: of(40, 20, time=np.arange(40.0) ** 1.7),
        "twice as many, at random but for a pause": lambda: of(40, 20, time=shaken),
        "three too many": lambda: of(23, 20),
        "four too many": lambda: of(24, 20),
        "three missing": lambda: of(17, 20),
        "three missing of all channels": lambda: of(37, 20, 40, 2),
        "four missing": lambda: of(16, 20),
        "a hundredth missing of many": lambda: of(495, 500),
        "more than a hundredth missing of many": lambda: of(494, 500),
        "as many as rows": lambda: of(16, 20, orders={"YTX": 16}),
        "at the rate": lambda: rate(10, 10),
        "at the rate, but for a pause": lambda: rate(10, 10, pause=7.0),
        "5 % faster": lambda: rate(10.49, 10),
        "more than 5 % faster": lambda: rate(10.51, 10),
        "5 % slower": lambda: rate(9.51, 10),
        "more than 5 % slower": lambda: rate(9.49, 10),
        "in ms": lambda: rate(10, 10, 1000),
        "in min": lambda: rate(10, 10, 1 / 60),
        "numbers of frames": lambda: rate(1, 10),
        "of twice the rate": lambda: rate(20, 10),
        "of twice the rate, 6 % faster": lambda: rate(21.2, 10),
        "of twice the rate, of every second frame": lambda: rate(20, 10, every=2),
        "of 1.5 times the rate, of every second frame": lambda: rate(15, 10, every=2),
        "of 8 times the rate, 4 % slower": lambda: rate(76.8, 10),
        "of 9 times the rate": lambda: rate(90, 10),
        "how long a frame lasts": lambda: (
            [
                Frames(3, 8.0, None if time is None else np.array(time)).lasts
                for time in (None, [0, 0.5, 2.0])
            ]
            + [Frames(1, 8.0).lasts]
        ),
    }
    assert_told(cases, TOLD / "clocks_frames.txt", capsys)


def test_time_stamps_of_files(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    time, pulses = np.arange(6) / 10, np.tile([0, 0, 5, 5, 0], 6).astype(float)
    np.save("plain.npy", time)
    np.save("column.npy", time[:, None])
    np.save("matrix.npy", np.stack([time, time], axis=1))
    np.save("pulses.npy", pulses)
    save_table(
        tmp_path / "t.csv", time=time, frame_times=2 * time, n=np.arange(6), word=list("abcdef")
    )
    save_table(tmp_path / "p.csv", camera=pulses, clock=np.arange(30) / 50, sample=np.arange(30))
    save_table(tmp_path / "short.csv", a=[1.0])
    save_h5("short.h5", camera=pulses, clock=np.arange(29) / 50)
    sampled = {"start": 2.0, "interval": 0.02}
    channels = {"camera": sampled | {"values": pulses}, "log": sampled | {"values": time}}
    channels["two"] = np.ones((30, 2))
    scipy.io.savemat("spike2.mat", channels)  # which have times of their own
    (tmp_path / "empty.csv").write_text("frame_times,time\n" + "".join(f",{t}\n" for t in time))

    def read(name, variable=None, n=6, rate=10.0, **options):
        return read_times(name, variable, n, rate, **options)

    cases = {
        "a vector": lambda: read("plain.npy"),
        "a vector in ms": lambda: read("plain.npy", unit="ms", rate=1e4),
        "a column": lambda: read("column.npy"),
        "a matrix": lambda: read("matrix.npy"),
        "a vector of pulses": lambda: read("pulses.npy", clock=50.0),
        "a vector of pulses, at their ends": lambda: read("pulses.npy", clock=50.0, edge="falling"),
        "by their usual name": lambda: read("t.csv", rate=5.0),
        "of twice the rate, of every third frame": lambda: read(
            "t.csv", "time", rate=5.0, taken=3 * np.arange(6), n_raw=18
        ),
        "by another name": lambda: read("t.csv", "time"),
        "by a name that is not there": lambda: read("t.csv", "stamps"),
        "without any name": lambda: read("short.csv"),
        "words": lambda: read("t.csv", "word"),
        "an empty column before the other": lambda: read("empty.csv"),
        "pulses by times of their own": lambda: read("spike2.mat", "camera/values"),
        "time stamps that have times of their own": lambda: read("spike2.mat", "log/values"),
        "pulses by a rate": lambda: read("p.csv", "camera", clock=50.0),
        "pulses by a clock": lambda: read("p.csv", "camera", clock="clock"),
        "pulses by a clock in samples": lambda: read("p.csv", "camera", clock="sample", unit=50),
        "pulses by a clock that is not there": lambda: read("p.csv", "camera", clock="x"),
        "pulses by a clock that is no vector": lambda: read(
            "spike2.mat", "camera/values", clock="two"
        ),
        "pulses by a shorter clock": lambda: read("short.h5", "camera", clock="clock"),
    }
    assert_told(cases, TOLD / "clocks_files.txt", capsys)
