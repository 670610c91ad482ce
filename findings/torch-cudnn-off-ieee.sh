#!/usr/bin/env bash
# Guess: `with torch.backends.cudnn.flags(enabled=False)`, the known way to have gradients of a recurrent layer in evaluation mode, works
#   whatever precision cuDNN is told to multiply in.
# Happens: once both of cuDNN's layers were told to round nothing (conv and rnn .fp32_precision = "ieee"), it raises RuntimeError on entry,
#   on a machine without a GPU too: conv and RNN would have different TF32 flags, though both are "ieee". Told "tf32" again, it works.
#   Setting `torch.backends.cudnn.enabled` itself always does.
# Version: torch 2.13.0.
# Source: run here.
# Why it matters: who asks for exact float32, to compare a GPU with a CPU, can no longer explain a GRU by gradients or DeepLift.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import torch
from torch.backends import cudnn

print("torch", torch.__version__)


def by_flags():
    try:
        with cudnn.flags(enabled=False):
            return "works"
    except RuntimeError as error:
        return f"RuntimeError: {str(error)[:240]}"


found = {}
for kind in ("as it comes", "ieee", "tf32"):
    if kind != "as it comes":
        cudnn.conv.fp32_precision = cudnn.rnn.fp32_precision = kind
    found[kind] = by_flags()
    print(f"conv {cudnn.conv.fp32_precision}, rnn {cudnn.rnn.fp32_precision} ({kind}): flags(enabled=False) {found[kind]}")
cudnn.conv.fp32_precision = cudnn.rnn.fp32_precision = "ieee"
cudnn.enabled = False
print("ieee: cudnn.enabled =", cudnn.enabled)
assert found["as it comes"] == found["tf32"] == "works"
assert found["ieee"].startswith("RuntimeError: PyTorch is checking whether allow_tf32")
assert cudnn.enabled is False
EOF
