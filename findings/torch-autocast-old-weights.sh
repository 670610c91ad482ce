#!/usr/bin/env bash
# Guess: a network that is given other weights (load_state_dict) computes with them at its next call.
# Happens: within one autocast block it computes with the old ones: weights that need gradients are cast once and kept
#   until the outermost block ends, under no_grad too (under inference_mode they are not).
# Version: torch 2.13.0.
# Source: run here.
# Why it matters: passing recordings through all epochs of a training in one block of autocast gives every epoch the
#   predictions of the first. cache_enabled=False is the cure.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import torch

print("torch", torch.__version__)


def after_zeros(**how):
    torch.manual_seed(0)
    layer, x = torch.nn.Linear(4, 1), torch.ones(1, 4)
    zeros = {name: torch.zeros_like(value) for name, value in layer.state_dict().items()}
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, **how):
        layer(x)
        layer.load_state_dict(zeros)
        return layer(x).item()


kept, fresh = after_zeros(), after_zeros(cache_enabled=False)
print(f"output of weights that are all zero: {kept:.3f}; without the cache {fresh:.3f}")
assert kept != 0 and fresh == 0, "no longer so"
EOF
