"""Hidden pixels from their neighbours: by hand, against slow relaxation, and on a plane."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mesodecode.explain.imputation import imputation


def filled(image: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    of = imputation(hidden)
    done = image.astype(float).ravel().copy()
    done[of.hidden] = of.values(done[of.around][:, None])[:, 0]
    return done.reshape(image.shape)


def relaxed(image: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """One pixel after another the mean of its neighbours, until nothing moves."""
    done = np.where(hidden, 0.0, image)
    height, width = image.shape
    for _ in range(3000):
        before = done.copy()
        for y, x in np.argwhere(hidden):
            total = weights = 0.0
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    if (dy or dx) and 0 <= y + dy < height and 0 <= x + dx < width:
                        weight = 1 / 12 if dy and dx else 1 / 6
                        total += weight * done[y + dy, x + dx]
                        weights += weight
            done[y, x] = total / weights
        if np.abs(done - before).max() < 1e-12:
            break
    return done


def test_one_pixel_by_hand():
    image = np.array([[1, 2, 3], [4, 99, 6], [7, 8, 9.0]])
    centre = np.zeros((3, 3), bool)
    centre[1, 1] = True
    # straight 2 + 4 + 6 + 8, diagonal 1 + 3 + 7 + 9
    assert filled(image, centre)[1, 1] == pytest.approx(20 / 6 + 20 / 12)
    corner = np.zeros((3, 3), bool)
    corner[0, 0] = True
    assert filled(image, corner)[0, 0] == pytest.approx((2 * 2 + 2 * 4 + 99) / 5)


@given(height=st.integers(1, 6), width=st.integers(2, 6), seed=st.integers(0, 2**16))
@hypothesis_settings(max_examples=25, deadline=None)
def test_any_area_is_that_of_slow_relaxation(height, width, seed):
    rng = np.random.default_rng(seed)
    image, hidden = rng.standard_normal((height, width)), rng.random((height, width)) < 0.5
    hidden[0, :2] = True, False
    np.testing.assert_allclose(filled(image, hidden), relaxed(image, hidden), atol=1e-8)


def test_a_plane_is_continued_and_what_was_hidden_does_not_show():
    y, x = np.mgrid[:12, :16]
    plane, hidden = 3 * x - 2 * y + 1.0, np.zeros((12, 16), bool)
    hidden[3:9, 4:11] = True
    rng = np.random.default_rng(0)
    spoilt = np.where(hidden, rng.standard_normal(hidden.shape), plane)
    np.testing.assert_allclose(filled(spoilt, hidden), plane, atol=1e-9)
    ring = imputation(hidden).around
    assert len(ring) == 8 * 9 - 6 * 7 and not hidden.ravel()[ring].any()
