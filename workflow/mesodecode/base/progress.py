"""Progress that suits where it is read: a bar on a terminal, a line a minute in a log."""

from __future__ import annotations

import time

from tqdm import tqdm

from mesodecode.base.files import say

LOG_EVERY = 60.0  # seconds


class Progress:
    """Count up to `total` units of work on standard error; use it in a ``with`` block."""

    def __init__(self, total: int, unit: str, what: str) -> None:
        self._bar = tqdm(total=total, unit=f" {unit}", desc=what, disable=None, leave=False)
        self._total, self._unit, self._what = total, unit, what
        self._done, self._start = 0, time.monotonic()
        self._next = self._start + LOG_EVERY

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def update(self, count: int, **shown: float) -> None:
        """Add `count` units; `shown` are figures to print beside them, such as the loss."""
        self._done += count
        self._bar.update(count)
        if shown:
            self._bar.set_postfix({key: f"{value:.4g}" for key, value in shown.items()})
        now = time.monotonic()
        if self._bar.disable and now >= self._next:
            self._next = now + LOG_EVERY
            rate = self._done / (now - self._start)
            left = (self._total - self._done) / rate / 60
            figures = "".join(f", {key} {value:.4g}" for key, value in shown.items())
            say(
                f"{self._what}: {self._done}/{self._total} {self._unit}, {rate:.0f}/s{figures}, "
                f"{left:.0f} min left"
            )
