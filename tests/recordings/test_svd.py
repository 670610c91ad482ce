"""SVD components and arrays of pixels: which axis is which, and which frames are blank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesodecode.recordings.axes import Asked
from mesodecode.recordings.readers import pixels
from mesodecode.recordings.readers.svd import SvdMovie
from told import assert_told

TOLD = Path(__file__).with_name("told")
U = np.arange(2 * 3 * 4.0).reshape(2, 3, 4)  # H, W, K
SVT = np.arange(4 * 5.0).reshape(4, 5) + 1  # K, T
SHOWN = np.array([[1, 0, 1], [1, 1, 0]])


def places(shown=SHOWN, fastest="X"):
    return pixels.placed_in(shown > 0, fastest, "mask.png")


def made(u=U, svt=SVT, axes=None, of=None):
    movie = SvdMovie(Path("U.npy"), np.asarray(u), np.asarray(svt), axes, of)
    blocks = list(movie.blocks(2))
    frames = np.concatenate([block for _, block in blocks])
    assert [start for start, _ in blocks] == list(range(0, len(frames), 2))
    assert frames.shape == movie.shape and frames.dtype == movie.dtype == np.float32
    about = [movie.shape, movie.axes.letters, movie.axes.by, movie.segment, movie.blank]
    return [*about, frames[0], frames[-1, :, 0]]


def test_components_are_put_together(capsys):
    flat = U.reshape(6, 4)
    masked, three = flat[SHOWN.ravel() > 0][:, :3], SVT[:3]
    trials = np.stack([SVT, SVT + 100], axis=2)
    nan = np.where(np.arange(5) % 4 == 0, np.nan, SVT)
    part = U.copy()
    part[0, 0, 1] = np.nan

    def ending(*zeros):
        return np.where(np.isin(np.arange(5), zeros), 0, SVT)

    cases = {
        "U and SVT": made,
        "U (K, H, W)": lambda: made(U.transpose(2, 0, 1)),
        "as many rows as frames, U (K, H, W)": lambda: made(np.ones((4, 5, 3)), SVT),
        "as many rows as components, U (H, W, K)": lambda: made(
            np.ones((4, 3, 5)), np.ones((5, 4))
        ),
        "U by its axes": lambda: made(U.transpose(2, 1, 0), axes="KXY"),
        "U by axes that are none": lambda: made(axes="YXT"),
        "SVT (T, K)": lambda: made(svt=SVT.T),
        "fewer of SVT": lambda: made(svt=SVT[:3]),
        "fewer of SVT, U (K, H, W)": lambda: made(U.transpose(2, 0, 1), SVT[:3]),
        "more of SVT": lambda: made(svt=np.ones((7, 9))),
        "square images, U (K, H, W)": lambda: made(np.ones((5, 3, 3)), np.ones((4, 9))),
        "square images, U (H, W, K)": lambda: made(np.ones((3, 3, 5)), np.ones((4, 9))),
        "trials": lambda: made(svt=trials),
        "pixels of a mask": lambda: made(masked, three, of=places()),
        "pixels of a mask, turned": lambda: made(masked.T, three, of=places()),
        "pixels without a mask": lambda: made(flat),
        "pixels of another mask": lambda: made(flat[:5, :3], three, of=places()),
        "pixels with trials": lambda: made(masked, trials[:3], of=places()),
        "pixels with trials, without a mask": lambda: made(flat, trials),
        "an image with a mask": lambda: made(of=places()),
        "words": lambda: made(np.full((2, 3, 4), "a")),
        "one axis": lambda: made(svt=np.ones(4)),
        "frames of NaN": lambda: made(svt=nan),
        "a pixel of NaN": lambda: made(part),
        "a last frame of zeros": lambda: made(svt=ending(4)),
        "two last frames of zeros": lambda: made(svt=ending(3, 4)),
        "three last frames of zeros": lambda: made(svt=ending(2, 3, 4)),
        "a frame of zeros": lambda: made(svt=ending(3)),
        "a frame of zeros and a last one of NaN": lambda: made(
            svt=np.where(np.arange(5) == 4, np.nan, ending(3))
        ),
        "a part of a frame of NaN": lambda: made(
            svt=np.where((np.arange(5) == 2) & (np.arange(4) < 3)[:, None], np.nan, SVT)
        ),
        "whole numbers": lambda: made(U.astype(int), SVT.astype(np.int16)),
    }
    assert_told(cases, TOLD / "svd.txt", capsys)


def test_pixels_are_placed_as_asked_for(capsys):
    def asked(image=None, shape=None, axes=None, fastest="X"):
        image = None if image is None else np.asarray(image)
        given = Asked(axes, shape, mask=Path("mask.png"), image=image)
        found = pixels.asked_for(given, fastest, Path("x.npy"))
        return found and [found.size, found.where, found.by, found.told]

    def letters(shape, axes=None, of=None):
        return pixels.letters_of(Path("x.npy"), shape, of or places(), axes)

    def movie(array, axes=None, of=None, turned=False, depth=None):
        array = np.asarray(array)
        read = (lambda index: array.T[index]) if turned else (lambda index: array[index])
        of = of or places()
        found = pixels.PixelsMovie(
            Path("x.npy"), array.dtype, array.shape, of, axes, read, depth, turned=turned
        )
        frames = np.concatenate([block for _, block in found.blocks(2)])
        assert frames.shape == found.shape
        return [
            found.shape,
            found.axes.letters,
            found.axes.by,
            found.axes.flat,
            frames[0],
            frames[-1],
        ]

    values = np.arange(8).reshape(2, 4)  # T, pixels
    cases = {
        "nothing": asked,
        "a mask": lambda: asked(SHOWN),
        "a mask, in columns": lambda: asked(SHOWN, fastest="Y"),
        "a mask, in columns by its axes": lambda: asked(SHOWN, axes="TXY"),
        "a mask, in rows by its axes": lambda: asked(SHOWN, axes="TYX"),
        "a mask of MATLAB, by its axes": lambda: asked(SHOWN, axes="YXT", fastest="Y"),
        "a mask of MATLAB, the other way": lambda: asked(SHOWN, axes="XYT", fastest="Y"),
        "a mask, with time alone": lambda: asked(SHOWN, axes="T"),
        "a mask of one row": lambda: asked(SHOWN[:1]),
        "a mask of a size": lambda: asked(SHOWN, (2, 3)),
        "a mask of another size": lambda: asked(SHOWN, (3, 2)),
        "an empty mask": lambda: asked(0 * SHOWN),
        "a mask with negative pixels": lambda: asked(SHOWN - 1.5),
        "a mask of words": lambda: asked([["a"]]),
        "a stack of masks": lambda: asked([SHOWN]),
        "a size": lambda: asked(shape=(2, 3)),
        "a size of three": lambda: asked(shape=(2, 3, 4)),
        "frames first": lambda: letters((9, 4)),
        "pixels first": lambda: letters((4, 9)),
        "as many of both": lambda: letters((4, 4)),
        "as many of both, by its axes": lambda: letters((4, 4), "TYX"),
        "as many of both, by axes the other way": lambda: letters((4, 4), "YXT"),
        "by axes that do not fit": lambda: letters((4, 9), "TYX"),
        "of other pixels": lambda: letters((5, 9)),
        "of three axes": lambda: letters((4, 9, 1)),
        "a movie": lambda: movie(values),
        "a movie of real numbers": lambda: movie(values / 2),
        "a movie of pixels first": lambda: movie(values.T),
        "a movie of MATLAB": lambda: movie(values.T, turned=True, of=places(fastest="Y")),
        "a movie in chunks": lambda: movie(values.T, depth=2),
        "a movie in chunks of a frame": lambda: movie(np.arange(20).reshape(4, 5), depth=1),
    }
    assert_told(cases, TOLD / "pixels.txt", capsys)


@pytest.mark.parametrize("told", [True, False])
def test_axes_of_pixels_are_told_by_what_says_their_order(told):
    found = pixels.Places((2, 3), np.arange(6), "mask.png", told).axes("TYX")
    assert (found.letters, found.by, found.flat) == ("TYX", "mask.png" if told else None, not told)
