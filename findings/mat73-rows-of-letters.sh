#!/usr/bin/env bash
# Guess: the rows of a char matrix ['abc'; 'def'] of a v7.3 MAT file come as 'abc' and 'def', or row after row.
# Happens: mat73 goes down the columns and joins all: 'adbecf', one string, without a word. One row is right. scipy gives
#   ['abc', 'def'] for the same matrix in a v5 file.
# Version: mat73 0.65 (the newest release).
# Source: https://github.com/skjerns/mat7.3/pull/62, of May 2025, merged and in no release; run here, on a file laid out by
#   hand as MATLAB does (axes reversed, UTF-16 as uint16).
# Why it matters: names of mice, stimuli or trial types that MATLAB padded to one width (char(names)) are mixed up letter by
#   letter; a list of one name works, so that it is not seen in a first try.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mat73==0.65 h5py==3.16.0 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'EOF'
from importlib.metadata import version

import h5py
import mat73
import numpy as np
import scipy.io

print("mat73", version("mat73"), "scipy", version("scipy"))
matrices = {"one": ["abc"], "two": ["abc", "def"]}
with h5py.File("new.mat", "w", userblock_size=512) as file:
    for name, rows in matrices.items():
        letters = np.array([[ord(letter) for letter in row] for row in rows], dtype=np.uint16)
        item = file.create_dataset(name, data=letters.T)
        item.attrs["MATLAB_class"] = np.bytes_("char")
        item.attrs["MATLAB_int_decode"] = np.int32(2)
with open("new.mat", "r+b") as file:
    file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
scipy.io.savemat("old.mat", {name: np.array(rows) for name, rows in matrices.items()})
new, old = mat73.loadmat("new.mat"), scipy.io.loadmat("old.mat")
print("v7.3 by mat73", new, "v5 by scipy", {name: old[name].tolist() for name in matrices})
assert new["one"] == "abc" and new["two"] == "adbecf"
assert all(old[name].tolist() == rows for name, rows in matrices.items())
EOF
