"""From a wheel or a speed trace to run and rest: worked out by hand."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesodecode.recordings import locomotion
from told import assert_told

FRAMES = np.array([0.0, 1.0, 2.0, 3.0])  # four frames of a second


def test_a_trace_with_the_frames_own_times_stays_as_it_is():
    values = np.array([3.0, 1.0, 4.0, 1.0])
    assert locomotion.at_frames(values, FRAMES, FRAMES).tolist() == [3, 1, 4, 1]


def test_a_slower_trace_is_interpolated_at_the_frames_time_stamps():
    time, values = np.array([0.0, 2.0, 4.0]), np.array([0.0, 10.0, 0.0])
    assert locomotion.at_frames(values, time, FRAMES).tolist() == [0, 5, 10, 5]


def test_a_faster_trace_is_averaged_within_each_frame():
    time = np.arange(8) / 2 + 0.1  # two samples a frame
    values = np.array([1, 3, 10, 20, 0, 0, 7, 9.0])
    assert locomotion.at_frames(values, time, FRAMES).tolist() == [2, 15, 0, 8]


def test_a_frame_of_one_sample_has_its_value():
    time = np.array([0.1, 0.4, 0.9, 1.5, 2.1, 2.4, 2.8, 3.1, 3.4, 3.9])
    values = np.array([0, 0, 0, 6, 0, 0, 0, 9, 9, 9.0])
    assert locomotion.at_frames(values, time, FRAMES).tolist() == [0, 6, 0, 9]


def test_a_frame_without_a_sample_is_interpolated():
    time = np.array([0.1, 0.4, 0.9, 1.5, 1.9, 3.1, 3.4, 3.9])  # none in frame 2
    values = np.array([0, 0, 0, 6, 6, 18, 18, 18.0])
    expected = [0, 6, 6 + 12 * 0.1 / 1.2, 18]  # 6 at 1.9 s, 18 at 3.1 s; frame 2 begins at 2 s
    np.testing.assert_allclose(locomotion.at_frames(values, time, FRAMES), expected)


@given(rate=st.integers(3, 40), slope=st.floats(-5, 5))
def test_a_ramp_is_resampled_without_bias(rate, slope):
    """The mean over a frame of a linear ramp is its value half a sample before the middle."""
    time = np.arange(4 * rate) / rate
    got = locomotion.at_frames(slope * time, time, FRAMES)
    np.testing.assert_allclose(got, slope * (FRAMES + (1 - 1 / rate) / 2), atol=1e-9)


def test_a_state_is_the_last_sample_before_the_middle_of_the_frame():
    time, states = np.array([0.0, 0.49, 1.51, 3.5]), np.array([0, 1, 0, 1])
    assert locomotion.held_at(states, time, FRAMES).tolist() == [1, 1, 0, 1]
    time, states = np.array([0.0, 0.51, 1.5, 2.51]), np.array([0, 1, 0, 1])
    assert locomotion.held_at(states, time, FRAMES).tolist() == [0, 0, 0, 1]


def test_frames_whose_middle_lies_in_an_interval_are_run():
    start, stop = np.array([2.4, 0.6]), np.array([9.0, 1.6])  # in any order
    assert locomotion.within(start, stop, FRAMES).tolist() == [0, 1, 1, 1]
    assert locomotion.within(np.array([]), np.array([]), FRAMES).tolist() == [0, 0, 0, 0]


def test_speed_of_a_wheel():
    """1000 counts a turn of 50 cm: 20 counts are 1 cm. Backwards is as fast as forwards."""
    time = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    counts = np.array([0, 100, 100, 60, 40.0])
    turn = {"counts_per_turn": 1000, "wheel_circumference": 50}
    speed = locomotion.velocity_of_encoder(counts, time, FRAMES, **turn)
    np.testing.assert_allclose(speed, [5, 0, -2, -1])
    # a count a frame, the last of which ends after the last count: its speed is that before
    speed = locomotion.velocity_of_encoder(counts[:4], time[:4], FRAMES, **turn)
    np.testing.assert_allclose(speed, [5, 0, -2, -2])


@given(rate=st.integers(1, 200), cm_s=st.floats(0.1, 80))
def test_a_steady_wheel_has_its_speed_at_every_rate(rate, cm_s):
    time = np.arange(4 * rate + 1) / rate
    speed = locomotion.velocity_of_encoder(
        cm_s * time * 1024 / 47.1, time, FRAMES, counts_per_turn=1024, wheel_circumference=47.1
    )
    np.testing.assert_allclose(speed, cm_s)


def states(speed, *, frame_rate=1, **options):
    options = {"frame_rate": frame_rate, "above": 2} | options
    return "".join(map(str, locomotion.states_of_speed(np.array(speed), **options)))


def test_the_published_rule_is_above_the_threshold_frame_by_frame():
    assert states([0, 2, 2.1, 1.9, 9, 2]) == "001010"


def test_hysteresis_keeps_a_state_between_two_thresholds():
    speed = [1.5, 1, 2, 2.5, 1.5, 1.1, 1, 1.5, 3, 2, 0]
    assert states(speed, below=1) == "00011100110"


def test_short_rests_go_first_then_short_runs():
    speed = [9 * int(c) for c in "0011011000100011"]
    assert states(speed) == "0011011000100011"
    assert states(speed, min_bout=2) == "0011111000000011"  # the rest of 1 first, then the run of 1
    assert states(speed, min_bout=4) == "0011111111111111"  # rests of 3, too; ends stay
    assert states(speed, min_bout=1.0, frame_rate=2) == "0011111000000011"  # 1 s at 2 frames/s


def test_bouts_at_the_ends_of_a_segment_stay():
    speed, segment = [0, 9, 9, 0, 9, 0, 0], [1, 1, 1, 2, 2, 2, 2]
    assert states(speed, min_bout=3) == "0111100"
    assert states(speed, min_bout=3, segment=np.array(segment)) == "0110000"
    # a state is not carried over from one segment to the next
    assert states([9, 1.5, 1.5, 1.5], below=1, segment=np.array([0, 0, 1, 1])) == "1100"


def slow_states(speed, above, below, shortest):
    """The same rule frame by frame and bout by bout, for one segment."""
    state, found = 0, []
    for value in speed:
        state = 1 if value > above else 0 if value <= below else state
        found.append(state)
    for short in (0, 1):
        start = 0
        while start < len(found):
            stop = start
            while stop < len(found) and found[stop] == found[start]:
                stop += 1
            inside = start > 0 and stop < len(found)
            if inside and found[start] == short and stop - start < shortest:
                found[start:stop] = [1 - short] * (stop - start)
            start = stop
    return found


@given(
    speed=st.lists(st.sampled_from([0, 0.5, 1, 1.5, 2, 3]), min_size=1, max_size=60),
    below=st.sampled_from([0.5, 1, 2]),
    shortest=st.integers(0, 6),
)
def test_states_are_those_of_the_slow_rule(speed, below, shortest):
    got = locomotion.states_of_speed(
        np.array(speed), frame_rate=10, above=2, below=below, min_bout=shortest / 10
    )
    assert got.tolist() == slow_states(speed, 2, below, shortest)


@pytest.mark.parametrize("rate", [7.0, 29.97, 30.0])
def test_a_bout_of_just_the_shortest_length_stays(rate):
    speed = np.repeat([0, 9, 0], [5, 3, 5])
    kept = locomotion.states_of_speed(speed, frame_rate=rate, above=2, min_bout=3 / rate)
    assert kept.sum() == 3
    gone = locomotion.states_of_speed(speed, frame_rate=rate, above=2, min_bout=3.1 / rate)
    assert gone.sum() == 0


def test_a_frame_before_a_gap_lasts_as_long_as_others():
    ends = locomotion.frame_ends(np.array([0.0, 1.0, 2.0, 3.55, 4.55, 6.0, 7.0, 9.0]))
    # 1.45 is jitter, 1.55 a gap; the last frame is as long as others after a gap, too
    np.testing.assert_allclose(ends, [1, 2, 3, 4.55, 6, 7, 8, 10])


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0.8, [0, 1, 2, 3]),
        (0.7, [0.35, 1.4, 2.45, 3.5]),
        (0.5, [0.25, 1.25, 2.25, 3.25]),
    ],
)
def test_a_trace_is_averaged_from_four_thirds_of_the_frames_rate_on(step, expected):
    time = np.arange(0, 4, step)  # of what equals the time
    found = locomotion.at_frames(time, time, np.arange(4.0))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("step", [0.5, 0.8, 1.0, 1.25])
def test_what_a_frame_has_hangs_on_frames_not_on_seconds(step):
    """Frames of 1/32 s are as frames of a second, with a wheel that turns 32 times as fast."""
    time = np.arange(0.2, 5, step)
    values = np.round(10 * np.sin(time)) + 20 * time

    def found(second):
        at, frames = time * second, FRAMES * second
        turn = {"counts_per_turn": 1000, "wheel_circumference": 50}
        return [
            locomotion.at_frames(values, at, frames),
            locomotion.held_at(values, at, frames),
            locomotion.within(at[::2], at[::2] + 0.4 * second, frames),
            locomotion.velocity_of_encoder(values, at, frames, **turn) * second,
        ]

    for slow, fast in zip(found(1.0), found(1 / 32), strict=True):
        np.testing.assert_array_equal(slow, fast)


@pytest.mark.parametrize(
    ("counts", "ways"),
    [
        ([0] * 5 + [10] + [0] * 5, True),
        ([0] * 5 + [-10] + [0] * 5, True),
        ([0] * 5 + [9] + [0] * 5, False),  # less than 1 mm
        ([0] * 4 + [10] + [0] * 4, False),  # no rest of five samples
        ([0] * 5 + [99] + [7] * 20 + [0] * 5, True),  # at 0 in a third of all rests
        ([0] * 5 + [99] + [7] * 21 + [0] * 5, False),
        ([0] * 5 + [7] * 5 + [10], False),  # it ends farthest away, as a position may
        ([10] + [0] * 5 + [7] * 5 + [0] * 5, False),
    ],
)
def test_counts_are_ways_where_a_wheel_that_rests_has_none(counts, ways):
    """A way of 1 cm is 100 counts."""
    assert locomotion.are_ways(np.array(counts), 100) == ways


def stepped(*steps, turn=1000.0):
    """A position in real numbers within a turn, from 0 on."""
    return np.append(0, np.cumsum(steps)) % turn


@pytest.mark.parametrize(
    ("position", "runs_on"),
    [
        (stepped(*[100.0] * 9, 145, *[100] * 5), True),  # half as far again as other steps, or
        (stepped(*[100.0] * 9, 155, *[100] * 5), False),
        (stepped(*[1.0] * 999, 19, *[1] * 99), True),  # a fiftieth of a turn
        (stepped(*[1.0] * 999, 21, *[1] * 99), False),
        (stepped(*[240.0] * 20), True),  # a quarter of a turn at most
        (stepped(*[260.0] * 20), False),
        (np.where(np.arange(60) == 24, 1004, stepped(*[40.0] * 59)), True),  # noise of 0.5 %
        (np.where(np.arange(60) == 24, 1006, stepped(*[40.0] * 59)), False),
    ],
)
def test_how_far_a_wheel_may_have_turned_where_its_position_begins_anew(position, runs_on):
    if runs_on:
        found, full = locomotion.run_on(position, 1000.0, 1e9)
        assert full == 1000
        np.testing.assert_allclose(found % 1000, position % 1000)
        assert (np.diff(found) > -10).all()
    else:
        with pytest.raises(ValueError, match=r"begins anew|stays within"):
            locomotion.run_on(position, 1000.0, 1e9)


@pytest.mark.parametrize(
    ("position", "cm", "reset"),
    [
        ([0, 20, 40, 60, 80, 81, 0, 20], 50, True),  # by more than four other steps, and 1 cm
        ([0, 20, 40, 60, 79, 0, 20], 50, False),
        ([0, 20, 40, 60, 80, 81, 0, 20], 81, False),
        ([0, 20, 40, 60, 80, 81, 1, 20], 50, False),  # not to 0
    ],
)
def test_a_position_that_is_reset_goes_back_to_0_from_afar(position, cm, reset):
    if reset:
        with pytest.raises(ValueError, match="is reset from 81 to 0 at sample 6"):
            locomotion.run_on(np.array(position), 1e6, cm)
    else:
        assert locomotion.run_on(np.array(position), 1e6, cm)[0].tolist() == position


# --- told ---------------------------------------------------------------------------------------


def test_positions_that_begin_anew(capsys):
    def run_on(*position, turn=100, cm=5.0):
        try:
            return list(locomotion.run_on(np.array(position), turn, cm))
        except ValueError as error:
            return f"refused: {error}"

    step = np.arange(12)
    cases = {
        "runs on": lambda: run_on(0, 40, 90, 140),
        "begins anew": lambda: run_on(*(20 * step % 100)),
        "begins anew, backwards": lambda: run_on(*(-20 * step % 100)),
        "begins anew, by a quarter of a turn": lambda: run_on(*(25 * step % 100)),
        "begins anew, by more than a quarter": lambda: run_on(*(26 * step % 100)),
        "begins anew, of real numbers": lambda: run_on(*(0.2 * step % 1), turn=1),
        "begins anew, half a percent late": lambda: run_on(0, 20, 40, 60, 80, 100.5, 20, 40),
        "begins anew, one percent late": lambda: run_on(0, 20, 40, 60, 80, 101, 20, 40),
        "a half of a turn": lambda: run_on(0, 50, 100, 50),
        "more than half of a turn": lambda: run_on(0, 51, 0, 51),
        "16 bits": lambda: run_on(65530, 65534, 2, 6),
        "16 bits, of real numbers": lambda: run_on(65530.5, 65534.5, 2.5, 6.5),
        "32 bits": lambda: run_on(2**32 - 6, 2**32 - 2, 2, 6),
        "anew by far more than in any other step": lambda: run_on(0, 1, 2, 3, 99, 0, 1, 2),
        "anew by half more": lambda: run_on(0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 0, 8),
        "anew by two percent": lambda: run_on(0, 1, 0, 1, 99, 0, 1),
        "anew by more than two percent, and half more": lambda: run_on(0, 1, 0, 1, 97, 0, 1),
        "anew each 60": lambda: run_on(*(6 * np.arange(40) % 60)),
        "anew each 60, once": lambda: run_on(*(6 * np.arange(15) % 60)),
        "anew each 60, in large steps": lambda: run_on(*(16 * np.arange(20) % 64)),
        "reset": lambda: run_on(0, 3, 6, 9, 12, 15, 0, 2),
        "reset, by no more than 1 cm": lambda: run_on(0, 1, 2, 3, 4, 5, 0, 0),
        "reset, by no more than four steps": lambda: run_on(0, 3, 6, 9, 12, 0, 2),
        "reset to another place": lambda: run_on(0, 3, 6, 9, 12, 15, 1, 2),
        "in two equal steps": lambda: run_on(0, 6, 12, 12),
        "in two steps of more than half of all": lambda: run_on(0, 7, 2, 9),
        "still": lambda: run_on(3, 3, 3),
        "one sample": lambda: run_on(3),
        "two samples": lambda: run_on(9, 0),
    }
    assert_told(cases, Path(__file__).with_name("told") / "run_on.txt", capsys)


def test_ways_turns_and_ends_of_frames(capsys):
    def ways(*runs, cm=10.0):
        """Counts that stay for so many samples each: (count, samples) …"""
        return locomotion.are_ways(np.concatenate([np.full(n, c) for c, n in runs]), cm)

    def back(*velocity, above=1.0):
        return locomotion.turning_back(np.array(velocity), above)

    def ends(*frames):
        return locomotion.frame_ends(np.array(frames, float))

    cases = {
        "0 at each rest": lambda: ways((0, 5), (7, 2), (9, 1), (0, 9)),
        "0 at each rest, and four samples elsewhere": lambda: ways((0, 5), (7, 4), (9, 1), (0, 9)),
        "0 at a short rest": lambda: ways((0, 4), (7, 2), (9, 1), (0, 4)),
        "0 at the beginning alone": lambda: ways((0, 9), (7, 2), (9, 1), (3, 9)),
        "0 at a third of the rest": lambda: ways((0, 5), (9, 1), (0, 5), (3, 20)),
        "0 at less than a third": lambda: ways((0, 5), (9, 1), (0, 5), (3, 21)),
        "less than 1 mm": lambda: ways((0, 9), (0.9, 1), (0, 9)),
        "1 mm": lambda: ways((0, 9), (1.0, 1), (0, 9)),
        "farthest after the last rest": lambda: ways((0, 9), (3, 1), (0, 9), (7, 2)),
        "never 0": lambda: ways((1, 9), (3, 1), (1, 9)),
        "to and fro": lambda: back(2, -2, 2, 2, -2),
        "to and fro, at the limit": lambda: back(1, -1, 1.1, -1.1),
        "through 0": lambda: back(2, 0, -2, 0.5, 2),
        "frames": lambda: ends(0, 1, 2, 3),
        "frames with a gap of half a frame": lambda: ends(0, 1, 2, 3.5, 4.5),
        "frames with a gap of less": lambda: ends(0, 1, 2, 3.4, 4.4),
        "frames with a long gap": lambda: ends(0, 1, 2, 9, 10),
    }
    assert_told(cases, Path(__file__).with_name("told") / "ways.txt", capsys)


@pytest.mark.parametrize("below", [None, 0.5, 2.0])
@pytest.mark.parametrize("min_bout", [0.0, 0.3, 0.35])
@pytest.mark.parametrize("cut", [None, 7, 20])
def test_states_of_any_speed_are_those_of_a_slow_loop(below, min_bout, cut):
    speed = np.random.default_rng(5).integers(0, 8, 60) / 2
    segment = None if cut is None else (np.arange(60) >= cut).astype(int)
    parts = [range(60)] if cut is None else [range(cut), range(cut, 60)]
    expected, least = [], 2.0 if below is None else below
    for part in parts:
        states, now = [], 0
        for i in part:
            now = 1 if speed[i] > 2 else 0 if speed[i] <= least else now
            states.append(now)
        shortest = int(np.ceil(min_bout * 10 - 1e-6))
        for state in (0, 1):
            runs = [[key, len([*group])] for key, group in itertools.groupby(states)]
            for i in range(1, len(runs) - 1):
                if runs[i][0] == state and runs[i][1] < shortest:
                    runs[i][0] = 1 - state
            states = [key for key, n in runs for _ in range(n)]
        expected += states
    found = locomotion.states_of_speed(
        speed, frame_rate=10.0, above=2.0, below=below, min_bout=min_bout, segment=segment
    )
    assert found.tolist() == expected and found.dtype == np.uint8


PAUSED = np.r_[np.arange(0, 1, 0.1), 9 + np.arange(0, 1, 0.1)]  # s, of 10 a second but for a pause


@pytest.mark.parametrize(
    ("time", "frames", "averaged"),
    [
        (PAUSED, np.arange(20) / 2, True),  # by most intervals, whatever the longest
        (np.arange(0, 10, 0.5), np.r_[0:2:0.5, 8:10:0.5], False),
        (np.arange(0, 10, 0.375), np.arange(20) / 2, True),  # 4/3 of the frames' rate
        (np.arange(0, 10, 0.38), np.arange(20) / 2, False),
        (np.arange(0, 10, 0.1), np.r_[0:2:0.5, 8:10:0.5], True),
    ],
)
def test_a_trace_is_resampled_by_most_intervals_of_samples_and_frames(time, frames, averaged):
    values = np.random.default_rng(1).random(len(time))
    lasts = np.diff(frames)
    usual = sorted(lasts)[len(lasts) // 2]
    ends = frames + np.array([n if n < 1.5 * usual else usual for n in [*lasts, usual]])
    expected = np.interp(frames, time, values)
    if averaged:
        for i, (start, stop) in enumerate(zip(frames, ends, strict=True)):
            inside = (time >= start) & (time < stop)
            expected[i] = values[inside].mean() if inside.any() else expected[i]
    np.testing.assert_allclose(locomotion.at_frames(values, time, frames), expected)


def test_a_frame_is_of_what_begins_in_its_middle_and_not_of_what_ends_there():
    frames = np.arange(5.0)  # middles at 0.5, 1.5 …
    found = locomotion.within(np.array([2.5, 0.5]), np.array([4.5, 1.5]), frames)
    assert found.tolist() == [1, 0, 1, 1, 0]
    assert locomotion.held_at(np.array([7, 8, 9]), np.array([0.5, 1.5, 3.6]), frames).tolist() == [
        *(7, 8, 8, 8, 9),
    ]
