#!/usr/bin/env bash
# Guess: wfield's motion_correct moves each frame back onto the reference.
# Happens: in its default mode ("2d"; of the command line too) it moves the frame by the shift that it found once more in the
#   same direction: 2 and 3 px become 4 and 6, though the shifts that it returns are right. Mode "ecc" does undo them.
# Version: wfield 0.6.0, OpenCV 4.13.0.
# Source: run here; wfield.registration.registration_upsample (warpAffine of the shift of phaseCorrelate).
# Why it matters: movies "corrected" so move twice as much, with the mouse's running; undo it by the shifts that are kept, or
#   correct the raw movie anew.
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
from scipy.ndimage import gaussian_filter

rng = np.random.default_rng(0)
scene = gaussian_filter(rng.normal(size=(200, 200)), 1)
scene = 3000 + 300 * scene / scene.std()
still = scene[20:180, 20:180]
moved = scene[18:178, 17:177]  # what was at row r, column c is at r + 2, c + 3
movie = np.stack([still] * 60 + [moved] * 60).astype("u2")[:, None]


def differs(frame):
    """Mean difference from the frame that did not move, away from the edges."""
    return np.abs(frame[0, 15:-15, 15:-15].astype(float) - movie[0, 0, 15:-15, 15:-15]).mean()


if __name__ == "__main__":
    print("wfield", version("wfield"), "OpenCV", version("opencv-python-headless"))
    found = {}
    for mode in ("2d", "ecc"):
        out = movie.copy()
        (rows, columns), _ = wfield.motion_correct(out, chunksize=60, nreference=20, mode=mode)
        found[mode] = differs(out[90])
        print(mode, "shift of frame 90:", rows[90].round(1), columns[90].round(1),
              f"difference from frame 0: {differs(movie[90]):.0f} before, {found[mode]:.0f} after")
        if mode == "2d":
            twice = scene[16:176, 14:174].astype("u2")[None]  # moved by 4 and 6
            beside = np.abs(out[90, 0, 15:-15, 15:-15].astype(float) - twice[0, 15:-15, 15:-15]).mean()
            print(f"difference from an image moved by twice as much: {beside:.0f}")
            assert beside < 0.5 * differs(movie[90])
    assert found["2d"] > 0.9 * differs(movie[90])
    assert found["ecc"] < 0.3 * differs(movie[90])
EOF
