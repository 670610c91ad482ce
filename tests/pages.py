"""Pages of HTML as the text that is read, for tests that keep it."""

from __future__ import annotations

import contextlib
import html
import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from unittest import mock


def read_of(page: str) -> str:
    """A page as lines: headings, paragraphs, rows, items, and where links lead; without dates.

    Of rows that stand out, how.
    """
    body = re.sub(r"<(style|script|svg|head).*?</\1>", " ", page, flags=re.DOTALL)
    body = re.sub(r"<tr class=\"(\w+)\">", r"<tr>[\1] ", body)
    body = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "TIME", body)
    body = re.sub(r"\s+", " ", re.sub(r"<a [^>]*href=\"(#[^\"]*)\"[^>]*>", r"[\1]", body))
    rows = re.sub(r"</?(section|h\d|tr|p|li|details|figure|figcaption|table|div)[^>]*>", "\n", body)
    text = html.unescape(re.sub(r"<[^>]+>", " ", rows))
    lines = (re.sub(r" +", " ", line).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line) + "\n"


@contextlib.contextmanager
def far_from_utc() -> Iterator[None]:
    """A machine whose clock is nine hours ahead."""
    try:
        with mock.patch.dict(os.environ, TZ="JST-9"):
            time.tzset()
            yield
    finally:
        time.tzset()


def assert_made_now(page: str) -> None:
    """A page has one date, in UTC, of the last ten minutes."""
    (said,) = set(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d(?= UTC)", page))
    made = datetime.strptime(f"{said} +0000", "%Y-%m-%d %H:%M %z")
    assert 0 <= (datetime.now(UTC) - made).total_seconds() < 600
