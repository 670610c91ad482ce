"""Import timm where torchvision's compiled operators do not load.

On Linux, PyPI's torchvision is built for CUDA. Beside a CPU-only torch its operators are missing,
and ``import timm``, which imports torchvision, fails with "operator torchvision::nms does not
exist": torchvision registers a rule for an operator that nobody declared. Declaring the two
schemas first makes the import work; nothing here calls the operators. It is done only after the
plain import has failed, so that a working torchvision keeps its own.
"""

import sys

import torch

try:
    import timm
except RuntimeError as error:
    if "torchvision::" not in str(error):
        raise
    for name in [m for m in sys.modules if m.split(".")[0] in ("timm", "torchvision")]:
        del sys.modules[name]  # half-imported
    torch.library.define(
        "torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    )
    torch.library.define(
        "torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    )
    import timm

__all__ = ["timm"]
