#!/usr/bin/env bash
# Guess: shap.maskers.Image("inpaint_telea", shape) hides a part of an image and leaves the rest as it is, of whatever type.
# Happens: the whole image goes through uint8 on the way, the shown part as well: of floats between 0 and 1 nothing but zeros is
#   left, and counts above 255 come back modulo 256. Nothing is said. "blur(3,3)" takes floats as they are.
# Version: shap 0.51.0, opencv-python-headless 5.0.0.93.
# Source: run here; shap.maskers.Image.inpaint.
# Why it matters: scaled frames and ΔF/F are such floats. The model is asked about black images, whatever is hidden, and
#   its "attributions" are those of the last step from black to the image.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check shap==0.51.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
venv/bin/python - <<'EOF'
import warnings

import numpy as np
import shap

warnings.simplefilter("error")
print("shap", shap.__version__)
image = np.linspace(0.05, 0.95, 144).reshape(12, 12, 1)
shown = np.ones(image.size, dtype=bool)
shown[60:66] = False


def masked(how, image):
    return np.asarray(shap.maskers.Image(how, image.shape)(shown, image)[0][0]).ravel()


for how in ("inpaint_telea", "inpaint_ns", "blur(3,3)"):
    small, counts = masked(how, image), masked(how, np.round(1000 * image))
    print(how, "shown pixels: of 0 to 1", small[140:].round(2), "of counts", counts[140:])
    if how.startswith("inpaint"):
        assert not small.any()
        assert np.array_equal(counts[shown], np.round(1000 * image).ravel()[shown] % 256)
    else:
        assert np.array_equal(small[shown], image.ravel()[shown])
EOF
