"""ZeroMQ: frames in, states out (docs/live.md has the messages). No pickle, no code, of any peer.

A frame is a message of two parts: a header in JSON, {"frame": 12, "shape": [128, 128], "dtype":
"uint16"}, with "time" (s) and "light" if they are known, and the pixels, row by row, little-endian.
The end is a header {"end": true}. What a subscriber is sent is one part of JSON.
"""

import contextlib
import json
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from mesodecode.base.files import UserError, say

HEADER = 4096  # bytes of a header, at most
WAITING = 64  # messages that wait in the socket; of more, the oldest are not sent
DTYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")
ADDRESS = re.compile(r"\d+|(?:tcp|ipc|inproc)://\S+")


def is_address(text: str) -> bool:
    """Tell whether a text is a port or an address of ZeroMQ, and no file."""
    return ADDRESS.fullmatch(text) is not None


def local(text: str) -> str:
    """Return the address of a port on this machine only; others are returned as they are.

    Raises UserError for a port that cannot be: ZeroMQ would take another.
    """
    port = re.search(r":(\d+)$", f":{text}")
    if port and not 0 < int(port[1]) < 1 << 16:
        raise UserError(f"{text}: a port is a number from 1 to 65535")
    return f"tcp://127.0.0.1:{text}" if text.isdigit() else text


def _zmq() -> Any:
    try:
        import zmq
    except ImportError as error:
        raise UserError("ZeroMQ needs pyzmq: pip install 'mesodecode[live]' or pyzmq") from error
    return zmq


def messages(
    address: str, max_message: int, patience: float
) -> Iterator[tuple[dict[str, Any], np.ndarray] | None]:
    """Yield header and pixels of each frame that a publisher sends; None if none came for a while.

    `max_message`: MB of a part; a peer that sends more is disconnected. Messages that are no frames
    are left out, and said once. Raises UserError if the address cannot be.
    """
    zmq = _zmq()
    context = zmq.Context()
    socket = context.socket(zmq.SUB)
    try:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, WAITING)
        socket.setsockopt(zmq.MAXMSGSIZE, max_message << 20)
        socket.setsockopt(zmq.SUBSCRIBE, b"")
        try:
            socket.connect(address)
        except zmq.ZMQError as error:
            raise UserError(f"--source {address}: {error}; needs tcp://HOST:PORT") from error
        said = False
        while True:
            if not socket.poll(round(patience * 1000)):
                yield None
                continue
            parts = socket.recv_multipart()
            try:
                found = frame_of(parts)
            except ValueError as error:
                if not said:
                    say(f"{address}: a message left out: {error}")
                said = True
                continue
            if found is None:
                return
            yield found
    finally:
        socket.close()
        context.term()


def frame_of(parts: list[bytes]) -> tuple[dict[str, Any], np.ndarray] | None:
    """Return header and pixels (H, W), or signals (R,), of a message; None if it says the end.

    Raises ValueError, saying why, if it is no frame.
    """
    if not parts or len(parts[0]) > HEADER:
        raise ValueError(f"a header of more than {HEADER} bytes")
    try:
        header = json.loads(parts[0])
    except (ValueError, RecursionError):
        raise ValueError("a header that is not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("a header that is no object of JSON")
    if header.get("end") is True:
        return None
    number, shape, dtype = (header.get(key) for key in ("frame", "shape", "dtype"))
    whole = isinstance(shape, list) and all(type(n) is int and 0 < n < 1 << 20 for n in shape)
    if type(number) is not int or not 0 <= number < 1 << 53:
        raise ValueError('"frame" is no whole number from 0')
    if not whole or len(shape) not in (1, 2):
        raise ValueError('"shape" is no [height, width]')
    if dtype not in DTYPES:
        raise ValueError(f'"dtype" is none of {", ".join(DTYPES)}')
    when, light = header.get("time"), header.get("light")
    if when is not None and (type(when) not in (int, float) or not abs(when) < 1e300):
        raise ValueError('"time" is no number of s')
    if light is not None and not isinstance(light, str | int):
        raise ValueError('"light" is neither a number nor a word')
    kind = np.dtype(dtype).newbyteorder("<")
    n_bytes = math.prod(shape) * kind.itemsize
    if len(parts) != 2 or len(parts[1]) != n_bytes:
        sizes = " and ".join(str(len(part)) for part in parts[1:]) or "no"
        raise ValueError(f"{sizes} bytes of pixels; {shape} {dtype} are {n_bytes}")
    return header, np.frombuffer(parts[1], kind).reshape(shape).astype(kind.newbyteorder("="))


class Publisher:
    """A socket that any number of programs may listen to; none of them can make it wait."""

    def __init__(self, text: str) -> None:
        zmq = _zmq()
        self._again, self._now = zmq.Again, zmq.NOBLOCK
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDHWM, WAITING)  # for each that listens
        try:
            self._socket.bind(local(text))
        except zmq.ZMQError as error:
            self.close()
            raise UserError(f"--publish {local(text)}: {error}; choose another port") from error

    def write(self, row: dict[str, Any]) -> None:
        """Send a row; who does not keep up misses it."""
        with contextlib.suppress(self._again):
            self._socket.send_string(json.dumps(row, allow_nan=False), self._now)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        self._context.term()
