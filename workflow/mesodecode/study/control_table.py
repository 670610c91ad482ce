"""The table `confounds` of the config, checked."""

from collections.abc import Mapping
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.study.kinds import KINDS


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
    kind = KINDS[decoder.kind]
    if kind.window:
        return kind.window(decoder.settings)
    return max(window(member, decoders) for member in kind.members(decoder.settings))
