"""What a live decoder does, on a terminal: what is predicted, state, latency, frames lost."""

import time
from collections.abc import Callable
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.live.outputs import UNSURE

WIDTH = 40  # characters of the bar
EVERY = 0.25  # s between two panels
OTHERS = ("frame", "time_s", "state", "latency_ms", "unsure_why")
COLOURS = {"run": "green", "rest": "blue", UNSURE: "yellow"}


class View:
    """A panel that is drawn anew four times a second, by who decodes, once a row is out.

    A thread of its own would take turns with the decoder in the middle of a frame.
    """

    def __init__(self, told: Callable[[], dict[str, Any]]) -> None:
        try:
            from rich.console import Console
            from rich.live import Live
        except ImportError as error:
            raise UserError("--show needs rich: pip install 'mesodecode[live]' or rich") from error
        self._told, self._row, self._due = told, None, 0.0
        self._live = Live(
            get_renderable=self._table, console=Console(stderr=True), auto_refresh=False
        )
        self._live.start()

    def write(self, row: dict[str, Any]) -> None:
        """Show a row, if the last panel is not of just now."""
        self._row, now = row, time.monotonic()
        if now >= self._due:
            self._live.refresh()
            self._due = now + EVERY

    def close(self) -> None:
        """Leave the last panel on the terminal."""
        self._live.stop()

    def _table(self) -> Any:
        from rich.panel import Panel
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        row = self._row
        if row is not None:
            table.add_row("frame", f"{row['frame']}   {row['time_s']:.2f} s")
            for name, made in row.items():
                if name not in OTHERS:
                    table.add_row(name, _bar(name, made))
            state = row.get("state", UNSURE if row["unsure_why"] else "")
            why = f" ({row['unsure_why']})" if row["unsure_why"] else ""
            table.add_row("state", f"[bold {COLOURS.get(state, 'green')}]{state}[/]{why}")
            table.add_row("latency", f"{row['latency_ms']:.1f} ms")
        for name, value in self._told().items():
            table.add_row(name, f"{value}")
        return Panel(table, title="mesodecode live", expand=False)


def _bar(name: str, made: float | None) -> str:
    """Return a probability as a bar, a value as it is."""
    if made is None:
        return "no whole window yet"
    if name == "predicted":
        return f"{made:.4g}"
    full = round(made * WIDTH)
    return "█" * full + "░" * (WIDTH - full) + f" {made:.2f}"
