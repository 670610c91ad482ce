#!/usr/bin/env bash
# Guess: BinaryAUROC of logits is the same however they are handed over, batch by batch or at once: it keeps them all.
# Happens: of each batch by itself it is decided whether numbers are logits (any outside of 0 to 1), to which a sigmoid is
#   applied, or probabilities, which are kept. Batches with all logits between 0 and 1 are ranked among sigmoids of the others:
#   the same 200 numbers give 0.788 at once, 0.781 by fives and 0.688 one by one. No warning.
# Version: torchmetrics 1.9.0, torch 2.13.0.
# Source: run here; the documentation says that the sigmoid is applied, not that a batch decides.
# Why it matters: validation by batches is what the class is for; the AUC then depends on the batch size, most where a
#   decoder is unsure, and drops by more than decoders differ.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 torchmetrics==1.9.0 scikit-learn==1.9.1 numpy==2.4.6
venv/bin/python - <<'EOF'
import warnings

import numpy as np
import torch
import torchmetrics
from sklearn.metrics import roc_auc_score
from torchmetrics.classification import BinaryAUROC

warnings.simplefilter("error")
print("torchmetrics", torchmetrics.__version__, "torch", torch.__version__)
rng = np.random.default_rng(0)
run = rng.integers(0, 2, 200)
logits = (0.6 * rng.normal(size=200) + 0.7 * run).astype(np.float32)


def auc(batch):
    metric = BinaryAUROC()
    for first in range(0, len(run), batch):
        part = slice(first, first + batch)
        metric.update(torch.from_numpy(logits[part]), torch.from_numpy(run[part]))
    return float(metric.compute())


true = roc_auc_score(run, logits)
seen = {batch: round(auc(batch), 3) for batch in (200, 20, 5, 1)}
print("scikit-learn", round(true, 3), "torchmetrics by batch size", seen)
assert abs(auc(200) - true) < 1e-6
assert true - auc(1) > 0.02 and abs(true - auc(5)) > 0.005
EOF
