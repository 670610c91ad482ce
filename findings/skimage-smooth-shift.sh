#!/usr/bin/env bash
# Guess: phase_cross_correlation with its defaults finds a whole-pixel shift of a clean image.
# Happens: of a smooth image (features of 4 px sigma, next to no noise) cut out 1, 2 or 5 pixels further down, it finds 0:
#   each frequency has the same weight, and what is left above the image's own band is noise and the edge, which
#   do not move. normalization=None is off by less than a pixel.
# Version: scikit-image 0.26.0.
# Source: run here; parameter normalization="phase" of phase_cross_correlation.
# Why it matters: widefield frames are smooth. "No motion" is what is found where there is motion of a few pixels.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-image==0.26.0 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'EOF'
import numpy as np
import skimage
from scipy.ndimage import gaussian_filter
from skimage.registration import phase_cross_correlation

print("scikit-image", skimage.__version__)
rng = np.random.default_rng(0)
field = gaussian_filter(rng.normal(size=(200, 200)), 4)
field = 1000 + 100 * field / field.std()
for moved in (1, 2, 5):
    pair = (field[30:158, 30:158], field[30 - moved : 158 - moved, 30:158])
    pair = [image + rng.normal(0, 5, image.shape) for image in pair]
    default = phase_cross_correlation(*pair, upsample_factor=10)[0]
    plain = phase_cross_correlation(*pair, upsample_factor=10, normalization=None)[0]
    print("moved", moved, "found by default", default, "with normalization=None", plain)
    assert abs(plain[0] + moved) < 0.7
    assert abs(default[0]) < 0.3
EOF
