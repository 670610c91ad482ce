#!/usr/bin/env bash
# Guess: a file with 15 frames gives 15 frames, and count_frames_and_secs counts what read_frames reads.
# Happens: 5 of 20 frames were dropped by the camera, the others keep their times. count_frames_and_secs
#   says 15; read_frames gives 20, the gap filled with copies of the frame before it, without a word.
# Version: imageio-ffmpeg 0.8.1 with the ffmpeg of its wheel.
# Source: run here; ffmpeg's output "image2pipe" is of a constant rate unless -fps_mode passthrough is given
#   (output_params), which gives the 15.
# Why it matters: a table with one line a camera frame no longer fits the video that was read, and labels
#   behind the first gap are late.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1 numpy==2.4.6
venv/bin/python - <<'EOF'
import subprocess

import imageio_ffmpeg
import numpy as np

program = imageio_ffmpeg.get_ffmpeg_exe()
print("imageio-ffmpeg", imageio_ffmpeg.__version__, "ffmpeg", imageio_ffmpeg.get_ffmpeg_version())
frames = np.full((20, 32, 32), 0, "u1") + 10 * np.arange(20, dtype="u1")[:, None, None]
make = "-y -v error -f rawvideo -pix_fmt gray -s 32x32 -r 20 -i - -fps_mode vfr -c:v ffv1".split()
drop = ["-vf", "select='not(between(n,5,9))'"]
subprocess.run([program, *make, *drop, "camera.mkv"], input=frames.tobytes(), check=True)


def levels(**options):
    """Return the grey level of each frame that is read."""
    video = imageio_ffmpeg.read_frames("camera.mkv", pix_fmt="gray", bits_per_pixel=8, **options)
    next(video)
    return [frame[0] for frame in video]


counted = imageio_ffmpeg.count_frames_and_secs("camera.mkv")[0]
read, passed = levels(), levels(output_params=["-fps_mode", "passthrough"])
print("counted", counted, "read", len(read), read)
print("with passthrough", len(passed), passed)
assert counted == 15 and len(read) == 20 and read.count(40) > 4
assert passed == [*range(0, 50, 10), *range(100, 200, 10)]
EOF
