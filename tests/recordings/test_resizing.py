"""Smaller images are those of Pillow's bilinear filter, whatever their type and size."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mesodecode.recordings import resizing
from mesodecode.recordings.resizing import resize


@pytest.mark.parametrize("dtype", ["u1", "u2", ">i2", "f4", "f8"])
@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(64, 64, 16), (54, 64, 13), (9, 7, 20), (16, 16, 16), (1, 40, 8), (31, 17, 1)],
)
def test_images_are_as_of_pillow(height, width, size, dtype, monkeypatch):
    high = 60000 if dtype == "u2" else 250
    frames = np.random.default_rng(0).integers(0, high, (7, height, width)).astype(dtype)
    bilinear = Image.Resampling.BILINEAR
    expected = [
        np.asarray(Image.fromarray(frame.astype(np.float32)).resize((size, size), bilinear))
        for frame in frames
    ]
    got = resize(frames, size)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert resize(frames[:0], size).shape == (0, size, size)
    monkeypatch.setattr(resizing, "PIXELS", 3 * height * width)  # 3 frames at once, then 1
    np.testing.assert_array_equal(resize(frames, size), got)


def test_images_of_whole_numbers_at_a_quarter_are_exact():
    """Weights, but for the edges, are multiples of 1/32: no rounding, and ties go as in Pillow."""
    frames = np.random.default_rng(0).integers(0, 4096, (40, 64, 64)).astype(np.uint16)
    filter_ = Image.Resampling.BILINEAR
    images = [Image.fromarray(frame.astype(np.float32)) for frame in frames]
    expected = np.stack([np.asarray(image.resize((16, 16), filter_)) for image in images])
    inside = np.s_[:, 1:-1, 1:-1]
    np.testing.assert_array_equal(resize(frames, 16)[inside], expected[inside])
