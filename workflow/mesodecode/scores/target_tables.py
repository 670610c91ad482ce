"""Tables of decoders of traces (R²) and of named states (macro AUC), as `auc` has of run and rest.

A trace: R² and Pearson's r over all test frames of an allocation; the ceiling that its own noise
sets (`ceiling`); the R² of predictions held against circularly shifted values. Named states: the
mean of each state's AUC against all others, the AUCs, the accuracy of the likeliest state, the same
with shifted states; which state was taken for which is a table of its own. p = (r + 1) / (k + 1),
too small where signals drift (`chance_tests.circular_shift`).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mesodecode.base.metrics import SCORES, correlation, macro_auc, r2, state_aucs
from mesodecode.decoders.predictions import ATTRIBUTES, Predictions, SessionPredictions
from mesodecode.scores.chance_tests import circular_shift, empirical_p, shifts_of
from mesodecode.study.targets import Kind

REGRESSION = ["n_frames", "r2", "correlation", "ceiling"]
CONFUSION = [*ATTRIBUTES, "state", "predicted", "n_frames", "share"]


def tables(item: Predictions, shifts: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return a row of an allocation, a row a session, and the confusion of states (else empty).

    `shifts`: how many circular shifts say what chance is.
    """
    if item.target.states:
        return _states(item, shifts)
    sessions = item.sessions
    null = shifted_r2(sessions, shifts)
    row = _regression(sessions) | _chance(r2(*pooled(sessions)), null, "r2")
    each = {name: _regression({name: one}) for name, one in sessions.items()}
    return (*_framed(item, row, each), pd.DataFrame(columns=CONFUSION))


def _framed(
    item: Predictions, row: Mapping[str, Any], each: Mapping[str, Mapping[str, Any]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    about = {name: getattr(item, name) for name in ATTRIBUTES}
    end = {"protocol": item.protocol}
    sessions = [about | {"session": name} | dict(scores) | end for name, scores in each.items()]
    return pd.DataFrame([about | dict(row) | end]), pd.DataFrame(sessions)


def pooled(sessions: Mapping[str, SessionPredictions]) -> tuple[np.ndarray, np.ndarray]:
    """Return truth (N,) and predictions (N,) or (N, K) of sessions, one after another."""
    known = [one for one in sessions.values() if len(one.frame)]
    if not known:
        return np.empty(0), np.empty(0)
    return tuple(np.concatenate([getattr(s, k) for s in known]) for k in ("label", "probability"))


def _regression(sessions: Mapping[str, SessionPredictions]) -> dict[str, float]:
    value, made = pooled(sessions)
    found = len(value), r2(value, made), correlation(value, made), ceiling(sessions.values())
    return dict(zip(REGRESSION, found, strict=True))


def ceiling(sessions: Iterable[SessionPredictions]) -> float:
    """Return the largest R² that a decoder of a trace can have, by the trace's autocorrelation.

    What changes from one frame to the next without memory is noise of the measurement that nothing
    predicts. Its variance is where the trace's variogram g(k), half the mean squared difference of
    frames k apart, comes to at k = 0 on the straight line through k = 1 and 2: 2 g(1) - g(2), at
    least 0 (the nugget, Matheron 1963, Econ Geol 58: 1246). The ceiling is 1 less its share of the
    variance of all frames. Frames of different sessions are no neighbours. NaN of a constant.
    """
    sums, counts, values = np.zeros(2), np.zeros(2), []
    for one in sessions:
        value, frame = np.asarray(one.label, np.float64), np.asarray(one.frame)
        values.append(value)
        for lag in (1, 2):
            near = frame[lag:] - frame[:-lag] == lag
            sums[lag - 1] += ((value[lag:] - value[:-lag])[near] ** 2).sum() / 2
            counts[lag - 1] += near.sum()
    variance = np.concatenate(values).var() if values else 0.0
    if not counts.all() or not variance:
        return float("nan")
    first, second = sums / counts
    return float(np.clip(1 - max(0.0, 2 * first - second) / variance, 0, 1))


def shifted_r2(sessions: Mapping[str, SessionPredictions], draws: int) -> Any:
    """Return the R² of predictions of values that are shifted in a circle (draws,).

    The values of each session by 1 … frames - 1, all equally likely, as of `circular_shift`; all
    shifts of a session cost one FFT, as only the products of values and predictions change.
    """
    value, made = (np.asarray(one, np.float64) for one in pooled(sessions))
    mean = value.mean() if len(value) else 0.0
    total = ((value - mean) ** 2).sum()
    if not total:
        return np.full(draws, np.nan)
    products = np.zeros(draws)
    for name, one in sessions.items():
        n = len(one.frame)
        if not n:
            continue
        spectrum = np.fft.rfft(np.asarray(one.probability, np.float64) - mean)
        spectrum *= np.conj(np.fft.rfft(np.asarray(one.label, np.float64) - mean))
        products += np.fft.irfft(spectrum, n)[shifts_of(name, n, draws)]
    return 1 - (total + ((made - mean) ** 2).sum() - 2 * products) / total


def _chance(observed: float, null: np.ndarray, metric: str) -> dict[str, float]:
    """Return the mean of the null values, and p."""
    if np.isnan(observed) or np.isnan(null).any() or not len(null):
        return {f"null_{metric}": np.nan, "p_shift": np.nan}
    return {f"null_{metric}": float(np.mean(null)), "p_shift": empirical_p(observed, null)[0]}


def _states(item: Predictions, shifts: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    names = item.target.states
    row = _scored(item.sessions, names)
    null = [
        circular_shift(
            [
                {
                    name: (one.label == code, one.probability[:, code])
                    for name, one in item.sessions.items()
                    if len(one.frame)
                }
            ],
            shifts,
        )[1]
        for code, name in enumerate(names)
        if np.isfinite(row[f"auc_{name}"])
    ]
    null = np.mean(null, axis=0) if null else np.empty(0)
    row |= _chance(row["macro_auc"], null, "macro_auc")
    each = {name: _scored({name: one}, names) for name, one in item.sessions.items()}
    return (*_framed(item, row, each), _confusion(item))


def _scored(sessions: Mapping[str, SessionPredictions], names: tuple[str, ...]) -> dict[str, float]:
    state, made = pooled(sessions)
    if not len(state):
        aucs, macro, accuracy = np.full(len(names), np.nan), np.nan, np.nan
    else:
        aucs, macro = state_aucs(state, made), macro_auc(state, made)
        accuracy = float((made.argmax(1) == state).mean())
    by_state = {f"auc_{name}": auc for name, auc in zip(names, aucs, strict=True)}
    return {"n_frames": len(state), "macro_auc": macro, **by_state, "accuracy": accuracy}


def _confusion(item: Predictions) -> pd.DataFrame:
    """Return `CONFUSION`: of the frames of each state, how many were taken for each."""
    state, made = pooled(item.sessions)
    about, names = {name: getattr(item, name) for name in ATTRIBUTES}, item.target.states
    rows = []
    for code, name in enumerate(names):
        taken = np.bincount(made[state == code].argmax(1), minlength=len(names))
        shares = taken / taken.sum() if taken.sum() else np.full(len(names), np.nan)
        rows += [
            about | {"state": name, "predicted": other, "n_frames": n, "share": share}
            for other, n, share in zip(names, taken, shares, strict=True)
        ]
    return pd.DataFrame(rows, columns=CONFUSION)


def scored(truth: np.ndarray, made: np.ndarray, kind: Kind) -> dict[str, float]:
    """Return `scored_columns` of frames (N,), of any kind of target, run and rest too.

    `made` is what was predicted of them, (N,) or of states (N, K).
    """
    counts = {name: int(np.sum(truth)) for name in kind.counts}
    scores = {name: SCORES[name](truth, made) for name in kind.scores}
    return {"n_frames": len(truth), **counts, **scores}


def scored_columns(kind: Kind) -> tuple[str, ...]:
    """Return the columns of `scored`: numbers of frames, and scores."""
    return "n_frames", *kind.counts, *kind.scores


def measures(columns: Iterable[str]) -> list[str]:
    """Return those columns of a table of this module that are numbers, not names."""
    known = {*REGRESSION, "null_r2", "p_shift", "macro_auc", "null_macro_auc", "accuracy", "share"}
    return [name for name in columns if name in known or name.startswith("auc_")]
