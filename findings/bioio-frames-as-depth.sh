#!/usr/bin/env bash
# Guess: a plain TIFF of 300 frames is a movie, T = 300, to BioImage, as it is to most who open it.
# Happens: frames are depth: T = 1, Z = 300; two axes before rows and columns are C and Z. Only ImageJ's or OME's text
#   makes them times.
# Version: bioio 3.6.0 with bioio-tifffile 1.3.1.
# Source: run here.
# Why it matters: loops over img.dims.T see one frame, and get_image_data("TYX") gives the first of a recording as if it were all.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check bioio==3.6.0 bioio-tifffile==1.3.1 tifffile==2026.3.3 numpy==2.4.6
venv/bin/python - <<'EOF'
import warnings
from importlib.metadata import version

import bioio
import numpy as np
import tifffile

print("bioio", version("bioio"), "bioio-tifffile", version("bioio-tifffile"))
movie = np.arange(30 * 8 * 9, dtype=np.uint16).reshape(30, 8, 9)
tifffile.imwrite("plain.tif", movie, photometric="minisblack")
tifffile.imwrite("two.tif", movie.reshape(15, 2, 8, 9), photometric="minisblack")
tifffile.imwrite("imagej.tif", movie, imagej=True, metadata={"axes": "TYX"})
shapes = {}
with warnings.catch_warnings():
    warnings.simplefilter("error", UserWarning)
    for name in ("plain", "two", "imagej"):
        shapes[name] = bioio.BioImage(f"{name}.tif").shape
    image = bioio.BioImage("plain.tif").get_image_data("TYX")
print("T, C, Z, Y, X:", shapes, "get_image_data('TYX')", image.shape)
assert shapes == {"plain": (1, 1, 30, 8, 9), "two": (1, 15, 2, 8, 9), "imagej": (30, 1, 1, 8, 9)}
assert image.shape == (1, 8, 9)
EOF
