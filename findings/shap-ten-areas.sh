#!/usr/bin/env bash
# Guess: KernelExplainer gives every area its share; of a linear decoder of 23 areas it is exact.
# Happens: by default it keeps the ten areas that a regression picks; the other 13 are 0 exactly. The shares still add up to the
#   output (what the 13 carry is laid on the ten), so that the check of sums passes. `l1_reg=False` gives all 23.
# Version: shap 0.51.0 (scikit-learn 1.9.1).
# Source: run here; the default `l1_reg="num_features(10)"` is in its docstring. Shares of a linear function are known.
# Why it matters: zeros are read as areas that carry nothing, and a rank test over areas gets 13 ties.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check shap==0.51.0 scikit-learn==1.9.1 numpy==2.4.6 pandas==3.1.1
venv/bin/python - <<'EOF'
import numpy as np
import shap

print("shap", shap.__version__)
random = np.random.default_rng(0)
weights = np.linspace(1, 2, 23)
references, window = random.normal(size=(50, 23)), random.normal(size=(1, 23))
explainer = shap.KernelExplainer(lambda areas: areas @ weights, references)
exact = weights * (window - references.mean(0))
default = explainer.shap_values(window, silent=True)
full = explainer.shap_values(window, silent=True, l1_reg=False)
for name, shares in (("exact", exact), ("default", default), ("l1_reg=False", full)):
    print(f"{name}: {np.count_nonzero(np.abs(shares) > 1e-9)} areas, sum {shares.sum():.4f}, "
          f"farthest from exact {np.abs(shares - exact).max():.4f}")
assert np.count_nonzero(np.abs(default) > 1e-9) == 10
assert abs(default.sum() - exact.sum()) < 1e-6
assert np.abs(default - exact).max() > 1
assert np.abs(full - exact).max() < 1e-6
EOF
