"""Rows that are written by a thread of their own, so that a disk that hangs delays no frame."""

import queue
import threading
from typing import Any

from mesodecode.base.files import UserError, say
from mesodecode.live.outputs import Output

HELD = 16_384  # rows that wait for the disk: nine minutes of 30 frames/s, some 10 MB
HANGS = 30.0  # s without a row written, at the end, after which the rest is given up


class Written:
    """An output, called `name` in messages, that a thread writes rows to, in their order.

    `HELD` rows wait at most; then who decodes waits for the disk, which a line says once, so that
    none is left out. What writing raises is raised by the next `write`, or by `close`.
    """

    def __init__(self, output: Output, name: str) -> None:
        self._output, self._name = output, name
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(HELD)
        self._error: Exception | None = None
        self._given, self._done, self._waited = 0, 0, False
        self._thread = threading.Thread(target=self._run, daemon=True, name="rows")
        self._thread.start()

    def write(self, row: dict[str, Any]) -> None:
        """Hand over a row."""
        self._raise()
        if self._queue.full() and not self._waited:
            words = f"{HELD} rows wait for the disk, and now frames wait with them"
            say(f"{self._name}: {words}")
            self._waited = True
        self._given += 1
        self._queue.put(row)

    def close(self) -> None:
        """Write the rows that wait, and close the output.

        Raises UserError if it takes none for `HANGS` s, which says how many are missing.
        """
        if not self._finished():
            raise UserError(
                f"{self._name}: took no row for {HANGS:g} s, and the last "
                f"{self._given - self._done} are missing; is the disk still there? those so far "
                "are whole, go on with --append"
            )
        self._output.close()
        self._raise()

    def _run(self) -> None:
        failed = False
        while (row := self._queue.get()) is not None:
            if not failed:  # else only taken, so that nobody waits
                try:
                    self._output.write(row)
                except Exception as error:
                    self._error, failed = error, True
            self._done += 1

    def _raise(self) -> None:
        """Raise what writing has raised, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _finished(self) -> bool:
        """Wait for the thread to end, as long as it writes; tell whether it did."""
        done, asked = -1, False
        while self._thread.is_alive() and done != self._done:
            done = self._done
            if not asked:
                try:
                    self._queue.put(None, timeout=HANGS)
                    asked = True
                except queue.Full:
                    continue
            self._thread.join(HANGS)
        return not self._thread.is_alive()
