"""Movies of several files, folders and datasets: which belong together, and in which order."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from make_movies import GRAY, save_h5
from mesodecode.recordings import readers
from mesodecode.recordings.axes import Asked
from mesodecode.recordings.readers import hdf5, npy
from told import assert_told

TOLD = Path(__file__).with_name("told")
SHAPE = (2, 2, 3)


def test_files_and_datasets_of_one_movie(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def stack(name, value, n=2, dtype=np.uint16):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        frames = (value + np.arange(n))[:, None, None] + np.zeros((n, 2, 3))
        tifffile.imwrite(name, frames.astype(dtype), **GRAY)
        return name

    for i, name in enumerate(
        (
            "a_1",
            "a_2",
            "a_10",
            "blue",
            "violet",
            "other",
            "b_blue_1",
            "b_violet_1",
            "b_blue_2",
            "b_violet_2",
        )
    ):
        stack(f"{name}.tif", 10 * i)
    stack("parts/x_1.tif", 1), stack("parts/x_3.tif", 3), stack("parts/x_4.tif", 4)
    stack("parts/x_5.tif", 5), stack("parts/.hidden.tif", 9), stack("parts/notes.tif", 8)
    stack("w1/x_1.tif", 1), stack("w2/x_1.tif", 5), stack("short.tif", 3, 1)
    tifffile.imwrite(
        "two.tif",
        np.arange(24, dtype=np.uint16).reshape(2, 2, 2, 3),
        imagej=True,
        metadata={"axes": "TCYX"},
    )
    Path("trials").mkdir(), Path("trials/notes.txt").touch()
    for number in (2, 10):  # of WidefieldImager
        np.full(number * 6, number, "u2").tofile(f"trials/Frames_1_3_2_uint16_{number}.dat")
    Path("empty").mkdir(), Path("link.tif").symlink_to("a_1.tif")
    frames = np.arange(12.0).reshape(SHAPE)
    save_h5(
        tmp_path / "d.h5",
        blue=frames,
        violet=frames + 50,
        U=np.ones((2, 3, 4)),
        SVT=np.ones((4, 5)),
        wide=np.ones((4, 9)),
        tall=np.ones((4, 7)),
    )
    np.save("U.npy", np.ones((2, 3, 4))), np.save("SVT.npy", np.arange(20.0).reshape(4, 5))
    np.save("x.npy", frames)

    def told(path, channels=1, **options):
        with readers.open_movie(path, channels=channels, **options) as movie:
            found = np.concatenate([block for _, block in movie.blocks(3)])
            assert found.shape == movie.shape
            trials = [] if movie.segment is None else [f"trials {movie.segment.tolist()}"]
            named = [f"names {list(movie.names)}", *trials]
            return [[f"{value:g}" for value in found[:, 0, 0]], *named]

    two = {"channels": 2}
    cases = {
        "a file": lambda: told("a_1.tif"),
        "a pattern": lambda: told("a_*.tif"),
        "a pattern of two that are no series": lambda: told("[os]*r*.tif"),
        "a list": lambda: told(["a_2.tif", "a_1.tif"]),
        "a file twice": lambda: told(["a_2.tif", "a_2.tif"]),
        "a file and a link to it": lambda: told(["a_1.tif", "link.tif"]),
        "a folder": lambda: told("parts"),
        "a folder of trials": lambda: told("trials"),
        "a trial": lambda: told("trials/Frames_1_3_2_uint16_2.dat"),
        "an empty folder": lambda: told("empty"),
        "of another type": lambda: told(["a_1.tif", stack("u1.tif", 1, dtype=np.uint8)]),
        "wavelengths by name": lambda: told(["blue.tif", "violet.tif"], **two),
        "wavelengths by name, the other way": lambda: told(["violet.tif", "blue.tif"], **two),
        "wavelengths by name, of parts": lambda: told("b_*.tif", **two),
        "wavelengths by name, of one channel": lambda: told(["blue.tif", "violet.tif"]),
        "wavelengths by name, in turn": lambda: told(
            ["blue.tif", "violet.tif"], **two, wavelengths="in_turn"
        ),
        "wavelengths by name, in turn of one": lambda: told(
            ["blue.tif", "violet.tif"], wavelengths="in_turn"
        ),
        "wavelengths by folder": lambda: told(["w1", "w2"], **two, wavelengths="separate"),
        "wavelengths by file": lambda: told(
            ["a_1.tif", "other.tif"], **two, wavelengths="separate"
        ),
        "wavelengths by file, one more": lambda: told(
            ["a_1.tif", "a_2.tif", "other.tif"], **two, wavelengths="separate"
        ),
        "wavelengths that names do not tell": lambda: told(["a_1.tif", "other.tif"], **two),
        "wavelengths of other lengths": lambda: told(
            ["a_1.tif", "short.tif"], **two, wavelengths="separate"
        ),
        "three wavelengths": lambda: told(["blue.tif", "violet.tif"], 3),
        "a stack of channels": lambda: told("two.tif", **two),
        "a stack of channels, of one": lambda: told("two.tif"),
        "a stack of channels, of any": lambda: told("two.tif", None),
        "a dataset": lambda: told("d.h5", dataset="violet"),
        "no dataset": lambda: told("d.h5"),
        "datasets a wavelength": lambda: told("d.h5", **two, dataset=["violet", "blue"]),
        "datasets in turn": lambda: told("d.h5", dataset=["violet", "blue"], wavelengths="in_turn"),
        "datasets of one channel": lambda: told("d.h5", dataset=["violet", "blue"]),
        "datasets a wavelength, of two files": lambda: told(
            ["d.h5", shutil.copy("d.h5", "e.h5")], **two, dataset=["violet", "blue"]
        ),
        "datasets of one channel, of two files": lambda: told(
            ["d.h5", "e.h5"], dataset=["violet", "blue"]
        ),
        "a dataset of two files": lambda: told(["d.h5", "e.h5"], dataset="blue"),
        "a dataset of two files, in which channels take turns": lambda: told(
            ["d.h5", "e.h5"], **two, dataset="blue"
        ),
        "a dataset of a file a wavelength": lambda: told(
            ["d.h5", "e.h5"], **two, dataset="blue", wavelengths="separate"
        ),
        "a stack of channels a wavelength": lambda: told(
            ["two.tif", "blue.tif"], **two, wavelengths="separate"
        ),
        "stacks of channels, by their names": lambda: told(
            [shutil.copy("two.tif", "two_blue.tif"), shutil.copy("two.tif", "two_violet.tif")], 2
        ),
        "a stack of channels that are said to be apart": lambda: told(
            "two.tif", **two, wavelengths="separate"
        ),
        "components": lambda: told("d.h5", dataset=["U", "SVT"]),
        "components of files": lambda: told(["U.npy", "SVT.npy"]),
        "components of files, exchanged": lambda: told(["SVT.npy", "U.npy"]),
        "a dataset of a TIFF file": lambda: told("a_1.tif", dataset="x"),
        "a size of a TIFF file": lambda: told("a_1.tif", shape=(2, 3), dtype="uint16"),
        "axes of an array": lambda: told("x.npy", axes="YXT"),
        "no known format": lambda: [Path("x.docx").write_bytes(b"x"), told("x.docx")],
        "a TIFF file without a suffix": lambda: [Path("a_1.tif").rename("a_1"), told("a_1")],
    }
    assert_told(cases, TOLD / "open_movie.txt", capsys)


def test_components_are_told_from_wavelengths_by_their_shapes(tmp_path):
    for u, svt, are in (
        ((2, 3, 4), (4, 5), True),
        ((6, 4), (4, 9), True),
        ((6, 9), (6, 7), False),  # two wavelengths of pixels x frames
        ((6, 9), (7, 9), False),
        ((6, 9), (9, 6), True),
        ((9, 2, 3), (9, 2, 3), False),
        ((2, 3, 4), (4, 5, 6), True),  # of trials
        ((2, 3, 4), (4, 3, 4), False),
        ((4, 3, 4), (4, 3, 6), False),
        ((2, 3, 4), (5, 5, 6), False),
    ):
        path = tmp_path / "d.h5"
        save_h5(path, a=np.ones(u), b=np.ones(svt))
        assert readers._are_components(path, ["a", "b"]) == are, (u, svt)
        assert readers._are_components(path, ["/a", "b/"]) == are
        assert not readers._are_components(path, ["a", "x"])
        assert not readers._are_components(path, ["a", "b", "b"])


def test_arrays_of_pixels_and_frames_are_of_two_axes():
    shapes = {"mean": (16,), "movie": (100, 16), "other": (100, 15), "stack": (16, 4, 4)}
    assert hdf5.choose(shapes, None, "x.h5", "movie_dataset", 16) == "movie"
    assert hdf5.choose(shapes, None, "x.h5", "movie_dataset") == "stack"
    assert hdf5.listed(shapes | {"a": ()}).startswith("a, mean 16, movie 100 x 16, other")
    assert hdf5.choose(shapes, "/mean/", "x.h5", "movie_dataset", 16) == "mean"


@pytest.mark.parametrize(("shape", "are"), [((4,), False), ((4, 9), True), ((4, 3, 3), False)])
def test_a_second_npy_file_of_two_axes_may_be_svt(tmp_path, shape, are):
    np.save(tmp_path / "u.npy", np.ones((2, 3, 4)))
    np.save(tmp_path / "svt.npy", np.ones(shape))
    with npy.open_components([tmp_path / "u.npy", tmp_path / "svt.npy"], Asked()) as movie:
        assert (movie is not None) == are
