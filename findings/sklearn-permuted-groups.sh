#!/usr/bin/env bash
# Guess: permutation_test_score(..., groups=mouse, cv=GroupKFold()) keeps the samples of a mouse together and deals the labels
#   anew among mice.
# Happens: labels are dealt anew within each mouse alone. Where the label is one per mouse (genotype, treatment) no permutation
#   changes anything: each "permuted" score is the score, and p = 1.0 for a perfect decoder. There is no warning. Without
#   groups, samples are dealt one by one, which takes eight mice for eighty independent samples.
# Version: scikit-learn 1.9.1.
# Source: run here; parameter groups of permutation_test_score.
# Why it matters: groups= means the opposite for the folds (a mouse is never split) than for the labels, and both come by one
#   argument. The test that is right for a label per mouse is neither of the two.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6
venv/bin/python - <<'EOF'
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, permutation_test_score

warnings.simplefilter("error")
print("scikit-learn", sklearn.__version__)
mouse, mutant = np.repeat(np.arange(8), 10), np.repeat([0, 1] * 4, 10)
x = 5 * mutant[:, None] + np.random.default_rng(0).normal(size=(80, 3))
known = {"cv": GroupKFold(4), "n_permutations": 50, "random_state": 0}
score, permuted, p = permutation_test_score(LogisticRegression(), x, mutant, groups=mouse, **known)
print("a label per mouse: score", score, "permuted", set(permuted.tolist()), "p", p)
assert score == 1 and set(permuted) == {1.0} and p == 1.0

run = np.tile([0, 1], 40)
x = 5 * run[:, None] + np.random.default_rng(0).normal(size=(80, 3))
score, permuted, p = permutation_test_score(LogisticRegression(), x, run, groups=mouse, **known)
print("labels within mice: score", score, "permuted", permuted.mean().round(2), "p", round(p, 3))
assert p < 0.05
EOF
