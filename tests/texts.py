"""Whole sentences that readers of a study cite: methods, captions, verdicts and headlines.

Each stands in `texts.txt`, with # for its numbers, which tests hold by hand. One that was changed
on purpose is read there, and the old one deleted: `TEXTS=add pytest -n 0 …` adds what is new.
Captions stand whole, with their numbers, in `written/`: `WRITTEN=write pytest -n 0 …`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kept import assert_kept

FILE = Path(__file__).with_name("texts.txt")
FOLDER = Path(__file__).with_name("written")
NUMBER = re.compile(r"(?:\d[\d,]*)?\.?\d+(?:e[-+]?\d+)?")


def as_read(text: Any) -> Any:
    """Return a text, or what holds texts; their sentences all stand in `texts.txt`."""
    if not isinstance(text, str):
        for one in text:
            as_read(one)
        return text
    known = set(FILE.read_text(encoding="utf-8").splitlines())
    new = {part for part in re.split(r"(?<=\.) ", NUMBER.sub("#", text)) if " " in part} - known
    if new and os.environ.get("TEXTS") == "add":
        FILE.write_text("".join(f"{part}\n" for part in sorted(known | new)), encoding="utf-8")
        return text
    assert not new, f"read these, and if they are meant, add them to {FILE.name}: {new}"
    return text


def as_written(text: Any, name: str) -> Any:
    """Return a text, or what holds texts, that is, with its numbers, as `written/{name}.txt` says.

    A line a sentence.
    """
    assert_kept(
        "".join(f"{line}\n" for line in _lines(as_read(text))), FOLDER / f"{name}.txt", "WRITTEN"
    )
    return text


def _lines(text: Any) -> Iterator[str]:
    if isinstance(text, str):
        yield from re.split(r"(?<=\.) ", text)
        return
    for one in text:
        yield from _lines(one)
