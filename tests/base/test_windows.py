"""The one rule of which frames can be decoded, against hand-worked cases and its definition."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesodecode.base import windows
from mesodecode.base.windows import IMAGE_REACH, centres
from mesodecode.decoders.inputs import SessionFeatures


def by_definition(n_frames, reach, segment):
    """Frame t counts if t-reach … t+reach all exist and all have its segment."""
    kept = []
    for t in range(n_frames):
        around = range(t - reach, t + reach + 1)
        if all(0 <= k < n_frames for k in around) and (
            segment is None or all(segment[k] == segment[t] for k in around)
        ):
            kept.append(t)
    return kept


@pytest.mark.parametrize(
    ("n_frames", "reach", "segment", "expected"),
    [
        (5, 1, None, [1, 2, 3]),
        (5, 2, None, [2]),
        (5, 3, None, []),
        (4, 2, None, []),
        (3, 0, None, [0, 1, 2]),
        (0, 0, None, []),
        (0, 1, [], []),
        (7, 1, [0, 0, 0, 1, 1, 1, 1], [1, 4, 5]),
        (9, 1, [7, 7, 7, 2, 2, 2, 7, 7, 7], [1, 4, 7]),  # an id that comes back is a new segment
        (6, 0, [3, 3, 1, 2, 2, 2], [0, 1, 2, 3, 4, 5]),
        (6, 1, [0, 1, 2, 3, 4, 5], []),
        (4, 1, [0.0, 0.0, 0.0, 1.0], [1]),
        (13, 6, [4] * 13, [6]),  # one window of ±5 images: their outer frames are 0 and 12
    ],
)
def test_hand_worked_cases(n_frames, reach, segment, expected):
    segment = None if segment is None else np.array(segment)
    assert centres(n_frames, reach, segment).tolist() == expected


@pytest.mark.parametrize(
    ("skip", "expected"),
    [(0, [1, 4, 5, 6, 7, 8]), (2, [4, 5, 6, 7, 8]), (5, [6, 7, 8]), (10, []), (30, [])],
)
def test_no_window_reaches_into_frames_that_are_skipped_whatever_segments_end_there(skip, expected):
    assert centres(10, 1, np.repeat([0, 1], [3, 7]), skip=skip).tolist() == expected
    alone = [t for t in range(1, 9) if t - 1 >= skip]
    assert centres(10, 1, skip=skip).tolist() == alone


def test_an_image_is_three_frames():
    assert IMAGE_REACH == 1


BIG = 2**53  # from here on, two neighbouring whole numbers are one and the same float


@given(
    runs=st.lists(
        st.tuples(st.sampled_from([0, 1, 2, BIG, BIG + 1, -BIG - 1]), st.integers(1, 9)), max_size=8
    ),
    reach=st.integers(0, 4),
)
@example(runs=[(BIG, 3), (BIG + 1, 3)], reach=1)
def test_agrees_with_the_definition_for_any_segments(runs, reach):
    segment = np.array([value for value, length in runs for _ in range(length)], dtype=np.int64)
    got = centres(len(segment), reach, segment)
    assert got.dtype == np.int64
    assert got.tolist() == by_definition(len(segment), reach, segment.tolist())


@given(n_frames=st.integers(0, 40), reach=st.integers(0, 25))
def test_agrees_with_the_definition_without_segments(n_frames, reach):
    got = centres(n_frames, reach)
    assert got.dtype == np.int64
    assert got.tolist() == by_definition(n_frames, reach, None)


@given(
    runs=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), max_size=6),
    reach=st.integers(0, 3),
    shift=st.integers(-5, 5),
)
def test_a_shifted_window_and_its_frame_lie_in_one_segment(runs, reach, shift):
    """The window t+shift-reach … t+shift+reach, frame t and all between them are neighbours."""
    segment = [value for value, length in runs for _ in range(length)]
    expected = []
    for t in range(len(segment)):
        low, high = min(t, t + shift - reach), max(t, t + shift + reach)
        if low >= 0 and high < len(segment) and len(set(segment[low : high + 1])) == 1:
            expected.append(t)
    assert centres(len(segment), reach, np.array(segment, int), shift).tolist() == expected
    if len(set(segment)) == 1:
        assert centres(len(segment), reach, None, shift).tolist() == expected


def test_refuses_a_negative_reach_and_segments_of_another_length():
    with pytest.raises(ValueError, match="reach"):
        centres(5, -1)
    for n in (4, 6):
        with pytest.raises(ValueError, match=f"{n} segment values for 5 frames"):
            centres(5, 1, np.zeros(n, int))


@pytest.mark.parametrize(
    ("causal", "skip", "words"),
    [
        (True, 3, "causal: the first 7 frames of a recording and the first 4 of each later"),
        (True, 0, "causal: the first 4 frames of a recording and the first 4 of each later"),
        (True, 40, ""),  # nothing of it is decoded: it is named by that
        (False, 0, ""),
    ],
)
def test_what_causal_decoders_leave_out_is_said(capsys, causal, skip, words):
    labels = np.zeros(40, np.uint8)
    windows._tell.cache_clear()
    windows.decodable(
        [
            SimpleNamespace(
                session=f"s{causal}{skip}", labels=labels, segment=None, causal=causal, skip=skip
            )
        ],
        2,
    )
    said = capsys.readouterr().err
    assert words in said and ("causal:" in said) == bool(words)


def test_sessions_without_a_window_are_named_once(capsys):
    windows._tell.cache_clear()
    lengths = {"a": 31, "b": 20, "c": 30, "d": 90, "e": 90}
    segments = {"d": np.repeat(range(3), 30), "e": np.repeat([0, 1], [40, 50])}  # 30 at a stretch
    made = [
        SessionFeatures(name, "m1", np.zeros((n, 1)), np.zeros(n, np.uint8), segments.get(name))
        for name, n in lengths.items()
    ]
    for _ in range(2):
        found = windows.decodable(made, 15)
    assert [len(at) for at in found] == [1, 0, 0, 0, 10 + 20]
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith("session b, c, d: left out, as all segments are shorter than a window")
    assert windows.decodable(made[1:2], 15)[0].size == 0  # alone: who needs it raises an error
    assert capsys.readouterr().err == ""


def test_a_moved_window_may_fit_where_one_about_the_frame_does_not():
    (session,) = [SessionFeatures("a", "m1", np.zeros((9, 1)), np.zeros(9, np.uint8), None)]
    assert windows.decodable([session], 2, 6)[0].tolist() == [0]  # t+4 … t+8
    assert windows.decodable([session], 2, 7)[0].tolist() == []
