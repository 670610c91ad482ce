#!/usr/bin/env bash
# Guess: group.copy(item, other_file) makes a copy that means the same, or says what it cannot copy.
# Happens: every object reference in it, in attributes, datasets and compound fields, is null in the copy,
#   without an error or a warning.
# Version: h5py 3.16.0 (HDF5 2.0.0).
# Source: H5Ocopy, "references are ... set to 0 in the destination file" (HDF5 reference manual).
# Why it matters: NWB files name the table of a column, and the series of a trial, by such references: a part
#   that is copied out of one opens in h5py, and not in pynwb.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check h5py==3.16.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import warnings

import h5py

warnings.simplefilter("error")
print("h5py", h5py.__version__, "HDF5", h5py.version.hdf5_version)
with h5py.File("a.h5", "w") as a, h5py.File("b.h5", "w") as b:
    part = a.create_group("part")
    table = part.create_group("table")
    part["column"] = [2, 0]
    part["column"].attrs["table"] = table.ref
    part.create_dataset("tables", data=[table.ref], dtype=h5py.ref_dtype)
    a.copy("part", b)
    print("attribute", bool(b["part/column"].attrs["table"]), "dataset", bool(b["part/tables"][0]))
    assert "table" in b["part"]
    assert not b["part/column"].attrs["table"] and not b["part/tables"][0]
EOF
