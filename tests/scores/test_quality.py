"""What is said of a decoder beyond its AUC: numbers by hand, against slow code, and properties."""

from __future__ import annotations

import math
import statistics as python_statistics
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from mesodecode.base.files import UserError
from mesodecode.decoders.predictions import Predictions, SessionPredictions
from mesodecode.scores import auc, quality
from tabled import as_tabled

NAN = float("nan")
MICE = "abcde"


def session(label, probability, *, mouse="5", frame=None) -> SessionPredictions:
    frame = np.arange(len(label)) if frame is None else np.asarray(frame)
    return SessionPredictions(mouse, frame, np.asarray(label), np.asarray(probability, float))


def made(test="5", valid="4", decoder="cnn", **sessions) -> Predictions:
    train = "+".join(m for m in "12345" if m not in (test, valid))
    name = f"train-{train}.valid-{valid}.test-{test}"
    return Predictions(decoder, name, train, valid, test, sessions)


def recording(segment=None, frame_rate=1.0, speed=None) -> SimpleNamespace:
    """What the functions use of a recording."""
    return SimpleNamespace(segment=segment, frame_rate=frame_rate, speed=speed)


def arrays(pairs) -> tuple[np.ndarray, np.ndarray]:
    return np.array([run for run, _ in pairs]), np.array([p / 8 for _, p in pairs])


pairs = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), min_size=2, max_size=30).filter(
    lambda drawn: len({run for run, _ in drawn}) == 2
)
fast = settings(deadline=None, max_examples=30)


# --- thresholds and scores by hand ------------------------------------------------------------

TWO = {  # run .5 .75 .25 1 against rest .1 .5
    "s1": session([0, 0, 1, 1], [0.1, 0.5, 0.5, 0.75]),
    "s2": session([1, 1], [0.25, 1.0]),
}


def test_scores_by_hand():
    item = made(**TWO)
    errors = quality.errors_by_time(item, {"s1": recording(), "s2": recording()})
    row = quality.scores(item, errors, threshold=0.2)
    assert set(row) == set(quality.COLUMNS)
    assert (row["n_sessions"], row["n_one_state"], row["n_frames"], row["n_run"]) == (2, 1, 6, 4)
    assert row["auc"] == 6.5 / 8
    # from 0.5 on: the second (rest) and the fifth (run) are wrong; 3 of 4 run, 1 of 2 rest right
    assert row["accuracy"] == pytest.approx(4 / 6)
    assert row["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    # from 0.2 on only the second is wrong
    assert row["accuracy_at_threshold"] == pytest.approx(5 / 6)
    assert row["balanced_accuracy_at_threshold"] == pytest.approx((1 + 1 / 2) / 2)
    # precision 1, 1, 3/4, 4/5 at the recalls 1/4, 1/2, 3/4, 1
    assert row["average_precision"] == pytest.approx((1 + 1 + 3 / 4 + 4 / 5) / 4)
    assert row["brier"] == pytest.approx((0.01 + 0.25 + 0.25 + 0.0625 + 0.5625 + 0) / 6)
    # bins of .1 (0 run), .25 (1), .5 (1 of 2), .75 (1), 1 (1)
    assert row["ece"] == pytest.approx((0.1 + 0.75 + 2 * 0 + 0.25 + 0) / 6)
    # one onset, between frames 1 and 2 of s1; within 1 s at 1 frame/s: those two, one wrong
    assert row["error_near"] == 1 / 2 and row["error_far"] == 1 / 4


def test_one_half_is_run_and_the_balance_is_of_true_states():
    """Of rest two in three are right, of run one in one; of what is called run, one in two."""
    item = made(s=session([0, 0, 0, 1], [0.5, 0.1, 0.2, 0.6]))
    errors = quality.errors_by_time(item, {"s": recording()})
    assert errors.wrong.tolist() == [True, False, False, False]
    row = quality.scores(item, errors, threshold=0.5)
    for name in ("balanced_accuracy", "balanced_accuracy_at_threshold"):
        assert row[name] == pytest.approx((2 / 3 + 1) / 2)


def test_a_frame_at_the_threshold_and_one_at_a_second_count():
    """The threshold of a validation mouse is one of its probabilities: from it on, it is run."""
    item = made(**TWO)
    # of s1 frames 1 and 3 s from a transition, at its own rate; s2 has none
    rates = {"s2": recording(frame_rate=2.0), "s1": recording(frame_rate=0.5)}
    errors = quality.errors_by_time(item, rates)
    np.testing.assert_array_equal(errors.seconds, [-3, -1, 1, 3, NAN, NAN])
    row = quality.scores(item, errors, threshold=0.25)
    assert row["accuracy_at_threshold"] == pytest.approx(5 / 6)  # run at .25 is right
    assert row["balanced_accuracy_at_threshold"] == pytest.approx((1 + 1 / 2) / 2)
    assert row["error_near"] == 1 / 2 and row["error_far"] == 1 / 4
    half = quality.scores(item, errors, threshold=0.5)
    assert half["accuracy_at_threshold"] == half["accuracy"]


def test_bins_of_time_are_of_the_slowest_recording_and_the_longest_time():
    label = [0] * 30 + [1] * 20
    items = [
        made(s1=session(label, np.linspace(0, 1, 50))),
        made(test="3", s2=session(label[::5], np.linspace(0, 1, 10), mouse="3")),
    ]
    recordings = {"s1": recording(frame_rate=20.0), "s2": recording(frame_rate=5.0)}
    _, curves = quality.assess(items, [NAN, NAN], recordings)
    onset = curves.query("curve == 'onset'")
    # times to 1.475 s in the first, to 1.1 s in the second: 8 frames of .2 s on each side
    expected = (np.arange(-8, 8) + 0.5) / 5
    for _, one in onset.groupby("test_mouse"):
        np.testing.assert_allclose(one["x"], expected)


def test_no_threshold_is_said_by_nan():
    item = made(**TWO)
    errors = quality.errors_by_time(item, {"s1": recording(), "s2": recording()})
    row = quality.scores(item, errors, threshold=NAN)
    assert math.isnan(row["accuracy_at_threshold"])
    assert math.isnan(row["balanced_accuracy_at_threshold"])


def test_one_state_in_all_frames_is_refused():
    item = made(s=session([1, 1], [0.5, 1]))
    with pytest.raises(UserError, match="all 2 test frames are run"):
        quality.assess([item], [NAN], {"s": recording()})


@pytest.mark.parametrize(
    ("label", "probability", "threshold"),
    [
        # J from .9, .6, .55, .2, .1 on: 1/2, 1/6, 2/3, 1/3, 0
        ([0, 0, 0, 1, 1], [0.1, 0.2, 0.6, 0.55, 0.9], 0.55),
        # J from .9, .6, .3 on: 1/2, 0, 1/2; .3 is nearer to .5
        ([0, 1, 0, 1], [0.1, 0.3, 0.6, 0.9], 0.3),
        # J is 0 from each on
        ([1, 0, 1, 0, 1, 0], [0.9, 0.9, 0.55, 0.55, 0.2, 0.2], 0.55),
        # the wrong way round: all run is as good as all rest
        ([1, 0], [0.1, 0.9], 0.1),
        # accuracy would choose to call everything run (4 of 5), J does not
        ([1, 1, 1, 1, 0], [0.9, 0.8, 0.3, 0.2, 0.4], 0.8),
    ],
)
def test_threshold_of_highest_youden_by_hand(label, probability, threshold):
    assert quality.youden_threshold(np.array(label), np.array(probability)) == threshold


def test_threshold_of_one_state_is_nan():
    assert math.isnan(quality.youden_threshold(np.ones(3), np.array([0.1, 0.2, 0.3])))


@fast
@given(pairs)
def test_no_threshold_has_a_higher_youden(drawn):
    label, probability = arrays(drawn)

    def j(threshold):
        called = probability >= threshold
        return called[label == 1].mean() - called[label == 0].mean()

    best = quality.youden_threshold(label, probability)
    assert all(j(best) >= j(other) - 1e-9 for other in [*probability, 2.0])


# --- calibration -------------------------------------------------------------------------------


def test_calibration_and_its_error_by_hand():
    label = np.array([0, 1, 1, 1, 0, 1, 0])
    probability = np.array([0.05, 0.05, 0.95, 0.95, 0.55, 1.0, 0.1])
    n, predicted, observed = quality.calibration(label, probability)
    assert n.tolist() == [2, 1, 0, 0, 0, 1, 0, 0, 0, 3]  # .1 is in the second bin, 1 in the last
    np.testing.assert_allclose(predicted[[0, 1, 5, 9]], [0.05, 0.1, 0.55, 2.9 / 3])
    np.testing.assert_allclose(observed[[0, 1, 5, 9]], [0.5, 0, 0, 1])
    assert np.isnan(observed[2]) and np.isnan(predicted[2])
    expected = (2 * 0.45 + 1 * 0.1 + 1 * 0.55 + 3 * 0.1 / 3) / 7
    assert quality.expected_calibration_error(label, probability) == pytest.approx(expected)
    # two bins: .05 .05 .1 (one of three runs), and .55 .95 .95 1 (three of four)
    two = quality.expected_calibration_error(label, probability, bins=2)
    assert two == pytest.approx((abs(0.2 - 1) + abs(3.45 - 3)) / 7)
    assert math.isnan(quality.expected_calibration_error(label[:0], probability[:0]))
    for dtype in (np.float32, float):  # edges, as a vote of ten has them
        n, *_ = quality.calibration(np.ones(11), (np.arange(11) / 10).astype(dtype))
        assert n.tolist() == [1] * 9 + [2]


@fast
@given(pairs)
def test_calibration_error_is_between_0_and_1_and_0_for_the_truth(drawn):
    label, probability = arrays(drawn)
    assert 0 <= quality.expected_calibration_error(label, probability) <= 1
    assert quality.expected_calibration_error(label, label.astype(float)) == 0


# --- curves ------------------------------------------------------------------------------------


def slow_roc(label, probability, x) -> float:
    """The ROC curve at x: the highest point there, or on the line between its neighbours."""
    thresholds = [2.0, *sorted(set(probability), reverse=True)]
    points = [
        (np.mean(probability[label == 0] >= t), np.mean(probability[label == 1] >= t))
        for t in thresholds
    ]
    before = max(p for p in points if p[0] <= x + 1e-12)
    after = [p for p in points if p[0] > x + 1e-12]
    if not after:
        return before[1]
    right = min(after)
    return before[1] + (right[1] - before[1]) * (x - before[0]) / (right[0] - before[0])


@fast
@given(pairs)
def test_roc_on_the_grid_is_that_of_a_slow_loop(drawn):
    label, probability = arrays(drawn)
    expected = [slow_roc(label, probability, x) for x in quality.GRID]
    np.testing.assert_allclose(quality.roc(label, probability), expected, atol=1e-9)


def test_precision_by_hand_at_the_recalls_of_the_grid():
    label, probability = quality.pooled(TWO.values())
    precision = quality.precision_recall(label, probability)
    found = dict(zip(np.round(quality.GRID, 2), precision, strict=True))
    # recall 1/4 and 1/2 with precision 1, 3/4 from 0.5 on with 3/4, 1 from 0.25 on with 4/5
    expected = {0: 1, 0.25: 1, 0.5: 1, 0.51: 0.75, 0.75: 0.75, 0.76: 0.8, 1: 0.8}
    assert {at: found[at] for at in expected} == pytest.approx(expected)
    # a rest frame scores highest: recall rises with the second, from precision 1/2
    worst = quality.precision_recall(np.array([0, 1]), np.array([0.9, 0.8]))
    assert worst[0] == worst[-1] == 0.5


@fast
@given(pairs)
def test_area_below_precision_is_the_average_precision(drawn):
    label, probability = arrays(drawn)
    n_run = label.sum()
    at = (np.arange(n_run * 100) + 0.5) / (n_run * 100)  # the middles of steps that recall can take
    grid, quality.GRID = quality.GRID, at
    try:
        area = quality.precision_recall(label, probability).mean()
    finally:
        quality.GRID = grid
    assert area == pytest.approx(average_precision_score(label, probability))


T_975 = {2: 4.302652729911275, 4: 2.7764451051977987}  # of Student's t, from a printed table


@pytest.mark.parametrize("n", [3, 5])
def test_band_is_that_of_a_slow_loop(n):
    rows = np.random.default_rng(n).uniform(0.4, 0.6, (n, 7))
    mean, low, high = quality.mean_band(rows)
    for k, column in enumerate(rows.T.tolist()):
        centre = sum(column) / n
        half = T_975[n - 1] * python_statistics.stdev(column) / n**0.5
        np.testing.assert_allclose(
            [mean[k], low[k], high[k]], [centre, max(0, centre - half), min(1, centre + half)]
        )


def test_band_stays_within_0_and_1_and_needs_two_curves():
    _, low, high = quality.mean_band([[0.2], [0.9]])
    assert (low[0], high[0]) == (0, 1)
    mean, low, high = quality.mean_band([[0.2]])
    assert mean[0] == 0.2 and np.isnan(low[0]) and np.isnan(high[0])


def test_curves_of_one_state_are_nan():
    for curve in (quality.roc, quality.precision_recall):
        assert np.isnan(curve(np.ones(3), np.array([0.1, 0.2, 0.3]))).all()


increasing = st.sampled_from([lambda p: p**3, lambda p: 0.2 + p / 2, lambda p: np.sqrt(p)])


@fast
@given(pairs, increasing)
def test_ranks_alone_decide_auc_roc_and_precision(drawn, change):
    label, probability = arrays(drawn)
    one, other = made(s=session(label, probability)), made(s=session(label, change(probability)))
    rows = [auc.auc_table([item])["auc"][0] for item in (one, other)]
    assert rows[0] == pytest.approx(rows[1])
    for curve in (quality.roc, quality.precision_recall):
        np.testing.assert_allclose(curve(label, probability), curve(label, change(probability)))


def test_a_perfect_decoder():
    label = np.array([0, 1, 1, 0, 1])
    item = made(s=session(label, label))
    table, curves = quality.assess([item], [0.5], {"s": recording()})
    row = table.iloc[0]
    for name in ("auc", "average_precision", "accuracy", "balanced_accuracy_at_threshold"):
        assert row[name] == 1
    for name in ("brier", "ece", "error_near", "error_far"):
        assert row[name] == 0 or math.isnan(row[name])
    for curve in ("roc", "precision_recall"):
        assert (curves.loc[curves["curve"] == curve, "y"] == 1).all()


# --- when errors are made ----------------------------------------------------------------------

# Onset between frames 1 and 2, offset between 4 and 5; a new segment at 6, offset between 7 and 8.
LABEL = [0, 0, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0]
SEGMENT = [0] * 6 + [1] * 6
TIMES = [-1.5, -0.5, 0.5, 1.5, -0.5, 0.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5]
KINDS = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]  # frame 3 is as near to the offset: the earlier counts


def test_times_from_transitions_by_hand():
    times, kinds = quality.transition_times(np.arange(12), LABEL, SEGMENT)
    assert times.tolist() == TIMES and kinds.tolist() == KINDS
    # without the border, its change of labels would be an onset
    times, kinds = quality.transition_times(np.arange(12), LABEL)
    assert (times[5], kinds[5], times[6], kinds[6]) == (0.5, 0, 0.5, 1)


def test_frames_left_out_at_a_border_part_segments_too():
    frame = [1, 2, 3, 4, 7, 8, 9, 10]  # a decoder of images has none at the edges of segments
    times, kinds = quality.transition_times(frame, [LABEL[f] for f in frame])
    # the offset at 5 lies between a frame that is there and one that is not
    assert times.tolist() == [-0.5, 0.5, 1.5, 2.5, -0.5, 0.5, 1.5, 2.5]
    assert kinds.tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


def test_frames_without_transition_have_no_time():
    times, kinds = quality.transition_times(np.arange(4), [1, 1, 0, 0], [0, 0, 1, 1])
    assert np.isnan(times).all() and (kinds == -1).all()
    assert quality.transition_times([], [])[0].shape == (0,)


@fast
@given(
    st.lists(st.tuples(st.integers(0, 1), st.booleans(), st.booleans()), min_size=1, max_size=25)
)
def test_times_from_transitions_are_those_of_a_slow_loop(drawn):
    frame = np.flatnonzero([not lost for _, lost, _ in drawn])
    segment = np.cumsum([new for _, _, new in drawn])
    label = np.array([run for run, _, _ in drawn])[frame]
    times, kinds = quality.transition_times(frame, label, segment)
    for i, t in enumerate(frame):
        best = (math.inf, NAN, -1)
        for k in range(1, len(frame)):
            a, b = sorted((t, frame[k]))
            whole = all(f in frame for f in range(min(a, frame[k - 1]), b + 1))
            together = len({segment[f] for f in range(min(a, frame[k - 1]), b + 1)}) == 1
            if label[k] != label[k - 1] and whole and together:
                distance = t - frame[k] + 0.5
                if abs(distance) < best[0]:
                    best = (abs(distance), distance, label[k])
        np.testing.assert_equal((times[i], kinds[i]), best[1:])


def test_errors_by_time_by_hand():
    wrong = [0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1]
    probability = np.abs(np.array(LABEL) - np.array(wrong) * 1.0)
    item = made(s=session(LABEL, probability))
    table, curves = quality.assess([item], [NAN], {"s": recording(SEGMENT, frame_rate=1.0)})
    as_tabled(table, "quality"), as_tabled(curves[101:].reset_index(drop=True), "quality_curves")
    assert curves.index.equals(pd.RangeIndex(len(curves)))
    onset, offset = (curves[curves["curve"] == name].set_index("x") for name in ("onset", "offset"))
    assert onset.index.tolist() == [-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5][1:-1]
    assert onset["n"].tolist() == [0, 1, 1, 1, 1, 0]
    np.testing.assert_array_equal(onset["y"], [NAN, 0, 1, 1, 0, NAN])
    assert offset["n"].tolist() == [0, 1, 2, 2, 1, 1]  # that at 3.5 is beyond 3 s
    np.testing.assert_array_equal(offset["y"], [NAN, 1, 0, 0.5, 0, 0])
    # within 1 s: frames 1, 2, 4, 5, 7, 8
    assert table["error_near"][0] == 3 / 6 and table["error_far"][0] == 2 / 6


@pytest.mark.parametrize(
    ("longest", "rate", "last", "width"),
    [(100, 30, 3.0, 6), (0.035, 200, 0.035, 1), (0.5, 30, 0.5, 1), (2.0, 10, 2.0, 2)],
)
def test_bins_of_time_are_whole_frames(longest, rate, last, width):
    edges = quality.time_edges(longest, rate)
    np.testing.assert_allclose(np.diff(edges) * rate, width)
    assert edges[-1] == pytest.approx(last) and edges[0] == -edges[-1]


def test_busiest_stretch_by_hand():
    label = np.array([0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0])
    assert quality.busiest_stretch(np.arange(12), label, 4) == (6, 10)  # three changes in 6 … 9
    assert quality.busiest_stretch(np.arange(12), label, 12) == (0, 12)
    assert quality.busiest_stretch(np.arange(12), label, 11) == (0, 11)
    assert quality.busiest_stretch(np.arange(5, 17), label, 4) == (11, 15)
    assert quality.busiest_stretch(np.arange(4, 7), np.zeros(3), 9) == (4, 7)
    at_the_end = np.array([0] * 11 + [1])
    assert quality.busiest_stretch(np.arange(12), at_the_end, 4) == (8, 12)
    tie = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0])  # the first of the stretches with one
    assert quality.busiest_stretch(np.arange(12), tie, 4) == (1, 5)
