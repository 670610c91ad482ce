#!/usr/bin/env bash
# Guess: all events of a Spike2 file (.smr) are in one of its segments.
# Happens: segments are the pieces of the waveforms. An event before the first piece, in a pause or after the last is in none: of
#   seven camera pulses, get_event_timestamps gives one, read_block too. No warning. With t_start and t_stop all are there.
# Version: neo 0.14.6.
# Source: run here, on a file written byte by byte as neo/rawio/spike2rawio.py reads it.
# Why it matters: waveforms that are sampled on a trigger pause all the time, while the camera's pulses and the keys of who
#   watched the mouse go on.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check neo==0.14.6 numpy==2.4.6 quantities==0.16.4
venv/bin/python - <<'EOF'
import struct
import warnings
from importlib.metadata import version

import numpy as np
from neo.io import Spike2IO
from neo.rawio.spike2rawio import Spike2RawIO

warnings.simplefilter("error")
print("neo", version("neo"))
ticks = 10 ** np.arange(1, 8)  # of 10 us; a sample is 1000 of them
wheel = [(10_000, np.zeros(10, "<i2")), (40_000, np.zeros(5, "<i2"))]
channels = [("wheel", 1, wheel), ("camera", 3, [(10, ticks.astype("<i4"))])]
head = struct.pack("<h10s8s3hi5hid", 6, b"", b"", 10, 1, 0, 0, 2, *[0] * 5, 1e-6)
heads, blocks, end = b"", b"", 4096
for number, (title, kind, pieces) in enumerate(channels, 1):
    named = bytes([len(title)]) + title.encode()
    about = [0, 0, end, end, len(pieces), *[0] * 5, b"", 0, 1000, 0, named, 100, kind, 0]
    about = struct.pack("<h3i6h72s2ih10sfBb", *about)
    about += struct.pack("<ff6sh", 1.0, 0, b"\x01V", 1) if kind == 1 else b""
    heads += about.ljust(140, b"\0")
    for i, (tick, values) in enumerate(pieces):
        last = ticks[-1] if kind == 3 else tick + 1000 * (len(values) - 1)
        end += 20 + values.nbytes
        following = end if i + 1 < len(pieces) else -1
        blocks += struct.pack("<4i2h", -1, following, tick, last, number, len(values)) + values.tobytes()
with open("rig.smr", "wb") as file:
    file.write((head.ljust(512, b"\0") + heads).ljust(4096, b"\0") + blocks)

raw = Spike2RawIO("rig.smr", try_signal_grouping=False)
raw.parse_header()
pieces = [raw.get_event_timestamps(0, piece, 0)[0].tolist() for piece in range(raw.segment_count(0))]
print("ticks of", ticks.tolist(), "by segment:", pieces)
assert pieces == [[10_000], []]
block = Spike2IO("rig.smr", try_signal_grouping=False).read_block()
assert sum(len(events.times) for segment in block.segments for events in segment.events) == 1
everything = raw.get_event_timestamps(0, 0, 0, 0.0, 1e9)[0]
print("with t_start and t_stop:", everything.tolist())
assert everything.tolist() == ticks.tolist()
EOF
