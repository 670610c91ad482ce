#!/usr/bin/env bash
# Guess: DeepExplainer either explains a GRU or stops: its check of the sum (check_additivity, on by default) sees.
# Happens: nn.GRU is not supported (a warning, "unrecognized nn.Module: GRU", and gradients used as they are). The
#   check allows 0.01, whatever the scale: for a GRU whose output moves by less, sums that are off by more
#   than the whole output moves are returned. Made 100 times larger, the same network is refused.
# Version: shap 0.51.0, torch 2.13.0.
# Source: run here.
# Why it matters: outputs in small units (probabilities of rare states, scaled rates) pass the check with
#   values that explain nothing.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check shap==0.51.0 torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import warnings

import numpy as np
import shap
import torch

print("shap", shap.__version__, "torch", torch.__version__)


class Decoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.GRU(6, 8, batch_first=True)
        self.out = torch.nn.Linear(8, 1)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])


torch.manual_seed(1)
model = Decoder().eval()
with torch.no_grad():
    for weights in model.rnn.parameters():
        weights *= 2
    model.out.weight *= 0.01
background, windows = torch.randn(50, 10, 6), torch.randn(20, 10, 6)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    values = np.asarray(shap.DeepExplainer(model, background).shap_values(windows))
sums = values.reshape(20, -1).sum(1)
with torch.no_grad():
    truth = (model(windows) - model(background).mean(0)).numpy().ravel()
print({str(w.message) for w in told if "nn.Module" in str(w.message)})
print("output moves by", abs(truth).max(), "sums are off by", abs(sums - truth).max())
assert abs(sums - truth).max() > abs(truth).max()
with torch.no_grad():
    model.out.weight *= 100
try:
    shap.DeepExplainer(model, background).shap_values(windows)
    raise SystemExit("the larger output is not refused")
except AssertionError as error:
    print("100 times larger:", str(error)[:60])
EOF
