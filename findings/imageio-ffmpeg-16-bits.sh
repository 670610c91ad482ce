#!/usr/bin/env bash
# Guess: write_frames with pix_fmt_in="gray16le" and codec="ffv1", which is lossless and has gray16le, keeps 16 bits; a reader
#   gives the 16 bits that are in a file.
# Happens: pix_fmt_out is yuv420p unless given, so that frames are made 8-bit before the codec, without a warning: of 2295
#   grey levels between 300 and 3000 11 are left, about 299 counts from one to the next. Of a true gray16le file cv2 and
#   imageio (both plugins) give uint8; PyAV's to_ndarray gives the values, as does cv2 with CAP_PROP_CONVERT_RGB 0.
# Version: imageio-ffmpeg 0.8.1, imageio 2.38.1, opencv-python-headless 5.0.0.93, PyAV 18.1.0.
# Source: run here; "yuv420p" is the default of pix_fmt_out in the docstring of write_frames;
#   https://github.com/imageio/imageio/issues/1107 (imageio), https://github.com/opencv/opencv/pull/22894 (OpenCV).
# Why it matters: in a recording of 12 bits that was kept "lossless" a change of 1 % of 3000 counts is a tenth of a step.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1 imageio==2.38.1 av==18.1.0 \
  opencv-python-headless==5.0.0.93 numpy==2.4.6
venv/bin/python - <<'EOF'
import av
import cv2
import imageio
import imageio.v3
import imageio_ffmpeg
import numpy as np

print("imageio-ffmpeg", imageio_ffmpeg.__version__, "imageio", imageio.__version__, "cv2", cv2.__version__, "PyAV", av.__version__)
frames = np.random.default_rng(0).integers(300, 3000, (5, 32, 32)).astype("u2")


def write(path, **options):
    """Write the frames; return the file's pixel format and its frames by PyAV."""
    writer = imageio_ffmpeg.write_frames(path, (32, 32), pix_fmt_in="gray16le", codec="ffv1", **options)
    writer.send(None)
    for frame in frames:
        writer.send(frame.tobytes())
    writer.close()
    with av.open(path) as file:
        read = list(file.decode(video=0))
        return read[0].format.name, np.stack([frame.to_ndarray(format="gray16le") for frame in read])


(kind, plain), (true_kind, true) = write("plain.mkv"), write("true.mkv", pix_fmt_out="gray16le")
levels = [len(np.unique(movie)) for movie in (frames, plain, true)]
steps = np.diff(np.unique(plain)).tolist()
print("levels", levels, "formats", kind, true_kind, "steps", steps)
assert kind == "yuv420p" and levels[0] == 2295 and levels[1] == 11 and min(steps) > 290
assert true_kind == "gray16le" and np.array_equal(true, frames)
read = {plugin: imageio.v3.imread("true.mkv", plugin=plugin)[0] for plugin in ("FFMPEG", "pyav")}
read["cv2"] = cv2.VideoCapture("true.mkv").read()[1]
raw = cv2.VideoCapture("true.mkv", cv2.CAP_FFMPEG, [cv2.CAP_PROP_CONVERT_RGB, 0]).read()[1]
print({name: (frame.dtype.name, len(np.unique(frame))) for name, frame in read.items()}, "raw cv2", raw.dtype)
assert all(frame.dtype == np.uint8 and len(np.unique(frame)) < 16 for frame in read.values())
assert np.array_equal(raw.reshape(32, 32), frames[0])
EOF
