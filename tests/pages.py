"""Pages of HTML as the text that is read, for tests that keep it."""

from __future__ import annotations

import html
import re


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
