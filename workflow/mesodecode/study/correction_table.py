"""The table `corrections` of the config, checked."""

from collections.abc import Mapping
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.study import schema

FILES = ("dark_frame", "brain_mask")  # settings that name a file of a session, or of all
# Settings of which `looks_ahead` knows whether they need later frames; of others it is taken so.
KNOWN = {
    *("channels", "signal_channel", "reference_channel", "dark_offset", "dark_frame", "motion"),
    *("max_shift", "brain_mask", "outside", "binning", "bleaching", "dff", "baseline_window"),
    *("baseline_percentile", "baseline_causal", "hemodynamics", "reference_lowpass"),
}


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
        if not 1 <= settings[key] <= n:
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


def looks_ahead(settings: Mapping[str, Any]) -> list[str]:
    """Return which corrections make a frame of later ones, so that no rig could make them in time.

    `settings` are keys of `tables/corrections.yaml`, others at their defaults. Channels, the dark,
    masks filled with 0 and binning are of a frame alone; ΔF/F is of the past if its baseline is
    causal, and the ratio of two channels if both are ΔF/F of this kind. What is not in `KNOWN` is
    taken to look ahead.
    """
    dff, blood = (settings.get(key, "none") for key in ("dff", "hemodynamics"))
    mean = settings.get("brain_mask") and settings.get("outside") == "mean"
    found = {
        "motion (onto the mean image of the recording)": settings.get("motion"),
        "outside: mean (of the recording)": mean,
        "bleaching (a fit to the recording)": settings.get("bleaching"),
        "dff without baseline_causal": dff != "none" and not settings.get("baseline_causal"),
        "hemodynamics: regression (a fit to the recording)": blood == "regression",
        "hemodynamics: ratio without dff": blood == "ratio" and dff == "none",
        "reference_lowpass (a filter to both sides)": settings.get("reference_lowpass"),
    }
    off = schema.defaults("corrections")
    found |= {
        f"{k} (not known to need no later frame)": v != off.get(k)
        for k, v in settings.items()
        if k not in KNOWN
    }
    return [name for name, asked in found.items() if asked]
