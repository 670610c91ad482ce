"""Masks that lie the wrong way round, told by the light of the movie."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from mesodecode.cli import main
from mesodecode.recordings.turned_masks import better_turned

Y, X = np.mgrid[:64, :64]
BRAIN = ((X - 26) ** 2 / 400 + (Y - 34) ** 2 / 900 < 1) & (
    X + Y > 40
)  # no way to turn it is itself
TURNED = {
    "mirrored left to right": BRAIN[:, ::-1],
    "upside down": BRAIN[::-1],
    "turned by 180 degrees": BRAIN[::-1, ::-1],
    "inverted (0 on the brain)": ~BRAIN,
    "with rows and columns exchanged": BRAIN.T,
    "turned by 90 degrees": np.rot90(BRAIN, -1),  # what turns it back
    "turned by 90 degrees the other way": np.rot90(BRAIN),
}


def light(seed=0):
    """A dim surround, a brain that is brighter in its middle, vessels and noise."""
    rng = np.random.default_rng(seed)
    image = 300 + BRAIN * (900 - 10 * np.abs(X - 26)) - 250 * (BRAIN & (X % 9 == 0))
    return image + rng.normal(0, 30, image.shape)


@pytest.mark.parametrize("way", TURNED)
def test_a_turned_mask_is_told_with_the_way(way):
    assert better_turned(TURNED[way], light()) == way


def test_masks_that_fit_and_movies_that_do_not_tell_are_left():
    assert better_turned(BRAIN, light()) == ""
    assert better_turned(np.roll(BRAIN, 3, axis=1), light()) == ""  # badly placed, not turned
    noise = np.random.default_rng(1).normal(size=BRAIN.shape)
    glare = 300 + 5.0 * X
    for image in (noise, np.ones(BRAIN.shape), glare):
        for mask in (BRAIN, *TURNED.values()):
            assert better_turned(mask, image) == ""
    assert better_turned(np.ones_like(BRAIN), light()) == ""


def test_a_way_that_is_a_little_better_is_no_turn():
    """Brain in columns 10 to 84 of 100; the AUC of a mask as wide is 2/75 less for each column
    by which it lies off."""
    columns = np.tile(np.arange(100), (20, 1))
    image = np.where((columns >= 10) & (columns < 85), 900.0, 0)

    def mask(first):
        return (columns >= first) & (columns < first + 75)

    assert better_turned(mask(13), image) == ""  # .92, and .947 if it were mirrored
    assert better_turned(mask(15), image) == "mirrored left to right"  # .867, and 1


@pytest.mark.parametrize("key", ["brain-mask", "roi-masks"])
def test_preprocessing_says_so(tmp_path, capsys, key):
    movie = np.stack([light(seed) for seed in range(20)]).astype(np.uint16)
    tifffile.imwrite(tmp_path / "m.tif", movie, photometric="minisblack")
    (tmp_path / "b.csv").write_text("labels\n" + "0\n1\n" * 10)
    for name, mask in (("right", BRAIN), ("turned", BRAIN.T)):
        rois = 2 * mask  # of several, the first and the last lie on the brain either way
        rois[29:32, 29:32], rois[33:36, 33:36] = 1, 3
        tifffile.imwrite(tmp_path / f"{name}.tif", rois.astype(np.uint8))
        line = f"--movie {tmp_path}/m.tif --behavior {tmp_path}/b.csv --session s --mouse m"
        line += f" --frame-rate 30 --{key} {tmp_path}/{name}.tif --out {tmp_path}/{name}.h5"
        assert main(["preprocess", *line.split()]) == 0
        said = "with rows and columns exchanged" in capsys.readouterr().err
        assert said == (name == "turned")


def auc(inside, mean):
    """Return how often a pixel inside is brighter than one outside, ties by half: pair by pair."""
    a, b = mean[inside][:, None], mean[~inside][None]
    return ((a > b) + 0.5 * (a == b)).mean()


@pytest.mark.parametrize("shape", [(4, 7), (5, 5)])
def test_the_way_that_fits_best_is_told_where_it_is_clear_and_the_mask_itself_is_not(shape):
    rng, told = np.random.default_rng(3), []
    for _ in range(150):
        inside = rng.random(shape) < 0.3
        if rng.random() < 0.5:  # of two ways that are nearly the same
            inside |= inside[:, ::-1]
            inside.flat[rng.integers(inside.size)] ^= True
        ways = {
            "": inside,
            "mirrored left to right": np.fliplr(inside),
            "upside down": np.flipud(inside),
            "turned by 180 degrees": np.rot90(inside, 2),
            "inverted (0 on the brain)": ~inside,
        }
        if shape[0] == shape[1]:
            ways["with rows and columns exchanged"] = inside.T
            ways["turned by 90 degrees"] = np.rot90(inside)
            ways["turned by 90 degrees the other way"] = np.rot90(inside, 3)
        true = ways[list(ways)[rng.integers(len(ways))]]
        mean = 1.5 * (true | (rng.random(shape) < 0.1)) + rng.random(shape) * rng.uniform(1, 4)
        found = {way: auc(one, mean) for way, one in ways.items()}
        own = found.pop("")
        best = max(found, key=found.get)
        expected = best if found[best] > max(0.9, own + 0.1) else ""
        assert better_turned(inside, mean) == expected
        told.append((expected != "", 0.8 < own < 0.95 and found[best] > 0.9))
    assert 20 < sum(one for one, _ in told) < 130 and sum(near for _, near in told) > 2
