"""How far each test session of an allocation is from the mice that its decoder knows.

Every number of a test session stands beside a reference: the same number of mice that the decoder
knows, each against the others. Features: each training mouse against the other training mice and
the validation mouse against all of them. Probabilities: the validation mouse, since a decoder is
surer of mice that it was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mesodecode.decoders.predictions import ATTRIBUTES, Predictions, SessionPredictions
from mesodecode.recordings.locomotion import bouts
from mesodecode.recordings.recording import Recording
from mesodecode.scores import calibration
from mesodecode.shift import distances
from mesodecode.shift.columns import OF_FEATURES, OF_PROBABILITIES
from mesodecode.shift.distances import Featured
from mesodecode.study.allocation import split_ids

TAIL = 0.02  # less than the share of the rarer state that quality control warns of
PARTS = 0.1, 0.25  # of a bout: what logits are averaged over, for `two_states` and for `slow`
NOTHING = dict.fromkeys(OF_FEATURES, float("nan"))


def rows(
    item: Predictions,
    validation: Mapping[str, SessionPredictions],
    featured: Sequence[Featured],
    recordings: Mapping[str, Recording],
) -> list[dict[str, Any]]:
    """Return a row of `MEASURE_COLUMNS` for each test session of an allocation.

    `validation`: predictions of its validation mice; `featured`: features of sessions of all its
    mice, none of a decoder that has no features (an average), whose `OF_FEATURES` are NaN;
    `recordings` by session. The labels of the test mouse are not looked at.
    """
    about = {name: getattr(item, name) for name in (*ATTRIBUTES, "protocol")}
    known = [*split_ids(item.train_mice), *split_ids(item.valid_mouse)]
    bout = median_bout([one for one in recordings.values() if one.mouse in known])
    of = [of_probabilities(s, recordings[name], bout) for name, s in validation.items()]
    reference = _mean(of)
    reference |= _reference(featured, split_ids(item.train_mice), split_ids(item.valid_mouse))
    own = dict.fromkeys(item.sessions, NOTHING)
    if featured:
        space = _known([f for f in featured if f.mouse in split_ids(item.train_mice)])
        own |= {f.session: of_features(space, f) for f in featured if f.session in item.sessions}
    made = []
    for name, session in item.sessions.items():
        found = own[name] | of_probabilities(session, recordings[name], bout)
        found |= {f"{key}_reference": value for key, value in reference.items()}
        about_session = {"session": name, "n_frames": len(session.frame)}
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
    z, frames = calibration.logits(session.probability), bout * recording.frame_rate
    z = np.clip(z, *np.quantile(z, [TAIL, 1 - TAIL]))
    fast, slow = (
        distances.averaged(session.frame, z, round(frames * part), recording.segment)
        for part in PARTS
    )
    known = frames * PARTS[1] >= 2 and np.std(z) > 0
    return {
        "energy": distances.energy(session.probability),
        "two_states": distances.two_states(fast),
        "slow": float(np.std(slow) / np.std(z)) if known else float("nan"),
    }


def median_bout(recordings: Sequence[Recording]) -> float:
    """Return the median duration in s of the bouts of run and rest of recordings."""
    lasts = []
    for one in recordings:
        segment = np.zeros(len(one)) if one.segment is None else one.segment
        lasts.append(bouts(one.labels, segment)[1] / one.frame_rate)
    return float(np.median(np.concatenate(lasts)))


def _known(featured: Sequence[Featured]) -> distances.Known:
    long = [f for f in featured if len(f.features)]  # enough for a window
    rows, labels = (np.concatenate([getattr(f, k) for f in long]) for k in ("features", "labels"))
    return distances.known(rows, labels)


def _reference(
    featured: Sequence[Featured], train: Sequence[str], valid: Sequence[str]
) -> dict[str, float]:
    """Return the mean over known mice of `OF_FEATURES`, each mouse against other training mice."""
    means = []
    for mouse in [*train, *valid]:
        others = [f for f in featured if f.mouse in train and f.mouse != mouse]
        if any(len(f.features) for f in others):
            space = _known(others)
            means.append(_mean([of_features(space, f) for f in featured if f.mouse == mouse]))
    return _mean(means) if means else NOTHING


def _mean(dicts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each key, NaN left out."""
    found = {}
    for key in dicts[0]:
        values = np.array([one[key] for one in dicts])
        found[key] = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    return found
