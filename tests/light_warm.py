"""A server of verbs for tests, in a module that a fresh process finds by its name."""

from __future__ import annotations

from mesodecode import cli
from mesodecode.running import warm


def light(command: list[str]) -> int:
    """A server without the heavy imports, which these verbs do without."""
    warm.HEAVY = ()
    return warm.serve(command, cli.main)
