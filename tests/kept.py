"""What stands in a file as it was when a person last read it."""

from __future__ import annotations

import os
from pathlib import Path


def assert_kept(found: str, path: Path, variable: str) -> None:
    """Assert that `found` is what stands in a file, written anew if the variable says "write"."""
    if os.environ.get(variable) == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8"), "read what is other; if it is meant, write it"
