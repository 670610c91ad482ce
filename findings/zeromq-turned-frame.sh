#!/usr/bin/env bash
# Guess: socket.send(frame.T) sends what frame.T.tobytes() gives, the pixels row by row, or refuses it as it refuses
#   frame[:, ::2].
# Happens: it sends the memory as it lies, which is the frame before it was turned; who gives it the shape that was told gets
#   neither the frame nor its transpose. Slices and rot90 are refused (ValueError, not contiguous); .T is contiguous, by columns.
# Version: pyzmq 27.3.0, numpy 2.4.6.
# Source: run here.
# Why it matters: a camera that is mounted sideways is put right by .T, and pixels arrive in wrong places with a shape, a type and
#   a mean that are right; of a square frame it is the unturned image, which looks fine.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyzmq==27.3.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import numpy as np
import zmq

print("pyzmq", zmq.__version__, "libzmq", zmq.zmq_version())
context = zmq.Context()
camera, decoder = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
decoder.connect(f"tcp://127.0.0.1:{camera.bind_to_random_port('tcp://127.0.0.1')}")
decoder.rcvtimeo = 5000
frame = np.arange(6, dtype=np.uint8).reshape(2, 3)


def arrived(sent):
    camera.send(sent)
    return np.frombuffer(decoder.recv(), sent.dtype).reshape(sent.shape)


print("sent", frame.T.tolist(), "arrived", arrived(frame.T).tolist())
assert np.array_equal(arrived(frame), frame)
assert arrived(frame.T).tolist() == [[0, 1], [2, 3], [4, 5]] != frame.T.tolist()
assert np.array_equal(arrived(np.ascontiguousarray(frame.T)), frame.T)
for refused in (frame[:, ::2], np.rot90(frame)):
    try:
        camera.send(refused)
    except ValueError as error:
        print("refused:", error)
    else:
        raise SystemExit("sent")
context.destroy(0)
EOF
