#!/usr/bin/env bash
# Guess: numbers that do not fit into a dataset's type are stored as numpy's astype makes them, or refused; a movie is
#   the same in HDF5 and in Zarr.
# Happens: HDF5 clips them to the ends of the type, on writing (dataset[...] = array) and on reading (dataset.astype, read_direct);
#   Zarr wraps them, as numpy does. -5, 70000 and 3 in uint16 are 0, 65535 and 3 in HDF5, and 65531, 4464 and 3 in Zarr; the
#   counts 40000 and 65535 read as int16 are 32767 twice, and -25536 and -1 if numpy casts. Nobody warns.
# Version: h5py 3.16.0 (HDF5 2.0.0), zarr 3.1.6, numpy 2.4.6.
# Source: run here.
# Why it matters: differences of frames and corrected counts are written into files of the camera's type: negative ones are
#   0 in one copy and among the brightest in the other. A bright area read as int16 becomes flat, which looks like saturation.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check h5py==3.16.0 zarr==3.1.6 numpy==2.4.6
venv/bin/python - <<'EOF'
import warnings

import h5py
import numpy as np
import zarr

warnings.simplefilter("error")
print("h5py", h5py.__version__, "HDF5", h5py.version.hdf5_version, "zarr", zarr.__version__)
values, counts = np.array([-5, 70000, 3]), np.array([40000, 65535], dtype=np.uint16)
direct = np.zeros(2, dtype=np.int16)
with h5py.File("a.h5", "w") as file:
    written = file.create_dataset("written", (3,), np.uint16)
    written[:] = values
    stored = file.create_dataset("counts", data=counts)
    stored.read_direct(direct)
    h5 = [written[:].tolist(), stored.astype(np.int16)[:].tolist(), direct.tolist()]
array = zarr.create_array("a.zarr", shape=(3,), dtype=np.uint16)
array[:] = values
print("HDF5", h5, "Zarr", array[:].tolist(), "numpy", stored_as := counts.astype(np.int16).tolist())
assert h5 == [[0, 65535, 3], [32767, 32767], [32767, 32767]]
assert array[:].tolist() == values.astype(np.uint16).tolist() == [65531, 4464, 3]
assert stored_as == [-25536, -1]
EOF
