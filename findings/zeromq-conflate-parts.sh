#!/usr/bin/env bash
# ZeroMQ's CONFLATE, "keep only the newest message", keeps only the newest part of one.
#
# One would guess: a subscriber with CONFLATE that asks for a frame gets the newest frame, header and pixels
#   as the two parts of one message, and the older ones are dropped.
# What happens: of [header, pixels] it gets [pixels] alone, as a whole message of one part. No error is raised
#   where the option is set, where parts are sent, or where they are received; a reader that takes the first
#   part for the header reads pixels. Without the option both parts come.
# Version: pyzmq 27.1.0 (libzmq 4.3.5). Source: run here; zmq_setsockopt(3) says that multi-part messages are
#   not supported with it.
# Why it matters: cameras publish frames as a header and an array (as in pyzmq's own guide), and for a
#   decoder that must not fall behind CONFLATE looks like the one line to add.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check pyzmq==27.1.0
"$folder/env/bin/python" - <<'PYTHON'
import time

import zmq

print("pyzmq", zmq.__version__, "libzmq", zmq.zmq_version())
context = zmq.Context()


def received(conflate):
    camera, decoder = context.socket(zmq.PUB), context.socket(zmq.SUB)
    port = camera.bind_to_random_port("tcp://127.0.0.1")
    decoder.setsockopt(zmq.CONFLATE, conflate)
    decoder.setsockopt(zmq.SUBSCRIBE, b"")
    decoder.setsockopt(zmq.RCVTIMEO, 5000)
    decoder.connect(f"tcp://127.0.0.1:{port}")
    time.sleep(0.5)
    for i in range(5):
        camera.send_multipart([b"header %d" % i, b"pixels %d" % i])
    time.sleep(0.5)
    found = decoder.recv_multipart()
    print(f"CONFLATE {conflate}: {found}")
    camera.close(0)
    decoder.close(0)
    return found


assert received(0) == [b"header 0", b"pixels 0"]
assert received(1) == [b"pixels 4"]
context.term()
PYTHON
echo "as described"
