#!/usr/bin/env bash
# Guess: a Zarr folder that NWBZarrIO wrote opens with zarr 3, which reads format 2; else it is damaged.
# Happens: hdmf-zarr brings zarr 2. zarr 3's open, of the root, raises TypeError "Invalid type: 0. Expected a string.": the
#   text arrays have the fill value 0. An array opened by its own path is read, and so is all below
#   open_group(use_consolidated=False).
# Version: hdmf-zarr 0.13.0 (pynwb 4.2.0, zarr 2.18.7) writes, zarr 3.1.6 reads.
# Source: run here.
# Why it matters: the error names neither file nor array, and comes for numbers that are fine.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check hdmf-zarr==0.13.0 pynwb==4.2.0 zarr==2.18.7 numpy==2.4.6
cat > write.py <<'EOF'
import datetime

import numpy as np
import zarr
from hdmf_zarr.nwb import NWBZarrIO
from pynwb import NWBFile, TimeSeries

print("written with zarr", zarr.__version__)
began = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
nwb = NWBFile("run on a wheel", "session1", began)
nwb.add_acquisition(TimeSeries(name="speed", data=np.arange(10.0), unit="cm/s", rate=30.0))
with NWBZarrIO("session.nwb.zarr", "w") as file:
    file.write(nwb)
EOF
venv/bin/python write.py
venv/bin/pip uninstall --quiet --yes hdmf-zarr
venv/bin/pip install --quiet --disable-pip-version-check zarr==3.1.6
venv/bin/python - <<'EOF'
import numpy as np
import zarr

print("read with zarr", zarr.__version__)
own = zarr.open("session.nwb.zarr/acquisition/speed/data", mode="r")[:]
group = zarr.open_group("session.nwb.zarr", mode="r", use_consolidated=False)
print("by its own path", own)
assert np.array_equal(own, np.arange(10.0))
assert np.array_equal(group["acquisition/speed/data"][:], own)
try:
    raise SystemExit(f"the root opens: {zarr.open('session.nwb.zarr', mode='r')}")
except TypeError as error:
    print("the root:", repr(error))
EOF
