"""ROI signals from a movie by label images, polygons and circles."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import tifffile
from PIL import Image

import told
from mesodecode.base.files import UserError
from mesodecode.cli import main
from mesodecode.recordings import preprocess as stage
from mesodecode.recordings.masks import (
    Masks,
    _check_inside,
    read_brain,
    read_dark,
    read_masks,
    tiles,
)
from mesodecode.recordings.readers.imagej import outlines
from mesodecode.recordings.recording import read_recording
from mesodecode.simulation import simulate
from mesodecode.study import schema
from told import assert_told

H, W = 6, 9  # higher than wide is noticed if the axes are mixed up
LABELS = np.zeros((H, W), np.uint8)
LABELS[1:3, 2:5], LABELS[4, 7], LABELS[5, 0:2] = 7, 2, 3
RNG = np.random.default_rng(5)


def refusal(path, height=H, width=W):
    message = told.refusal(read_masks, path, height, width)
    assert message.startswith(f"{path}: ")
    return message


def write_image(path, labels):
    if path.suffix == ".npy":
        np.save(path, labels)
    elif path.suffix == ".png":
        Image.fromarray(labels).save(path)
    else:
        tifffile.imwrite(path, labels)
    return path


@pytest.mark.parametrize("suffix", ["tif", "tiff", "npy", "png"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_label_images(tmp_path, suffix, dtype):
    masks = read_masks(write_image(tmp_path / f"m.{suffix}", LABELS.astype(dtype)), H, W)
    assert masks.names == ("2", "3", "7")  # in the order of their numbers
    for name, pixels in zip(masks.names, masks.pixels, strict=True):
        np.testing.assert_array_equal(pixels, np.flatnonzero(int(name) == LABELS))


@pytest.mark.parametrize("suffix", ["tif", "npy"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("outside", [0, np.nan])
def test_labels_of_real_numbers_are_whole_and_nan_outside(tmp_path, suffix, dtype, outside):
    labels = np.where(LABELS, LABELS, outside).astype(dtype)
    masks = read_masks(write_image(tmp_path / f"m.{suffix}", labels), H, W)
    assert masks.names == ("2", "3", "7")
    for name, pixels in zip(masks.names, masks.pixels, strict=True):
        np.testing.assert_array_equal(pixels, np.flatnonzero(int(name) == LABELS))


def png(path, image, **options):
    image.save(path, **options)
    return path


def palette(first, colours=((200, 0, 0), (0, 200, 0))):
    """Labels in place of LABELS' 2, 3 and 7, shown in colours; `first` is that of place 0."""
    image = Image.fromarray(LABELS).convert("P")
    image.putdata(LABELS.ravel().tolist())
    image.putpalette([*first, *(value for colour in colours for value in colour), *[9] * 30])
    return image


def grey_rgba(values=LABELS, shown=255):
    return Image.fromarray(np.dstack([values] * 3 + [np.full_like(values, 1) * shown]))


WAYS = {
    "a palette": (palette((0, 0, 0)), {}),
    "a palette, transparent outside": (palette((255, 255, 255)), {"transparency": 0}),
    "RGB": (Image.fromarray(np.dstack([LABELS] * 3)), {}),
    "RGBA": (grey_rgba(), {}),
    "RGBA, transparent outside": (grey_rgba(shown=np.where(LABELS, 255, 0).astype(np.uint8)), {}),
    "grey and alpha": (Image.fromarray(np.dstack([LABELS, np.full_like(LABELS, 255)])), {}),
}


@pytest.mark.parametrize(("image", "options"), WAYS.values(), ids=WAYS)
def test_labels_are_those_of_the_image_however_a_png_holds_them(tmp_path, image, options):
    masks = read_masks(png(tmp_path / "m.png", image, **options), H, W)
    assert masks.names == ("2", "3", "7")
    for name, pixels in zip(masks.names, masks.pixels, strict=True):
        np.testing.assert_array_equal(pixels, np.flatnonzero(int(name) == LABELS))


def test_a_mask_of_one_bit_and_one_of_a_palette_that_begins_with_white(tmp_path):
    """Programs that reduce colours number them as they come: here white is 0."""
    brain = LABELS == 7
    for image in (Image.fromarray(brain), Image.fromarray((brain * 255).astype(np.uint8))):
        masks = read_masks(png(tmp_path / "m.png", image), H, W)
        np.testing.assert_array_equal(masks.pixels[0], np.flatnonzero(brain))
    image = Image.new("P", (W, H))
    image.putdata((~brain).astype(int).ravel().tolist())
    image.putpalette([255, 255, 255, 0, 0, 0])
    (pixels,) = read_masks(png(tmp_path / "m.png", image), H, W).pixels
    np.testing.assert_array_equal(pixels, np.flatnonzero(brain))


COLOURED = np.zeros((H, W, 3), np.uint8)
COLOURED[LABELS == 7] = 200, 0, 0
COLOURED[LABELS == 3] = 0, 200, 0


def test_images_of_colours_are_no_labels_and_no_stacks_of_masks(tmp_path):
    half = grey_rgba(shown=np.where(LABELS == 7, 128, 255).astype(np.uint8))
    hidden = grey_rgba(np.full_like(LABELS, 0), np.where(LABELS == 7, 255, 0).astype(np.uint8))
    for image in (Image.fromarray(COLOURED), palette((255, 255, 255)), half):
        message = refusal(png(tmp_path / "m.png", image))
        assert "an image of colours; save it as numbers of one channel" in message
    assert "no ROI" in refusal(png(tmp_path / "m.png", hidden))
    tifffile.imwrite(tmp_path / "c.tif", COLOURED, photometric="rgb", metadata=None)
    assert "an image of colours" in refusal(tmp_path / "c.tif")


def test_tiff_images_of_grey_colours_are_their_grey_and_white_is_not_0(tmp_path):
    grey = np.dstack([LABELS] * 3)
    for planar in ("contig", "separate"):
        image = grey if planar == "contig" else np.moveaxis(grey, -1, 0)
        tifffile.imwrite(tmp_path / "g.tif", image, photometric="rgb", planarconfig=planar)
        assert read_masks(tmp_path / "g.tif", H, W).names == ("2", "3", "7")
    tifffile.imwrite(tmp_path / "w.tif", LABELS, photometric="miniswhite")
    assert "an image whose 0 is white, not black" in refusal(tmp_path / "w.tif")


def test_three_masks_that_tifffile_took_for_colours_are_three(tmp_path):
    masks = np.stack([n == LABELS for n in (2, 3, 7)]).astype(np.uint8)
    for stack in (masks, np.moveaxis(masks, 0, -1)):
        tifffile.imwrite(tmp_path / "m.tif", stack)
        found = read_masks(tmp_path / "m.tif", H, W)
        for pixels, mask in zip(found.pixels, masks, strict=True):
            np.testing.assert_array_equal(pixels, np.flatnonzero(mask))


SIGNED = np.zeros((H, W), np.int16)
SIGNED[1:3, 1:3], SIGNED[1:3, 6:8] = 12, -12
SIGNED[4, 0:3], SIGNED[4, 6:9] = 3, -3
SIGNED[0, 4] = -5  # an area of which the picture shows one side only


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_the_sign_of_labels_tells_hemispheres(tmp_path, dtype):
    """As in wfield's atlas: float, NaN outside, the right hemisphere negative."""
    labels = SIGNED.astype(dtype)
    if dtype == "float32":
        labels[labels == 0] = np.nan
    masks = read_masks(write_image(tmp_path / "m.npy", labels), H, W)
    assert masks.names == ("3 left", "12 left", "3 right", "5 right", "12 right")
    for number, pixels in zip((3, 12, -3, -5, -12), masks.pixels, strict=True):
        np.testing.assert_array_equal(pixels, np.flatnonzero(number == SIGNED))


def test_a_sign_that_goes_against_the_image_names_no_side(tmp_path):
    masks = read_masks(write_image(tmp_path / "m.npy", -SIGNED), H, W)
    assert masks.names == ("3", "5", "12", "-3", "-12")
    for name, pixels in zip(masks.names, masks.pixels, strict=True):
        np.testing.assert_array_equal(pixels, np.flatnonzero(int(name) == -SIGNED))


BACKGROUND = {
    "-1 outside": np.where(LABELS, LABELS.astype(int), -1),
    "-1 outside, one area": np.where(LABELS == 7, 1, -1),
    "-1 alone": np.where(LABELS == 7, -1, 0),
}


@pytest.mark.parametrize("name", BACKGROUND)
def test_one_negative_number_may_be_what_is_outside(tmp_path, name):
    path = write_image(tmp_path / "m.npy", BACKGROUND[name].astype(int))
    assert "labels of one negative number, -1: if it is outside, make it 0" in refusal(path)


def test_one_area_of_two_hemispheres(tmp_path):
    one = np.zeros((H, W), int)
    one[2, 1], one[2, 7] = 4, -4
    assert read_masks(write_image(tmp_path / "m.npy", one), H, W).names == ("4 left", "4 right")


@pytest.mark.parametrize("last", [False, True], ids=["R, H, W", "H, W, R"])
@pytest.mark.parametrize("value", [True, 1, 255, 1.0])
def test_a_stack_of_masks(tmp_path, value, last):
    stack = np.stack([number == LABELS for number in (7, 2, 3)]) * np.array(value)
    stack[1, 2, 2] = value  # masks may overlap
    path = write_image(tmp_path / "m.npy", np.moveaxis(stack, 0, -1) if last else stack)
    masks = read_masks(path, H, W)
    assert masks.names == ("1", "2", "3")
    for mask, pixels in zip(stack, masks.pixels, strict=True):
        np.testing.assert_array_equal(pixels, np.flatnonzero(mask))


def test_means_are_those_of_the_pixels(tmp_path):
    frames = RNG.integers(60_000, 65_535, (4, H, W), dtype=np.uint16)
    masks = read_masks(write_image(tmp_path / "m.npy", LABELS), H, W)
    expected = np.stack([frames[:, n == LABELS].mean(1) for n in (2, 3, 7)], axis=1)
    found = masks.means(frames)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32


def test_polygons_hold_the_pixels_whose_centres_are_inside(tmp_path):
    polygons = {
        "square": [[1.5, 0.5], [4.5, 0.5], [4.5, 2.5], [1.5, 2.5]],  # x 2-4, y 1-2
        "triangle": [[-0.4, -0.4], [3.2, -0.4], [-0.4, 3.2]],  # x + y < 2.8
        "hook": [[5.5, 0.5], [8.4, 0.5], [8.4, 4.4], [6.6, 4.4], [6.6, 1.6], [5.5, 1.6]],
    }
    path = tmp_path / "m.json"
    path.write_text(json.dumps(polygons))
    masks = read_masks(path, H, W)
    assert masks.names == tuple(polygons)
    inside = [{divmod(int(p), W)[::-1] for p in pixels} for pixels in masks.pixels]  # (x, y)
    assert inside[0] == {(x, y) for x in (2, 3, 4) for y in (1, 2)}
    assert inside[1] == {(x, y) for x in range(3) for y in range(3 - x)}
    assert inside[2] == {(6, 1), (7, 1), (8, 1), *((x, y) for x in (7, 8) for y in (2, 3, 4))}


def imagej(kind, *corners, **fields):
    """A selection of ImageJ; its corners are those of pixels, of which the first is 0 to 1."""
    import roifile

    if kind in ("RECT", "OVAL"):
        box = dict(zip(("left", "top", "right", "bottom"), corners, strict=True))
        return roifile.ImagejRoi(roitype=roifile.ROI_TYPE[kind], **box, **fields)
    roi = roifile.ImagejRoi.frompoints(np.array(corners))
    roi.roitype = roifile.ROI_TYPE[kind]
    return roi


def save_zip(path, **selections):
    with zipfile.ZipFile(path, "w") as file:
        for name, roi in selections.items():
            file.writestr(f"{name}.roi", roi.tobytes())
    return path


def test_selections_of_imagej_hold_the_pixels_that_imagej_shows(tmp_path):
    """Of corners at 2 and 5, the pixels 2, 3 and 4; an oval by the centres of pixels.

    Drawn while zoomed in, a rectangle keeps parts of a pixel.
    """
    from roifile import ROI_OPTIONS

    box, fine = [(2, 1), (5, 1), (5, 3), (2, 3)], ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    ring = imagej("RECT", 0, 0, 5, 5)
    path = []
    for low, high in ((0, 5), (1, 4)):
        path += [0, low, low, 1, high, low, 1, high, high, 1, low, high, 4]
    ring.multi_coordinates = np.array(path, np.float32)
    ring.shape_roi_size = len(path)
    path = save_zip(
        tmp_path / "RoiSet.zip",
        polygon=imagej("POLYGON", *box),
        freehand=imagej("FREEHAND", *box),
        fine=imagej("POLYGON", (2.6, 1.0), (5.0, 1.0), (5.0, 3.0), (2.6, 3.0)),
        rectangle=imagej("RECT", 2, 1, 5, 3),
        zoomed=imagej("RECT", 2, 1, 5, 3, options=fine, xd=2.6, yd=1, widthd=2.4, heightd=2),
        oval=imagej("OVAL", 3, 1, 7, 5),
        ring=ring,
    )
    shape = np.zeros((7, H, W), int)
    shape[[0, 1, 3], 1:3, 2:5] = shape[[2, 4], 1:3, 3:5] = 1
    shape[5, 1:5, 4:6] = shape[5, 2:4, 3:7] = 1
    shape[6, :5, :5] = 1
    shape[6, 1:4, 1:4] = 0
    masks = read_masks(path, H, W)
    assert masks.names == ("polygon", "freehand", "fine", "rectangle", "zoomed", "oval", "ring")
    for name, pixels, expected in zip(masks.names, masks.pixels, shape, strict=True):
        assert pixels.tolist() == np.flatnonzero(expected).tolist(), name
    (tmp_path / "V1.roi").write_bytes(imagej("RECT", 2, 1, 5, 3).tobytes())
    assert read_masks(tmp_path / "V1.roi", H, W).names == ("V1",)
    with zipfile.ZipFile(tmp_path / "SET.ZIP", "w") as file:
        file.writestr("sub/M2.ROI", imagej("POLYGON", (2.0, 1.0), (5.5, 1.0), (2.0, 4.5)).tobytes())
        file.writestr("notes.txt", "drawn by hand")
    masks = read_masks(tmp_path / "SET.ZIP", H, W)
    corner = [W + 2, W + 3, W + 4, 2 * W + 2, 2 * W + 3, 3 * W + 2]  # centres below the line
    assert masks.names == ("M2",) and masks.pixels[0].tolist() == corner


def test_an_oval_of_imagej_is_outlined_by_corners_at_even_angles(tmp_path):
    (tmp_path / "V1.roi").write_bytes(imagej("OVAL", 2, 1, 10, 5).tobytes())
    ((name, (corners,)),) = outlines(tmp_path / "V1.roi")
    assert name == "V1"
    x, y = (corners - (5.5, 2.5)).T / [[4], [2]]  # centres of pixels are whole numbers
    np.testing.assert_allclose(np.hypot(x, y), 1)
    angle = np.unwrap(np.arctan2(y, x))
    np.testing.assert_allclose(np.diff(angle, append=angle[0] + 2 * np.pi), 2 * np.pi / len(x))


def test_what_is_drawn_on_imagej_while_zoomed_in_keeps_parts_of_a_pixel(tmp_path):
    """Corners at x = 2.6 and 6.2, y = 1.25 and 3, where the centre of the first pixel is at 0.5."""
    from roifile import ROI_OPTIONS

    fine = {"xd": 2.6, "yd": 1.25, "widthd": 3.6, "heightd": 1.75}
    fine["options"] = ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    (tmp_path / "a.roi").write_bytes(imagej("RECT", 2, 1, 7, 4, **fine).tobytes())
    ((_, (corners,)),) = outlines(tmp_path / "a.roi")
    expected = [(2.1, 0.75), (5.7, 0.75), (5.7, 2.5), (2.1, 2.5)]
    np.testing.assert_allclose(corners, expected, atol=1e-5)
    (tmp_path / "a.roi").write_bytes(imagej("OVAL", 2, 1, 7, 4, **fine).tobytes())
    ((_, (corners,)),) = outlines(tmp_path / "a.roi")
    np.testing.assert_allclose(corners.min(axis=0), expected[0], atol=1e-5)
    np.testing.assert_allclose(corners.max(axis=0), expected[2], atol=1e-5)


@pytest.mark.parametrize(
    ("roi", "words"),
    [
        (("LINE", (0, 0), (3, 3)), "selection a is a line, no area; leave it out"),
        (("POINT", (1, 1)), "selection a is a point, no area"),
        (("RECT", 7, 1, W + 1, 3), "ROI a reaches to x = 9.5, y = 2.5, outside the movie of 9 x 6"),
        (("POLYGON", (0, 0), (2, 2)), "selection a has no outline"),
    ],
)
def test_selections_of_imagej_that_are_no_areas_of_the_movie(tmp_path, roi, words):
    import roifile

    assert words in refusal(save_zip(tmp_path / "r.zip", a=imagej(*roi)))
    for kind in (1, 2, 4):  # words, an arrow, an image
        drawn = imagej("RECT", 0, 0, 3, 3, subtype=roifile.ROI_SUBTYPE(kind))
        assert "selection a is a rect, no area" in refusal(save_zip(tmp_path / "r.zip", a=drawn))
    rounded = imagej("RECT", 0, 0, 3, 3, rounded_rect_arc_size=2)
    assert "round corners" in refusal(save_zip(tmp_path / "r.zip", a=rounded))


def test_a_selection_too_large_to_be_one_is_not_passed_over(tmp_path, monkeypatch):
    path = save_zip(tmp_path / "r.zip", a=imagej("RECT", 2, 1, 5, 3))
    with zipfile.ZipFile(path) as file:
        size = file.getinfo("a.roi").file_size
    monkeypatch.setattr("mesodecode.recordings.readers.imagej.MOST", size)
    assert read_masks(path, H, W).names == ("a",)
    monkeypatch.setattr("mesodecode.recordings.readers.imagej.MOST", size - 1)
    assert refusal(path) == f"{path}: a.roi of {size} bytes is no selection"


def save_arrays(path, **arrays):
    if path.suffix == ".mat":
        scipy.io.savemat(path, arrays)
        return path
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values
    return path


@pytest.mark.parametrize("suffix", ["mat", "h5"])
def test_label_images_and_stacks_in_files_of_several_arrays(tmp_path, suffix):
    path, scale = tmp_path / f"m.{suffix}", {"mm_per_px": 0.02}
    for image in (LABELS, np.where(LABELS, LABELS.astype(float), np.nan)):
        masks = read_masks(save_arrays(path, areas=image, **scale), H, W)
        assert masks.names == ("2", "3", "7")
        assert masks.pixels[2].tolist() == np.flatnonzero(LABELS == 7).tolist()
    stack = np.stack([LABELS == 2, LABELS == 3], axis=-1)
    path = save_arrays(tmp_path / f"m.{suffix}", areas=LABELS, stack=stack.astype(float), **scale)
    assert "2 arrays that could be the image" in refusal(path)
    assert "areas 6 x 9" in refusal(path) and "name one in roi_dataset" in refusal(path)
    assert read_masks(path, H, W, "stack").names == ("1", "2")
    with pytest.raises(UserError, match="no 'none' in it; it holds: areas"):
        read_masks(path, H, W, "none")


def test_masks_of_a_stack_may_be_of_a_number_each_and_nan_outside(tmp_path):
    stack = np.where([n == LABELS for n in (2, 3, 7)], np.reshape([2, 3, 7], (3, 1, 1)), np.nan)
    np.save(tmp_path / "m.npy", stack)
    masks = read_masks(tmp_path / "m.npy", H, W)
    assert masks.names == ("1", "2", "3")
    assert masks.pixels[1].tolist() == np.flatnonzero(LABELS == 3).tolist()


def write_circles(path, rows):
    columns = ["name", "hemisphere", "x", "y", "radius"]
    separator = "\t" if path.suffix == ".tsv" else ","
    pd.DataFrame(rows, columns=columns).to_csv(path, sep=separator, index=False)
    return path


@pytest.mark.parametrize("suffix", ["tsv", "csv"])
def test_circles(tmp_path, suffix):
    rows = [("M2", "left", 2, 3, 1), ("M2", "right", 6, 2, 1.5), (1, "", 8, 5, 0.2)]
    masks = read_masks(write_circles(tmp_path / f"m.{suffix}", rows), H, W)
    assert masks.names == ("M2 left", "M2 right", "1")
    plus = {(2, 3), (1, 3), (3, 3), (2, 2), (2, 4)}
    assert {divmod(int(p), W)[::-1] for p in masks.pixels[0]} == plus
    assert [len(pixels) for pixels in masks.pixels] == [5, 9, 1]
    path = tmp_path / f"m.{suffix}"
    path.write_text("\ufeff" + path.read_text(), encoding="utf-8")  # as Excel writes UTF-8
    assert read_masks(path, H, W).names == masks.names


def test_circles_of_the_simulated_mouse_give_its_roi_signals(tmp_path):
    settings = schema.defaults("simulate", n_frames=80, image_size=48)
    one = simulate.simulate_session(mouse="m1", session="s1", run_share=0.5, **settings)
    rows = [
        (n + 1, "left" if n < 25 else "right", x, y, one.truth.roi_radius)
        for n, (x, y) in enumerate(one.truth.roi_xy)
    ]
    path = write_circles(tmp_path / "m.tsv", rows)
    found = read_masks(path, 48, 48).means(one.frames)
    np.testing.assert_allclose(found, one.rois.T, rtol=1e-5)


def sources(folder, frames):
    tifffile.imwrite(folder / "s1.tif", frames, photometric="minisblack")
    scipy.io.savemat(folder / "b.mat", {"runrest": np.arange(len(frames)) % 2})
    return ["--movie", folder / "s1.tif", "--behavior", folder / "b.mat", "--session", "s1"]


@pytest.mark.parametrize("image_size", [None, 4])
def test_preprocessing_takes_signals_from_the_movie_as_recorded(tmp_path, monkeypatch, image_size):
    monkeypatch.setattr(stage, "BLOCK", 7 * H * W * 2)  # several blocks
    frames = RNG.integers(0, 65_535, (23, H, W), dtype=np.uint16)
    masks = write_image(tmp_path / "m.tif", LABELS)
    words = [*sources(tmp_path, frames), "--roi-masks", masks, "--mouse", "m1"]
    words += ["--image-size", image_size] if image_size else []
    assert main([*map(str, ["preprocess", *words, "--out", tmp_path / "s1.h5"])]) == 0
    got = read_recording(tmp_path / "s1.h5")
    expected = np.stack([frames[:, n == LABELS].mean(1) for n in (2, 3, 7)], axis=1)
    np.testing.assert_allclose(got.rois, expected, rtol=1e-6)
    assert got.roi_names == ("2", "3", "7")


def test_masks_of_another_movie_end_preprocessing_without_output(tmp_path, capsys):
    masks = write_image(tmp_path / "m.png", np.zeros((H, W + 1), np.uint8))
    words = [*sources(tmp_path, np.ones((5, H, W), np.uint16)), "--mouse", "m1"]
    out = ["--roi-masks", masks, "--out", tmp_path / "s1.h5"]
    assert main([*map(str, ["preprocess", *words, *out])]) == 1
    error = capsys.readouterr().err
    assert f"6 x {W + 1} px, but the movie has 6 x {W}" in error and error.count("\n") == 1
    assert not (tmp_path / "s1.h5").exists()


POLYGON = [[0, 0], [3, 0], [0, 3]]


IMAGES = ("tif", "npy", "png", "mat", "h5", "roi", "zip")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.tif", np.zeros((H, W, 3), np.uint8), "no ROI in it"),
        (
            "m.npy",
            np.full((H, W), 0.5),
            "0.5 in row 0, column 0; a label image is of whole",
        ),
        ("m.npy", np.where(LABELS == 2, np.inf, 1), "inf in row 4, column 7"),
        ("m.npy", np.where(LABELS == 2, 1.5, np.nan), "1.5 in row 4, column 7"),
        ("m.npy", np.full((H, W), np.nan), "no ROI in it"),
        ("m.npy", np.ones((W, H), int), "are rows and columns exchanged? see movie_axes"),
        ("m.npy", np.stack([LABELS, LABELS]), "a stack of masks of that size, of 0 and 1"),
        ("m.npy", np.ones((2, H, W + 1)), "a stack of masks of that size"),
        ("m.npy", np.stack([LABELS == 2, LABELS == 9]), "ROI 2 holds no pixel"),
        ("m.npy", LABELS.T, "9 x 6 px, but the movie has 6 x 9"),
        ("m.npy", np.zeros((H, W), int), "no ROI in it"),
        ("m.tif", b"no image", "not a readable image"),
        ("m.png", b"no image", "not a readable image"),
        *((f"m.{kind}", b"", "an empty file (0 bytes); copy it again") for kind in IMAGES),
        ("m.json", b"[1, 2", "not JSON"),
        ("m.json", [POLYGON], "a polygon an ROI"),
        ("m.json", {"a": POLYGON[:2]}, "ROI a: a polygon is three or more corners"),
        ("m.json", {"a": [[0, 0], [1], [2, 2]]}, "ROI a: a polygon"),
        ("m.json", {"a": POLYGON, "b": [[0, 0], [40, 0], [0, 3]]}, "ROI b reaches to x = 40"),
        ("m.json", {"a": [[0.1, 0.1], [0.2, 0.1], [0.1, 0.2]]}, "ROI a holds no pixel's centre"),
        ("m.tsv", [("M2", "left", 9, 2, 1)], "ROI M2 left reaches to x = 9, y = 2"),
        ("m.tsv", [("M2", "left", 2.5, 2.5, 0.1)], "ROI M2 left holds no pixel's centre"),
        ("m.tsv", [("M2", "left", 2, 2, 1)] * 2, "ROI M2 left is there twice"),
        ("m.tsv", [("M2", "left", "two", 2, 1)], "column x holds text"),
        ("m.csv", b"name,x,y\n\xe9,1,1\n", "not a table ('utf-8' codec"),
        ("m.csv", b"name,x\na,1\na,1,2,3\n", "not a table (Error tokenizing data"),
        ("m.csv", b"name,x,y\na,1,1\n", "no column hemisphere"),
        ("m.roi", b"Iout", "not a readable file of ImageJ"),
        ("m.zip", b"PK", "not a readable file of ImageJ"),
        ("m.mat", b"no MAT file", "not a readable MAT file"),
        ("m.svg", b"", "masks are read from"),
    ],
)
def test_bad_masks_get_one_line(tmp_path, name, content, words):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, np.ndarray):
        write_image(path, content)
    elif path.suffix == ".json":
        path.write_text(json.dumps(content))
    else:
        write_circles(path, content)
    assert words in refusal(path)


def test_an_image_of_one_label_is_said_to_be_one_roi(tmp_path, capsys):
    """Such as the outlines of an atlas, drawn in white."""
    image = np.zeros((8, 10), np.uint8)
    image[4], image[:, 5] = 255, 255
    tifffile.imwrite(tmp_path / "outlines.tif", image)
    assert read_masks(tmp_path / "outlines.tif", 8, 10).names == ("255",)
    line = capsys.readouterr().err
    assert "255 is its only label: one ROI, 21% of the image" in line and "not outlined" in line
    image[:4, :5] = 1
    tifffile.imwrite(tmp_path / "two.tif", image)
    read_masks(tmp_path / "two.tif", 8, 10)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("x", "y", "inside"),
    [
        (-0.5, -0.5, True),
        (8.5, 5.5, True),
        (-0.52, 2, False),
        (2, -0.52, False),
        (8.52, 2, False),
        (2, 5.52, False),
    ],
)
def test_a_mask_reaches_to_the_edges_of_pixels(x, y, inside):
    """Of 6 rows and 9 columns, whose centres are whole numbers."""
    point, middle = np.array([x, y]), np.array([4, 3])
    low, high = np.minimum(point, middle), np.maximum(point, middle)
    if inside:
        _check_inside("V1", low, high, 6, 9, "a.json")
    else:
        x, y = low if min(x, y) < 0 else high
        with pytest.raises(
            UserError, match=rf"V1 reaches to x = {x:g}, y = {y:g}, outside .* 9 x 6"
        ):
            _check_inside("V1", low, high, 6, 9, "a.json")


# --- told ---------------------------------------------------------------------------------------


def test_masks_of_each_kind_and_what_is_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    height, width = 4, 6

    def told(name, write):
        write(name)
        found = read_masks(name, height, width)
        return {key: pixels for key, pixels in zip(found.names, found.pixels, strict=True)}

    def labels(*rows, dtype=float):
        image = np.zeros((height, width), dtype)
        image[1 : 1 + len(rows)] = rows
        return told("m.npy", lambda name: np.save(name, image))

    def image(array):
        return told("m.npy", lambda name: np.save(name, array))

    def polygons(content):
        text = content if isinstance(content, str) else json.dumps(content)
        return told("m.json", lambda name: Path(name).write_text(text))

    def circles(*rows, head="name\themisphere\tx\ty\tradius", name="m.tsv"):
        text = "\n".join([head, *("\t".join(map(str, row)) for row in rows)]) + "\n"
        text = text if name.endswith("tsv") else text.replace("\t", ",")
        return told(name, lambda name: Path(name).write_text(text))

    def of_image(read, array):
        np.save("b.npy", array)
        return read("b.npy", height, width, "m.tif")

    stack = np.zeros((3, height, width), np.uint8)
    stack[0, 0, :2], stack[1, 2, 3], stack[2, 3] = 1, 5, 255
    half = np.where(np.arange(width) < 3, 1.0, 0) * np.ones((height, 1))
    square = [[1, 0], [3, 0], [3, 2], [1, 2]]
    cases = {
        "labels": lambda: labels([0, 1, 1, 9, 0, 2], [3, 0, 0, 0, 0, 0]),
        "labels with NaN": lambda: labels([0, 1, np.nan, 2, 0, np.nan]),
        "labels of halves": lambda: labels([0, 1, 0, 2.5, 0, 0]),
        "labels that are too large": lambda: labels([0, 1, 0, 2**31, 0, 0]),
        "the largest label": lambda: labels([0, 1, 0, 2**31 - 1, 0, 0]),
        "one label": lambda: labels([0, 7, 7, 7, 7, 0]),
        "no label": lambda: labels([0] * 6),
        "labels of both sides": lambda: labels([3, 1, 2, -2, -1, -3]),
        "labels of both sides, mirrored": lambda: labels([-3, -1, 3, 1, 0, 0]),
        "negative labels alone": lambda: labels([-3, -1, 0, 0, 0, 0]),
        "one negative label": lambda: labels([-1, 1, 2, 2, 0, 0]),
        "one label of both sides": lambda: labels([1, 1, 0, 0, -1, -1]),
        "one label of both sides, all over": lambda: image(np.where(half, 1, -1)),
        "labels of another size": lambda: image(np.ones((4, 5))),
        "labels turned": lambda: image(np.ones((6, 4))),
        "words": lambda: image(np.full((4, 6), "a")),
        "a stack": lambda: image(stack),
        "a stack with the masks last": lambda: image(np.moveaxis(stack, 0, -1)),
        "a stack with NaN": lambda: image(np.where(stack, stack, np.nan)),
        "a stack of labels": lambda: image(stack + (np.arange(6) == 5).astype(np.uint8)),
        "an empty stack": lambda: image(0 * stack),
        "a stack with an empty mask": lambda: image(stack * np.array([1, 0, 1])[:, None, None]),
        "a stack of another size": lambda: image(stack[:, :3]),
        "a stack that may lie either way": lambda: image(np.ones((4, 6, 4))),
        "polygons": lambda: polygons({"a": square, "b": [[0, 3], [5, 3], [5, 3.5], [0, 3.5]]}),
        "a polygon of two corners": lambda: polygons({"a": square[:2]}),
        "a polygon of words": lambda: polygons({"a": "abc"}),
        "a polygon of a number": lambda: polygons({"a": 5}),
        "a polygon of nothing": lambda: polygons({"a": [[0, 0], [None, {}], [2, 2]]}),
        "a polygon with NaN": lambda: polygons('{"a": [[0, 0], [1, NaN], [2, 2]]}'),
        "a polygon to the edge": lambda: polygons({"a": [[-0.5, -0.5], [5.5, -0.5], [5.5, 3.5]]}),
        "a polygon beyond the left": lambda: polygons({"a": [[-0.6, 0], [2, 0], [2, 2]]}),
        "a polygon beyond the right": lambda: polygons({"a": [[0, 0], [5.6, 0], [2, 2]]}),
        "a polygon beyond the top": lambda: polygons({"a": [[0, -0.6], [2, 0], [2, 2]]}),
        "a polygon beyond the bottom": lambda: polygons({"a": [[0, 0], [2, 3.6], [2, 2]]}),
        "a polygon without a pixel": lambda: polygons({"a": [[1.2, 1.2], [1.4, 1.2], [1.3, 1.4]]}),
        "a polygon that crosses itself": lambda: polygons({"a": [[0, 0], [4, 3], [4, 0], [0, 3]]}),
        "no polygons": lambda: polygons({}),
        "a list of polygons": lambda: polygons([square]),
        "circles": lambda: circles(["V1", "left", 1, 1, 1], ["V1", "right", 4, 2, 0.5]),
        "circles by commas": lambda: circles(["V1", "", 1, 1, 1], name="m.csv"),
        "a circle twice": lambda: circles(["V1", "", 1, 1, 1], ["V1", "", 2, 2, 1]),
        "a circle without a pixel": lambda: circles(["V1", "", 1.5, 1.5, 0.7]),
        "a circle at the edge": lambda: circles(["V1", "", 5.5, 3.5, 0.8]),
        "a circle beyond the edge": lambda: circles(["V1", "", 5.6, 3.5, 0.8]),
        "circles of words": lambda: circles(["V1", "", "a", 1, 1]),
        "circles without a radius": lambda: circles(["V1", 1, 1], head="name\tx\ty"),
        "masks of another kind": lambda: told("m.txt", lambda name: Path(name).write_text("x")),
        "a dark frame": lambda: of_image(read_dark, half),
        "dark frames": lambda: of_image(read_dark, np.stack([half, 2 * half])),
        "a dark frame of another size": lambda: of_image(read_dark, half[:3]),
        "a dark frame with infinity": lambda: of_image(read_dark, half * np.inf),
        "the brain": lambda: of_image(read_brain, np.where(half, 0.1, np.nan)),
        "the brain of two labels": lambda: of_image(read_brain, half - 0.5),
        "no brain": lambda: of_image(read_brain, 0 * half),
        "the brain turned": lambda: of_image(read_brain, half.T),
        "a row of a brain": lambda: of_image(read_brain, half[0]),
        "a brain of words": lambda: of_image(read_brain, np.full((4, 6), "a")),
        "a stack of brains": lambda: of_image(read_brain, stack),
    }
    with np.errstate(invalid="ignore"):
        assert_told(cases, Path(__file__).with_name("told") / "masks.txt", capsys)


def test_masks_without_what_is_not_known():
    masks = Masks(("a", "b"), (np.array([0, 1, 5]), np.array([7])))
    known = np.ones((2, 4), bool)
    known[0, 1] = False
    found = masks.within(known, "m.tif")
    assert found.names == ("a", "b") and [p.tolist() for p in found.pixels] == [[0, 5], [7]]
    known[1, 3] = False
    with pytest.raises(UserError) as caught:
        masks.within(known, "m.tif")
    assert str(caught.value) == "m.tif: all pixels of ROI b are NaN in the movie; leave it out"


@pytest.mark.parametrize(
    ("own", "asked", "found", "said"),
    [
        ("ab", "ab", [0, 1], ""),
        ("ba", "ab", [1, 0], ""),
        ("bca", "ab", [2, 0], ""),
        ("ba", ["", ""], [0, 1], ""),
        ("ba", [], [0, 1], ""),
        ("31", "13", [1, 0], ""),
        (["1", "-1"], ["-1", "1"], [1, 0], ""),
        ("ba", "13", [0, 1], "m.json: ROIs are taken in their order, 'b' for '1': the names do"),
        ("13", "ba", [0, 1], "m.json: ROIs are taken in their order, '1' for 'b': the names do"),
        ("bac", "13", [0, 1, 2], ""),  # the decoder says how many it reads
        (["1", "3 left"], ["3 left", "1"], [1, 0], ""),
    ],
)
def test_masks_of_names(capsys, own, asked, found, said):
    masks = Masks((*own,), tuple(np.array([10 + i]) for i in range(len(own))))
    chosen = masks.of([*asked], "m.json")
    assert [int(p[0]) - 10 for p in chosen.pixels] == found
    assert chosen.names == tuple(own[i] for i in found)
    assert capsys.readouterr().err.startswith(said) and (said or not capsys.readouterr().err)


def test_masks_that_lack_a_name_are_refused():
    masks = Masks(("a", "b"), (np.array([0]), np.array([7])))
    with pytest.raises(UserError) as caught:
        masks.of(["b", "c"], "m.json")
    assert str(caught.value) == (
        "m.json: no ROI 'c' in it, which the decoder was trained on; it has a, b"
    )


@pytest.mark.parametrize("size", [(4, 4), (9, 13), (3, 2)])
def test_tiles_are_sixteen_parts_row_by_row(size):
    found = tiles(*size)
    for row, column in np.ndindex(size):
        number = row * 4 // size[0] * 4 + column * 4 // size[1]
        assert np.flatnonzero(found[:, row, column]).tolist() == [number]
    assert found.shape == (16, *size)
