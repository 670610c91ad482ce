"""Augmentation, against moves and turns that NumPy makes."""

import numpy as np
import pytest
import torch

from mesodecode.decoders import augment
from mesodecode.decoders.augment import Augment


@pytest.fixture
def draws(monkeypatch):
    """Let every uniform draw be 1: the largest move or angle. Normal draws are 1, too."""
    monkeypatch.setattr(augment.torch, "rand", lambda *shape: torch.ones(*shape))
    monkeypatch.setattr(augment.torch, "randn", lambda *shape: torch.ones(*shape))


IMAGES = torch.arange(2 * 3 * 8 * 8, dtype=torch.float32).reshape(2, 3, 8, 8) + 1


def test_nothing_is_off_by_default():
    assert not Augment()
    torch.testing.assert_close(Augment()(IMAGES, torch.arange(2)), IMAGES)


@pytest.mark.parametrize("one", ["shift", "rotation", "intensity"])
def test_one_amount_is_enough_to_change_images(one):
    assert Augment(**{one: 0.1})


def test_a_shift_moves_by_a_fraction_of_the_image(draws):
    """A quarter of 8 px: output (y, x) is input (y + 2, x + 2), zero from outside."""
    moved = Augment(shift=0.25)
    with_angle_zero = moved(IMAGES, torch.arange(2))
    expected = np.zeros(IMAGES.shape, np.float32)
    expected[..., :6, :6] = IMAGES[..., 2:, 2:]
    np.testing.assert_allclose(with_angle_zero.numpy(), expected, atol=1e-3)


def test_a_rotation_by_90_degrees_is_that_of_numpy(draws):
    turned = Augment(rotation=90)(IMAGES, torch.arange(2)).numpy()
    expected = np.rot90(IMAGES.numpy(), axes=(-2, -1))
    np.testing.assert_allclose(turned, expected, atol=1e-3)


def test_an_oblong_image_is_turned_without_shear(draws):
    """Half a turn puts (y, x) to (H - 1 - y, W - 1 - x); a quarter keeps a centred square."""
    oblong = IMAGES[..., 1:7, :]  # 6 x 8
    half = Augment(rotation=180)(oblong, torch.arange(2)).numpy()
    np.testing.assert_allclose(half, oblong.numpy()[..., ::-1, ::-1], atol=1e-3)
    quarter = Augment(rotation=90)(oblong, torch.arange(2)).numpy()
    square = np.rot90(oblong.numpy()[..., :, 1:7], axes=(-2, -1))
    np.testing.assert_allclose(quarter[..., :, 1:7], square, atol=1e-3)


def test_intensity_multiplies(draws):
    torch.testing.assert_close(Augment(intensity=0.25)(IMAGES, torch.arange(2)), IMAGES * 1.25)


def test_draws_stay_within_their_bounds_and_differ_between_groups():
    torch.manual_seed(0)
    line = torch.zeros(400, 1, 21, 21)
    line[:, :, 10, 10] = 1.0  # a point in the middle
    moved = Augment(shift=4 / 21)(line, torch.arange(400))
    y, x = (moved.sum(dim=d)[:, 0] @ torch.arange(21.0) for d in (3, 2))
    for where in (y, x):
        assert 5.99 <= where.min() < 7 and 13 < where.max() <= 14.01  # ±4 px about 10
        assert abs(where.mean() - 10) < 4 / 3**0.5 / 20 * 4  # 4 SE of a uniform draw


def test_images_of_one_group_are_changed_alike():
    torch.manual_seed(1)
    same = IMAGES[:1].expand(6, -1, -1, -1)
    changed = Augment(0.2, 30, 0.3)(same, torch.tensor([7, 2, 7, 2, 7, 9]))
    for a, b in ((0, 2), (0, 4), (1, 3)):
        torch.testing.assert_close(changed[a], changed[b])
    for a, b in ((0, 1), (0, 5), (1, 5)):
        assert (changed[a] - changed[b]).abs().max() > 0.1
