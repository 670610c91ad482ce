#!/usr/bin/env bash
# Guess: SVT of wfield's approximate_svd has the components of every frame of the movie.
# Happens: the last frame has none: its column is 0 in every component (two columns where the camera takes two wavelengths), so
#   that U x SVT shows the mean image there. The other frames are those of U' x (movie less its mean).
# Version: wfield 0.6.0 (NumPy 2.4.6).
# Source: run here; the blocks of approximate_svd end at len(dat) - 1.
# Why it matters: the last frame of each recording looks like one that the camera dropped; joined recordings have a step
#   at each join, and a test on frames of 0 refuses good recordings.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export HOME=$dir  # wfield writes a folder there
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 opencv-python-headless==4.13.0.92 scikit-image==0.26.0 \
	scikit-learn==1.9.0 matplotlib==3.11.2 pandas==3.1.1 tqdm==4.70.1 natsort==8.4.0 joblib==1.6.0 tifffile==2026.3.3
venv/bin/pip install --quiet --disable-pip-version-check --no-deps wfield==0.6.0
venv/bin/python - 2> errors.txt <<'EOF' || { cat errors.txt >&2; exit 1; }
from importlib.metadata import version

import numpy as np
import wfield

rng = np.random.default_rng(0)
rows, columns = np.mgrid[:32, :32]
spot = np.exp(-((rows - 12) ** 2 + (columns - 20) ** 2) / 40)
bright = 1 + 0.1 * rng.normal(size=(500, 2, 1, 1)) * spot  # two wavelengths
movie = (1000 * bright + rng.normal(0, 3, (500, 2, 32, 32))).astype("u2")
mean = movie.mean(axis=0)
u, svt = wfield.approximate_svd(movie, mean, k=10, nframes_per_bin=5)
print("wfield", version("wfield"), "U", u.shape, "SVT", svt.shape)

relative = (movie - mean) / mean
expected = np.einsum("hwk,tchw->ktc", u, relative).reshape(10, -1)
differs = np.abs(svt - expected).max(axis=0) > 1e-3
print("columns of 0:", np.flatnonzero(~svt.any(axis=0)), "columns that differ:", np.flatnonzero(differs))
assert np.flatnonzero(~svt.any(axis=0)).tolist() == [998, 999]
assert np.flatnonzero(differs).tolist() == [998, 999]
EOF
