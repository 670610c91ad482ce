"""Numbers of the images of one movie, which tables of earlier versions hold too."""

from __future__ import annotations

import numpy as np
import pytest

from make_recordings import write_recording
from mesodecode.shift import images


def test_half_of_the_power_lies_below_the_frequency_that_is_given(tmp_path):
    """Of waves of 3.75, 7.5 and 11.25 Hz with 48, 8 and 44 % of the power."""
    t = np.arange(640)[:, None, None]
    cycles = [(8, 0.48), (4, 0.08), (8 / 3, 0.44)]  # frames a cycle
    wave = sum(np.sqrt(share) * np.sin(2 * np.pi * t / frames) for frames, share in cycles)
    movie = 1000 + 100 * wave * np.random.default_rng(1).uniform(0.5, 1.5, (16, 16))
    found = images.dynamics(write_recording(tmp_path / "m.h5", movie.astype(np.float32)))
    assert 2 ** found["temporal_hz"] == pytest.approx(7.5, abs=0.5)


def test_what_is_measured_of_a_movie_stays_what_it_was(tmp_path):
    """Of a smooth pattern that drifts and flickers, noisy, of 700 frames of 20 x 26 px."""
    rng = np.random.default_rng(0)
    t, (y, x) = np.arange(700)[:, None, None], np.mgrid[:20, :26]
    light = 300 * np.exp(-((y - 9) ** 2 + (x - 10) ** 2) / 60)
    movie = 100 + light * (1 + 0.2 * np.sin(x / 3 + t / 7)) + rng.normal(0, 5, (700, 20, 26))
    made = write_recording(tmp_path / "m.h5", movie.astype(np.float32))
    found = images.look(made.pixel_mean.astype(float)) | images.dynamics(made)
    assert found == pytest.approx(
        {
            "extent": 58.67118,
            "left_right": 0.4863765,
            "brightness": 7.631298,
            "sharpness": -4.679377,
            "noise": 0.07223935,
            "spatial_slope": -2.624676,
            "temporal_hz": -1.137504,
        },
        rel=1e-5,
    )
