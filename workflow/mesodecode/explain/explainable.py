"""Which backbones Deep SHAP can explain, known before one is trained for hours."""

import torch

from mesodecode.base.files import UserError
from mesodecode.decoders.networks import CNNDecoder
from mesodecode.explain.operations import Rules


def check_backbone(name: str) -> None:
    """Raise UserError if a timm backbone does what Deep SHAP has no rule for, and say where.

    Its tensors have shapes and no values ("meta"): no weight is drawn, and nothing computed.
    """
    with torch.device("meta"):
        network = CNNDecoder(name).eval().requires_grad_(False)
        pair = torch.zeros(2, *network.net.pretrained_cfg["input_size"], requires_grad=True)
        try:
            with Rules(network, len(pair)):
                network.features(pair)
        except UserError as error:
            raise UserError(
                f"backbone '{name}' has no map of pixels: {error}; take a backbone without it, "
                "such as an EfficientNet, or a cut-out (masks: squares), which explains any"
            ) from error
