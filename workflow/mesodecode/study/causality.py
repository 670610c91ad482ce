"""Which settings go with `causal`; nothing heavy, as the config needs it.

A causal decoder reads the frame that it decodes and frames before it, and is normalised by frames
before it: what runs at a rig. A setting that would look ahead is refused rather than passed over.
"""

from collections.abc import Mapping
from typing import Any

from mesodecode.base.files import UserError

DEFAULTS = {"normalise_from": "past", "warm_up": 5}  # that others need not say


def check(settings: Mapping[str, Any], where: str) -> None:
    """Raise UserError, naming the setting, if one of a decoder does not go with `causal`.

    `where` stands before a setting, "config: decoders.x." or "--". Kinds that are not trained have
    no such setting.
    """
    if "causal" not in settings:
        return
    faults = {}
    if settings["causal"]:
        faults["shift"] = settings.get("shift") and (
            f"{settings['shift']}, but with causal windows end at the decoded frame; leave one out"
        )
        faults["drop"] = settings.get("drop") and (
            "takes whole recordings to see which ROIs they lack, and causal decoders read no later "
            "frame; name the ROIs to decode from (rois)"
        )
        none = settings.get("normalise") == "none"
        faults["normalise_from"] = (none and settings["normalise_from"] == "reference") and (
            "reference, but with normalise none no frame is normalised by it; leave it out"
        )
    else:
        for key, default in DEFAULTS.items():
            given = settings.get(key, default)
            faults[key] = given != default and (
                f"{given} is of causal decoders; set causal too, or leave it out"
            )
    for key, fault in faults.items():
        if fault:
            flag = key.replace("_", "-") if where == "--" else key
            raise UserError(f"{where}{flag}: {fault}")


def check_start(causal: bool, of_start: bool, start: str, where: str) -> None:
    """Raise UserError unless a decoder and the CNN `start` that it reads are both causal, or none.

    `where` stands before the setting, as of `check`.
    """
    if causal != of_start:
        word = "causal" if of_start else "not causal"
        raise UserError(
            f"{where}causal: {str(causal).lower()}, but {start}, which it starts from, is {word}; "
            "both read frames after the decoded one, or neither"
        )
