"""Dates in names that do not sort as numbers do: 12-31-2023 before 01-02-2024, Nov before Dec.

Names that begin with a year and go on in numbers need none of this, but where the year has two
digits: 26-01-02 may be of any order. Light, as the Snakefile's modules read it.
"""

import datetime
import re
from collections.abc import Sequence

from mesodecode.base.natural_order import natural

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
SHORT = [  # a year in two digits, in any place; or behind day and month
    re.compile(pattern)
    for pattern in (
        r"(?<!\d)(?P<a>\d\d)(?P<s>[-_.]?)(?P<b>\d\d)(?P=s)(?P<c>\d\d)(?!\d)",
        r"(?<!\d)(?P<a>\d\d)(?P<b>\d\d)[-_.](?P<c>\d\d)(?!\d)",
    )
]
ORDERS = ("abc", "cba", "cab")  # of year, month and day: 26-01-02, 02-01-26, 01-02-26
YEARS = range(2010, 2040)  # others of two digits are none: they may be minutes
NEAR = 62  # days within which parts of one movie are; else such numbers are none
OF_A_STUDY = 730  # days within which sessions are


def readings(names: Sequence[str], near: int = NEAR) -> list[list[datetime.date]]:
    """Return the dates of names, once for each way to read them.

    With the month first or with the day first, as far as all are of the calendar; once where it is
    all the same. Of years in two digits, with the year in any place where dates are within `near`
    days. Empty unless each name has a date that ends in its year, with its month in letters, or of
    such a year.
    """
    found = [next(filter(None, (one.search(name) for one in DATES)), None) for name in names]
    if not names or None in found:
        return _short_readings(names, near)
    ways: list[list[datetime.date]] = []
    for month_first in (True, False):
        try:
            days = [_day(match, month_first) for match in found]
        except ValueError:
            continue
        if days not in ways:
            ways.append(days)
    return ways


def _short_readings(names: Sequence[str], near: int) -> list[list[datetime.date]]:
    """Return the dates of names whose years have two digits, once for each way to read them."""
    ways: list[list[datetime.date]] = []
    for pattern in SHORT:
        found = [pattern.search(name) for name in names]
        if not names or None in found:
            continue
        for order in ORDERS:
            parts = [[int(match[key]) for key in order] for match in found]
            try:
                days = [datetime.date(2000 + year, month, day) for year, month, day in parts]
            except ValueError:
                continue
            close = (max(days) - min(days)).days <= near
            if close and all(day.year in YEARS for day in days) and days not in ways:
                ways.append(days)
        return ways
    return []


def orders(names: Sequence[str], near: int = NEAR) -> list[list[int]]:
    """Return the orders of names in time by their `readings`, each once: indices into `names`."""
    found: list[list[int]] = []
    for days in readings(names, near):
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
