"""Networks from images to responses: a timm backbone cut after a convolution, and readouts."""

import itertools
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from mesodecode.base.files import UserError, one_line
from mesodecode.decoders.backbones import create_backbone

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


@dataclass(frozen=True)
class Batch:
    """What a network is shown: each image once, and which of them each presentation had.

    images (M, 1, H, W), or the maps (M, C, h, w) of a frozen backbone; index (N, T) into them, the
    predicted presentation last, M for one that is hidden; covariates (N, T, C).
    """

    images: torch.Tensor
    index: torch.Tensor
    covariates: torch.Tensor


class _Layers(nn.Module):
    """The layers of a backbone that make maps; traced, and cut after one of its convolutions."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net.forward_features(images)


class _Tracer(fx.Tracer):
    """Keeps timm's normalisation with its activation in one piece, so that no cut parts them."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, nn.BatchNorm2d) or super().is_leaf_module(module, name)


def cut_backbone(name: str, convolutions: int | None, pretrained: str = "none") -> nn.Module:
    """Return a timm model up to its n-th convolution (None: all), with the activation after it.

    Takes images (N, 1, H, W), whose channel it repeats three times, gives maps (N, C, h, w).
    `pretrained`: see `backbones.create_backbone`. Raises UserError if there is no such
    model, if it has fewer convolutions, or if its layers are no plain graph.
    """
    layers = _Layers(create_backbone(name, pretrained, head=False))
    try:
        traced = fx.GraphModule(layers, _Tracer().trace(layers))
    except Exception as error:  # control flow that depends on the data; many kinds
        raise UserError(
            f"backbone '{name}': cannot be cut, its layers are no plain graph "
            f"({one_line(error)}); choose another, such as vgg19"
        ) from error
    modules, nodes = dict(traced.named_modules()), list(traced.graph.nodes)
    called = [modules.get(node.target) if node.op == "call_module" else None for node in nodes]
    at = [i for i, module in enumerate(called) if isinstance(module, nn.Conv2d)]
    if convolutions is not None:
        if convolutions > len(at):
            raise UserError(f"backbone '{name}': has {len(at)} convolutions, not {convolutions}")
        last = at[convolutions - 1]
        follows = (nn.BatchNorm2d, nn.ReLU, nn.SiLU, nn.GELU)
        while isinstance(called[last + 1], follows):
            last += 1
        (output,) = [node for node in nodes if node.op == "output"]
        output.args = (nodes[last],)
        traced.graph.eliminate_dead_code()
        traced.delete_all_unused_submodules()
        traced.recompile()
    return _Grey(traced)


class _Grey(nn.Module):
    """Shows a backbone made for colours images of one channel."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images.expand(-1, 3, -1, -1))


class EncodingNetwork(nn.Module):
    """A backbone, its maps averaged to pool x pool if asked for, and a readout.

    1. `maps` turns each image of a batch into maps, once; those of a `frozen` backbone are given.
    2. `readout` turns the maps of the shown images, and covariates, into responses (N, neurons).
    """

    def __init__(
        self, backbone: nn.Module, readout: nn.Module, *, pool: int | None, frozen: bool
    ) -> None:
        super().__init__()
        self.backbone, self.readout, self.pool, self.frozen = backbone, readout, pool, frozen
        if frozen:
            backbone.requires_grad_(False)

    def maps(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (M, 1, H, W) to maps (M, C, h, w)."""
        if self.frozen:
            self.backbone.eval()
        found = self.backbone(images)
        return found if self.pool is None else functional.adaptive_avg_pool2d(found, self.pool)

    @property
    def separate(self) -> list[str]:
        """Names of the parameters with a row a neuron, if no others are trained: else none.

        A factorised readout of a frozen backbone is as many models as neurons.
        """
        if not (self.frozen and isinstance(self.readout, Factorised)):
            return []
        return [f"readout.{name}" for name, _ in self.readout.named_parameters()]

    def forward(self, batch: Batch) -> torch.Tensor:
        """Map a batch to responses (N, neurons)."""
        maps = batch.images if self.frozen else self.maps(batch.images)
        return self.readout(maps, batch.index, batch.covariates)


class FullyConnected(nn.Module):
    """Fully connected layers on the flattened maps and the covariates (Berget 2023)."""

    def __init__(
        self, shape: tuple[int, ...], covariates: int, hidden: list[int], activation: str, n: int
    ) -> None:
        super().__init__()
        sizes = [shape[0] * shape[1] * shape[2] + covariates, *hidden]
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(sizes):
            layers += [nn.Linear(a, b), ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], n))

    def forward(
        self, maps: torch.Tensor, index: torch.Tensor, covariates: torch.Tensor
    ) -> torch.Tensor:
        """Map maps (M, C, h, w) to responses (N, neurons)."""
        if not covariates.shape[-1]:  # each image once, however often it was shown
            return self.layers(maps.flatten(1))[index[:, -1]]
        return self.layers(torch.cat([maps.flatten(1)[index[:, -1]], covariates[:, -1]], 1))


class Factorised(nn.Module):
    """For each neuron a spatial mask and channel weights: Klindt et al. 2017 (NeurIPS 30).

    response = sum over places of mask x sum over channels of weight x normalised map, + bias, and
    the covariates with weights of their own. h w + C weights a neuron instead of h w C.
    """

    def __init__(self, shape: tuple[int, ...], covariates: int, n: int) -> None:
        super().__init__()
        channels, height, width = shape
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.mask = nn.Parameter(0.01 * torch.randn(n, height * width))
        self.weight = nn.Parameter(torch.randn(n, channels) * channels**-0.5)
        self.bias = nn.Parameter(torch.zeros(n))
        self.covariates = nn.Linear(covariates, n, bias=False) if covariates else None

    def forward(
        self, maps: torch.Tensor, index: torch.Tensor, covariates: torch.Tensor
    ) -> torch.Tensor:
        """Map maps (M, C, h, w) to responses (N, neurons)."""
        seen = torch.einsum("mch,nh->mnc", self.norm(maps).flatten(2), self.mask)
        response = (torch.einsum("mnc,nc->mn", seen, self.weight) + self.bias)[index[:, -1]]
        if self.covariates is not None:
            response = response + self.covariates(covariates[:, -1])
        return response


class OverPresentations(nn.Module):
    """A GRU over the last presentations: what was shown before, and covariates, matter too."""

    def __init__(self, shape: tuple[int, ...], covariates: int, units: int, n: int) -> None:
        super().__init__()
        self.image = nn.Linear(shape[0] * shape[1] * shape[2], units)
        self.rnn = nn.GRU(units + covariates, units, batch_first=True)
        self.head = nn.Linear(units, n)

    def forward(
        self, maps: torch.Tensor, index: torch.Tensor, covariates: torch.Tensor
    ) -> torch.Tensor:
        """Map maps (M, C, h, w) and what was shown before to responses (N, neurons)."""
        features = torch.relu(self.image(maps.flatten(1)))
        hidden = torch.cat([features, features.new_zeros(1, features.shape[1])])
        _, state = self.rnn(torch.cat([hidden[index], covariates], 2))
        return self.head(state[-1])


def make_network(
    settings: dict[str, Any], image_shape: tuple[int, int], neurons: int, covariates: int
) -> EncodingNetwork:
    """Build the network of a model's settings (see encoding/network.yaml).

    Raises UserError if the backbone cannot be made, or takes no images of this size.
    """
    backbone = cut_backbone(settings["backbone"], settings["convolutions"], settings["pretrained"])
    covariates = covariates if settings["covariates"] else 0
    probe = EncodingNetwork(backbone, nn.Identity(), pool=settings["pool"], frozen=False).eval()
    try:
        with torch.no_grad():
            shape = tuple(probe.maps(torch.zeros(1, 1, *image_shape)).shape[1:])
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"backbone '{settings['backbone']}': takes no images of {image_shape[0]} x "
            f"{image_shape[1]} px ({one_line(error)}); set responses.image_size or "
            "convolutions"
        ) from error
    if len(shape) != 3 or 0 in shape:
        raise UserError(
            f"backbone '{settings['backbone']}': makes no maps of images; shape {shape}"
        )
    readout = make_readout(settings, shape, neurons, covariates)
    network = EncodingNetwork(backbone, readout, pool=settings["pool"], frozen=settings["frozen"])
    initialise(readout, settings["initialisation"])
    if settings["pretrained"] == "none" and not settings["frozen"]:
        initialise(backbone, settings["initialisation"])
    return network


def make_readout(
    settings: dict[str, Any], shape: tuple[int, ...], neurons: int, covariates: int
) -> nn.Module:
    """Build the readout of a model's settings on maps of `shape` (C, h, w)."""
    if settings["readout"] == "factorised":
        return Factorised(shape, covariates, neurons)
    if settings["readout"] == "rnn":
        return OverPresentations(shape, covariates, settings["units"], neurons)
    return FullyConnected(shape, covariates, settings["hidden"], settings["activation"], neurons)


def initialise(network: nn.Module, how: str) -> None:
    """Draw the weights of convolutions and linear layers anew: kaiming or xavier, normal.

    He et al. 2015 (ICCV; fan in, gain of ReLU); Glorot and Bengio 2010 (AISTATS). Biases are 0.
    """
    if how == "default":
        return
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            if how == "kaiming":
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            else:
                nn.init.xavier_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
