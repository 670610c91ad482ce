"""Bleaching, planted and found: level, amplitude and time constant of each pixel."""

from __future__ import annotations

import numpy as np
import pytest

from make_recordings import Stack
from mesodecode.recordings.corrections import bleaching, movies

T = 300
LEVEL = np.array([[500.0, 900], [300, 40]])
AMPLITUDE = np.array([[100.0, 300], [60, 0]])


def planted(tau):
    return LEVEL + AMPLITUDE * np.exp(-np.arange(T) / tau)[:, None, None]


@pytest.mark.parametrize("tau", [20.0, 90.0, 400.0, 1400.0])
def test_a_planted_decay_is_found_and_divided_out(monkeypatch, tau):
    monkeypatch.setattr(movies, "BLOCK", 2 * 2 * 4 * 37)
    frames = planted(tau)
    found = bleaching.fit_bleaching(Stack(frames))
    assert found.tau == pytest.approx(tau, rel=1e-3)
    np.testing.assert_allclose(found.level, LEVEL, rtol=2e-3)
    np.testing.assert_allclose(found.amplitude, AMPLITUDE, rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(found.decay, np.exp(-np.arange(T) / tau), atol=1e-3)
    lost = 1 - frames[-1].sum() / frames[0].sum()
    assert found.lost == pytest.approx(lost, rel=1e-3)
    made = np.concatenate(
        [found.divide(start, frames[start : start + 70]) for start in range(0, T, 70)]
    )
    assert found.divide(0, frames[:9].astype(np.float32)).dtype == "float32"
    np.testing.assert_allclose(made, np.broadcast_to(frames.mean(axis=0), made.shape), rtol=1e-4)


@pytest.mark.parametrize("tau", [3.0, 1e6])
def test_time_constants_are_looked_for_between_a_twentieth_of_the_movie_and_five(tau):
    brightness = planted(tau).mean(axis=(1, 2))
    low, high = T / 20, 5 * T
    assert low * 0.99 <= bleaching.fit_tau(brightness) <= high * 1.01


def test_pixels_whose_fit_is_not_above_zero_stay_as_they_are():
    """By less than a hundredth of their mean at either end."""
    t = np.arange(T)
    decay = np.exp(-t / 90)
    end = (decay - decay[-1]) / (decay[0] - decay[-1])  # 1 to 0
    pixels = [end + 0.1, end, end - 0.01, 1 - end, 2 - end, end + 0.002, end + 0.006]
    found = bleaching.fit_bleaching(Stack(np.stack(pixels, axis=1)[:, None]))
    kept = [False, True, True, True, False, True, False]
    assert ((found.level == 1) & (found.amplitude == 0))[0].tolist() == kept
    block = np.ones((2, 1, 7))
    np.testing.assert_allclose(found.divide(5, block)[:, 0, kept], 1)
