#!/usr/bin/env bash
# Guess: series[0] and asarray agree; a count in the ImageJ text that does not fit the pages is ignored or
#   reported by an error.
# Happens: ImageJ's text says frames=4, the file has 23 pages (its text was written before the recording
#   went on). series[0].shape is (4, 8, 8), imread gives (23, 8, 8); only the log has a line on it.
# Version: tifffile 2026.3.3.
# Source: run here.
# Why it matters: code that plans by series[0].shape and reads by page loses the rest of the recording.
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
text = "ImageJ=1.54f\nimages=4\nframes=4\n"
movie = np.arange(23 * 8 * 8, dtype="u2").reshape(23, 8, 8)
with tifffile.TiffWriter("movie.tif") as tif:
    for t, frame in enumerate(movie):
        tif.write(frame, description=None if t else text, metadata=None)
with tifffile.TiffFile("movie.tif") as tif:
    pages, planned = len(tif.pages), tif.series[0].shape
read = tifffile.imread("movie.tif").shape
print("pages", pages, "series[0].shape", planned, "imread", read)
assert (pages, planned, read) == (23, (4, 8, 8), (23, 8, 8))
EOF
