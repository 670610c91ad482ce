#!/usr/bin/env bash
# Guess: an empty variable ([] in MATLAB) of a v7.3 file, which is HDF5, has no values when h5py reads it.
# Happens: it has two, 0 and 0: MATLAB stores the size of an empty array in place of its values, and says so in an attribute,
#   MATLAB_empty. A 0 x 5 array reads as [0, 5]. mat73 looks at the attribute (None), as does pymatreader (size 0).
# Version: h5py 3.16.0, mat73 0.65, pymatreader 1.3.2.
# Source: run here, on a file laid out by hand as MATLAB does.
# Why it matters: "no bad frames", "no laser" become frames or times 0 and 0, without an error.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check h5py==3.16.0 mat73==0.65 pymatreader==1.3.2 numpy==2.4.6 scipy==1.17.1
venv/bin/python - <<'EOF'
from importlib.metadata import version

import h5py
import mat73
import numpy as np
import pymatreader

print(*(f"{name} {version(name)}" for name in ("h5py", "mat73", "pymatreader")))
with h5py.File("a.mat", "w", userblock_size=512) as file:
    for name, values, empty in (("bad", [0, 0], True), ("laser", [0, 5], True), ("good", [[7.0]], False)):
        item = file.create_dataset(name, data=np.array(values, dtype=np.uint64 if empty else float))
        item.attrs["MATLAB_class"] = np.bytes_("double")
        if empty:
            item.attrs["MATLAB_empty"] = np.uint8(1)
with open("a.mat", "r+b") as file:
    file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
with h5py.File("a.mat") as file:
    plain = {name: file[name][()].tolist() for name in file}
other, third = mat73.loadmat("a.mat"), pymatreader.read_mat("a.mat")
print("h5py", plain, "mat73", other, "pymatreader", {name: third[name] for name in plain})
assert plain == {"bad": [0, 0], "laser": [0, 5], "good": [[7.0]]}
assert other["bad"] is None and third["bad"].size == 0 and other["good"] == 7
EOF
