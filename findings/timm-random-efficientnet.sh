#!/usr/bin/env bash
# Guess: an EfficientNet whose weights are drawn anew (`reset_parameters` of each layer, the sanity check of Adebayo et al. 2018) gives
#   every image another logit, by chance.
# Happens: 64 images of noise get one and the same float32. The layers' uniform weights shrink what passes by a third of its variance each,
#   BatchNorm in evaluation mode has mean 0 and variance 1 of no images, and only the last bias is left. Once the BatchNorm layers have
#   seen images, logits differ as guessed. timm's own first weights (pretrained=False) lose nearly as much: 1e-4. A ResNet keeps .003.
# Version: timm 1.0.31, torch 2.13.0.
# Source: run here; torch's bounds of first weights are in the docstring of nn.Conv2d.
# Why it matters: a cut-out or gradient map of random weights is then all zeros, or that of rounding, which no learned map resembles: the
#   check passes whatever the map.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
venv/bin/pip install --quiet --disable-pip-version-check --no-deps timm==1.0.31 torchvision==0.28.0
venv/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 pillow==13.0.0 pyyaml==6.0.3 huggingface-hub==2.4.0 safetensors==0.8.0
venv/bin/python - <<'EOF'
import torch

try:
    import torchvision  # noqa: F401
except RuntimeError:  # beside a build of torch for CPUs that lacks torchvision's operators
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import timm

print("timm", timm.__version__, "torch", torch.__version__)
torch.manual_seed(0)
images = torch.randn(64, 3, 128, 128)
found = {}
for name in ("efficientnet_b0", "resnet18"):
    net = timm.create_model(name, pretrained=False, num_classes=1)

    def logits(how):
        with torch.no_grad():
            made = net.eval()(images)[:, 0]
        found[name, how] = len(made.unique()), made.std().item()
        print(f"{name}, {how}: {len(made.unique())} different logits of 64 images, SD {made.std():.2g}")

    logits("timm's first weights")
    for layer in net.modules():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    logits("drawn anew")
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
    with torch.no_grad():
        net.train()(images)
    logits("drawn anew, BatchNorm has seen images")
assert found["efficientnet_b0", "drawn anew"][0] == 1
assert found["efficientnet_b0", "timm's first weights"][1] < 1e-3
assert found["efficientnet_b0", "drawn anew, BatchNorm has seen images"][1] > 0.05
assert found["resnet18", "drawn anew"][0] > 30
EOF
