#!/usr/bin/env bash
# Guess: of windows of 10 signals, 2 of them planted, a map that is exactly what was planted has the relevance mass,
#   relevance rank and AUC-PR of a perfect one, 1; a map without any contrast has the baseline of AUC-PR that its
#   docstring states, the share of planted numbers.
# Happens: the measures are taken of each signal by itself and averaged, and one where nothing was planted counts 0: the
#   perfect map has .2 in all three, and so has one with nearly all of its weight on the eight other signals, as it is
#   perfect within the two. A constant map has an AUC-PR of .6 in a planted signal, (1 + share) / 2, as its curve begins
#   at precision 1. Over the whole window, signals x time, perfect is 1 and the average precision of a constant map .2.
# Version: xaitimesynth 0.1.1 (arXiv:2603.06781), numpy 2.4.6, scikit-learn 1.9.1.
# Source: run here; that package's metrics.py.
# Why it matters: with 50 cortical areas, 10 of them planted, no map can pass .2, and the measures cannot tell which
#   areas it finds; they must not stand in a table beside those taken over areas x time.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check xaitimesynth==0.1.1 numpy==2.4.6 scikit-learn==1.9.1
venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from sklearn.metrics import average_precision_score
from xaitimesynth import TimeSeriesBuilder, constant, gaussian_noise
from xaitimesynth.metrics import auc_pr_score, relevance_mass_accuracy, relevance_rank_accuracy

print("xaitimesynth", version("xaitimesynth"))
FRAMES, SIGNALS = 50, 10
builder = TimeSeriesBuilder(n_timesteps=FRAMES, n_samples=8, n_dimensions=SIGNALS, random_state=1)
for label in (0, 1):
    builder.for_class(label).add_signal(gaussian_noise(sigma=1), dim=list(range(SIGNALS)))
    builder.add_feature(constant(value=1 + label), start_pct=0.4, end_pct=0.6, dim=[0, 1])
data = builder.build()
planted = np.zeros((8, FRAMES, SIGNALS), bool)
for name, mask in data["feature_masks"].items():
    planted[:, :, int(name.rpartition("dim")[2])] |= mask
assert planted.sum(axis=(1, 2)).tolist() == [20] * 8 and not planted[:, :, 2:].any()

MEASURES = relevance_mass_accuracy, relevance_rank_accuracy, auc_pr_score
perfect = planted.astype(float)
found = [float(measure(perfect, data)) for measure in MEASURES]
print("the perfect map: mass, rank, AUC-PR", found)
assert np.allclose(found, 0.2)

lost = perfect.copy()
lost[:, :, 2:] = 9  # nearly all weight on signals that carry nothing
found = [float(measure(lost, data)) for measure in MEASURES]
mass = float((lost * planted).sum() / lost.sum())
print("nearly all weight elsewhere:", found, "mass over the whole window", round(mass, 4))
assert np.allclose(found, 0.2) and mass < 0.01

flat = float(auc_pr_score(np.ones_like(perfect), data, dim_indices=[0]))
usual = average_precision_score(planted[0, :, 0], np.ones(FRAMES))
print("a constant map in a planted signal: AUC-PR", flat, "average precision", usual)
assert np.isclose(flat, 0.6) and np.isclose(usual, 0.2)
PYTHON
