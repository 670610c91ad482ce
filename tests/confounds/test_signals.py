"""Which pixels make a control: so far from the brain, so dark, and so many in a tile."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mesodecode.confounds import signals


@pytest.mark.parametrize(("size", "margin"), [((100, 220), 3), ((40, 60), 2)])
def test_what_is_outside_begins_3_percent_of_the_shorter_side_from_the_brain(size, margin):
    brain = np.zeros(size, bool)
    brain[:, 10:20] = True
    about = SimpleNamespace(shape=(9, *size), unit="dff", pixel_mean=np.zeros(size))
    parts, missing = signals._parts(about, brain, None)
    (outside,) = parts["outside"]
    seen = np.flatnonzero(outside.any(axis=(0, 1)))
    assert seen.tolist() == [*range(10 - margin), *range(20 + margin, size[1])]
    assert {*parts} == {"mean", "outside"} and parts["mean"][0].all()
    assert missing["vessels"].startswith("vessels are no darker than tissue in ΔF/F")


def test_vessels_are_the_darkest_tenth_of_the_brain_which_is_above_a_third_of_its_light():
    image = np.random.default_rng(0).permutation(np.linspace(90, 110, 400)).reshape(20, 20)
    everywhere = np.ones(image.shape, bool)
    assert signals.find_vessels(image, everywhere).sum() == 40
    dim = np.full((40, 40), 100.0)
    dim[5:8, 5:15], dim[:, 20:] = 31, 29  # .3 of the 99th percentile is 30
    seen = signals.find_vessels(dim)
    assert seen[5:8, 5:15].all() and not seen[:, 20:].any()


def test_vessels_are_looked_for_in_the_brain_that_a_mask_says():
    """Beside it lies bone, darker than the tissue and light enough to be brain without a mask."""
    image = np.full((40, 40), 100.0)
    image[:, 20:] = 100 + np.arange(20)
    image[:, :20] -= 40 * (np.arange(20) % 4 == 0)  # stripes of bone
    image[:, [24, 30]] = 70
    brain = np.zeros(image.shape, bool)
    brain[:, 20:] = True
    about = SimpleNamespace(shape=(9, 40, 40), unit="counts", pixel_mean=image)
    parts, _ = signals._parts(about, brain, None)
    dark, beside = (one.any(axis=0) for one in parts["vessels"])
    assert np.unique(np.nonzero(dark)[1]).tolist() == [24, 30]
    assert np.unique(np.nonzero(beside)[1]).tolist() == [22, 23, 25, 26, 28, 29, 31, 32]
    without, _ = signals._parts(about, None, None)
    assert without["vessels"][0].any(axis=0)[:, :20].any()


@pytest.mark.parametrize(("n", "known"), [(3, False), (4, True)])
def test_a_tile_needs_four_pixels_of_vessels(n, known):
    vessels = np.zeros((40, 40), bool)
    vessels[2, 2 : 2 + n] = True
    about = SimpleNamespace(shape=(9, 40, 40), unit="counts", pixel_mean=np.ones((40, 40)))
    parts, missing = signals._parts(about, None, vessels)
    assert ("vessels" in parts) == known
    assert missing.get("vessels") == (None if known else "vessels of too few pixels")
    if known:
        dark, beside = (one.any(axis=0) for one in parts["vessels"])
        assert np.array_equal(dark, vessels) and not (dark & beside).any()
        rows, columns = np.nonzero(beside)  # two steps around, crosswise
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (0, 4, 0, 7)
