#!/usr/bin/env bash
# Guess: of the words of a file's name, np.dtype accepts only the one that is the pixels' type, as readers of
#   m1_V1_2_540_640_uint16.dat assume.
# Happens: V1 (a void of 1 byte), S1 (a text of 1 byte) and M8 (a date) are types, too; M1 and RSC are not.
# Version: numpy 2.4.1.
# Source: run here; wfield (jcouto/wfield, wfield/io.py, _parse_binary_fname) takes the first such word.
# Why it matters: recordings are named after areas; those of V1 and S1 are read as bytes of another type and size.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q "numpy==2.4.1"
"$here/venv/bin/python" - <<'PY'
import numpy as np


def accepted(word):
    try:
        return np.dtype(word)
    except TypeError:
        return None


words = ["V1", "S1", "M8", "M1", "RSC", "uint16"]
found = {word: accepted(word) for word in words}
print({word: str(kind) for word, kind in found.items()})
assert found["V1"] == np.dtype("V1") and found["V1"].itemsize == 1
assert found["S1"] == np.dtype("S1") and found["M8"] == np.dtype("datetime64")
assert found["M1"] is None and found["RSC"] is None
PY
echo "holds: V1, S1 and M8 are types of numpy"
