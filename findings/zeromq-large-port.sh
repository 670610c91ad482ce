#!/usr/bin/env bash
# ZeroMQ takes a port above 65535 and binds another, that number less 65536.
#
# One would guess: tcp://127.0.0.1:70000 is refused, as by every other use of sockets (Python's own raises
#   OverflowError), and as tcp://127.0.0.1:65536 is.
# What happens: `bind` succeeds, on port 4464; `connect` waits there for a peer without an error. Who listens on
#   what was typed hears nothing. LAST_ENDPOINT says which port it is. Port 0 is any that is free.
# Version: pyzmq 27.3.0 (libzmq 4.3.5). Source: run here.
# Why it matters: a rig's programs find each other by ports that are typed on two machines, and a decoder that
#   publishes where nobody listens looks like a quiet mouse.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check pyzmq==27.3.0
"$folder/env/bin/python" - <<'PYTHON'
import zmq

print("pyzmq", zmq.__version__, "libzmq", zmq.zmq_version())
context = zmq.Context()
publisher = context.socket(zmq.PUB)
publisher.bind("tcp://127.0.0.1:70000")
where = publisher.getsockopt(zmq.LAST_ENDPOINT)
print("bound to 70000:", where)
assert where.rstrip(b"\0") == b"tcp://127.0.0.1:4464"
try:
    publisher.bind("tcp://127.0.0.1:65536")
except zmq.ZMQError as error:
    print("bound to 65536:", error)
else:
    raise AssertionError("65536 was taken")
publisher.close(0)
context.term()
PYTHON
echo "as described"
