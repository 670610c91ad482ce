"""What all checks of an importance map say: a row of a table."""

import numpy as np

Row = tuple[str, str, float, float, str]  # check, verdict, value, limit, sentence


def not_made(check: str, words: str) -> Row:
    """Return the row of a check that was not made; `words` say why."""
    return check, "not made", np.nan, np.nan, words


def verdict(passed: bool) -> str:
    """Return the verdict of a check that was made."""
    return "pass" if passed else "flag"
