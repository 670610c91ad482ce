"""What all checks of an importance map say: a row of a table."""

import numpy as np

Row = tuple[str, str, float, float, str]  # check, verdict, value, limit, sentence


def not_made(check: str, words: str) -> Row:
    """Return the row of a check that was not made; `words` say why."""
    return check, "not made", np.nan, np.nan, words


def judged(check: str, passed: bool, value: float, limit: float, good: str, bad: str) -> Row:
    """Return the row of a check that was made; `good` is said if it `passed`, else `bad`."""
    return check, "pass" if passed else "flag", value, limit, good if passed else bad
