"""Convolutions that cost less are those that PyTorch makes."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from mesodecode.decoders import convolutions, networks
from mesodecode.decoders.convolutions import Depthwise, with_depthwise
from mesodecode.decoders.networks import CNNDecoder, for_use


@pytest.mark.parametrize("kernel", [3, 5, (3, 5)])
@pytest.mark.parametrize("stride", [1, 2, (1, 2)])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (2, 1), (3, 4), (4, 4), (5, 5)])
def test_depthwise_gradients_are_those_of_pytorch(kernel, stride, size):
    torch.manual_seed(0)
    padding = (1, 1) if kernel == 3 else (2, 2) if kernel == 5 else (1, 2)
    theirs = nn.Conv2d(7, 7, kernel, stride, padding, groups=7, bias=False, dtype=torch.float64)
    (ours,) = with_depthwise(nn.Sequential(copy.deepcopy(theirs)))
    found = []
    for conv in (theirs, ours):
        x = torch.arange(3 * 7 * size[0] * size[1]).sin().view(3, 7, *size).double()
        x = x.to(memory_format=torch.channels_last).requires_grad_()
        y = conv(x)
        found.append((y, *torch.autograd.grad((y * y.detach().cos()).sum(), (x, conv.weight))))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_only_maps_that_no_window_lies_within_are_ours(monkeypatch):
    used = []

    def apply(x, weight, *rest):
        used.append(tuple(x.shape[2:]))
        return torch.zeros(())

    monkeypatch.setattr(convolutions._Small, "apply", apply)
    (conv,) = with_depthwise(nn.Sequential(nn.Conv2d(2, 2, 5, padding=2, groups=2, bias=False)))
    for size in ((4, 4), (4, 5), (5, 4)):
        conv(torch.zeros(1, 2, *size))
    with torch.no_grad():
        conv(torch.zeros(1, 2, 4, 4))
    assert used == [(4, 4)]


def test_which_convolutions_are_depthwise():
    others = [
        nn.Conv2d(4, 4, 3),
        nn.Conv2d(4, 8, 3, groups=4),
        nn.Conv2d(4, 4, 3, groups=4, dilation=2),
        nn.Conv2d(4, 4, 3, groups=4, padding="same"),
        nn.Conv2d(4, 4, 3, groups=4, padding=1, padding_mode="circular"),
        nn.Conv2d(1, 1, 3),
    ]
    net = with_depthwise(nn.Sequential(*others, nn.Conv2d(4, 4, 3, groups=4)))
    assert [isinstance(part, Depthwise) for part in net] == [False] * 6 + [True]


def seen(backbone):
    """A network whose batch normalisation has seen something, and images."""
    torch.manual_seed(0)
    network = CNNDecoder(backbone)
    images = torch.randn(4, 3, 40, 40)
    with torch.no_grad():
        for _ in range(3):
            network.train()(2 * images + 1)
    return network.eval(), images


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_efficientnet_gn", "test_resnet"])
def test_a_network_in_use_gives_its_own_features(backbone):
    network, images = seen(backbone)
    with torch.no_grad():
        expected = network.features(images), network(images)
        before = {key: value.clone() for key, value in network.state_dict().items()}
        used = for_use(network)
        for one, other in zip((used.features(images), used(images)), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    merged = [p for p in used.modules() if isinstance(p, nn.BatchNorm2d)]
    assert not (backbone == "test_efficientnet" and merged)


def test_what_is_no_efficientnet_is_passed_as_it_is():
    network = nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3))
    assert for_use(network) is network and not network.training


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_efficientnet_gn", "test_resnet"])
def test_a_network_in_use_keeps_weights_in_the_type_that_it_passes_images_in(backbone):
    """But the last layer, whose logits would have 8 bits, and all where a normalisation is left."""
    network, images = seen(backbone)
    with torch.no_grad():
        expected = network(images)
        network.passed_in = torch.bfloat16
        used = for_use(network)
        types = {name: weight.dtype for name, weight in used.named_parameters()}
        merged = backbone == "test_efficientnet"
        last = {name for name in types if "classifier" in name or ".fc." in name}
        assert len(last) == 2 and {types.pop(name) for name in last} == {torch.float32}
        assert set(types.values()) == {torch.bfloat16 if merged else torch.float32}
        found = used(images)
    assert found.dtype == torch.float32
    assert 0 < (found - expected).abs().max() < 0.05 * expected.std() + 0.01
    assert all(weight.dtype == torch.float32 for weight in network.parameters())


def test_weights_that_others_take_the_place_of_are_not_kept_in_another_type():
    network, images = seen("test_resnet")
    network.passed_in = torch.bfloat16
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        first = network(images)
        for part in network.modules():
            if isinstance(part, nn.Conv2d):
                part.weight.mul_(0.5)
        assert not torch.allclose(network(images), first)


def test_a_network_in_use_on_a_gpu_is_a_copy_and_used_once(monkeypatch):
    """Graphs of it would else show what a later training of the one given makes of its weights."""
    monkeypatch.setattr(networks, "_on_gpu", lambda network: True)
    for backbone in ("test_efficientnet", "test_resnet"):
        network = CNNDecoder(backbone)
        used = for_use(network)
        assert used is not network and network.replayed is None and used.replayed
        assert for_use(used) is used
        monkeypatch.setattr(used, "replayed", lambda images: "replayed")
        images = torch.randn(2, 3, 32, 32)
        with torch.no_grad():
            assert used.features(images) == "replayed"
        assert used.features(images).requires_grad  # a graph has no gradient
