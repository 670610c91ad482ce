#!/usr/bin/env bash
# Guess: R² of float32 values far from zero is a little less exact.
# Happens: R2Score and ExplainedVariance keep running sums of squares in float32, from which the square of the mean is
#   taken off: of raw fluorescence at 10,000 counts with an SD of 10, R² is wrong in the first or second digit, and at
#   100,000 counts it is 0 or nothing at all like it. PearsonCorrCoef, and scikit-learn on the same float32, are right.
# Version: torchmetrics 1.9.0, torch 2.13.0.
# Source: run here.
# Why it matters: encoding models and regressions of raw traces are judged by R² while they train.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6 scikit-learn==1.9.1
venv/bin/python - <<'EOF'
import numpy as np
import torch
import torchmetrics
from sklearn.metrics import r2_score

print("torchmetrics", torchmetrics.__version__, "torch", torch.__version__)


def scores(offset):
    """R2Score, ExplainedVariance and Pearson's r over batches of 256; R² of scikit-learn."""
    random = np.random.default_rng(0)
    trace = 10 * random.normal(size=20000)
    predicted = trace + 5 * random.normal(size=20000)
    pair = [torch.tensor(offset + x, dtype=torch.float32) for x in (predicted, trace)]
    kinds = torchmetrics.R2Score, torchmetrics.ExplainedVariance, torchmetrics.PearsonCorrCoef
    found = []
    for metric in [kind() for kind in kinds]:
        for batch in zip(*(x.split(256) for x in pair)):
            metric.update(*batch)
        found.append(float(metric.compute()))
    found.append(r2_score(pair[1].numpy(), pair[0].numpy()))
    print(f"offset {offset:7}: R2Score {found[0]:.3f}, ExplainedVariance {found[1]:.3f},", end=" ")
    print(f"Pearson {found[2]:.4f}, scikit-learn {found[3]:.3f}")
    return found


r2, explained, r, by_sklearn = scores(0)
assert abs(r2 - by_sklearn) < 1e-3 and abs(explained - by_sklearn) < 1e-3
for offset, off_by in ((10_000, 0.02), (100_000, 0.5)):
    far = scores(offset)
    assert abs(far[0] - r2) > off_by and abs(far[2] - r) < 1e-3 and abs(far[3] - r2) < 1e-2
EOF
