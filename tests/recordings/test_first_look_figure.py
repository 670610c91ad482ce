"""The first look at a session, written as a picture."""

from __future__ import annotations

import numpy as np
from PIL import Image

from mesodecode.recordings import first_look_figure
from mesodecode.recordings.first_look import FirstLook


def test_the_picture_has_200_dots_an_inch(tmp_path):
    seen = FirstLook("s1", 4, (3, 4), np.arange(12.0).reshape(3, 4))
    first_look_figure.write(seen, tmp_path / "s1.png")
    assert [path.name for path in tmp_path.iterdir()] == ["s1.png"]
    with Image.open(tmp_path / "s1.png") as image:
        assert image.format == "PNG"
        width, height = (round(mm / 25.4 * 200) for mm in (160, 60))
        assert np.abs(np.subtract(image.size, (width, height))).max() <= 1
