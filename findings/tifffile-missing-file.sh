#!/usr/bin/env bash
# Guess: of numbered files of which one is missing, TiffSequence with a pattern raises, warns, or joins those that are there.
# Happens: the frame of the missing number is whatever was in memory (numpy.empty): often zeros, else pixels of other data;
#   with out= of one's own it is what the array held before. imread(..., pattern=) does the same. No error, no warning,
#   nothing in the log; files_missing of the sequence says 1. Without a pattern the files that are there are joined.
# Version: tifffile 2026.3.3.
# Source: run here; FileSequence.asarray calls create_output without fillvalue; its docstring does not say it.
# Why it matters: a frame that was not saved or copied is darkness or noise in the middle of a movie, of the size and type
#   of the others, and another one in the next run. Look at files_missing before asarray.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tifffile==2026.3.3 numpy==2.4.6
venv/bin/python - <<'EOF'
import io
import logging
import warnings
from unittest import mock

import numpy as np
import tifffile

warnings.simplefilter("error")
said = io.StringIO()
logging.basicConfig(stream=said, level=logging.DEBUG)
print("tifffile", tifffile.__version__)
for number in (1, 2, 4, 5):
    tifffile.imwrite(f"frame_t{number:03}.tif", np.full((8, 10), 100 * number, "u2"))
pattern = r"_(t)(\d+)"
sequence = tifffile.TiffSequence("frame_t*.tif", pattern=pattern)
movie = sequence.asarray()
with mock.patch.object(np, "empty", lambda shape, dtype=float: np.full(shape, 54321, dtype)):  # memory used before
    used, other = sequence.asarray(), tifffile.imread("frame_t*.tif", pattern=pattern)
held = np.full(movie.shape, 777, "u2")
sequence.asarray(out=held)
joined = tifffile.TiffSequence("frame_t*.tif").asarray()
named = {"pattern": movie, "used memory": used, "imread": other, "own array": held, "no pattern": joined}
levels = {name: frames.mean((1, 2)).tolist() for name, frames in named.items()}
print(levels, "missing", sequence.files_missing, "said:", said.getvalue() or "nothing")
assert movie.shape == (5, 8, 10) and movie.dtype == np.uint16
assert levels["used memory"] == levels["imread"] == [100, 200, 54321, 400, 500]
assert levels["own array"] == [100, 200, 777, 400, 500] and levels["no pattern"] == [100, 200, 400, 500]
assert sequence.files_missing == 1 and said.getvalue() == ""
EOF
