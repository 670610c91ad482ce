#!/usr/bin/env bash
# Guess: augmentations of torchvision v2 that are told to change little leave images of ΔF/F as they are.
# Happens: float images are taken to lie in 0 to 1. Brightness × 1.01, sharpness × 1 and Gaussian noise of 0 clip: all negative
#   pixels become 0, all above 1 become 1. Turns, shifts and blur keep them; GaussianNoise(clip=False) too.
# Version: torchvision 0.28.0 (torch 2.13.0).
# Source: run here; `bound` of torchvision/transforms/v2/functional/_color.py.
# Why it matters: half the pixels of a z-scored cortex are negative. A decoder trained on clipped images is tested on whole ones.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 torchvision==0.28.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import importlib.metadata as metadata

import torch

try:
    import torchvision  # noqa: F401
except RuntimeError:  # a CPU build of torch beside torchvision's CUDA build: its two operators are only declared
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from torchvision.transforms import v2

print("torchvision", metadata.version("torchvision"))
torch.manual_seed(0)
image = torch.randn(3, 32, 32)
shares = {}
for name, change in {
    "brightness x 1.01": v2.ColorJitter(brightness=(1.01, 1.01)),
    "sharpness x 1": v2.RandomAdjustSharpness(1.0, p=1.0),
    "noise of 0": v2.GaussianNoise(sigma=0.0),
    "noise of 0, clip=False": v2.GaussianNoise(sigma=0.0, clip=False),
    "turn of 0 degrees": v2.RandomRotation((0, 0)),
}.items():
    out = change(image)
    shares[name] = round((out < 0).float().mean().item(), 2), round(out.min().item(), 2), round(out.max().item(), 2)
    print(f"{name}: {shares[name][0]:.0%} of pixels negative, from {shares[name][1]} to {shares[name][2]}")
assert all(shares[name] == (0, 0, 1) for name in ("brightness x 1.01", "sharpness x 1", "noise of 0"))
assert all(shares[name][0] > 0.4 for name in ("noise of 0, clip=False", "turn of 0 degrees"))
EOF
