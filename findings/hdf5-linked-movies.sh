#!/usr/bin/env bash
# Guess: pixels that an HDF5 file only points to, and that are not there, are an error on reading; their file is looked
#   for beside the HDF5 file.
# Happens: external storage: the end of a raw file that is too short is zeros, and a relative name is looked for in the
#   working directory, so that another recording's file of that name is read as this one's. Virtual datasets: a source that is
#   missing is zeros. No error and no warning; only an external file that is not there at all is an OSError.
# Version: h5py 3.16.0 (HDF5 2.0.0).
# Source: run here; fill values and search paths are in HDF5's reference manual (H5Pset_external, H5Pset_virtual).
# Why it matters: raw movies of a camera are described like this to save a copy. A copy that was stopped, or a folder that
#   was moved in part, is a recording whose last part is dark.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check h5py==3.16.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import os
import warnings

import h5py
import numpy as np

warnings.simplefilter("error")
print("h5py", h5py.__version__, "HDF5", h5py.version.hdf5_version)


def read(name):
    with h5py.File(name) as file:
        return file["movie"][:].tolist()


for mouse, first in (("a", 1), ("b", 101)):
    os.mkdir(mouse)
    np.arange(first, first + 6, dtype=np.uint16).tofile(f"{mouse}/raw.bin")
with h5py.File("a/movie.h5", "w") as file:
    file.create_dataset("movie", (3, 2), np.uint16, external=[("raw.bin", 0, 12)])
try:
    raise SystemExit(f"read from beside the file: {read('a/movie.h5')}")
except OSError as error:
    print("raw file beside the HDF5 file, not in the working directory:", error)
os.chdir("b")
other = read("../a/movie.h5")
os.chdir("../a")
os.truncate("raw.bin", 6)
short = read("movie.h5")
print("from b/", other, "cut off", short)
assert other == [[101, 102], [103, 104], [105, 106]] and short == [[1, 2], [3, 0], [0, 0]]

with h5py.File("part.h5", "w") as file:
    file["movie"] = np.ones((1, 2), dtype=np.uint16)
layout = h5py.VirtualLayout((2, 2), np.uint16)
for i, part in enumerate(("part.h5", "gone.h5")):
    layout[i : i + 1] = h5py.VirtualSource(part, "movie", (1, 2), np.uint16)
with h5py.File("virtual.h5", "w") as file:
    file.create_virtual_dataset("movie", layout)
print("virtual, the second source missing", read("virtual.h5"))
assert read("virtual.h5") == [[1, 1], [0, 0]]
EOF
