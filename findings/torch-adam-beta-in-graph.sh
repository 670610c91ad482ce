#!/usr/bin/env bash
# Guess: torch's Adam with capturable=True, whose rate and betas are tensors, reads them anew at each step, so that
#   a CUDA graph of a step follows a schedule that cycles beta1 (OneCycleLR does).
# Happens: both betas are made numbers by the host: 1 - beta1 is handed to _foreach_lerp_, which has no overload for a
#   tensor. Recorded here on a CPU, where the same operations run; a graph has the numbers of its capture, if the
#   capture is not refused. The fused Adam takes betas as numbers from the start.
# Version: torch 2.13.0.
# Source: run here.
# Why it matters: trainings by graphs of steps would keep the beta of the capture, without a word.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import torch
from torch.optim import adam
from torch.utils._python_dispatch import TorchDispatchMode

print("torch", torch.__version__)
adam._get_capturable_supported_devices = lambda **_: ["cpu"]  # the check of devices only


class Recorded(TorchDispatchMode):
    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        calls.append((str(operation), args))
        return operation(*args, **(kwargs or {}))


calls = []
weight = torch.nn.Parameter(torch.ones(3))
weight.grad = torch.ones(3)
beta1 = torch.tensor(0.9)
optimizer = torch.optim.Adam(
    [weight], lr=torch.tensor(1e-3), betas=(beta1, torch.tensor(0.999)), capturable=True, foreach=True
)
optimizer.step()
with Recorded():
    optimizer.step()
lerps = [args[2] for name, args in calls if name.startswith("aten._foreach_lerp_")]
reads = sum(name.startswith("aten._local_scalar_dense") for name, _ in calls)
print(f"1 - beta1 as _foreach_lerp_ is given it: {lerps[0]!r}; reads by the host in a step: {reads}")
assert isinstance(lerps[0], float) and reads, "no longer so"
EOF
