#!/usr/bin/env bash
# Guess: each file of a Micro-Manager set opens as its own frames, at least with is_ome=False.
# Happens: each file opens as the whole set, the second too; is_ome=False changes nothing (is_mmstack=False
#   does), and len(tif.pages) is that of the one file.
# Version: tifffile 2026.3.3.
# Source: TiffFile._series_mmstack, which opens the files beside; run on a set laid out as Micro-Manager 2 does.
# Why it matters: joining what imread gives for a folder's files makes the movie as many times as there
#   are files.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tifffile==2026.3.3 numpy==2.4.6
venv/bin/python - <<'EOF'
import json
import logging
import struct

import numpy as np
import tifffile

logging.getLogger("tifffile").addFilter(lambda told: "display settings" not in told.getMessage())
print("tifffile", tifffile.__version__)
H, W = 6, 8
MOVIE = np.arange(1, 10 * H * W + 1, dtype="u2").reshape(10, H, W)
FIRST, SECOND = "rec_MMStack_Pos0.ome.tif", "rec_MMStack_Pos0_1.ome.tif"


def write(path, frames, first, planned):
    """Write one file of a set as Micro-Manager lays it out."""
    about = {"MicroManagerVersion": "2.0.1", "Frames": planned, "Slices": 1, "Channels": 1}
    about |= {"Positions": 1, "TimeFirst": True, "SlicesFirst": True, "Height": H, "Width": W}
    text = json.dumps(about | {"Prefix": "rec"}).encode()
    text += b" " * (len(text) % 2)
    out = bytearray(b"II*\0" + bytes(28) + struct.pack("<II", 2355492, len(text)) + text)
    link, places = 4, []
    for frame in frames:
        at = len(out)
        places.append(at)
        struct.pack_into("<I", out, link, at)
        pixels = at + 2 + 12 * 13 + 4
        after = pixels + 2 * H * W
        tags = {256: W, 257: H, 258: 16, 259: 1, 262: 1, 273: pixels, 277: 1, 278: H}
        tags |= {279: 2 * H * W, 282: after, 283: after + 8, 296: 3, 51123: after + 16}
        kinds = dict.fromkeys((256, 257, 273, 279), 4) | {282: 5, 283: 5, 51123: 2}
        out += struct.pack("<H", 13)
        for code, value in tags.items():
            count = 8 if code == 51123 else 1
            out += struct.pack("<HHII", code, kinds.get(code, 3), count, value)
        link = len(out)
        out += bytes(4) + frame.astype("<u2").tobytes() + struct.pack("<4I", 1, 1, 1, 1)
        out += b'{"a":1}\0'
    ends = len(out)
    out += struct.pack("<II", 3453623, len(frames))
    for t, at in enumerate(places, first):
        out += struct.pack("<5I", 0, 0, t, 0, at)
    struct.pack_into("<II", out, 8, 54773648, ends)
    with open(path, "wb") as file:
        file.write(out)


def shape(path, **options):
    """Return pages of the file and shape of its first series."""
    with tifffile.TiffFile(path, **options) as tif:
        return len(tif.pages), tif.series[0].shape


write(FIRST, MOVIE[:6], 0, 10)
write(SECOND, MOVIE[6:], 6, 10)
for path, own in ((FIRST, 6), (SECOND, 4)):
    whole, plain = shape(path, is_ome=False), shape(path, is_mmstack=False)
    print(path, "pages and shape", shape(path), "is_ome=False", whole, "is_mmstack=False", plain)
    assert shape(path) == whole == (own, (10, H, W)) and plain == (own, (own, H, W))
    assert np.array_equal(tifffile.imread(path), MOVIE)
EOF
