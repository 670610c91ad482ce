#!/usr/bin/env bash
# Guess: where suite2p's registration moves a frame, the edge that comes in is empty, or repeats the last row.
# Happens: whole-frame shifts are `torch.roll`: pixels that leave at one side come in at the other. A bright band of 4 columns at
#   the left is at the right edge after a shift of 5 to the left, and counts there from then on.
# Version: suite2p 1.1.0 (cellpose 4.2.1.1, torch 2.13.0, numpy 2.4.6).
# Source: run here; `shift_frames` of suite2p/registration/register.py. Its results `yrange`, `xrange` say which part is valid.
# Why it matters: two-photon movies are cropped afterwards; a widefield movie is used to its edges, where the lateral areas of
#   one hemisphere then carry pixels of the other: signals of left and right areas correlate when the animal moves.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check suite2p==1.1.0 cellpose==4.2.1.1 torch==2.13.0 torchvision==0.28.0 \
  numpy==2.4.6
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
from suite2p.registration import register

print("suite2p", metadata.version("suite2p"))
frames = torch.zeros(1, 64, 64)
frames[0, :, :4] = 7
moved = register.shift_frames(frames, torch.tensor([0]), torch.tensor([5]), device=torch.device("cpu"))
print("first row before", frames[0, 0].tolist(), "\nfirst row after ", moved[0, 0].tolist())
assert moved[0, :, 59:63].min() == 7 and moved.sum() == frames.sum()
EOF
