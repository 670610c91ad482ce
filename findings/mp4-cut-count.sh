#!/usr/bin/env bash
# Guess: the count of frames in an MP4 file's header is the number that can be read, as long as the file is whole.
# Happens: a file cut by `ffmpeg -ss 1.5 -c copy` keeps the frames from the key frame before the cut, and an edit list hides
#   them. cv2 and PyAV say 100 frames and read 70; the first that is read is frame 30. Count / rate is 5 s of a video of 3.5 s.
# Version: opencv-python-headless 5.0.0.93, PyAV 18.1.0, with the ffmpeg of imageio-ffmpeg 0.8.1 (which counts 70).
# Source: run here; https://github.com/vllm-project/vllm/pull/48608 tells of the same.
# Why it matters: the count of a behaviour video that was cut without encoding it again can fit the camera's triggers where
#   its frames do not; an array of zeros of that length ends in 30 black frames.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1 av==18.1.0 \
  opencv-python-headless==5.0.0.93 numpy==2.4.6
venv/bin/python - <<'EOF'
import subprocess

import av
import cv2
import imageio_ffmpeg
import numpy as np

program = imageio_ffmpeg.get_ffmpeg_exe()
print("cv2", cv2.__version__, "PyAV", av.__version__, "ffmpeg", imageio_ffmpeg.get_ffmpeg_version())
frames = np.full((100, 64, 64), 20, "u1") + 2 * np.arange(100, dtype="u1")[:, None, None]
make = "-y -v error -f rawvideo -pix_fmt gray -s 64x64 -r 20 -i - -c:v libx264 -g 50 -bf 2 -qp 5 -pix_fmt yuv420p full.mp4"
subprocess.run([program, *make.split()], input=frames.tobytes(), check=True)
subprocess.run([program, *"-y -v error -ss 1.5 -i full.mp4 -c copy cut.mp4".split()], check=True)


def counts(path):
    """Return frames said and read by cv2 and by PyAV, ffmpeg's count, and the number of the first frame read."""
    video, read = cv2.VideoCapture(path), 0
    said = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    while video.read()[0]:
        read += 1
    with av.open(path) as file:
        header = file.streams.video[0].frames
        levels = [float(np.median(frame.to_ndarray(format="gray"))) for frame in file.decode(video=0)]
    counted = imageio_ffmpeg.count_frames_and_secs(path)[0]
    return said, read, header, len(levels), counted, round((levels[0] - 20) / 2)


full, cut = counts("full.mp4"), counts("cut.mp4")
print("cv2 said, read; PyAV said, read; ffmpeg counts; first frame:\nfull", full, "\ncut", cut)
assert full == (100, 100, 100, 100, 100, 0)
assert cut == (100, 70, 100, 70, 70, 30)
EOF
