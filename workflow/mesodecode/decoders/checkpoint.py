"""Checkpoints of a training run: killed at any moment, it goes on as if nothing had happened.

A checkpoint is no output of a rule: Snakemake deletes the outputs of a failed job before it tries
again. It is one file beside others of its study, written under another name and then renamed; the
one before it is kept, in case the file system loses the end of the newest.

What a finished run has trained is kept too, until the workflow ends well: a job may fail after its
last epoch, for a full disk or a file that Snakemake did not see in time.
"""

import hashlib
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mesodecode.base.files import Stopped, UserError, atomic_path, check_stored, say


def digest_of(identity: dict[str, Any]) -> str:
    """Return the SHA-256 of what weights depend on."""
    text = json.dumps(identity, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class Checkpoint:
    """Where the state of one training run is kept.

    `identity` is everything that the weights depend on: settings and input files. A checkpoint of
    another identity is refused. `every` is in seconds. Both `load` and `save` take the state as a
    dict of tensors and plain values; it is read with ``weights_only=True``.
    """

    def __init__(self, path: str | Path, identity: dict[str, Any], every: float = 300.0) -> None:
        self.path = Path(path)
        self.previous, self.result = (
            self.path.with_name(f"{self.path.stem}.{word}{self.path.suffix}")
            for word in ("previous", "finished")
        )
        self._identity, self._digest = identity, digest_of(identity)
        self._every, self._saved, self._stop = every, time.monotonic(), False

    def load(self) -> dict[str, Any] | None:
        """Return the newest whole state, None if there is none to go on from.

        A file that cannot be read is set aside under the suffix ``.broken``.
        Raises UserError if the state belongs to other settings or inputs.
        """
        for path in (self.path, self.previous):
            content = self._read(path)
            if content is None:
                continue
            if content["digest"] != self._digest:
                raise UserError(
                    f"{path}: checkpoint of another run ({self._difference(content['identity'])}); "
                    "delete it to train anew"
                )
            return content["state"]
        return None

    def finished(self) -> dict[str, Any] | None:
        """Return what `finish` was given by the same run, None if it has not come to its end."""
        content = self._read(self.result)
        return content["state"] if content and content["digest"] == self._digest else None

    def _read(self, path: Path) -> dict[str, Any] | None:
        if not path.exists():
            return None
        try:
            check_stored(path)
            content = torch.load(path, map_location="cpu", weights_only=True)
            return {key: content[key] for key in ("digest", "identity", "state")}
        except Exception as error:  # a truncated file fails in many ways
            path.replace(path.with_name(path.name + ".broken"))
            say(f"{path}: unreadable checkpoint set aside ({error})")
            return None

    def _difference(self, identity: dict[str, Any]) -> str:
        own = json.loads(json.dumps(self._identity, default=str))
        other = json.loads(identity)
        keys = [k for k in {**own, **other} if own.get(k) != other.get(k)]
        return "; ".join(f"{k} was {other.get(k)!r}, now {own.get(k)!r}" for k in keys[:3])

    def due(self) -> bool:
        """Tell whether it is time to save: enough time has passed, or a signal came."""
        return self._stop or time.monotonic() - self._saved >= self._every

    def save(self, state: dict[str, Any]) -> None:
        """Write the state; raise Stopped afterwards if a signal asked for an end."""
        with atomic_path(self.path) as part:
            self._write(state, part)
            if self.path.exists():
                os.replace(self.path, self.previous)
        self._saved = time.monotonic()
        if self._stop:
            raise Stopped(f"stopped by a signal; the same command goes on from {self.path}")

    def finish(self, result: dict[str, Any]) -> None:
        """Write what the run has come to, in place of the checkpoints.

        Those go too that a process killed while it wrote has left under a temporary name: no other
        copy of the run is at work by now.
        """
        with atomic_path(self.result) as part:
            self._write(result, part)
        stem, suffix = re.escape(self.path.stem), re.escape(self.path.suffix)
        half = re.compile(
            rf"\.{stem}(\.finished)?\.[a-z0-9_]{{8}}{suffix}"
        )  # as `atomic_path` names them
        halves = [p for p in self.path.parent.iterdir() if half.fullmatch(p.name)]
        for path in (self.path, self.previous, *halves):
            path.unlink(missing_ok=True)

    def _write(self, state: dict[str, Any], part: Path) -> None:
        identity = json.dumps(self._identity, default=str)
        torch.save({"digest": self._digest, "identity": identity, "state": state}, part)
        with open(part, "rb") as file:
            os.fsync(file.fileno())

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Turn SIGTERM, SIGUSR1 and Ctrl-C into a checkpoint after the step, then `Stopped`.

        A second Ctrl-C ends at once.
        """

        def stop(number: int, _: object) -> None:
            if number == signal.SIGINT and self._stop:
                raise KeyboardInterrupt
            self._stop = True

        numbers = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
        handlers = {number: signal.signal(number, stop) for number in numbers}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
