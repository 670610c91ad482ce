#!/usr/bin/env bash
# Guess: Pelt, which is exact, finds steps without noise where they are.
# Happens: it looks at every fifth sample only (`jump=5`), and so do Binseg, BottomUp and Window: of steps at 103 and 167 it says
#   105 and 165. KernelCPD, which takes `jump` too, sets it to 1 and finds both.
# Version: ruptures 1.1.10 (numpy 2.4.6).
# Source: run here; `jump` in the docstrings.
# Why it matters: the onset of a run is up to two frames early or late (67 ms at 30 frames/s), more than the lag between areas
#   that it is aligned for; always on a multiple of five frames.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ruptures==1.1.10 numpy==2.4.6 scipy==1.17.1
venv/bin/python - <<'EOF'
import importlib.metadata as metadata

import numpy as np
import ruptures

print("ruptures", metadata.version("ruptures"))
speed = np.r_[np.zeros(103), np.ones(64), np.zeros(81)]
found = {
    "Pelt": ruptures.Pelt(model="l2").fit(speed).predict(pen=1),
    "Binseg": ruptures.Binseg(model="l2").fit(speed).predict(n_bkps=2),
    "Pelt, jump=1": ruptures.Pelt(model="l2", jump=1).fit(speed).predict(pen=1),
    "KernelCPD": ruptures.KernelCPD(kernel="linear", jump=5).fit(speed).predict(pen=1),
}
found = {name: [int(step) for step in steps[:-1]] for name, steps in found.items()}
print("steps at 103 and 167 are found at", found)
assert all(step % 5 == 0 for name in ("Pelt", "Binseg") for step in found[name])
assert found["Pelt, jump=1"] == found["KernelCPD"] == [103, 167]
EOF
