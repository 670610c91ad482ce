#!/usr/bin/env bash
# Guess: imwrite of (frames, rows, columns) writes that many frames, whatever their number; imagej=True
#   writes a movie in time.
# Happens: 3 or 4 frames of uint16 are written as ONE page, the frames as the samples of a colour (axes SYX);
#   2 or 5 frames are pages. imagej=True makes pages, but calls them channels (CYX), not frames.
#   photometric="minisblack" and metadata={"axes": "TYX"} say what is meant.
# Version: tifffile 2026.3.3.
# Source: run here.
# Why it matters: averages, references and short test movies of 3 or 4 frames come back as one colour image
#   in ImageJ and in readers that go page by page; "channels" hide a movie from tools that ask for T.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tifffile==2026.3.3 numpy==2.4.6
venv/bin/python - <<'EOF'
import numpy as np
import tifffile

print("tifffile", tifffile.__version__)


def write(n, **options):
    """Write n frames; return number of pages and axes."""
    tifffile.imwrite("movie.tif", np.zeros((n, 16, 20), "u2"), **options)
    with tifffile.TiffFile("movie.tif") as tif:
        return len(tif.pages), tif.series[0].axes


plain = {n: write(n) for n in (2, 3, 4, 5)}
imagej, said = write(23, imagej=True), write(23, imagej=True, metadata={"axes": "TYX"})
gray = write(3, photometric="minisblack")
print("frames: (pages, axes)", plain, "\nimagej", imagej, "with axes", said, "\nminisblack", gray)
assert plain[2][0] == 2 and plain[5][0] == 5
assert plain[3] == (1, "SYX") and plain[4] == (1, "SYX")
assert imagej == (23, "CYX") and said == (23, "TYX") and gray[0] == 3
EOF
