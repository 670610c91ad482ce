"""What was done to the movies before they were decoded, in plain words, numbers as set.

The words of most stand beside their settings (`methods` in `tables/corrections.yaml`); here are
those that hang on several settings.
Works are cited as `mesodecode.report.references` reads them: ``[@holm1979]``.
"""

from collections.abc import Mapping
from typing import Any

from mesodecode.recordings.corrections.dff import DARK, STEPS, WHOLE_STEPS
from mesodecode.study import schema


def corrections(
    settings: Mapping[str, Any], *, by_light: bool = False, wavelengths: str = "in_turn"
) -> str:
    """Return a sentence for each correction that is on, in the order they are made in.

    `settings` has every key of `tables/corrections.yaml`; empty where all are off. `by_light`:
    channels were told by recordings.light_sources; `wavelengths`: else how, as recordings has it.
    """
    channels = _lights(settings) if by_light else _channels(settings, wavelengths)
    own = {
        "channels": channels,
        "brain_mask": _brain(settings),
        "dff": _dff(settings),
        "hemodynamics": _hemodynamics(settings),
    }
    made = []
    for key, spec in schema.properties("corrections").items():
        if "methods" in spec and settings[key] != spec["default"]:
            made.append(spec["methods"].format(**settings))
        made += filter(None, [own.get(key)])
    if not made:
        return ""
    return (
        "Before all that follows, each movie was corrected by itself, without its labels, in this "
        f"order. {' '.join(made)}"
    )


def _lights(s: Mapping[str, Any]) -> str:
    reference = s["reference_channel"]
    other = f", {reference} the reference" if reference is not None else ""
    return (
        "The frames of the channels (wavelengths) were separated by the light source that was "
        f"recorded with each; light source {s['signal_channel']} is the signal{other}."
    )


def _channels(s: Mapping[str, Any], wavelengths: str) -> str:
    if s["channels"] == 1:
        return ""
    how = {
        "in_turn": "that take turns",
        "separate": "in files of their own",
        "auto": "that take turns or have files of their own",
    }[wavelengths]
    reference = s["reference_channel"]
    other = f", channel {reference} the reference" if reference is not None else ""
    return (
        f"The frames of {s['channels']} channels (wavelengths) {how} were separated; "
        f"channel {s['signal_channel']} is the signal{other}."
    )


def _brain(s: Mapping[str, Any]) -> str:
    if s["brain_mask"] is None:
        return ""
    became = {"zero": "set to 0", "mean": "set to their own means over time"}[s["outside"]]
    return f"Pixels outside a mask of the brain were {became}."


def _dff(s: Mapping[str, Any]) -> str:
    if s["dff"] == "none":
        return ""
    window = s["baseline_window"]
    percentile = s["dff"] == "percentile"
    what = f"{s['baseline_percentile']:g}th percentile" if percentile else "mean"
    if window is None:
        over = f"{what} over the whole recording"
        over += f", of means over {WHOLE_STEPS} parts of it" if percentile else ""
    else:
        where = "before" if s["baseline_causal"] else "around"
        over = f"{what} over a window of {window:g} s {where} each frame"
        over += f", of means over 1/{STEPS} of it" if percentile else ""
        over += f", in steps of 1/{STEPS} of it with linear interpolation between them"
    return (
        f"ΔF/F = (F − F0) / F0 was taken of each pixel, F0 being its {over}; it is 0 where F0 is "
        f"below {DARK:.0%} of that of the brightest pixels."
    )


def _hemodynamics(s: Mapping[str, Any]) -> str:
    if s["hemodynamics"] == "none":
        return ""
    cutoff = s["reference_lowpass"]
    smooth = f" (smoothed in time by a Gaussian, −3 dB at {cutoff:g} Hz)" if cutoff else ""
    text = {
        "regression": "what linear regression on the reference channel's ΔF/F{} explains of the "
        "signal's ΔF/F was subtracted in each pixel [@valley2020; @couto2021]",
        "ratio": "1 + ΔF/F of the signal was divided by 1 + ΔF/F of the reference channel{} in "
        "each pixel, less 1",
    }[s["hemodynamics"]].format(smooth)
    if s["dff"] == "none":
        text += "; F0 of both is the pixel's mean over time, by which the result was "
        text += "multiplied (channels that were ΔF/F already were regressed as they are)"
    return f"Hemodynamics [@ma2016] were removed: {text}."
