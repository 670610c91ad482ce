#!/usr/bin/env bash
# Guess: of a maximum that is in two overlapping pools, DeepLIFT gives both rises to the pixel that is the largest.
# Happens: shap and captum send them back by max_unpool, which keeps one of several values for a place: a pixel that
#   raises two pools by 9 each gets 9, not 18. captum says nothing; shap's check of the sum stops, except where the
#   output moves by less than 0.01, and many switch it off (check_additivity=False).
# Version: shap 0.51.0, captum 0.9.0, torch 2.13.0.
# Source: run here; the same in another package: https://github.com/jmschrei/tangermeme/pull/95
# Why it matters: ResNets and DenseNets begin with a max pool of 3 x 3 pixels at every second one.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check shap==0.51.0 captum==0.9.0 torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import warnings

import captum
import shap
import torch
from captum.attr import DeepLift
from torch import nn

warnings.simplefilter("ignore")  # of hooks
print("shap", shap.__version__, "captum", captum.__version__, "torch", torch.__version__)
window, reference = torch.tensor([[[0.0, 0, 9, 0, 0, 0]]]), torch.zeros(1, 1, 6)


def both(stride, pools):
    sum_of_pools = nn.Linear(pools, 1, bias=False)
    nn.init.ones_(sum_of_pools.weight)
    network = nn.Sequential(nn.MaxPool1d(4, stride), nn.Flatten(), sum_of_pools).eval()
    explainer = shap.DeepExplainer(network, reference)
    by_shap = explainer.shap_values(window, check_additivity=False).sum()
    by_captum = DeepLift(network).attribute(window, reference).sum().item()
    moves = (network(window) - network(reference)).item()
    print("stride", stride, "the output moves by", moves, "shap:", by_shap, "captum:", by_captum)
    return moves, by_shap, by_captum, explainer


assert both(4, 1)[:3] == (9, 9, 9)
*found, explainer = both(2, 2)
assert found == [18, 9, 9]
try:
    explainer.shap_values(window)
    raise SystemExit("shap's check passes")
except AssertionError as error:
    print("shap's check:", str(error)[:60])
EOF
