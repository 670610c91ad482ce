"""Numbers, lists and settings as sentences have them."""

from collections.abc import Mapping, Sequence
from typing import Any

LONGEST_LIST = 8  # values of a list that are spelt out; the table of settings has them all


def value(setting: Any, empty: str = "none") -> str:
    """Return a setting as the text has it; a long list as its length, one without items `empty`."""
    if isinstance(setting, bool):
        return "yes" if setting else "no"
    if setting is None:
        return "none"
    if isinstance(setting, float):
        return f"{setting:g}"
    if isinstance(setting, list | tuple):
        if len(setting) > LONGEST_LIST:
            return f"{len(setting)} of them"
        return joined([value(item) for item in setting]) or empty
    return str(setting)


def named(decoders: Sequence[str]) -> str:
    """Return decoders by their names, or how many of the study's they are, if they are many."""
    if len(decoders) > LONGEST_LIST:
        return f"{len(decoders)} decoders of this study"
    return joined(decoders)


def joined(items: Sequence[Any]) -> str:
    """Return items as "a, b and c"."""
    words = [str(item) for item in items]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def every(settings: Mapping[str, Any], noun: str) -> str:
    """Return which training windows (or another noun) a decoder learns from, by its settings."""
    step = settings["frame_step"]
    return f"all training {noun}s" if step == 1 else f"every {_ordinal(step)} training {noun}"


def _ordinal(n: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{n}{'th' if n % 100 in (11, 12, 13) else endings.get(n % 10, 'th')}"
