#!/usr/bin/env bash
# Guess: of ALF timestamps given as sync points (sample, time), ONE goes on with the line before the first and after the last
#   point; a third point in between makes a line of two pieces.
# Happens: samples outside of the two points all get the time of the nearest one: the recording stands still at both ends. Of
#   three points load_object leaves the table as it is, with a line in the log.
# Version: ONE-api 3.6.1.
# Source: run here; one.alf.io.ts2vec.
# Why it matters: pulses come when the camera starts, not with the first sample of the wheel. Speed is a step over
#   a time of zero there, and events before the first pulse all happen at once.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ONE-api==3.6.1 numpy==2.4.6 pandas==3.1.1
venv/bin/python - <<'EOF'
from importlib.metadata import version
from pathlib import Path

import numpy as np
from one.alf.io import load_object, read_ts

print("ONE-api", version("ONE-api"))
Path("alf").mkdir()
np.save("alf/wheel.position.npy", np.arange(131.0))
np.save("alf/wheel.timestamps.npy", [[10, 1.0], [110, 2.0]])
times = load_object("alf", "wheel")["timestamps"]
print("samples 0, 5, 10, 60, 110, 130 at", times[[0, 5, 10, 60, 110, 130]])
assert (times[:11] == 1).all() and np.isclose(times[60], 1.5) and (times[110:] == 2).all()
assert np.array_equal(read_ts("alf/wheel.position.npy")[0], times)
np.save("alf/wheel.timestamps.npy", [[0, 1.0], [50, 1.5], [130, 3.0]])
three = load_object("alf", "wheel")["timestamps"]
print("three points:", three.tolist())
assert three.shape == (3, 2)
EOF
