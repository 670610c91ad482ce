#!/usr/bin/env bash
# Guess: pyabf reads the ABF files that its own writer makes, and a channel has the name that is shown.
# Happens: a recording of 200 samples cannot be read again (struct.error): the reader wants a header of 2588
#   bytes or more, wherever the data end. One of 2000 samples can, and its channel is called ten NULs.
# Version: pyabf 2.3.8.
# Source: pyabf.abfWriter.writeABF1, pyabf.abf1.headerV1.
# Why it matters: small files made for tests fail for a reason that real ones do not have; and a name that is
#   compared, or written to a table, looks empty and is not.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyabf==2.3.8 numpy==2.4.6
venv/bin/python - <<'EOF'
import struct

import numpy as np
import pyabf
from pyabf import abfWriter

abfWriter.writeABF1(np.zeros((2, 100)), "short.abf", 100.0, units="cm/s")
try:
    pyabf.ABF("short.abf")
except struct.error as error:
    print("short:", error)
else:
    raise AssertionError("it can be read")
abfWriter.writeABF1(np.zeros((2, 1000)), "long.abf", 100.0, units="cm/s")
names = pyabf.ABF("long.abf").adcNames
print("pyabf", pyabf.__version__, "names", names)
assert names[0].strip("\0") == "" and len(names[0]) == 10
EOF
