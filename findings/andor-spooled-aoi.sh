#!/usr/bin/env bash
# Guess: np_spool_open gives images of the width that acquisitionmetadata.ini says (AOIWidth).
# Happens: lines are padded (AOIStride), and the padding is cut by the width of the whole detector, so that of a
#   smaller area of the sensor nothing is cut: the last columns are padding. All files are read at once, too.
# Version: sif-parser 0.3.6.
# Source: run here, on files of the layout that sif-parser reads.
# Why it matters: fast cameras are mostly read out in part; columns of constant counts join the movie at its edge.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q "sif-parser==0.3.6" "numpy==2.4.1" "pandas==2.3.3"
cd "$here"
"$here/venv/bin/python" - <<'PY'
import os
import numpy as np
import sif_parser

HEIGHT, WIDTH, PADDED, SENSOR, FRAMES = 6, 9, 12, 2048, 4
zeros = " ".join(["0"] * 16)
lines = [
    "Andor Technology Multi-Channel File", "65538 1",
    f"65567 0 0 1 1540956289 -60{' ' * 11}0 0.01 0.03 0.03 1 \0 0.03 1e-09 0 1 1 0 0 0 {zeros} 0 x",
    "Zyla", f"{SENSOR} {SENSOR}", "5", "a.sif ", "65538 2", "ab", "65538 \1 \2 \3 \4 0.01 0.02",
    *["0"] * 8, "0 none", "0", "0 0 0 1 0 0 0 0", *["0"] * 9,
    "65539 0 1 0 0", "0 1 0 0", "0 1 0 0", "0", "422", "13", "13",
]
axes = "".join(f"{len(name)}\n{name}" for name in ("Pixel number", "Counts", "Pixel number"))
size = HEIGHT * WIDTH
head = f"{axes}65541 1 {HEIGHT} {WIDTH} 1 {FRAMES} 1 {FRAMES * size} {size}\n65538 1 {HEIGHT} {WIDTH} 1 1 1\n"
times = "".join(f"{33000 * i}\n" for i in range(FRAMES))
os.mkdir("spooled")
with open("spooled/Spooled files.sifx", "wb") as file:
    file.write(("\n".join(lines) + "\n" + head + times + "0\n").encode())
with open("spooled/acquisitionmetadata.ini", "w") as file:
    file.write(f"AOIHeight = {HEIGHT}\nAOIWidth = {WIDTH}\nAOIStride = {2 * PADDED}\n")
    file.write(f"ImageSizeBytes = {2 * PADDED * HEIGHT}\nPixelEncoding = Mono16\n")
for i in range(FRAMES):
    image = np.full((HEIGHT, PADDED), 999, np.uint16)
    image[:, :WIDTH] = i
    image.tofile(f"spooled/{str(i)[::-1]:0<10}spool.dat")
array, _ = sif_parser.np_spool_open("spooled")
print(f"AOIWidth {WIDTH}, read {array.shape[2]} columns; the last of them: {sorted(set(array[..., -1].ravel()))}")
assert array.shape == (FRAMES, HEIGHT, PADDED) and (array[..., WIDTH:] == 999).all()
PY
echo "holds: the padding of the lines is read as pixels"
