"""Augmentation, against moves and turns that NumPy makes."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mesodecode.cli.decoders._training import image_sets
from mesodecode.decoders import augment
from mesodecode.decoders.augment import Augment


@pytest.fixture
def draws(monkeypatch):
    """Let the draws be the largest angle and move in x, half of it back in y, and 1 SD."""
    drawn = torch.tensor([[1.0], [1.0], [-0.5]])
    monkeypatch.setattr(augment.torch, "rand", lambda _, n: (drawn.repeat(1, n) + 1) / 2)
    monkeypatch.setattr(augment.torch, "randn", lambda *shape: torch.ones(*shape))


IMAGES = torch.arange(2 * 3 * 8 * 8, dtype=torch.float32).reshape(2, 3, 8, 8) + 1


def test_nothing_is_off_by_default():
    assert not Augment()
    torch.testing.assert_close(Augment()(IMAGES, torch.arange(2)), IMAGES)


@pytest.mark.parametrize("one", ["shift", "rotation", "intensity"])
def test_one_amount_is_enough_to_change_images(one):
    assert Augment(**{one: 0.1})


def test_a_shift_moves_by_a_fraction_of_the_image(draws):
    """Of 4 x 8 px by a half: output (y, x) is input (y - 1, x + 4), zero from outside."""
    oblong = IMAGES[..., 2:6, :]
    moved = Augment(shift=0.5)(oblong, torch.arange(2)).numpy()
    expected = np.zeros(oblong.shape, np.float32)
    expected[..., 1:, :4] = oblong[..., :3, 4:]
    np.testing.assert_allclose(moved, expected, atol=1e-3)


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


@pytest.mark.parametrize(
    ("amounts", "changed"), [((0, 0, 0), False), ((0.1, 20, 0.3), True), ((0, 0, 0.3), True)]
)
def test_training_images_alone_are_changed(amounts, changed):
    settings = dict(
        zip(("augment_shift", "augment_rotation", "augment_intensity"), amounts, strict=True)
    )
    train, valid = SimpleNamespace(baseline="known"), SimpleNamespace(baseline="known")

    def sources(*sets):
        return image_sets(lambda given, **how: (given, how), sets, settings, "gpu", "stream", {})

    how = {"device": "gpu", "feed": "stream"}
    augmented = how | {"augment": Augment(*amounts) if changed else None}
    expected = [([train], augmented), ([valid], how | {"augment": None})]
    assert sources([train], [valid]) == expected
    assert sources([train], []) == [expected[0], None]
