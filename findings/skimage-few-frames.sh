#!/usr/bin/env bash
# Guess: skimage.io.imread gives a TIFF of gray frames as it is stored, and block averages of frames keep the
#   level of the image up to its edge.
# Happens: 3 or 4 frames (3, rows, columns) come back as (rows, columns, 3), as if they were colours; 2 or 5 frames as
#   they are. block_reduce and downscale_local_mean fill what is missing to a whole block with zeros: the
#   last row and column of a flat image of odd size are half as bright.
# Version: scikit-image 0.26.0, tifffile 2026.3.3.
# Source: run here; skimage.io._io.imread, parameter cval of block_reduce.
# Why it matters: averages of a few frames are turned without a word, and binned movies get a dark border that moves
#   with every change of brightness.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-image==0.26.0 tifffile==2026.3.3 numpy==2.4.6
venv/bin/python - <<'EOF'
import numpy as np
import skimage
import tifffile
from skimage.io import imread
from skimage.measure import block_reduce
from skimage.transform import downscale_local_mean

print("scikit-image", skimage.__version__)
shapes = {}
for n in (2, 3, 4, 5):
    tifffile.imwrite("frames.tif", np.zeros((n, 10, 12), "u2"), photometric="minisblack")
    shapes[n] = imread("frames.tif").shape
print("frames and shape read", shapes)
assert shapes == {2: (2, 10, 12), 3: (10, 12, 3), 4: (10, 12, 4), 5: (5, 10, 12)}

flat = np.full((5, 5), 100.0)
for binned in (block_reduce(flat, 2, np.mean), downscale_local_mean(flat, (2, 2))):
    print(binned)
    assert (binned[:2, :2] == 100).all() and binned[2, 0] == 50 and binned[2, 2] == 25
EOF
