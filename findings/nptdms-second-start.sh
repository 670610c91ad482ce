#!/usr/bin/env bash
# Guess: a TDMS file whose recording was stopped and started again gives, by time_track, times with the gap, or times
#   from the first start.
# Happens: a channel has the properties of the last segment that set them: all samples, the first ones too, are counted from the
#   second start, without a gap. Samples that were taken at 10:00:00 are said to be of 10:01:40. No warning.
# Version: npTDMS 1.13.0.
# Source: run here, on a file that npTDMS wrote; wf_start_time of each segment.
# Why it matters: LabVIEW's waveform times align wheel and camera. All that was before the pause is late by its whole length,
#   and the times look even.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check npTDMS==1.13.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import warnings
from importlib.metadata import version

import numpy as np
from nptdms import ChannelObject, TdmsFile, TdmsWriter

warnings.simplefilter("error")
print("npTDMS", version("npTDMS"))
start = np.datetime64("2026-01-01T10:00:00", "us")
with TdmsWriter("wheel.tdms") as writer:
    for later in (0, 100):
        known = {"wf_start_time": start + np.timedelta64(later, "s"), "wf_increment": 0.1, "wf_start_offset": 0.0}
        writer.write_segment([ChannelObject("rig", "speed", np.full(50, float(later)), properties=known)])
channel = TdmsFile.read("wheel.tdms")["rig"]["speed"]
times = (channel.time_track(absolute_time=True) - start) / np.timedelta64(1, "s")
print("values", channel[0], "…", channel[99], "at", times[0], "…", times[99], "s after the first start")
assert channel[0] == 0 and channel[99] == 100
assert np.allclose(times, 100 + 0.1 * np.arange(100))
EOF
