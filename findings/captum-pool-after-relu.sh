#!/usr/bin/env bash
# Guess: DeepLift has a rule for MaxPool layers (they are in its list of supported ones), so that attributions of a
#   convolutional network of ReLU and max pooling add up to the change of its output.
# Happens: a pool whose input comes from a ReLU layer passes the plain gradient on: of ReLU and MaxPool1d(2), from
#   (-1, 2) to (3, -1), the first number gets 3 where the output moves by 1. Without the ReLU it is 1, as by the rule.
#   No warning; only return_convergence_delta=True tells.
# Version: captum 0.9.0, torch 2.13.0.
# Source: run here; https://github.com/meta-pytorch/captum/issues/351 has such deltas unexplained.
# Why it matters: VGGs and the first layers of ResNets are convolution, ReLU, pool; their maps of pixels are wrong.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check captum==0.9.0 torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import warnings

import captum
import torch
from captum.attr import DeepLift
from torch import nn

warnings.simplefilter("ignore")  # of hooks, whatever the network
print("captum", captum.__version__, "torch", torch.__version__)
window, reference = torch.tensor([[[3.0, -1.0]]]), torch.tensor([[[-1.0, 2.0]]])


def attributed(*layers):
    network = nn.Sequential(*layers, nn.Flatten())
    values, missed = DeepLift(network).attribute(
        window, reference, return_convergence_delta=True
    )
    moved = (network(window) - network(reference)).item()
    print([type(layer).__name__ for layer in layers], "moves by", moved, "captum:", values.tolist())
    return values.ravel().tolist(), missed.item(), moved


values, missed, moved = attributed(nn.MaxPool1d(2))
assert moved == 1 and values == [1, 0] and missed == 0
values, missed, moved = attributed(nn.ReLU(), nn.MaxPool1d(2))
assert moved == 1 and values == [3, 0] and missed == 2  # 3 is not (0, 2) -> (3, 0), nor its max
values, missed, moved = attributed(nn.MaxPool1d(2), nn.ReLU())
assert moved == 1 and values == [1, 0] and missed == 0
EOF
