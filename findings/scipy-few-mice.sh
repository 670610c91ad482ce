#!/usr/bin/env bash
# Guess: ranksums and mannwhitneyu are one test and give one p; so does wilcoxon for scores in percent and
#   the same scores as fractions.
# Happens: ranksums is the normal approximation at any n: 3 mice against 3, all above, p = 0.0495; exact (that
#   is mannwhitneyu, R and MATLAB) 0.1, and no smaller p exists. wilcoxon ranks differences as they come: those
#   that are equal in percent differ by rounding as fractions, so p = 1.0 becomes 0.625.
# Version: scipy 1.17.1.
# Source: run here; documentation of scipy.stats.ranksums and of wilcoxon (notes on rounding).
# Why it matters: studies have 3 to 6 mice a group and tables have rounded AUCs.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'EOF'
import numpy as np
import scipy
from scipy.stats import mannwhitneyu, ranksums, wilcoxon

print("scipy", scipy.__version__)
low, high = [0.71, 0.74, 0.76], [0.81, 0.85, 0.88]
normal, exact = ranksums(low, high).pvalue, mannwhitneyu(low, high).pvalue
print("3 against 3: ranksums", normal, "mannwhitneyu", exact)
assert normal < 0.05 and np.isclose(exact, 0.1)

one = np.array([70, 76, 67, 73, 90, 87])
other = np.array([68, 78, 65, 75, 89, 89])
percent, fraction = wilcoxon(one, other).pvalue, wilcoxon(one / 100, other / 100).pvalue
print("differences", one - other, "p in percent", percent, "as fractions", fraction)
assert np.isclose(percent, 1.0) and np.isclose(fraction, 0.625)
EOF
