#!/usr/bin/env bash
# Guess: loadmat keeps an object (categorical, string, table, datetime) under its name, though undecoded.
# Happens: every object is under the key "None", so that of several the last is left (a MatReadWarning speaks
#   of a duplicate name); asking for one by variable_names gives nothing, without an error; whosmat raises
#   TypeError. The name stands inside: item s0 of the array.
# Version: scipy 1.17.1.
# Source: run here; the file is written by hand as MATLAB lays an object out (class 17 of the MAT 5 format).
# Why it matters: labels saved as string or categorical look as if they were not in the file.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'EOF'
import struct
import warnings

import numpy as np
import scipy
from scipy.io import loadmat, whosmat

print("scipy", scipy.__version__)


def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def array(code, kind, name, values):
    """Return a variable of the class `code`, its numbers stored as `kind`."""
    parts = element(6, struct.pack("<II", code, 0))
    parts += element(5, struct.pack("<ii", *values.shape)) + element(1, name)
    return element(14, parts + element(kind, values.tobytes(order="F")))


def opaque(name, of_class, number):
    """Return an object of MATLAB."""
    ids = np.array([[0xDD000000, 2, 1, 1, number, 1]], "<u4").T
    text = element(1, name) + element(1, b"MCOS") + element(1, of_class)
    return element(14, element(6, struct.pack("<II", 17, 0)) + text + array(13, 6, b"", ids))


with open("session.mat", "wb") as file:
    file.write(b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x100) + b"IM")
    file.write(array(6, 9, b"speed", np.array([[1.0, 2.0, 3.0]])))
    file.write(opaque(b"state", b"categorical", 1) + opaque(b"mouse", b"string", 2))
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    found = loadmat("session.mat")
    asked = loadmat("session.mat", variable_names=["state"])
keys = [key for key in found if not key.startswith("__")]
name = found["None"]["s0"].item()
print("keys", keys, "the object left is", name, "warnings", [str(w.message)[:60] for w in told])
print("asked for state:", [key for key in asked if not key.startswith("__")])
assert keys == ["speed", "None"] and name in (b"mouse", "mouse") and "state" not in asked
try:
    raise SystemExit(f"whosmat gives {whosmat('session.mat')}")
except TypeError as error:
    print("whosmat:", repr(error))
EOF
