"""Images of areas and of the brain: grey, whatever a file calls it; colours are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io
import tifffile
from PIL import Image

from make_movies import save_h5
from mesodecode.recordings.readers import image_files
from told import assert_told

TOLD = Path(__file__).with_name("told")
GREY = np.array([[0, 1, 2], [3, 0, 9]], np.uint8)


def test_images_are_their_grey(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def read(name, dataset=None, setting=None):
        return image_files.read_image(name, dataset, setting=setting)

    def png(array, palette=None, hidden=None, mode=None):
        image = Image.fromarray(np.asarray(array, np.uint8), mode)
        if palette is not None:
            image = Image.fromarray(np.asarray(array, np.uint8), "P")
            image.putpalette(palette)
        image.save("a.png", **({} if hidden is None else {"transparency": hidden}))
        return read("a.png")

    def tif(array, **options):
        tifffile.imwrite("a.tif", array, **options)
        return read("a.tif")

    def mat(name="a.mat", dataset=None, setting=None, **arrays):
        scipy.io.savemat(name, arrays) if name == "a.mat" else save_h5(tmp_path / name, **arrays)
        return read(name, dataset, setting)

    def layers(*shown):
        """Return colours that are all grey, with what is shown of each pixel."""
        more = [np.array(shown, np.uint8).reshape(2, 3)] if shown else []
        return np.stack([GREY] * 3 + more, -1)

    coloured = layers().copy()
    coloured[1, 1, 2] = 7
    full, gray = [255] * 6, {"photometric": "minisblack"}
    colours = [0, 0, 0, 255, 0, 0, 0, 255, 0, *[9] * 30]
    whites = [255, 255, 255, 0, 0, 0, 5, 5, 5, *[9] * 30]
    cases = {
        "PNG": lambda: png(GREY),
        "PNG of grey colours": lambda: png(layers()),
        "PNG of colours": lambda: png(coloured),
        "PNG shown in full": lambda: png(layers(*full)),
        "PNG shown in full where it is not black": lambda: png(layers(0, 9, 9, 9, 3, 9)),
        "PNG shown in part": lambda: png(layers(9, 9, 9, 9, 9, 4)),
        "PNG of which some is not shown": lambda: png(layers(9, 9, 0, 9, 9, 9)),
        "PNG of which nothing is shown": lambda: png(layers(9, 0, 0, 0, 9, 0)),
        "PNG of grey with what is shown": lambda: png(
            np.stack([GREY, np.full((2, 3), 255)], -1), mode="LA"
        ),
        "PNG of a palette": lambda: png(GREY % 4, colours),
        "PNG of a palette that begins with white": lambda: png(GREY % 3, whites),
        "PNG of a palette whose white is hidden": lambda: png(GREY % 3, whites, hidden=0),
        "PNG of a palette of colours that begins with white": lambda: png(
            GREY % 3, [255, 255, 255, 255, 0, 0, *[3] * 30]
        ),
        "TIFF": lambda: tif(GREY, **gray),
        "TIFF whose 0 is white": lambda: tif(GREY, photometric="miniswhite"),
        "TIFF of grey colours": lambda: tif(layers(), photometric="rgb", metadata=None),
        "TIFF of colours": lambda: tif(coloured, photometric="rgb", metadata=None),
        "TIFF of three masks": lambda: tif(np.stack([GREY, GREY == 1, GREY == 2]).astype("u1")),
        "TIFF of two images": lambda: tif(np.stack([GREY, 2 * GREY]), **gray),
        "NPY": lambda: [np.save("a.npy", GREY / 2), read("a.npy")],
        "MAT": lambda: mat(areas=GREY),
        "MAT of two": lambda: mat(areas=GREY, more=GREY),
        "MAT of two, by name": lambda: mat(areas=GREY, more=2 * GREY, dataset="more"),
        "MAT by a name that is not there": lambda: mat(
            areas=GREY, dataset="x", setting="roi_dataset"
        ),
        "MAT of a vector and an image": lambda: mat(areas=GREY, names=np.arange(3)),
        "HDF5": lambda: mat("a.h5", areas=GREY, n=np.arange(3)),
        "HDF5 by name": lambda: mat("a.h5", dataset="/g/b/", g__b=GREY, a=2 * GREY),
        "HDF5 of none": lambda: mat("a.h5", n=np.arange(3)),
    }
    assert_told(cases, TOLD / "images.txt", capsys)
