#!/usr/bin/env bash
# Guess: behaviour that begins 2 s after the camera, read at the times of 100 frames, is 100 numbers; for frames before its
#   first sample `interpolate` gives that sample's value, as its docstring says ("default is tsd[0]"), or `left`, and
#   `value_from` the closest one, or NaN.
# Happens: frames outside of the behaviour's time support are left out: 80 numbers, whatever `left` is, without a warning.
#   Their own times go with them; as an array beside the movie the first is 2 s late, and only lengths tell. `left` counts
#   once `time_support` is given by hand and begins with the frames.
# Version: pynapple 0.11.4, numpy 2.4.6.
# Source: run here.
# Why it matters: labels made of speed.interpolate(frames).values, of a camera that was started first, belong to frames 2 s
#   later than those at their places; a movie cut to as many frames is decoded with them without an error.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pynapple==0.11.4 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import warnings

import numpy as np
import pynapple as nap

warnings.simplefilter("error")  # there is none
print("pynapple", nap.__version__)
frames = nap.Ts(np.arange(100) / 10)  # 10 a second, from 0 s
speed = nap.Tsd(t=2 + np.arange(120) / 10, d=np.arange(120.0))  # from 2 s
for name, found in {
    "interpolate": speed.interpolate(frames),
    "interpolate, left=-1": speed.interpolate(frames, left=-1),
    "value_from": frames.value_from(speed),
}.items():
    print(f"{name}: {len(found)} of {len(frames)} frames, from", found.index[0], "s:", found.values[:3])
    assert len(found) == 80 and found.index[0] == 2 and found.values[0] == 0

whole = nap.IntervalSet(0, 12)  # a support that covers the frames
asked = nap.Tsd(t=speed.index, d=speed.values, time_support=whole).interpolate(frames, left=-1)
print("with a time support from 0 s:", len(asked), "frames, the first", asked.values[0])
assert len(asked) == 100 and asked.values[0] == -1
PYTHON
