#!/usr/bin/env bash
# Guess: a paired test on a long table of one row per mouse and decoder pairs a mouse's rows.
# Happens: `posthoc_wilcoxon` of scikit-posthocs and "Wilcoxon" of statannotations (the stars of seaborn figures) know no
#   subjects: they pair the first row of one decoder with the first of the other. Six mice that all lose have p = 0.031; with
#   the rows of one decoder in another order p = 0.44, without a word. pingouin, which asks for `subject`, says 0.031 both times.
# Version: scikit-posthocs 0.17.1, statannotations 0.7.2, pingouin 0.7.0 (scipy 1.17.1, pandas 3.1.1).
# Source: run here.
# Why it matters: tables that are joined, or sorted by AUC, have another order of mice for each decoder; stars go, or come.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-posthocs==0.17.1 statannotations==0.7.2 pingouin==0.7.0 \
  scipy==1.17.1 pandas==3.1.1 numpy==2.4.6 seaborn==0.13.2
MPLBACKEND=agg venv/bin/python - <<'EOF'
import importlib.metadata as metadata
import warnings

warnings.simplefilter("ignore")
import pandas as pd
import pingouin
import scikit_posthocs
import seaborn as sns
from statannotations.Annotator import Annotator

print(*(f"{name} {metadata.version(name)}" for name in ("scikit-posthocs", "statannotations", "pingouin")), sep=", ")
cnn, rnn = [0.90, 0.80, 0.70, 0.60, 0.85, 0.75], [0.85, 0.76, 0.67, 0.58, 0.79, 0.74]
sorted_rows = pd.DataFrame({"mouse": list("abcdef") * 2, "decoder": ["cnn"] * 6 + ["rnn"] * 6, "auc": cnn + rnn})
turned = pd.concat([sorted_rows[:6], sorted_rows[:5:-1]])


def three(rows):
    """Return p of rnn against cnn by scikit-posthocs, statannotations and pingouin."""
    posthoc = scikit_posthocs.posthoc_wilcoxon(rows, val_col="auc", group_col="decoder").loc["cnn", "rnn"]
    axes = sns.stripplot(data=rows, x="decoder", y="auc")
    annotator = Annotator(axes, [("cnn", "rnn")], data=rows, x="decoder", y="auc").configure(test="Wilcoxon", verbose=0)
    stars = annotator.apply_and_annotate()[1][0].data.pvalue
    paired = pingouin.pairwise_tests(data=rows, dv="auc", within="decoder", subject="mouse", parametric=False)
    return [round(float(p), 5) for p in (posthoc, stars, paired.filter(regex="p.unc").iloc[0, 0])]


first, second = three(sorted_rows), three(turned)
print("mice in one order", first, "\nrnn's mice from f to a", second)
assert first == [0.03125, 0.03125, 0.03125]
assert second == [0.4375, 0.4375, 0.03125]
EOF
