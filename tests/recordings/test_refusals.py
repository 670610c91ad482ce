"""What readers refuse of single values, arrays and files, in one line that says what is wrong."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import roifile
import scipy.io
import tifffile

from mesodecode.base.files import UserError
from mesodecode.recordings import alignment, harmonise, masks, wfield
from mesodecode.recordings.readers import clocks, image_files, pixels, pose, pulses

ROI = roifile.ImagejRoi.frompoints([[0, 0], [3, 0], [3, 3]]).tobytes()


def landmarks_without_a_place(folder):
    path = folder / "l.tsv"
    path.write_text("session\tlandmark\tx\ty\natlas\tRS\t1\t\n")
    alignment.read_landmarks(path)


def dark_frame(folder):
    tifffile.imwrite(folder / "dark.tif", np.float32([[1, np.nan], [1, 1]]))
    masks.read_dark(folder / "dark.tif", 2, 2, "m.tif")


def brain_mask(folder):
    np.save(folder / "brain.npy", np.ones((3, 2, 2), np.uint8))
    masks.read_brain(folder / "brain.npy", 2, 2, "m.tif")


def selections(folder, *names):
    with zipfile.ZipFile(folder / "RoiSet.zip", "w") as file:
        for name in names:
            file.writestr(name, ROI)
    masks.read_masks(folder / "RoiSet.zip", 8, 8)


def frame_times(folder, suffix, values):
    path = folder / f"times{suffix}"
    if suffix == ".npy":
        np.save(path, values)
    else:
        scipy.io.savemat(path, {"frame_times": values})
    clocks.read_times(path, None, 4, 30.0)


def json_of_wfield(folder):
    (folder / "a.json").write_text('{"landmarks_im": ')
    wfield.read_json(folder / "a.json")


def polygons(folder):
    (folder / "a.json").write_text('{"V1": ')
    masks.read_masks(folder / "a.json", 8, 8)


def points(**table):
    wfield._points({"landmarks_im": table}, "landmarks_im", Path("a.json"))


BLACK = np.stack([np.array([[5, 0], [0, 0]]), np.array([[0, 9], [9, 9]])], -1).astype(np.uint8)
ASKED = SimpleNamespace(image=np.ones((3, 4)), shape=(4, 3), mask="m.npy", axes=None)

REFUSED = {
    "a landmark without a place": (
        landmarks_without_a_place,
        "l.tsv: landmark RS of atlas has no x or y",
    ),
    "areas without ROIs": (
        lambda _: harmonise.own_areas(SimpleNamespace(path="r.h5", rois=None), {}),
        "r.h5: no ROI signals in it, so no areas; give recordings.rois or recordings.roi_masks",
    ),
    "a dark frame with NaN": (dark_frame, "dark.tif: dark_frame with NaN or infinite pixels"),
    "a brain of three images": (
        brain_mask,
        "brain.npy: brain_mask of shape (3, 2, 2) and type uint8; needs height x width numbers",
    ),
    "labels of three axes": (
        lambda _: masks.whole_labels(np.zeros((2, 3, 4), np.uint8), "l.tif"),
        "l.tif: an image of shape (2, 3, 4) and type uint8; a label image is height x width",
    ),
    "labels of words": (
        lambda _: masks.whole_labels(np.array([["a"]]), "l.tif"),
        "l.tif: an image of shape (1, 1) and type <U1; a label image is height x width",
    ),
    "no selection": (lambda f: selections(f, "notes.txt"), "no selection of ImageJ (.roi) in it"),
    "a selection twice": (
        lambda f: selections(f, "a/V1.roi", "notes.txt", "b/V1.roi"),
        "RoiSet.zip: selection V1 is there twice; rename one",
    ),
    "one time stamp": (
        lambda _: clocks.increasing(np.array([1.0]), "t", "t.npy"),
        "t.npy: t has 1 time stamps; needs two or more",
    ),
    "time stamps of two axes": (
        lambda f: frame_times(f, ".npy", np.arange(1.0, 9).reshape(4, 2)),
        "times.npy: has shape (4, 2); needs one time stamp a frame",
    ),
    "time stamps in a struct": (
        lambda f: frame_times(f, ".mat", {"camera": np.arange(4.0)}),
        "times.mat: frame_times is a struct; name a field of it, frame_times/…",
    ),
    "pulses with NaN": (
        lambda _: pulses.onsets(np.array([0, np.nan, 1]), np.arange(3), "ttl", "t.npy"),
        "t.npy: ttl has values that are no numbers; needs a trace of pulses",
    ),
    "a mask of another size": (
        lambda _: pixels.asked_for(ASKED, "X", Path("m.tif")),
        "m.npy: of (3, 4), but movie_shape is (4, 3)",
    ),
    "nothing but black": (
        lambda _: image_files._grey(BLACK, "i.png"),
        "i.png: an image of which nothing but black is shown",
    ),
    "JSON that ends early": (json_of_wfield, "a.json: not JSON (Expecting value"),
    "polygons that end early": (polygons, "a.json: not JSON (Expecting value"),
    "a landmark twice": (
        lambda _: points(x=[1, 2], y=[1, 2], name=["RS", "RS"]),
        "a.json: landmarks_im: each needs a name of its own, x and y",
    ),
    "a landmark that is nowhere": (
        lambda _: points(x=[1, np.inf], y=[1, 2], name=["RS", "OB"]),
        "a.json: landmarks_im: each needs a name of its own, x and y",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_said_in_one_line(tmp_path, case):
    call, words = REFUSED[case]
    with pytest.raises(UserError) as caught:
        call(tmp_path)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_points_of_deeplabcut_that_are_unlikely_or_of_unknown_likelihood_are_lost():
    likelihood = np.array([0.6, 0.59, np.nan, 1])
    found = pose._points(np.arange(4.0), np.arange(4.0) + 5, likelihood)
    np.testing.assert_array_equal(found, [[0, 5], [np.nan] * 2, [np.nan] * 2, [3, 8]])
    found = pose._points(np.arange(2.0), np.arange(2.0), None)  # a file that tells none
    np.testing.assert_array_equal(found, [[0, 0], [1, 1]])
