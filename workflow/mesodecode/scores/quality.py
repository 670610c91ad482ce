"""How well a decoder decodes, beyond its AUC: curves, thresholds, calibration, and when it errs.

Functions of labels (N,) 0 rest, 1 run, and probabilities of run (N,) of one allocation's test
frames. A threshold comes from the validation mouse of the allocation, never from its test mouse.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from sklearn import metrics

from mesodecode.decoders.predictions import ATTRIBUTES, Predictions, SessionPredictions
from mesodecode.recordings.recording import Recording
from mesodecode.scores import auc

GRID = np.linspace(0, 1, 101)  # of false-positive rate and of recall
BINS = 10  # of probability
NEAR = 1.0  # s from a transition
REACH = 3.0  # s around a transition in which errors are counted by time
TIME_BINS = 15  # on each side
COLUMNS = [
    *(*ATTRIBUTES, "n_sessions", "n_one_state", "n_frames", "n_run", "auc", "average_precision"),
    *("accuracy", "balanced_accuracy", "threshold", "accuracy_at_threshold"),
    *("balanced_accuracy_at_threshold", "brier", "ece", "error_near", "error_far"),
    "protocol",
]
NUMBERS = COLUMNS[len(ATTRIBUTES) : -1]
CURVE_COLUMNS = [*ATTRIBUTES, "curve", "x", "y", "n", "mean_probability"]
CURVE_NUMBERS = CURVE_COLUMNS[-4:]


def roc(label: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return the true-positive rate at the false-positive rates of `GRID` (101,).

    Linear between the points of the ROC curve, and the highest of those above each other: what
    vertical averaging needs (Fawcett 2006, Pattern Recognit Lett 27: 861-874). NaN where only one
    state is present.
    """
    if _one_state(label):
        return np.full(len(GRID), np.nan)
    false, true, _ = metrics.roc_curve(label, probability)
    after = np.searchsorted(false, GRID + 1e-12)  # the first point to the right
    before, after = after - 1, np.minimum(after, len(false) - 1)
    run = np.maximum(false[after] - false[before], 1e-12)
    return true[before] + (true[after] - true[before]) * (GRID - false[before]) / run


def precision_recall(label: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return the precision at the recalls of `GRID` (101,), a step function.

    That of the highest threshold which reaches the recall, so that the area below is the average
    precision. NaN where only one state is present.
    """
    if _one_state(label):
        return np.full(len(GRID), np.nan)
    precision, recall, _ = metrics.precision_recall_curve(label, probability)
    precision, recall = precision[-2::-1], recall[-2::-1]  # rising recall, without the point (0, 1)
    first = np.maximum(np.searchsorted(recall, GRID - 1e-12), np.argmax(recall > 0))
    return precision[first]


def youden_threshold(label: np.ndarray, probability: np.ndarray) -> float:
    """Return the probability from which on a frame is called run so that Youden's J is largest.

    J = sensitivity + specificity - 1 (Youden 1950, Cancer 3: 32-35). Unlike the accuracy it does
    not depend on how much a mouse runs, so that a threshold serves another mouse. Of equally good
    thresholds the one nearest to 0.5. NaN where only one state is present.
    """
    if _one_state(label):
        return float("nan")
    false, true, thresholds = metrics.roc_curve(label, probability, drop_intermediate=False)
    best = np.isclose(true - false, (true - false).max(), rtol=0, atol=1e-12)
    return float(min(thresholds[best], key=lambda value: abs(value - 0.5)))


def calibration(
    label: np.ndarray, probability: np.ndarray, bins: int = BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frames, mean probability and share of run frames of each bin of probability (bins,).

    `bins` of equal width; a probability on an edge belongs to the higher bin, 1 to the last. NaN
    for bins without frames.
    """
    # In float32, as in files: there 0.7 is a little less than 0.7 of float64, but 10 of it are 7.
    scaled = np.asarray(probability, np.float32) * np.float32(bins)
    bin_of = np.minimum(scaled.astype(int), bins - 1)
    n = np.bincount(bin_of, minlength=bins)
    with np.errstate(invalid="ignore"):
        sums = (np.bincount(bin_of, weights=w, minlength=bins) for w in (probability, label))
        return n, *(total / n for total in sums)


def expected_calibration_error(
    label: np.ndarray, probability: np.ndarray, bins: int = BINS
) -> float:
    """Return the mean over frames of |mean probability - share of run| of a frame's bin.

    `bins` of equal width of the probability of run (Naeini, Cooper & Hauskrecht 2015, AAAI
    2901-2907). It depends on the number of bins. NaN without frames.
    """
    n, predicted, observed = calibration(label, probability, bins)
    if not n.sum():
        return float("nan")
    return float(np.nansum(n * np.abs(predicted - observed)) / n.sum())


def transition_times(
    frame: np.ndarray, label: np.ndarray, segment: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the signed frames from the nearest run/rest transition, and which kind it is.

    `frame` (N,) and `label` (N,) of one session's decoded frames; `segment` (T,) of its recording,
    or None. A transition lies midway between two consecutive frames of one segment: the last frame
    before it is at -0.5, the first after it at 0.5. Frames of other segments, or beyond a frame
    that was not decoded, have no time from it. Between two equally near ones the earlier counts.

    Returns times (N,), NaN where there is none, and kinds (N,): 1 = run onset, 0 = offset, -1 none.
    """
    frame, label = np.asarray(frame), np.asarray(label).astype(int)
    new = np.append(True, np.diff(frame) != 1)[: len(frame)]
    if segment is not None:
        new[1:] |= np.diff(np.asarray(segment)[frame]) != 0
    index, stretch = np.arange(len(frame)), np.cumsum(new)
    changes = np.flatnonzero(~new & (np.append(0, np.diff(label)) != 0)[: len(frame)])
    times, kinds = np.full(len(frame), np.nan), np.full(len(frame), -1)
    if not len(changes):
        return times, kinds
    after = np.searchsorted(changes, index, side="right")  # of how many changes a frame is after
    for known, candidate in (
        (after > 0, changes[np.maximum(after - 1, 0)]),
        (after < len(changes), changes[np.minimum(after, len(changes) - 1)]),
    ):
        distance = index - candidate + 0.5
        known = known & (stretch == stretch[candidate])
        known &= np.isnan(times) | (np.abs(distance) < np.abs(times))
        times[known], kinds[known] = distance[known], label[candidate][known]
    return times, kinds


def mean_band(curves: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, lower and upper limit (k,) of curves (n, k), pointwise, by Student's t.

    Limits are kept within 0 … 1 and are NaN for one curve. The curves are taken for independent.
    """
    curves = np.asarray(curves, float)
    n, mean = len(curves), curves.mean(axis=0)
    if n < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    half = stats.t.ppf((1 + level) / 2, n - 1) * curves.std(axis=0, ddof=1) / np.sqrt(n)
    return mean, np.clip(mean - half, 0, 1), np.clip(mean + half, 0, 1)


def busiest_stretch(frame: np.ndarray, label: np.ndarray, length: int) -> tuple[int, int]:
    """Return first and last + 1 of the `length` frames of a session with most transitions.

    `frame` (N,) and `label` (N,) as in `transition_times`; the first of several. All frames where
    there are no more than `length`.
    """
    frame = np.asarray(frame)
    if not len(frame) or frame[-1] - frame[0] < length:
        return (int(frame[0]), int(frame[-1]) + 1) if len(frame) else (0, 0)
    changed = np.cumsum(np.append(0, np.diff(np.asarray(label).astype(int)) != 0))
    starts = np.flatnonzero(frame <= frame[-1] - length + 1)
    ends = np.searchsorted(frame, frame[starts] + length)  # the first frame after the stretch
    best = starts[np.argmax(changed[ends - 1] - changed[starts])]
    return int(frame[best]), int(frame[best]) + length


class Errors(NamedTuple):
    """Test frames of an allocation (N,): seconds from the nearest transition, its kind, if wrong.

    Seconds and kinds are as in `transition_times`.
    """

    seconds: np.ndarray
    kinds: np.ndarray
    wrong: np.ndarray


def assess(
    items: Sequence[Predictions],
    thresholds: Sequence[float],
    recordings: Mapping[str, Recording],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return tables with `COLUMNS`, a row an item, and with `CURVE_COLUMNS`.

    `thresholds`: of the validation mouse of each item, NaN if unknown; `recordings`: by session.
    Raises UserError if all test frames of an item are of one state.
    """
    when = [errors_by_time(item, recordings) for item in items]
    longest = max(np.nanmax(np.abs(each.seconds), initial=0) for each in when)
    edges = time_edges(longest, min(one.frame_rate for one in recordings.values()))
    rows = [scores(*each) for each in zip(items, when, thresholds, strict=True)]
    parts = [curves(item, each, edges) for item, each in zip(items, when, strict=True)]
    return pd.DataFrame(rows)[COLUMNS], pd.concat(parts, ignore_index=True)


def errors_by_time(item: Predictions, recordings: Mapping[str, Recording]) -> Errors:
    """Return when an allocation errs at a threshold of 0.5, its sessions one after another."""
    parts = []
    for name, session in item.sessions.items():
        one = recordings[name]
        times, kinds = transition_times(session.frame, session.label, one.segment)
        wrong = (session.probability >= 0.5) != session.label
        parts.append((times / one.frame_rate, kinds, wrong))
    return Errors(*map(np.concatenate, zip(*parts, strict=True)))


def time_edges(longest: float, frame_rate: float) -> np.ndarray:
    """Return the edges (s) of bins on both sides of a transition, for times up to `longest` s.

    `TIME_BINS` bins, of whole frames, on each side, up to `REACH`; fewer where times end before.
    """
    frames = max(1, int(np.ceil(min(REACH, longest) * frame_rate - 1e-9)))
    width = -(-frames // TIME_BINS)
    count = -(-frames // width)
    return np.arange(-count, count + 1) * width / frame_rate


def scores(item: Predictions, errors: Errors, threshold: float) -> dict[str, str | float]:
    """Return a row of `COLUMNS`; `threshold` is that of the validation mouse, NaN if unknown.

    Raises UserError if all test frames are of one state.
    """
    row = auc.auc_table([item]).to_dict("records")[0]
    label, probability = pooled(item.sessions.values())
    states = [np.unique(session.label).size for session in item.sessions.values()]
    near = np.abs(errors.seconds) <= NEAR  # False for NaN
    row |= {
        "n_sessions": len(states),
        "n_one_state": sum(n < 2 for n in states),
        "average_precision": metrics.average_precision_score(label, probability),
        "balanced_accuracy": metrics.balanced_accuracy_score(label, probability >= 0.5),
        "threshold": threshold,
        "accuracy_at_threshold": np.nan,
        "balanced_accuracy_at_threshold": np.nan,
        "brier": metrics.brier_score_loss(label, probability),
        "ece": expected_calibration_error(label, probability),
        "error_near": _mean(errors.wrong[near]),
        "error_far": _mean(errors.wrong[~near]),
    }
    if not np.isnan(threshold):
        called = probability >= threshold
        row["accuracy_at_threshold"] = metrics.accuracy_score(label, called)
        row["balanced_accuracy_at_threshold"] = metrics.balanced_accuracy_score(label, called)
    return row


def curves(item: Predictions, errors: Errors, edges: np.ndarray) -> pd.DataFrame:
    """Return `CURVE_COLUMNS`: the curves of an allocation, one under the other.

    roc: x false-positive, y true-positive rate. precision_recall: x recall, y precision.
    calibration: x middle of the bin of probability, y share of run. onset, offset: x middle of the
    bin (s after the transition, `edges`), y share of errors. n: frames of the bin.
    """
    label, probability = pooled(item.sessions.values())
    n, predicted, observed = calibration(label, probability)
    tables = {
        "roc": {"x": GRID, "y": roc(label, probability)},
        "precision_recall": {"x": GRID, "y": precision_recall(label, probability)},
        "calibration": {
            "x": (np.arange(BINS) + 0.5) / BINS,
            "y": observed,
            "n": n,
            "mean_probability": predicted,
        },
    }
    for curve, kind in (("onset", 1), ("offset", 0)):
        here = errors.kinds == kind
        counts, wrong = (
            np.histogram(errors.seconds[here], edges, weights=weights)[0]
            for weights in (None, errors.wrong[here].astype(float))
        )
        with np.errstate(invalid="ignore"):
            rate = wrong / counts
        tables[curve] = {"x": (edges[1:] + edges[:-1]) / 2, "y": rate, "n": counts}
    parts = [pd.DataFrame(table).assign(curve=curve) for curve, table in tables.items()]
    about = {name: getattr(item, name) for name in ATTRIBUTES}
    return pd.concat(parts).assign(**about)[CURVE_COLUMNS]


def pooled(sessions: Iterable[SessionPredictions]) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (N,) and probabilities (N,) of sessions, one after another."""
    sessions = list(sessions)
    return tuple(
        np.concatenate([getattr(s, k) for s in sessions]) for k in ("label", "probability")
    )


def _one_state(label: np.ndarray) -> bool:
    return len(np.unique(label)) < 2


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
