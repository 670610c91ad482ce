"""What a reference channel explains of the signal, by numpy's own regression of each pixel."""

from __future__ import annotations

import numpy as np

from make_recordings import Stack
from mesodecode.recordings.corrections import hemodynamics

RNG = np.random.default_rng(4)
X = 300 + 40 * RNG.random((30, 2, 3))  # far from 0: the means count
Y = 900 - 2 * X + 50 * RNG.random((30, 2, 3)) + np.arange(6).reshape(2, 3)


def test_each_pixel_is_regressed_on_its_reference():
    found = hemodynamics.fit(Stack(Y), Stack(X))
    for pixel in np.ndindex(2, 3):
        x, y = X[:, *pixel], Y[:, *pixel]
        np.testing.assert_allclose(found.slope[pixel], np.polyfit(x, y, 1)[0], rtol=1e-9)
        np.testing.assert_allclose(found.r2[pixel], np.corrcoef(x, y)[0, 1] ** 2, rtol=1e-9)
        np.testing.assert_allclose(found.reference_mean[pixel], x.mean(), rtol=1e-12)
        assert 0.4 < found.r2[pixel] < 0.99


def test_pixels_that_do_not_vary_explain_nothing_and_stay():
    x, y = X - 300, Y - 900
    x[:, 0, 0], y[:, 0, 1], x[:, 0, 2], y[:, 1, 0] = 5.0, 7.0, 0.0, 0.0
    found = hemodynamics.fit(Stack(y), Stack(x))
    assert (found.slope == 0).tolist() == [[True, True, True], [True, False, False]]
    assert (found.r2 == 0).tolist() == [[True, True, True], [True, False, False]]
    movie = hemodynamics.Corrected(Stack(y), Stack(x), found)
    made = np.concatenate([block for _, block in movie.blocks(7)])
    assert made.dtype == np.float32
    np.testing.assert_allclose(made[:, 0], y[:, 0], rtol=1e-6)
    slope = np.polyfit(x[:, 1, 2], y[:, 1, 2], 1)[0]
    expected = y[:, 1, 2] - slope * (x[:, 1, 2] - x[:, 1, 2].mean())
    np.testing.assert_allclose(made[:, 1, 2], expected, rtol=1e-6)


def test_a_ratio_of_both_is_taken_and_no_reflectance_divides_by_nothing():
    signal = np.array([0.1, 0.0, -0.2, 0.1, 0.1])
    reference = np.array([0.1, 0.25, 0.0, -0.94, -0.98])
    expected = [0.0, -0.2, -0.2, 1.1 / 0.06 - 1, 1.1 / 0.05 - 1]
    np.testing.assert_allclose(hemodynamics.ratio(signal, reference), expected, atol=1e-12)
    movie = hemodynamics.Corrected(*(Stack(x[:, None, None]) for x in (signal, reference)), None)
    ((start, made),) = movie.blocks(9)
    assert start == 0 and made.dtype == np.float32
    np.testing.assert_allclose(made[:, 0, 0], expected, atol=1e-6)
