#!/usr/bin/env bash
# python-osc sends every number with a point as a float of 32 bits, also seconds since 1970.
#
# One would guess: a Python float has 64 bits, OSC has a type for these ("d"), so a time stamp that is sent
#   arrives as it was, to a microsecond or so.
# What happens: `send_message` and `OscMessageBuilder.add_arg` take "f". 1764340000.25 s arrives as
#   1764339968, half a minute early, and so do all stamps of the two minutes around it; of a session that
#   counts from 0, an hour in, stamps fall on steps of a quarter of a millisecond. Nothing is said. Whole
#   numbers too large for 32 bits, in contrast, are sent with 64 ("h") by themselves.
#   `add_arg(t, "d")` sends what was meant.
# Version: python-osc 1.10.2. Source: run here; OSC 1.0 (opensoundcontrol.org) has "d" as an optional type.
# Why it matters: behaviour software such as Bonsai is told of decoded states by OSC, and aligns them to
#   camera frames by these stamps.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check python-osc==1.10.2
"$folder/env/bin/python" - <<'PYTHON'
from importlib.metadata import version

from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

print("python-osc", version("python-osc"))


def arrives(value, kind=None):
    message = OscMessageBuilder("/frame")
    message.add_arg(value, kind)
    made = message.build()
    found = OscMessage(made.dgram).params[0]
    print(f"{value!r} sent as {message.args[0][0]!r} arrives as {found!r}")
    return found


stamp = 1764340000.25
assert arrives(stamp) == 1764339968.0
assert arrives(stamp + 30) == 1764339968.0  # half a minute later: the same
assert abs(arrives(3600.12345) - 3600.12345) > 1e-5
assert arrives(stamp, "d") == stamp
assert arrives(2**40) == 2**40
PYTHON
echo "as described"
