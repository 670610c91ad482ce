#!/usr/bin/env bash
# Guess: nwbinspector tells of timestamps that go back, are there twice or are NaN.
# Happens: it looks at the first 200 only. A clock that jumps 50 s back at sample 3,000 of 5,000 gives no message; the same at sample 10
#   does. NaN and a time twice at sample 2,500 give none either; nor are 4,800 irregular times told from regular ones.
# Version: nwbinspector 0.7.2, pynwb 4.2.0.
# Source: run here; `nelems` of the checks of nwbinspector/checks/_time_series.py.
# Why it matters: DANDI asks for a file without its messages; acquisition that was stopped and started again passes it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nwbinspector==0.7.2 pynwb==4.2.0 hdmf==6.2.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import importlib.metadata as metadata
import warnings
from datetime import datetime, timezone

warnings.simplefilter("ignore")
import numpy as np
from nwbinspector import inspect_nwbfile
from pynwb import NWBHDF5IO, NWBFile, TimeSeries

print("nwbinspector", metadata.version("nwbinspector"), "pynwb", metadata.version("pynwb"))


def messages(times):
    """Return the checks of times that tell of a file with these timestamps (s)."""
    file = NWBFile("A mouse on a wheel.", "one", datetime(2024, 1, 1, tzinfo=timezone.utc))
    speed = np.arange(len(times), dtype=float)
    file.add_acquisition(TimeSeries(name="speed", data=speed, unit="m/s", timestamps=times, description="Of the wheel."))
    with NWBHDF5IO("one.nwb", "w") as io:
        io.write(file)
    return sorted(m.check_function_name for m in inspect_nwbfile(nwbfile_path="one.nwb") if "timestamps" in m.check_function_name)


regular = np.arange(5000) / 30
told = {}
for name, start, change in (("50 s back at 10", 10, -50), ("50 s back at 3000", 3000, -50)):
    times = regular.copy()
    times[start:] += change
    told[name] = messages(times)
for name, value in (("NaN at 2500", np.nan), ("a time twice at 2500", regular[2499])):
    times = regular.copy()
    times[2500] = value
    told[name] = messages(times)
for name, checks in told.items():
    print(f"{name}: {checks}")
assert "check_timestamps_ascending" in told.pop("50 s back at 10")
assert not any("ascending" in check or "nan" in check for checks in told.values() for check in checks)
EOF
