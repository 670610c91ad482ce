"""Which mice and sessions train, validate and test, in whole lists: `splits.txt`.

A study a paragraph: the splits of sessions that its ceilings are made of, and allocations of
cohorts. What was changed on purpose is read in the diff: `SPLITS=write pytest -n 0 …`.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from kept import assert_kept
from mesodecode.study import ceilings, cohort_table, mouse_allocations

FILE = Path(__file__).with_name("splits.txt")
# mouse -> days of January on which it was recorded, in the order of the config
DAYS = {"a": (1, 2, 9, 15), "b": (3, 1, 9, 30), "c": (2, 4, 10), "d": (2,), "e": (5, 20)}
COHORTS = {"p": ["a", "c", "e"], "q": ["b", "d"]}
LABS = {"lab": ["a1", "a2", "a3"], "rig": ["b1", "b2", "b3", "b4"], "box": ["c1", "c2", "c3"]}
# how cohorts are allocated, mice of the roles, and what is chosen; a number: so many at most
ALLOCATED = {
    "across, each test": ("across", (1, 1, 1), "each_test"),
    "across, each pair": ("across", (1, 1, 1), "each_pair"),
    "leave out, each test": ("leave_out", (2, 1, 2), "each_test"),
    "leave out, each pair": ("leave_out", (3, 1, 1), "each_pair"),
    "leave out, two validate": ("leave_out", (3, 2, 1), "each_test"),
    "mixed, each test": ("mixed", (4, 2, 1), "each_test"),
    "mixed, each pair of two": ("mixed", (3, 1, 2), "each_pair"),
    "mixed, all": ("mixed", (2, 1, 1), "all"),
}


def told(known: str, choosing: bool, cohorts: dict[str, list[str]]) -> list[str]:
    """The splits of sessions whose days are known of the mice of `known`."""
    mice = {mouse: [f"{mouse}{day:02}" for day in days] for mouse, days in DAYS.items()}
    dates = {f"{m}{day:02}": date(2024, 1, day) for m in known for day in DAYS[m]}
    found = ceilings.splits(mice, dates, choosing, cohort_table.of_mice(cohorts))
    return [
        f"  {split.id.replace('.test-', ' ')}: {' '.join(one.session for one in split.train)}"
        + "".join(f", by {one.session}" for one in split.valid)
        for split in found
    ]


def test_splits_are_those_that_were_read():
    lines = []
    for what, known, choosing, cohorts in (
        ("days of all, no epoch is chosen", "abcde", False, {}),
        ("days of all, an epoch is chosen", "abcde", True, {}),
        ("no days", "", False, {}),
        ("no days, an epoch is chosen", "", True, {}),
        ("days of three", "abe", False, {}),
        ("cohorts", "abcde", False, COHORTS),
        ("cohorts, an epoch is chosen", "abcde", True, COHORTS),
    ):
        lines += [what, *told(known, choosing, cohorts)]
    mice = [mouse for members in LABS.values() for mouse in members]
    for what, (how, counts, choose) in ALLOCATED.items():
        asked = dict(zip(("train", "valid", "test"), counts, strict=True))
        table = asked | {"choose": choose, "cohorts": how}
        found = mouse_allocations.of_config({"allocation": table, "cohorts": LABS}, mice)
        shown = found if len(found) < 40 else found[:: len(found) // 25]
        lines += [f"{what}: {len(found)} allocations", *(f"  {one.id}" for one in shown)]
    assert_kept("\n".join(lines) + "\n", FILE, "SPLITS")
