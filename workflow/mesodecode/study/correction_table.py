"""The table `corrections` of the config, checked."""

from __future__ import annotations

from typing import Any

from mesodecode.base.files import UserError

FILES = ("dark_frame", "brain_mask")  # settings that name a file of a session, or of all


def check(settings: dict[str, Any], where: str = "corrections", *, by_light: bool = False) -> None:
    """Raise UserError, with `where` in front, if settings do not fit together.

    `settings` has every key of `tables/corrections.yaml`; `by_light`: recordings.light_sources says
    which channel a frame is of.
    """
    n = settings["channels"]
    for key in ("signal_channel", "reference_channel"):
        if by_light or settings[key] is None:
            continue
        if isinstance(settings[key], str):
            raise UserError(
                f"{where}: {key} '{settings[key]}' is a word of light_sources, and none are given; "
                f"give 1 to {n}"
            )
        if settings[key] > n:
            raise UserError(f"{where}: {key} {settings[key]} of {n} channels; give 1 to {n}")
    if settings["hemodynamics"] != "none" and settings["reference_channel"] is None:
        raise UserError(
            f"{where}: hemodynamics needs a second channel; set channels and reference_channel"
        )
    if settings["reference_channel"] == settings["signal_channel"]:
        raise UserError(f"{where}: signal_channel and reference_channel are the same; they differ")
    if settings["dark_offset"] and settings["dark_frame"] is not None:
        raise UserError(f"{where}: dark_offset and dark_frame both subtract the dark; give one")
    if settings["baseline_causal"] and settings["baseline_window"] is None:
        raise UserError(f"{where}: baseline_causal needs a baseline_window (s)")
    for key, needed in {
        "baseline_window": settings["dff"] != "none",
        "reference_lowpass": settings["hemodynamics"] != "none",
    }.items():
        if settings[key] is not None and not needed:
            owner = "dff" if key == "baseline_window" else "hemodynamics"
            raise UserError(f"{where}: {key} is of {owner}, which is none; set it too")
