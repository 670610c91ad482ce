"""Dates in names that do not sort as numbers do: 12-31-2023 before 01-02-2024, Nov before Dec.

Names that begin with a year and go on in numbers need none of this. Light, as the Snakefile's
modules read it.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence

from mesodecode.base.files import natural

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH = rf"(?P<month>(?i:{'|'.join(MONTHS)}))[A-Za-z]*"
_END = r"(?=\d{4}(?:\d\d)?(?!\d)|(?!\d))"  # a time may be glued to it
DATES = [
    re.compile(pattern)
    for pattern in (
        rf"(?<!\d)(?P<first>\d\d?)(?P<s>[-_. ]?)(?P<second>\d\d?)(?P=s)(?P<year>20\d\d){_END}",
        rf"(?<!\d)(?P<day>\d\d?)[-_. ]?{MONTH}[-_. ]?(?P<year>20\d\d){_END}",
        rf"(?<![A-Za-z]){MONTH}[-_. ]?(?P<day>\d\d?)[-_. ,]+(?P<year>20\d\d){_END}",
        rf"(?<!\d)(?P<year>20\d\d)[-_. ]?{MONTH}[-_. ]?(?P<day>\d\d?)(?!\d)",
    )
]


def readings(names: Sequence[str]) -> list[list[datetime.date]]:
    """Return the dates of names, once for each way to read them.

    With the month first or with the day first, as far as all are of the calendar; once where it is
    all the same. Empty unless each name has a date that ends in its year, or with its month in
    letters.
    """
    found = [next(filter(None, (one.search(name) for one in DATES)), None) for name in names]
    if not names or None in found:
        return []
    ways: list[list[datetime.date]] = []
    for month_first in (True, False):
        try:
            days = [_day(match, month_first) for match in found]
        except ValueError:
            continue
        if days not in ways:
            ways.append(days)
    return ways


def orders(names: Sequence[str]) -> list[list[int]]:
    """Return the orders of names in time by their `readings`, each once: indices into `names`."""
    found: list[list[int]] = []
    for days in readings(names):
        order = sorted(range(len(names)), key=lambda i, days=days: (days[i], natural(names[i])))
        if order not in found:
            found.append(order)
    return found


def _day(match: re.Match[str], month_first: bool) -> datetime.date:
    said = match.groupdict()
    if "month" in said:
        month, day = MONTHS.index(said["month"].lower()) + 1, int(said["day"])
    else:
        month, day = int(said["first"]), int(said["second"])
        month, day = (month, day) if month_first else (day, month)
    return datetime.date(int(said["year"]), month, day)
