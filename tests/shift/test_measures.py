"""Numbers of the output of one session, which tables of earlier versions hold too."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit

from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.shift import measures
from mesodecode.study.targets import RUN, Target


def seen(target: Target, output: np.ndarray) -> dict[str, float]:
    """What is seen of an output (N, …) at 10 frames/s whose first and last frames are none."""
    at = np.arange(4, 4 + len(output))
    session = SessionPredictions("m", at, np.zeros(len(at), np.uint8), output)
    recording = SimpleNamespace(frame_rate=10.0, segment=(np.arange(len(at) + 8) > 150).astype(int))
    return measures.of_output(session, recording, measures.Usual(4.0, 0.25, 2.0), target)


def test_what_is_seen_of_an_output_stays_what_it_was():
    """Of logits that go to and fro in 8 s, with noise, and a few that are very sure."""
    rng, t = np.random.default_rng(0), np.arange(400) / 10
    z = 2 * np.sin(2 * np.pi * t / 8) + rng.normal(0, 1, 400)
    z[::50] = 20
    of_run = seen(RUN, expit(z))
    assert of_run == pytest.approx(
        {"energy": -1.138749, "two_states": 0.7944161, "slow": 0.7850633}, rel=1e-5
    )
    of_trace = seen(Target("pupil", unit="mm"), z)
    assert of_trace == pytest.approx({"slow": 0.7839655, "far": 2.703156}, rel=1e-5)
    both = seen(Target("states", ("rest", "run")), np.stack([1 - expit(z), expit(z)], 1))
    assert both == pytest.approx(of_run, rel=1e-5)  # what is against one is for the other
