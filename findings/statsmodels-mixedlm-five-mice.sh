#!/usr/bin/env bash
# Guess: a mixed model with 5 mice as groups gives the p of the paired t test (balanced data), about 0.06.
# Happens: MixedLM refers its statistic to the normal distribution, whatever the number of groups: p = 0.0097
#   where the paired t test (same statistic, 4 degrees of freedom) says 0.061. fit(use_t=True) is taken with a
#   warning and changes nothing.
# Version: statsmodels 0.15.0.
# Source: run here; lmerTest in R uses degrees of freedom by Satterthwaite.
# Why it matters: "mixed model, p < 0.01" from five mice.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check statsmodels==0.15.0 pandas==3.1.1 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'EOF'
import warnings

import numpy as np
import pandas as pd
import statsmodels
import statsmodels.formula.api as smf
from scipy.stats import norm, t, ttest_rel

print("statsmodels", statsmodels.__version__)
warnings.simplefilter("ignore")
one = np.array([0.80, 0.85, 0.70, 0.90, 0.75])
other = one + [0.02, 0.05, 0.01, 0.04, 0.0]
table = pd.DataFrame({"auc": [*one, *other], "decoder": ["a"] * 5 + ["b"] * 5, "mouse": [*range(5)] * 2})
model = smf.mixedlm("auc ~ decoder", table, groups="mouse")
fit = model.fit()
with_t = model.fit(use_t=True).pvalues["decoder[T.b]"]
paired, p = ttest_rel(other, one), fit.pvalues["decoder[T.b]"]
z = fit.tvalues["decoder[T.b]"]
print("MixedLM statistic", z, "p", p, "with use_t", with_t)
print("paired t", paired.statistic, "p", paired.pvalue)
assert abs(z - paired.statistic) < 0.01 and np.isclose(p, 2 * norm.sf(z))
assert p < 0.01 < 0.06 < paired.pvalue and with_t == p and np.isclose(paired.pvalue, 2 * t.sf(paired.statistic, 4))
EOF
