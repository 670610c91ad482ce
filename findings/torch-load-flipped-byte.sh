#!/usr/bin/env bash
# Guess: a file of weights in which a byte was changed (a copy that went wrong, a disk) is refused: it is a zip archive,
#   with a CRC-32 of each tensor.
# Happens: torch.load reads other weights without a word, with weights_only=True too; its zip reader is built without
#   the check (MINIZ_DISABLE_ZIP_READER_CRC32_CHECKS).
# Version: torch 2.13.0.
# Source: run here.
# Why it matters: a decoder with one weight of 1e38 predicts, and an AUC is reported. zipfile.ZipFile(path).testzip()
#   before it is read names the tensor; numpy.load of an .npz asks for the checksums itself.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import zipfile

import torch

print("torch", torch.__version__)
torch.manual_seed(0)
weights = torch.randn(1000)
torch.save({"weights": weights}, "w.pt")
value = weights[100:104].numpy().tobytes()
content = open("w.pt", "rb").read()
assert content.count(value) == 1
open("w.pt", "wb").write(content.replace(value, bytes([*value[:3], value[3] ^ 64, *value[4:]])))

read = torch.load("w.pt", weights_only=True)["weights"]
print(f"weight 100 was {weights[100]:.3g}, and is read as {read[100]:.3g}")
print("zipfile finds damaged:", zipfile.ZipFile("w.pt").testzip())
assert not torch.equal(read, weights), "no longer so"
assert zipfile.ZipFile("w.pt").testzip()
EOF
