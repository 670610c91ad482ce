#!/usr/bin/env bash
# Guess: multipletests leaves a missing p (NaN) missing and corrects the others, as many as there are.
# Happens: Holm, Bonferroni and Šidák count the missing one as a test. Benjamini-Hochberg, Benjamini-Yekutieli, Hochberg and
#   Hommel give NaN for all; what they reject is another matter: Benjamini-Hochberg all four of the others, Hochberg one and Hommel
#   none, where all three reject the four without the missing one. No error, no warning.
# Version: statsmodels 0.15.0.
# Source: run here; R's p.adjust leaves missing ones out by default.
# Why it matters: an area that a mouse lacks, or a comparison without enough sessions, has no p. The others are corrected
#   for more tests than were made, or lost.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check statsmodels==0.15.0 numpy==2.4.6 scipy==1.17.1
venv/bin/python - <<'EOF'
import warnings

import numpy as np
import statsmodels
from statsmodels.stats.multitest import multipletests

warnings.simplefilter("error")
print("statsmodels", statsmodels.__version__)
given = np.array([0.001, 0.02, 0.03, np.nan, 0.04])
known = ~np.isnan(given)
for method in ("holm", "bonferroni", "sidak", "fdr_bh", "fdr_by", "simes-hochberg", "hommel"):
    reject, p = multipletests(given, method=method)[:2]
    alone = multipletests(given[known], method=method)[1]
    print(f"{method}: {p.round(4)}, {reject.sum()} rejected; without the missing one {alone.round(4)}")
    if method in ("holm", "bonferroni", "sidak"):
        assert (p[known] > alone).all()
    else:
        assert np.isnan(p).all() and not np.isnan(alone).any()
        assert method == "fdr_by" or (alone < 0.05).all()
        assert reject.sum() == {"fdr_bh": 4, "fdr_by": 1, "simes-hochberg": 1, "hommel": 0}[method]
EOF
