"""Chromium as a reader has it: pages opened, keys pressed, looked at; by its DevTools' pipe."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
AXE = Path(
    os.environ.get("AXE_CORE") or Path(__file__).parents[1] / "node_modules/axe-core/axe.min.js"
)
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowRight": 39, "+": 187}


class Browser:
    """One page of a headless browser; `close` it, or use it in a `with`."""

    def __init__(self, folder: Path):
        mine, theirs = os.pipe(), os.pipe()  # commands to the browser, its answers
        words = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run")
        words += ("--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}")
        # The pipe is at 3 and 4; bash, as dash knows no descriptors of two digits.
        script = f'exec "$@" 3<&{mine[0]} 4>&{theirs[1]}'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "bash", BROWSER, *words, "about:blank"],
            pass_fds=(mine[0], theirs[1]),
            stderr=subprocess.DEVNULL,
        )
        os.close(mine[0])
        os.close(theirs[1])
        self.out, self.answers = os.fdopen(mine[1], "wb", 0), os.fdopen(theirs[0], "rb")
        self.rest, self.count, self.session, self.events = b"", 0, None, []
        target = next(
            t for t in self.ask("Target.getTargets")["targetInfos"] if t["type"] == "page"
        )
        about = {"targetId": target["targetId"], "flatten": True}
        self.session = self.ask("Target.attachToTarget", **about)["sessionId"]
        self.ask("Page.enable")
        self.ask("Runtime.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.out.close()  # the browser ends with its pipe
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.answers.close()

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        self.count += 1
        about = {"sessionId": self.session} if self.session else {}
        message = {"id": self.count, "method": method, "params": params, **about}
        self.out.write(json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self.count:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            more = os.read(self.answers.fileno(), 1 << 20)
            assert more, "the browser has ended"
            self.rest += more
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def open(self, page: Path, width: int = 1400, dark: bool = False, media: str = "") -> float:
        """Open a file at a width; return the seconds until it was loaded."""
        look = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", media=media, features=look)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        self.events.clear()
        start = time.monotonic()
        self.ask("Page.navigate", url=page.as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._next())
        return time.monotonic() - start

    def run(self, script: str) -> Any:
        """Return what an expression comes to in the page, a promise's value too."""
        about = {"awaitPromise": True, "returnByValue": True}
        answer = self.ask("Runtime.evaluate", expression=script, **about)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true in the page."""
        end = time.monotonic() + 30
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < end, f"never: {condition}"
            time.sleep(0.02)

    def breaks_of_axe(self) -> list[list[Any]]:
        """Return rules of axe-core that the page breaks, how often, and where first.

        The pictures' inside is matplotlib's; as a whole each has a role and a name. Skips the test
        where there is no axe-core.
        """
        if not AXE.exists():
            pytest.skip(
                "no axe-core: npm install --no-save axe-core, or its axe.min.js in AXE_CORE"
            )
        self.run(AXE.read_text() + "; 0")
        return self.run(
            "axe.run({exclude: [['figure svg *']]}, {resultTypes: ['violations']}).then(r => "
            "r.violations.map(v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)]))"
        )

    def faults(self) -> list[dict[str, Any]]:
        """Exceptions in the page since it was opened."""
        return [e for e in self.events if e.get("method") == "Runtime.exceptionThrown"]

    def press(self, key: str) -> None:
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        about = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **about)

    def look(self, path: Path, whole: bool = False) -> None:
        """Write a picture (PNG) of what is seen, or of the whole page."""
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))
