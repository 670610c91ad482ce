#!/usr/bin/env bash
# Guess: the references given to shap's explainers are the references.
# Happens: LinearExplainer and PermutationExplainer keep 100 of 2,000 rows, drawn once with a fixed seed, without a word: the
#   expected value of a linear decoder is 67.5 where the mean of its outputs for all references is 69.0.
#   `maskers.Independent(X, max_samples=2000)` keeps them all.
# Version: shap 0.51.0 (scikit-learn 1.9.1).
# Source: run here; `max_samples=100` of shap.maskers.Independent.
# Why it matters: shares are differences from that expected value. References of five mice, balanced by the caller, are no longer
#   balanced in a hundred; more references, meant to lessen the noise, change nothing.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check shap==0.51.0 scikit-learn==1.9.1 numpy==2.4.6 pandas==3.1.1
venv/bin/python - <<'EOF'
import numpy as np
import shap
from sklearn.linear_model import LinearRegression

print("shap", shap.__version__)
random = np.random.default_rng(0)
references = np.repeat(np.arange(5.0), 400)[:, None] + random.normal(size=(2000, 23))
weights = np.linspace(1, 2, 23)
decoder = LinearRegression().fit(references, references @ weights)
mean = decoder.predict(references).mean()
linear = shap.LinearExplainer(decoder, references)
permutation = shap.PermutationExplainer(decoder.predict, references)
every = shap.LinearExplainer(decoder, shap.maskers.Independent(references, max_samples=2000))
base = permutation(references[:1]).base_values[0]
print(f"mean of 2000 outputs {mean:.3f}; expected value: linear {linear.expected_value:.3f}, permutation {base:.3f}, "
      f"max_samples=2000 {every.expected_value:.3f}")
print("rows kept", len(linear.masker.data), len(permutation.masker.data), len(every.masker.data))
assert len(linear.masker.data) == len(permutation.masker.data) == 100
assert abs(linear.expected_value - mean) > 0.1 and abs(base - linear.expected_value) < 1e-3
assert abs(every.expected_value - mean) < 1e-6
EOF
