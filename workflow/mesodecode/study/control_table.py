"""The table `confounds` of the config, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesodecode.base.files import UserError


def check(settings: Mapping[str, Any], decoders: Mapping[str, Any], n_test: int) -> None:
    """Raise UserError unless the decoders to hold against controls exist and have own labels.

    `settings` is the table `confounds` of the config, `decoders` name -> `decoder_table.Decoder`,
    `n_test` the number of test mice of an allocation.
    """
    where = "config: confounds"
    for name in settings["decoders"]:
        if name not in decoders:
            raise UserError(f"{where}.decoders: no decoder '{name}'; known: {', '.join(decoders)}")
        if decoders[name].settings.get("labels", "own") != "own":
            raise UserError(f"{where}.decoders: '{name}' has permuted labels, and is at chance")
    if settings["decoders"] and n_test != 1:
        raise UserError(
            f"{where}: test mice are compared one by one, but allocation.test is {n_test}; set it "
            "to 1"
        )


def window(name: str, decoders: Mapping[str, Any]) -> tuple[int, int]:
    """Return half-width and shift (frames) of the window of recorded frames that a decoder sees."""
    decoder = decoders[name]
    s = decoder.settings
    if decoder.kind == "average":
        return max(window(member, decoders) for member in s["average_of"])
    if decoder.kind == "adapted":
        return window(s["adapted_from"], decoders)
    return {
        "linear": lambda: (0, 0),
        "cnn": lambda: (1, 0),  # frames t-1, t, t+1 are the channels of an image
        "cnn_rnn": lambda: (s["half_window"] + 1, 0),
    }.get(decoder.kind, lambda: (s["half_window"], s["shift"]))()
