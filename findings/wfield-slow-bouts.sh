#!/usr/bin/env bash
# Guess: wfield's hemodynamic_correction takes out of the signal what the violet channel explains, and leaves calcium.
# Happens: by default both wavelengths pass a high-pass of .1 Hz, forward and backward, and SVTcorr is what remains: of a bout of
#   running of 30 s nothing is left in its middle, its first two seconds have a third, and the two before it, when the mouse
#   rests, are as far below zero.
# Version: wfield 0.6.0 (SciPy 1.17.1).
# Source: run here; parameter freq_highpass, filtfilt in wfield.utils.highpass.
# Why it matters: decoders of run and rest lose long bouts, and learn to see a bout coming from frames before it, so that a decoder
#   of past frames only is causal no more; freq_highpass=None leaves both alone.
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

rate = 15.0  # frames/s of one wavelength
time = np.arange(0, 1200, 1 / rate)
phase = time % 60
run = (phase >= 30).astype(float)  # bouts of 30 s, the calcium of which is 1
rng = np.random.default_rng(0)
blood = rng.normal(0, 0.1, (2, time.size))
u = np.eye(4)[:, :2].reshape(2, 2, 2)
blue, violet = np.stack([run, 0.5 * run]) + blood, blood
corrected, _, _ = wfield.hemodynamic_correction(u, blue, violet, fs=rate, run_parallel=False)
print("wfield", version("wfield"))
means = {}
for start in (15, 28, 30, 44, 58):
    at = (phase >= start) & (phase < start + 2)
    means[start] = blue[0, at].mean(), corrected[0, at].mean()
    print(f"{start} s of 60: calcium {means[start][0]:.2f}, corrected {means[start][1]:+.2f}")
assert abs(means[44][0] - 1) < 0.05 and abs(means[44][1]) < 0.1  # in the middle of a bout
assert abs(means[28][0]) < 0.05 and means[28][1] < -0.2  # two seconds before it
assert 0.2 < means[30][1] < 0.4
EOF
