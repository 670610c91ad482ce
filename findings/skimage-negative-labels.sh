#!/usr/bin/env bash
# Guess: regionprops finds each label but 0, which is the background, as its documentation says.
# Happens: negative labels are left out as well, by regionprops and regionprops_table, without a word.
# Version: scikit-image 0.26.0.
# Source: run here; scipy.ndimage.find_objects, which it builds on, looks at positive labels.
# Why it matters: widefield atlases number the areas of one hemisphere by the negative of the other's (wfield): half a cortex
#   is missing from a table of areas that looks complete.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-image==0.26.0 numpy==2.4.6 scipy==1.17.1
venv/bin/python - <<'EOF'
import warnings

import numpy as np
import scipy.ndimage
import skimage
from skimage.measure import regionprops, regionprops_table

warnings.simplefilter("error")
print("scikit-image", skimage.__version__)
areas = np.zeros((6, 8), dtype=int)
areas[1:3, :3], areas[4:, :3] = -1, -2
areas[1:3, 5:], areas[4:, 5:] = 1, 2
found = [region.label for region in regionprops(areas, intensity_image=areas)]
table = regionprops_table(areas, properties=("label", "area"))["label"].tolist()
means = scipy.ndimage.mean(areas, areas, [-2, -1, 1, 2]).tolist()
print("labels", np.unique(areas), "regionprops", found, "table", table, "scipy's mean", means)
assert found == table == [1, 2] and means == [-2, -1, 1, 2]
EOF
