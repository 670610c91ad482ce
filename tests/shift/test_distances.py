"""The space in which mice are compared: how many components it has, and what is noise in it."""

from __future__ import annotations

import numpy as np
import pytest

from mesodecode.shift import distances


def uncorrelated(n: int, variances) -> np.ndarray:
    """Features (n, F) of mean 0 and these variances that know nothing of each other."""
    rows = np.random.default_rng(0).normal(size=(n, len(variances)))
    rows = np.linalg.qr(rows - rows.mean(0))[0] * np.sqrt(n)
    return rows * np.sqrt(variances)


@pytest.mark.parametrize(
    ("variances", "kept"),
    [
        ([48, 46.5, 5.5], 3),  # of 100: two hold 94.5
        ([48, 47.5, 4.5], 2),
        ([1] * 40, 30),  # 38 would hold 95 %
        ([0, 0], 1),
    ],
)
def test_components_hold_95_percent_and_are_30_at_most(variances, kept):
    space = distances.known(uncorrelated(200, np.array(variances, float)), np.zeros(200))
    assert space.rows.shape == (200, kept) and space.components.shape == (len(variances), kept)


def test_a_direction_in_which_known_mice_hardly_vary_is_noise():
    """Of variances 1 and 1e-4 within states, whose means differ in the second feature alone."""
    one = uncorrelated(200, [1, 1e-4])
    space = distances.known(np.concatenate([one, one + np.array([0, 2])]), np.repeat([0, 1], 200))
    spread = np.std(space.project(one), axis=0)
    np.testing.assert_allclose(np.sort(spread), [np.sqrt(1e-4 / 1e-3), 1], rtol=1e-6)


def test_a_distance_is_to_the_nearer_state_in_sds():
    """Of two states of SD 1 about 0 and 10, one of them twice as often as the other."""
    known = np.repeat([-1.0, 1, 9, 11], [100, 100, 50, 50])[:, None]
    space = distances.known(known, np.repeat([0, 1], [200, 100]))
    for found, expected in ((1, 1), (-2, 2), (12, 2), (4, 4)):
        assert distances.mahalanobis(space, [[found]]) == pytest.approx(expected)
    assert distances.mahalanobis(space, [[1.0], [12]]) == pytest.approx(np.sqrt((1 + 4) / 2))


@pytest.mark.parametrize(("n", "known"), [(19, False), (20, True)])
def test_mice_are_told_apart_by_20_frames_or_more(n, known):
    space = distances.known(uncorrelated(200, [1.0, 1.0]), np.zeros(200))
    assert np.isfinite(distances.two_sample(space, np.full((n, 2), 3.0))) == known


def test_how_far_a_mouse_lies_stays_what_it_was():
    """Of six features of two states, and of a mouse with others, in another place."""
    rng, labels = np.random.default_rng(0), np.arange(300) // 25 % 2
    known = rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6))
    space = distances.known(known + 3 * np.outer(labels, [1, 0, 2, 0, 0, 1]), labels)
    other = rng.normal(size=(90, 6)) @ rng.normal(size=(6, 6)) + [1, 2, 0, 0, 0, 0]
    assert space.components.shape == (6, 5)
    assert distances.mahalanobis(space, other) == pytest.approx(1.269965, rel=1e-6)
    assert distances.neighbours(space, other) == pytest.approx(2.061201, rel=1e-6)
    # with C = 1 .8061, with frames as they are .8105
    assert distances.two_sample(space, other) == pytest.approx(0.8077037, abs=1e-4)
