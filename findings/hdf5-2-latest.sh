#!/usr/bin/env bash
# Guess: libver="latest" only picks newer structures; HDF5 1.14, reads them.
# Happens: chunked datasets with a filter (gzip, shuffle …) use a layout message that HDF5 1.14 does not know;
#   it raises KeyError "bad version number for layout message". Chunks without a filter are read.
#   libver=("earliest", "v114") is read by both.
# Version: h5py 3.16.0 (HDF5 2.0.0) writes, h5py 3.15.1 (HDF5 1.14.6) reads.
# Source: run here; both wheels bring their own HDF5.
# Why it matters: SWMR asks for "latest", so a compressed movie of an acquisition program that updated
#   h5py cannot be opened by anything built on HDF5 1.14.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check h5py==3.16.0 numpy==2.4.6
cat > write.py <<'EOF'
import h5py
import numpy as np

print("written by h5py", h5py.__version__, "HDF5", h5py.version.hdf5_version)
movie = np.arange(10 * 8 * 8, dtype="u2").reshape(10, 8, 8)
for name, libver in (("latest", "latest"), ("v114", ("earliest", "v114"))):
    with h5py.File(f"{name}.h5", "w", libver=libver) as file:
        file.create_dataset("raw", data=movie, chunks=(1, 8, 8))
        file.create_dataset("gzip", data=movie, chunks=(1, 8, 8), compression="gzip")
with h5py.File("latest.h5") as file:
    assert np.array_equal(file["gzip"][:], movie)
EOF
venv/bin/python write.py
venv/bin/pip install --quiet --disable-pip-version-check h5py==3.15.1
venv/bin/python - <<'EOF'
import h5py

print("read by h5py", h5py.__version__, "HDF5", h5py.version.hdf5_version)
seen = {}
for name in ("latest", "v114"):
    with h5py.File(f"{name}.h5") as file:
        for key in ("raw", "gzip"):
            try:
                seen[name, key] = file[key].shape
            except KeyError as error:
                seen[name, key] = str(error)
            print(name, key, seen[name, key])
assert "layout message" in seen.pop(("latest", "gzip"))
assert set(seen.values()) == {(10, 8, 8)}
EOF
