#!/usr/bin/env bash
# Guess: add_trial(timeseries=...) notes the samples from start_time up to stop_time, however the series tells its times.
# Happens: of a series with a rate the index is (time - starting_time) * rate cut off to a whole number: 0.29 s at 100 Hz is
#   sample 28 (28.999999999999996). Of 1000 trials, one sample each, back to back, 57 have none and 57 two. With the same times as
#   timestamps each trial has its sample. The file is valid either way.
# Version: pynwb 4.2.0.
# Source: run here; pynwb.epoch.TimeIntervals.
# Why it matters: cameras have a rate, and trials start at frames: the frame before the stimulus is in some trials and not in
#   others, and averages over trials of one length have ragged lengths.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pynwb==4.2.0 hdmf==6.2.0 h5py==3.16.0 numpy==2.4.6
venv/bin/python - <<'EOF'
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pynwb

print("pynwb", pynwb.__version__)
N, RATE = 1000, 100.0
file = pynwb.NWBFile(
    session_description="trials", identifier="1", session_start_time=datetime(2026, 1, 1, tzinfo=UTC)
)
of_rate = pynwb.TimeSeries(name="rate", data=np.arange(N), unit="n", rate=RATE, starting_time=0.0)
of_times = pynwb.TimeSeries(name="times", data=np.arange(N), unit="n", timestamps=np.arange(N) / RATE)
for series in (of_rate, of_times):
    file.add_acquisition(series)
for k in range(N):
    file.add_trial(start_time=k / RATE, stop_time=(k + 1) / RATE, timeseries=[of_rate, of_times])
with pynwb.NWBHDF5IO("trials.nwb", "w") as io:
    io.write(file)
errors = pynwb.validate(path="trials.nwb")
with pynwb.NWBHDF5IO("trials.nwb", "r") as io:
    trials = io.read().trials["timeseries"]
    seen = [[(int(part.idx_start), int(part.count)) for part in trials[k]] for k in range(N)]
counts = [Counter(int(trial[i][1]) for trial in seen) for i in range(2)]
print("samples a trial: by rate", dict(counts[0]), "by timestamps", dict(counts[1]), "errors", errors)
print("the trial at 0.29 s: by rate", seen[29][0], "by timestamps", seen[29][1])
assert counts[0] == {0: 57, 1: 886, 2: 57} and counts[1] == {1: N}
assert seen[29] == [(28, 2), (29, 1)] and not errors
EOF
