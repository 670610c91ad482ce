"""How far each test session of an allocation is from the mice that its decoder knows.

Every number of a test session stands beside a reference: the same number of mice that the decoder
knows, each against the others. Features: each training mouse against the other training mice and
the validation mouse against all of them. Output: the validation mouse, since a decoder is surer of
mice that it was trained on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mesodecode.decoders.predictions import ATTRIBUTES, Predictions, SessionPredictions
from mesodecode.recordings.locomotion import bouts
from mesodecode.recordings.recording import Recording
from mesodecode.scores import calibration
from mesodecode.shift import distances
from mesodecode.shift.columns import OF_FEATURES, OF_PROBABILITIES, OF_VALUES
from mesodecode.shift.distances import Featured
from mesodecode.study.allocation import split_ids
from mesodecode.study.targets import RUN, Kind, Target

TAIL = 0.02  # less than the share of the rarer state that quality control warns of
PARTS = 0.1, 0.25  # of a bout: what logits are averaged over, for `two_states` and for `slow`
NOTHING = dict.fromkeys(OF_FEATURES, float("nan"))


def rows(
    item: Predictions,
    validation: Mapping[str, SessionPredictions],
    featured: Sequence[Featured],
    recordings: Mapping[str, Recording],
) -> list[dict[str, Any]]:
    """Return a row of `columns.measure_columns` for each test session of an allocation.

    `validation`: predictions of its validation mice; `featured`: features of sessions of all its
    mice, none of a decoder that has no features (an average), whose `OF_FEATURES` are NaN;
    `recordings` by session. The labels of the test mouse are not looked at.
    """
    about = {name: getattr(item, name) for name in (*ATTRIBUTES, "protocol")}
    known = [*split_ids(item.train_mice), *split_ids(item.valid_mouse)]
    does = usual([one for one in recordings.values() if one.mouse in known], item.target)
    of = [of_output(s, recordings[name], does, item.target) for name, s in validation.items()]
    reference, kind = _mean(of), item.target.kind
    roles = (split_ids(item.train_mice), split_ids(item.valid_mouse))
    reference |= _reference(featured, *roles, kind)
    own = dict.fromkeys(item.sessions, NOTHING)
    if featured:
        space = _known([f for f in featured if f.mouse in roles[0]], kind)
        own |= {f.session: of_features(space, f) for f in featured if f.session in item.sessions}
    made = []
    for name, session in item.sessions.items():
        found = own[name] | of_output(session, recordings[name], does, item.target)
        found |= {f"{key}_reference": value for key, value in reference.items()}
        # of several test mice together, too, a session is of one
        about_session = {"test_mouse": session.mouse, "session": name}
        about_session |= {"n_frames": len(session.frame)}
        made.append(about | about_session | found)
    return made


def of_features(space: distances.Known, featured: Featured) -> dict[str, float]:
    """Return `OF_FEATURES` of a session; NaN without frames."""
    if not len(featured.features):
        return NOTHING
    return {name: getattr(distances, name)(space, featured.features) for name in OF_FEATURES}


def of_probabilities(
    session: SessionPredictions, recording: Recording, bout: float
) -> dict[str, float]:
    """Return `OF_PROBABILITIES` of a session; `bout` s: the median bout of mice that are known.

    A state lasts for most of a bout, and noise does not: logits are averaged over a tenth of it
    before two states are looked for in them, and over a quarter to see what of them is slow. The
    surest frames are cut to the quantiles `TAIL`, as an AUC does not see by how much they lead.
    slow: SD of these means over that of the logits; NaN if they are of fewer than two frames. All
    are NaN of a session too short to decode.
    """
    if not len(session.frame):
        return dict.fromkeys(OF_PROBABILITIES, float("nan"))
    z = calibration.logits(session.probability)
    return {
        "energy": distances.energy(session.probability),
        **_lasting(session, z, recording, bout),
    }


def _lasting(
    session: SessionPredictions, z: np.ndarray, recording: Recording, bout: float
) -> dict[str, float]:
    """Return two_states and slow of what is predicted, z (N,)."""
    frames = bout * recording.frame_rate
    z = np.clip(z, *np.quantile(z, [TAIL, 1 - TAIL]))
    fast, slow = (
        distances.averaged(session.frame, z, round(frames * part), recording.segment)
        for part in PARTS
    )
    known = frames * PARTS[1] >= 2 and np.std(z) > 0
    return {
        "two_states": distances.two_states(fast),
        "slow": float(np.std(slow) / np.std(z)) if known else float("nan"),
    }


@dataclass(frozen=True)
class Usual:
    """What mice that a decoder knows do: how long it lasts, s, and of a trace its mean and SD."""

    bout: float
    mean: float = 0.0
    sd: float = 1.0


def usual(recordings: Sequence[Recording], target: Target = RUN) -> Usual:
    """Return what is usual in recordings of known mice, by their labels.

    A state lasts for its median bout. A trace lasts for twice the time in which its autocorrelation
    falls to 1/e of that of neighbouring frames, as that of two states does that last so long: its
    median over recordings.
    """
    if target == RUN:
        return Usual(median_bout(recordings))
    if target.states:
        return Usual(median_bout([replace(one, labels=one.decoded) for one in recordings]))
    lasts = [lasting(one.decoded) / one.frame_rate for one in recordings]
    values = np.concatenate([one.decoded for one in recordings]).astype(np.float64)
    return Usual(float(np.nanmedian(lasts)), float(values.mean()), float(values.std()))


def lasting(values: np.ndarray) -> float:
    """Return twice the frames in which the autocorrelation of values (T,) falls to 1/e.

    Of that of neighbours, so that noise from frame to frame does not count; all of them where it
    never does, NaN of a constant.
    """
    values = np.asarray(values, np.float64) - np.mean(values)
    power = np.abs(np.fft.rfft(values, 2 * len(values))) ** 2
    covariance = np.fft.irfft(power)[: len(values)]
    if len(values) < 2 or not covariance[1] > 0:
        return float("nan") if not values.any() else 2.0
    below = np.flatnonzero(covariance[1:] < covariance[1] / np.e)
    return 2.0 * (below[0] + 1 if len(below) else len(values))


def of_output(
    session: SessionPredictions, recording: Recording, known: Usual, target: Target = RUN
) -> dict[str, float]:
    """Return what is seen of a decoder's output in a session, without labels.

    Of run and rest `OF_PROBABILITIES`; of states the same, each state against all others, and their
    mean over states. Of a trace `OF_VALUES`: slow, of the prediction itself, and far, its mean
    squared distance from the mean of known mice in their SDs, at most about 1 of a good decoder.
    """
    if target == RUN:
        return of_probabilities(session, recording, known.bout)
    if target.states:
        each = (replace(session, probability=p) for p in np.transpose(session.probability))
        return _mean([of_probabilities(one, recording, known.bout) for one in each])
    if not len(session.frame):
        return dict.fromkeys(OF_VALUES, float("nan"))
    z = (np.asarray(session.probability, np.float64) - known.mean) / known.sd
    # of a value that never changes nothing lasts: it follows no trace
    slow = _lasting(session, z, recording, known.bout)["slow"] if np.ptp(z) else 0.0
    return {"slow": slow, "far": float((z**2).mean())}


def median_bout(recordings: Sequence[Recording]) -> float:
    """Return the median duration in s of the bouts of run and rest of recordings."""
    lasts = []
    for one in recordings:
        segment = np.zeros(len(one)) if one.segment is None else one.segment
        lasts.append(bouts(one.labels, segment)[1] / one.frame_rate)
    return float(np.median(np.concatenate(lasts)))


def _known(featured: Sequence[Featured], kind: Kind) -> distances.Known:
    long = [f for f in featured if len(f.features)]  # enough for a window
    rows, labels = (np.concatenate([getattr(f, k) for f in long]) for k in ("features", "labels"))
    return distances.known(rows, distances.grouped(labels, kind.groups))


def _reference(
    featured: Sequence[Featured], train: Sequence[str], valid: Sequence[str], kind: Kind
) -> dict[str, float]:
    """Return the mean over known mice of `OF_FEATURES`, each mouse against other training mice."""
    means = []
    for mouse in [*train, *valid]:
        others = [f for f in featured if f.mouse in train and f.mouse != mouse]
        if any(len(f.features) for f in others):
            space = _known(others, kind)
            means.append(_mean([of_features(space, f) for f in featured if f.mouse == mouse]))
    return _mean(means) if means else NOTHING


def _mean(dicts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each key, NaN left out."""
    found = {}
    for key in dicts[0]:
        values = np.array([one[key] for one in dicts])
        found[key] = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    return found
