"""What stands in a file as it was when a person last read it."""

from __future__ import annotations

import difflib
import os
from itertools import product
from pathlib import Path


def assert_kept(found: str, path: Path, variable: str) -> None:
    """Assert that `found` is what stands in a file, written anew if the variable says "write"."""
    if os.environ.get(variable) == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    kept = path.read_text(encoding="utf-8")
    other = difflib.unified_diff(
        kept.splitlines(), found.splitlines(), str(path), "now", n=0, lineterm=""
    )
    assert found == kept, f"{variable}=write pytest, if this is meant:\n" + "\n".join(other)


def each(pattern: str, *of: str) -> list[str]:
    """Names of all combinations of words, as 'a b'."""
    return [pattern.format(*words) for words in product(*(one.split() for one in of))]
