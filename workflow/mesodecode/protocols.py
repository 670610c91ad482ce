"""What a decoder has of its test mouse, derived from its settings: nobody claims it by hand.

strict: nothing but the frames decoded and those before them. transductive: the whole unlabelled
test recording, as for the normalisation of Ajioka et al. 2024, by mean and SD of the recording.
few_shot: some labelled minutes of the test mouse, which are not scored. AUCs of different protocols
are of different problems. A window's frames after the decoded one are its input in all of them.
Nothing heavy here: the Snakefile imports it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mesodecode.files import UserError

STRICT, TRANSDUCTIVE, FEW_SHOT = "strict", "transductive", "few_shot"


def of(settings: Mapping[str, Any], corrected: bool = False) -> str:
    """Return the protocol of a decoder from all its settings (not of an average: see `weakest`).

    `corrected`: whether recordings were corrected, which takes all frames of a recording. Image
    decoders normalise by the whole recording unless adapted with `normalise: past`; ROI decoders
    without baseline and normalisation take nothing more than their windows, unless they leave out
    ROIs that a test recording lacks.
    """
    if settings.get("few_shot"):
        return f"{FEW_SHOT} {settings['few_shot']:g} min"
    whole = any(settings.get(key) for key in ("register", "batch_norm", "coral", "drop"))
    if settings.get("input") == "rois":
        whole |= settings["normalise"] != "none" or bool(settings["baseline"])
    else:
        whole |= settings.get("normalise", "recording") != "past"
    return TRANSDUCTIVE if whole or corrected else STRICT


def weakest(names: Iterable[str]) -> str:
    """Return the protocol of what is made of decoders with these: the one that takes most."""
    order = {STRICT: 0, TRANSDUCTIVE: 1}

    def key(name: str) -> tuple[int, float]:
        minutes = float(name.split()[1]) if name not in order else 0.0
        return order.get(name, 2), minutes

    return max(names, key=key)


def check_one(protocol_of: Mapping[str, str], across: bool, where: str) -> None:
    """Raise UserError if what is compared is not of one protocol, unless that is asked for.

    `protocol_of`: name -> protocol.
    """
    if across or len(set(protocol_of.values())) < 2:
        return
    words = ", ".join(f"{name} is {protocol}" for name, protocol in protocol_of.items())
    raise UserError(
        f"{where}: AUCs of different protocols ({words}); compare within one, or ask for it: "
        "across_protocols: true (--across-protocols)"
    )
