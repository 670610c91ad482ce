"""In which ways dates of names can be read, and the orders of names in time that follow."""

from __future__ import annotations

import datetime

import pytest

from mesodecode.base import name_dates


def day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("names", "ways"),
    [
        # months are 12 at most
        (["a_12-31-2023", "a_01-02-2024"], [["2023-12-31", "2024-01-02"]]),
        (["a_31.12.2023", "a_01.02.2024"], [["2023-12-31", "2024-02-01"]]),
        (
            ["03-01-2024", "02-02-2024"],
            [["2024-03-01", "2024-02-02"], ["2024-01-03", "2024-02-02"]],
        ),
        (["01-01-2024", "02-02-2024"], [["2024-01-01", "2024-02-02"]]),  # either way the same
        (["31-31-2024"], []),
        (["3-1-2024"], [["2024-03-01"], ["2024-01-03"]]),
        (["31122023"], [["2023-12-31"]]),
        (["311220231430"], [["2023-12-31"]]),  # with a time of day
        (["31122023143059"], [["2023-12-31"]]),
        (["3112202314"], []),
        (["131-12-2023"], []),
        (["31-12.2023"], []),
        # months in letters
        (["1Nov2023", "2 dec 2023"], [["2023-11-01", "2023-12-02"]]),
        (["November 1, 2023"], [["2023-11-01"]]),
        (["2023-Nov-01"], [["2023-11-01"]]),
        (["xNov 1 2023"], []),
        (["31-Feb-2024"], []),
        # years before the month need no reading
        (["20240101"], []),
        (["31-12-2023", "none"], []),
        ([], []),
        # years of two digits, in all places in which dates lie near each other
        (["240131", "240201"], [["2024-01-31", "2024-02-01"]]),
        (["26-01-02", "26-02-03"], [["2026-01-02", "2026-02-03"]]),
        (
            ["11-10-12"],
            [["2011-10-12"], ["2012-10-11"], ["2012-11-10"]],
        ),
        (["110101", "130101"], []),  # two years apart
        (["09-09-09"], []),  # before 2010
        (["10-10-10"], [["2010-10-10"]]),
        (["39-09-09"], [["2039-09-09"]]),
        (["40-09-09"], []),
        (["391231", "400101"], []),  # one of them beyond 2039
        (["26-01-02_1112-13"], [["2026-01-02"]]),  # a time and a number behind the date
        (["3112-23"], [["2031-12-23"], ["2023-12-31"]]),
        (["3112-23", "0201-24"], [["2023-12-31", "2024-01-02"]]),
        (["1240131"], []),
    ],
)
def test_dates_of_names_are_read_in_all_ways_in_which_they_are_of_the_calendar(names, ways):
    assert name_dates.readings(names) == [[day(one) for one in way] for way in ways]


@pytest.mark.parametrize(
    ("apart", "near", "n"), [(62, name_dates.NEAR, 1), (63, name_dates.NEAR, 0), (63, 63, 1)]
)
def test_years_of_two_digits_are_of_dates_near_each_other(apart, near, n):
    first = day("2024-01-15")
    names = [f"{one:%y%m%d}" for one in (first, first + datetime.timedelta(apart))]
    assert len(name_dates.readings(names, near)) == n


def test_names_are_in_the_order_of_their_days_and_of_one_day_as_numbers_go():
    names = ["31-12-2023_s10", "01-02-2024_s1", "31-12-2023_s9"]
    assert name_dates.orders(names) == [[2, 0, 1]]
    either = ["03-01-2024", "02-02-2024"]
    assert name_dates.orders(either) == [[1, 0], [0, 1]]
    assert name_dates.orders(["05-05-2024", "06-06-2024"]) == [[0, 1]]
    assert name_dates.orders(["a", "b"]) == []
