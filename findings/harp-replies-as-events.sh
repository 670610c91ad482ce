#!/usr/bin/env bash
# Guess: `harp.read(file, address=33)` gives the events of a register, one row each.
# Happens: rows are made of every message of the register: what the host asked (READ) and set (WRITE) and a reply that is an
#   error stand between the events with their times. `keep_type=True` tells them apart, but stops at an error ("codes need to
#   be between -1 and len(categories)-1").
# Version: harp-python 0.4.2 (numpy 2.4.6, pandas 3.1.1).
# Source: run here; types of messages in the Harp protocol (1 read, 2 write, 3 event, bit 8 error).
# Why it matters: the register of a wheel is read once at start: an extra row, of another clock than the steps, moves every
#   difference of positions after it, and a mouse at rest runs for one sample.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check harp-python==0.4.2 numpy==2.4.6 pandas==3.1.1
venv/bin/python - <<'EOF'
import importlib.metadata as metadata
import struct
from pathlib import Path

import harp

print("harp-python", metadata.version("harp-python"))


def message(kind, second, value):
    """Return one message of register 33 (uint16 with a time): kind 1 read, 2 write, 3 event, + 8 an error."""
    body = bytes([kind, 12, 33, 255, 0x10 | 2]) + struct.pack("<IHH", second, 0, value)
    return body + bytes([sum(body) & 255])


EVENT, READ, WRITE, ERROR = 3, 1, 2, 8
Path("plain.bin").write_bytes(b"".join([message(EVENT, 1, 10), message(READ, 2, 10), message(WRITE, 3, 0), message(EVENT, 4, 11)]))
rows = harp.read("plain.bin", address=33)
kinds = harp.read("plain.bin", address=33, keep_type=True)["MessageType"].astype(str).tolist()
print("two events are read as", rows[0].tolist(), "of", kinds)
Path("error.bin").write_bytes(message(EVENT, 1, 10) + message(WRITE | ERROR, 2, 99))
failed = harp.read("error.bin", address=33)[0].tolist()
try:
    harp.read("error.bin", address=33, keep_type=True)
    said = ""
except ValueError as error:
    said = str(error)
print("an event and an error are read as", failed, "- keep_type says:", said)
assert rows[0].tolist() == [10, 10, 0, 11] and kinds == ["EVENT", "READ", "WRITE", "EVENT"]
assert failed == [10, 99] and "codes" in said
EOF
