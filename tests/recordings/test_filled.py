"""Pixels that are NaN outside the brain are 0, in every format; others are refused by frame."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from make_movies import save_h5, save_v73, save_zarr
from make_recordings import Stack
from mesodecode.cli import main
from mesodecode.recordings.axes import Axes
from mesodecode.recordings.masks import read_masks
from mesodecode.recordings.readers.checks import CheckedMovie
from mesodecode.recordings.readers.filled import FilledMovie, say_outside
from told import assert_told

T, H, W = 40, 6, 9
DFF = np.random.default_rng(2).normal(0, 0.02, (T, H, W)).astype(np.float32)
OUTSIDE = np.zeros((H, W), bool)
OUTSIDE[:2, :3] = OUTSIDE[5] = True
MASKED = np.where(OUTSIDE, np.float32(np.nan), DFF)
ZERO = np.where(OUTSIDE, np.float32(0), DFF)
SAVED = {
    "m.npy": np.save,
    "m.tif": lambda p, x: tifffile.imwrite(p, x, photometric="minisblack"),
    "m.h5": lambda p, x: save_h5(p, x=x),
    "m.mat": lambda p, x: save_v73(p, x=np.moveaxis(x, 0, 2)),
    "m.zarr": save_zarr,
}


def preprocess(folder, movie, *words, file="m.npy", labels=None):
    SAVED[file](folder / file, movie) if file != "m.zarr" else save_zarr(
        folder / file, movie, chunks=(4, H, W)
    )
    labels = np.arange(len(movie)) // 5 % 2 if labels is None else labels
    np.save(folder / "labels.npy", labels)
    files = ["--movie", folder / file, "--behavior", folder / "labels.npy"]
    about = ["--session", "s", "--mouse", "m", "--frame-rate", "30", "--out", folder / "s.h5"]
    return main([*map(str, ["preprocess", *files, *about, *words])])


def recording(folder):
    with h5py.File(folder / "s.h5") as file:
        return {name: file[name][()] for name in file if isinstance(file[name], h5py.Dataset)}


@pytest.mark.parametrize("file", SAVED)
def test_pixels_that_are_nan_throughout_are_outside_the_brain(tmp_path, capsys, file):
    assert preprocess(tmp_path, MASKED, file=file) == 0
    got = recording(tmp_path)
    np.testing.assert_array_equal(got["frames"], ZERO)
    np.testing.assert_array_equal(got["outside"], OUTSIDE)
    assert got["pixel_mean"][0, 0] == 0 and np.isfinite(got["stack_sd"])
    assert "15 of 54 pixels are NaN or infinite in every frame" in capsys.readouterr().err


def test_a_movie_without_such_pixels_is_as_it_was(tmp_path, capsys):
    assert preprocess(tmp_path, DFF, file="m.tif") == 0
    assert "outside" not in recording(tmp_path)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_a_ratio_to_a_baseline_of_0_is_outside_too(tmp_path, value):
    """F / 0 is infinite, 0 / 0 is NaN, from frame to frame."""
    movie = MASKED.copy()
    movie[::2, 0, 0] = value
    assert preprocess(tmp_path, movie) == 0
    np.testing.assert_array_equal(recording(tmp_path)["frames"], ZERO)


def brain(folder, inside, **more):
    np.save(folder / "brain.npy", inside)
    return ["--brain-mask", folder / "brain.npy"]


def test_a_brain_mask_of_exactly_these_pixels(tmp_path, capsys):
    words = brain(tmp_path, ~OUTSIDE)
    assert preprocess(tmp_path, MASKED, *words, file="m.tif") == 0
    np.testing.assert_array_equal(recording(tmp_path)["frames"], ZERO)
    assert capsys.readouterr().err == ""
    assert preprocess(tmp_path, MASKED, *words, "--outside", "mean", file="m.tif") == 0
    np.testing.assert_array_equal(recording(tmp_path)["frames"], ZERO)


def test_a_brain_mask_smaller_than_the_movies_allows_what_is_outside_it(tmp_path):
    """Registration leaves NaN at the edges of some frames only."""
    movie, inside = MASKED.copy(), ~OUTSIDE
    inside[:, 8] = False
    movie[7:9, 2, 8] = np.nan
    assert preprocess(tmp_path, movie, *brain(tmp_path, inside)) == 0
    np.testing.assert_array_equal(recording(tmp_path)["frames"], np.where(inside, ZERO, 0))


def test_a_brain_mask_that_holds_such_pixels_is_cut_by_them_and_said(tmp_path, capsys):
    inside = ~OUTSIDE
    inside[5, :4] = True
    assert preprocess(tmp_path, MASKED, *brain(tmp_path, inside), file="m.tif") == 0
    np.testing.assert_array_equal(recording(tmp_path)["frames"], ZERO)
    assert "4 of 54 pixels inside brain_mask are NaN" in capsys.readouterr().err


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize(
    ("frame", "named"), [(17, "frame 17 has"), (0, "frame 0 has"), (39, "frame 39 has")]
)
def test_a_pixel_that_is_nan_in_some_frames_is_refused(tmp_path, capsys, frame, named, mask):
    movie = MASKED.copy()
    movie[frame, 3, 4] = np.nan
    words = brain(tmp_path, ~OUTSIDE) if mask else []
    assert preprocess(tmp_path, movie, *words) == 1
    err = capsys.readouterr().err
    assert named in err and "row 3, column 4" in err and "brain_mask" in err
    assert err.count("\n") == 1 and not (tmp_path / "s.h5").exists()


@pytest.mark.parametrize("frame", [0, 17])
def test_a_frame_that_is_nan_throughout_is_named(tmp_path, capsys, frame):
    movie = DFF.copy()
    movie[frame] = np.nan
    assert preprocess(tmp_path, movie) == 1
    assert f"frame {frame} has NaN or infinite pixels only; cut" in capsys.readouterr().err


@pytest.mark.parametrize("frames", [[0], [17], [39], [5, 17]])
@pytest.mark.parametrize("value", [1e38, -1e9])
def test_a_pixel_that_alone_makes_the_sd_is_refused(tmp_path, capsys, frames, value):
    """Float movies with a damaged value: divided by its SD, all images would be flat."""
    movie = np.random.default_rng(0).normal(1000, 20, (T, 36, 48)).astype("f4")
    movie[frames, 3, 4] = 1000 + 20 * 90  # a cosmic ray of 90 SD is none
    assert preprocess(tmp_path, movie) == 0
    movie[frames, 3, 4] = value
    assert preprocess(tmp_path, movie) == 1
    said = capsys.readouterr().err
    assert any(f": frame {frame} has a pixel of {value:.3g}, " in said for frame in frames)
    assert "cut the frame out of movie and behaviour" in said and "Traceback" not in said


def test_corrections_leave_what_is_outside_0(tmp_path):
    counts = np.where(OUTSIDE, np.nan, 500 * (1 + DFF))
    words = ["--dark-offset", "100", "--dff", "mean"]
    assert preprocess(tmp_path, counts, *words) == 0
    f = 500 * (1 + DFF.astype(np.float64)) - 100
    expected = np.where(OUTSIDE, 0, f / f.mean(0) - 1)
    np.testing.assert_allclose(recording(tmp_path)["frames"], expected, atol=1e-5)
    assert preprocess(tmp_path, counts, "--dark-offset", "100") == 0
    np.testing.assert_allclose(recording(tmp_path)["frames"], np.where(OUTSIDE, 0, f), atol=1e-3)


def test_motion_of_a_masked_movie_is_refused(tmp_path, capsys):
    assert preprocess(tmp_path, MASKED + 1, "--motion") == 1
    assert "leave motion out" in capsys.readouterr().err


def test_channels_must_be_outside_alike(tmp_path, capsys):
    two = np.stack([MASKED, MASKED], 1).reshape(-1, H, W)
    labels = np.arange(T) // 5 % 2
    assert preprocess(tmp_path, two, "--channels", "2", labels=labels) == 0
    np.testing.assert_array_equal(recording(tmp_path)["frames"], ZERO)
    two[1::2, 3, 3] = np.nan
    assert preprocess(tmp_path, two, "--channels", "2", labels=labels) == 1
    assert "frame 1 has NaN or infinite pixels (the first in row 3, column 3)" in (
        capsys.readouterr().err
    )


def test_rois_are_means_of_the_pixels_inside(tmp_path, capsys):
    areas = np.zeros((H, W), np.uint8)
    areas[1:4, 1:4], areas[4, 4:], areas[5, 4:] = 1, 2, 2
    np.save(tmp_path / "areas.npy", areas)
    assert preprocess(tmp_path, MASKED, "--roi-masks", tmp_path / "areas.npy") == 0
    expected = [DFF[:, (areas == number) & ~OUTSIDE].mean(1) for number in (1, 2)]
    np.testing.assert_allclose(recording(tmp_path)["rois"], np.transpose(expected), atol=1e-7)
    areas[5, 0] = 3
    np.save(tmp_path / "areas.npy", areas)
    assert preprocess(tmp_path, MASKED, "--roi-masks", tmp_path / "areas.npy") == 1
    assert "all pixels of ROI 3 are NaN" in capsys.readouterr().err
    assert len(read_masks(tmp_path / "areas.npy", H, W).names) == 3


# --- told ---------------------------------------------------------------------------------------


def test_frames_that_are_dark_or_full_and_pixels_that_are_no_numbers(capsys):
    light = 100 + np.arange(6 * 2 * 3).reshape(6, 2, 3) % 50

    def checked(frames, keep_zero=False, used=None, size=2):
        used = None if used is None else np.array(used, bool)
        movie = CheckedMovie(_movie(np.asarray(frames)), keep_zero=keep_zero, used=used)
        for _, block in movie.blocks(size):
            assert len(block) <= size
        return movie.shape

    def dark(*at, dtype=np.uint16, level=0):
        return np.where(np.isin(np.arange(6), at)[:, None, None], level, light).astype(dtype)

    def full(n, most, dtype=np.uint16, scale=1):
        frames = (light * scale).astype(dtype)
        frames.flat[:n] = most
        return frames

    def filled(*wrong, brain=None, value=np.nan, at=range(6)):
        frames = light.astype(float)
        for row, column in wrong:
            frames[list(at), row, column] = value
        movie = FilledMovie(_movie(frames), brain)
        found = np.concatenate([block for _, block in movie.blocks(4)])
        if movie.outside is not None:
            say_outside(movie, brain)
        return [movie.outside, found[1], found[5]]

    def some(*frames, brain=None):
        made = light.astype(float)
        made[:, 0, 0] = np.nan
        for frame, row, column, value in frames:
            made[frame, row, column] = value
        movie = FilledMovie(_movie(made), brain)
        return np.concatenate([block for _, block in movie.blocks(4)])[-1]

    brain = np.ones((2, 3), bool)
    brain[0] = False
    cases = {
        "light": lambda: checked(light.astype(np.uint16)),
        "a dark frame": lambda: checked(dark(3)),
        "two dark frames": lambda: checked(dark(5, 1)),
        "dark frames, kept": lambda: checked(dark(3), keep_zero=True),
        "a dark frame that is not used": lambda: checked(dark(3), used=[1, 1, 1, 0, 1, 1]),
        "a dark frame that is": lambda: checked(dark(3), used=[0, 0, 0, 1, 0, 0]),
        "all dark": lambda: checked(dark(*range(6))),
        "a dark frame of real numbers": lambda: checked(dark(3, dtype=np.float32)),
        "a frame of -1": lambda: checked(dark(3, dtype=np.int16, level=-1)),
        "a frame below 0 and of 0": lambda: checked(
            np.minimum(dark(3, dtype=np.float32) - 126, 0) + np.zeros((6, 2, 3))
        ),
        "a frame below 0 and of 0, of whole numbers": lambda: checked(
            (np.minimum(dark(3, dtype=np.float32) - 126, 0) + np.zeros((6, 2, 3))).astype(np.int16)
        ),
        "half of it full": lambda: checked(full(18, 4095)),
        "more than half of it full": lambda: checked(full(19, 4095)),
        "more than half of it full, of 8 bits": lambda: checked(full(19, 255, np.uint8)),
        "more than half of it at 255 of 16 bits": lambda: checked(full(19, 255)),
        "more than half of it at no camera's most": lambda: checked(full(19, 4094)),
        "more than half of it full, but one above": lambda: checked(
            np.where(np.arange(36).reshape(6, 2, 3) == 35, 4096, full(19, 4095))
        ),
        "more than half of it full, signed": lambda: checked(full(19, 32767, np.int16)),
        "more than half of it full, signed of 12 bits": lambda: checked(full(19, 4095, np.int16)),
        "more than half of it full, signed of 8 bits": lambda: checked(
            full(19, 127, np.int8, scale=0.5)
        ),
        "more than half of it full, shifted": lambda: checked(full(19, 65520)),
        "more than half of it full, of 32 bits": lambda: checked(full(19, 2**32 - 1, np.uint32)),
        "more than half of it at 4095 of real numbers": lambda: checked(full(19, 4095, np.float32)),
        "all full": lambda: checked(full(36, 4095)),
        "whole numbers": lambda: [
            FilledMovie(_movie(light)).outside,
            next(FilledMovie(_movie(light)).blocks(1))[1],
        ],
        "no NaN": filled,
        "NaN": lambda: filled((0, 1)),
        "infinite": lambda: filled((0, 1), (1, 2), value=np.inf),
        "NaN outside the brain": lambda: filled((0, 1), brain=brain),
        "NaN inside the brain": lambda: filled((0, 1), (1, 1), brain=brain),
        "NaN everywhere": lambda: filled(*np.ndindex(2, 3)),
        "NaN in a frame": lambda: some((4, 1, 2, np.nan)),
        "a number in a frame": lambda: some((4, 0, 0, 7.0)),
        "NaN in a frame, outside the brain": lambda: some((4, 0, 2, np.nan), brain=brain),
        "NaN in a frame, inside the brain": lambda: some((4, 1, 2, np.nan), brain=brain),
        "a frame of NaN": lambda: some(*((4, *at, np.nan) for at in np.ndindex(2, 3))),
    }
    assert_told(cases, Path(__file__).with_name("told") / "filled.txt", capsys)


def _movie(frames):
    movie = Stack(frames)
    movie.axes, movie.time = Axes(), None
    return movie
