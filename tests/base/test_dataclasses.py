"""What is not filled in step by step cannot be changed: dataclasses are frozen but for a few."""

import ast
from pathlib import Path

import mesodecode

PACKAGE = Path(mesodecode.__file__).parent
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
        for node in ast.walk(ast.parse(path.read_bytes())):
            made = [ast.unparse(one) for one in getattr(node, "decorator_list", ())]
            if any("dataclass" in one and "frozen=True" not in one for one in made):
                found.setdefault(path.relative_to(PACKAGE).parts[0], set()).add(node.name)
    assert found == FILLED
