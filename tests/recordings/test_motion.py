"""Motion of the brain: shifts that are too large, and how frames are moved, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from make_recordings import Stack
from mesodecode.recordings.corrections import motion


def test_shifts_that_are_too_large_are_interpolated_in_time():
    shifts = np.array([[4, 4], [3, 4], [0, 5.1], [30, 0], [1, -2], [6, 0], [0, 99]], float)
    assert motion.interpolate_failures(shifts, 5.0) == 5
    expected = [[3, 4], [3, 4], [7 / 3, 2], [5 / 3, 0], [1, -2], [1, -2], [1, -2]]
    np.testing.assert_allclose(shifts, expected)
    lost = np.full((3, 2), 9.0)
    assert motion.interpolate_failures(lost, 5.0) == 3 and not lost.any()


def test_frames_are_moved_by_rows_and_columns_between_pixels():
    frame = np.array([[1, 2, 3], [5, 7, 9]], np.uint16)
    block = np.stack([frame] * 4)
    found = motion.shift_frames(block, np.array([[0, 0], [1, 0], [0, -1], [0.5, 0.25]]))
    assert found.dtype == np.float32
    half = np.array([[1, 2, 3], [3, 4.5, 6]])  # half a row down
    right = np.c_[half[:, 0], 0.25 * half[:, :2] + 0.75 * half[:, 1:]]
    expected = [frame, [[1, 2, 3], [1, 2, 3]], [[2, 3, 3], [7, 9, 9]], right]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(("rows", "columns"), [(2, 0), (0, -3), (-1.5, 2.25), (4, 3)])
def test_an_image_is_registered_but_for_a_twentieth_of_its_shift(rows, columns):
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:40, :48]
    dots = [(rng.uniform(6, 34), rng.uniform(6, 42)) for _ in range(25)]

    def image(dy, dx):
        return sum(np.exp(-((y - a - dy) ** 2 + (x - b - dx) ** 2) / 6) for a, b in dots) * 900

    found = motion.Registration(image(0, 0)).shift(image(rows, columns))
    np.testing.assert_allclose(found, (-rows, -columns), rtol=0.051, atol=0.051)
    bright = 3 * image(rows, columns) + 500 + 10 * x  # another light, unevenly
    found = motion.Registration(image(0, 0)).shift(bright)
    np.testing.assert_allclose(found, (-rows, -columns), rtol=0.051, atol=0.101)


def test_shifts_of_a_movie_are_those_of_its_frames(monkeypatch, capsys):
    rng = np.random.default_rng(2)
    scene = motion.shift_frames(rng.random((1, 40, 44)) * 900, np.array([[0.5, 0.5]]))[0]
    planted = np.array([[0, 0], [1, 0], [-1, 2], [0, -1], [0, 0], [0, -1]])
    frames = np.stack([np.roll(scene, by, (0, 1))[6:-6, 6:-6] for by in planted])
    shifts, n_failed = motion.estimate_shifts(Stack(frames), 2.0)
    assert n_failed == 1  # by 2.24 px
    expected = -planted.astype(float)
    expected[2] = (expected[1] + expected[3]) / 2
    np.testing.assert_allclose(shifts - shifts[0], expected, atol=0.11)
