"""What is not filled in step by step cannot be changed: dataclasses are frozen but for a few."""

import re
from pathlib import Path

import mesodecode

PACKAGE = Path(mesodecode.__file__).parent
MADE = re.compile(r"^ *@\W*(?:\w+\.)?dataclass\b([^@]*?)^ *class (\w+)", re.M)
FILLED = {  # room -> what is filled or counts as it goes
    "recordings": {"FirstLook", "Trace", "_Layout"},
    "encoding": {"Regression"},
    "decoders": {"ImageDecoder", "SignalDecoder", "Steps", "_Run"},
    "live": {"Counts"},
    "study": {"Guess", "Recorded", "Found", "Session"},
}


def test_dataclasses_are_frozen_but_for_those_that_are_filled():
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for how, name in MADE.findall(path.read_text(encoding="utf-8")):
            if "frozen=True" not in how:
                found.setdefault(path.relative_to(PACKAGE).parts[0], set()).add(name)
    assert found == FILLED
