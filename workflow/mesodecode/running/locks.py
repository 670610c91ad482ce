"""One process at a time for one piece of work, where file systems have no dependable locks.

A lock is a file that says who holds it. A holder that was killed leaves the file behind; on its own
machine the process is seen to be gone, on another one the holder is given up once the file has not
been touched for `SILENCE` seconds. Clocks are not compared: who waits looks for a change. flock
would be simpler, but on the shared file systems of clusters it may hold on one node only.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import psutil

from mesodecode.base.files import UserError, say

BEAT = 30.0  # seconds between the signs of life of a holder
SILENCE = 180.0  # seconds without one until a holder on another machine is given up
SETTLE = 1.0  # seconds after which, of several that took a lock over, the last one is known


class Lock:
    """The lock at `path`, for use in a ``with`` block that waits for it."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        process = psutil.Process()
        self._me = {
            "host": socket.gethostname(),
            "machine": _machine(),
            "pid": process.pid,
            "started": process.create_time(),
            "job": os.environ.get("SLURM_JOB_ID"),
            "token": uuid.uuid4().hex,
        }
        self._released = threading.Event()

    def acquire(self, wait: bool = True, poll: float = 2.0) -> None:
        """Take the lock once nobody living holds it, asking every `poll` seconds.

        Without `wait`, raises UserError as soon as the holder is known to live.
        """
        seen, since, said = None, 0.0, False
        while not self._create():
            holder, touched = self._read()
            if holder is None:
                continue  # released a moment ago
            sign = (holder.get("token"), touched)
            lives = _lives(holder)
            if sign != seen:
                if seen is not None and lives is None and seen[0] == sign[0]:
                    lives = True
                seen, since = sign, time.monotonic()
            silent = time.monotonic() - since > SILENCE
            if lives is False or (lives is None and silent):
                if self._take_over():
                    break
                continue
            if lives and not wait:
                raise UserError(f"{self.path}: {_name(holder)} is at work here; let it end first")
            if not said:
                doing = "finishes" if wait else f"gives a sign of life (up to {SILENCE:.0f} s)"
                say(f"waiting until {_name(holder)} {doing}")
                said = True
            time.sleep(poll)
        self._released.clear()
        threading.Thread(target=self._beat, daemon=True).start()

    def release(self) -> None:
        """Give the lock back, if it is still held."""
        self._released.set()
        if self._is_mine():
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _create(self) -> bool:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(self.path, "x") as file:
                json.dump(self._me, file)
        except FileExistsError:
            return False
        return True

    def _read(self) -> tuple[dict[str, Any] | None, int]:
        """Return the holder and when it last touched the file; an empty one while it is written."""
        try:
            touched = self.path.stat().st_mtime_ns
            return json.loads(self.path.read_text()), touched
        except FileNotFoundError:
            return None, 0
        except ValueError:
            return {}, touched

    def _is_mine(self) -> bool:
        holder, _ = self._read()
        return holder is not None and holder.get("token") == self._me["token"]

    def _take_over(self) -> bool:
        """Replace a dead holder; of several that do so at once, the last one keeps the lock."""
        part = self.path.with_name(f".{self.path.name}.{self._me['token']}")
        part.write_text(json.dumps(self._me))
        os.replace(part, self.path)
        time.sleep(SETTLE)
        return self._is_mine()

    def _beat(self) -> None:
        while not self._released.wait(BEAT):
            try:
                holder, _ = self._read()
                taken = bool(holder) and holder.get("token") != self._me["token"]
                if not taken:
                    os.utime(self.path)
            except OSError:  # a file system that is away for a moment
                continue
            if taken and not self._released.is_set():
                # It was silent for so long that another took over, which now writes these files.
                say(f"{self.path}: taken over by {_name(holder)}; ending")
                sys.stderr.flush()
                os._exit(1)


def _machine() -> str:
    """Return what tells whether two process ids are of one boot of one machine or container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{socket.gethostname()} {psutil.boot_time():.0f}"


def _lives(holder: dict[str, Any]) -> bool | None:
    """Tell whether a holder lives; None where only its silence can tell."""
    if holder.get("machine") != _machine():
        return None
    try:
        process = psutil.Process(holder["pid"])
        same = abs(process.create_time() - holder["started"]) < 1
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _name(holder: dict[str, Any]) -> str:
    job = f"SLURM job {holder['job']}, " if holder.get("job") else ""
    return f"{job}process {holder.get('pid', '?')} on {holder.get('host', '?')}"
