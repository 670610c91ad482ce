"""What was done to the movies before they were decoded, in plain words, numbers as set.

Works are cited as `mesodecode.report.references` reads them: ``[@holm1979]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesodecode.recordings.corrections.dff import DARK, STEPS, WHOLE_STEPS


def corrections(
    settings: Mapping[str, Any], *, by_light: bool = False, wavelengths: str = "in_turn"
) -> str:
    """Return a sentence for each correction that is on, in the order they are made in.

    `settings` has every key of `tables/corrections.yaml`; empty where all are off. `by_light`:
    channels were told by recordings.light_sources; `wavelengths`: else how, as recordings has it.
    """
    steps = (_dark, _motion, _brain, _binning, _bleaching, _dff, _hemodynamics)
    first = _lights(settings) if by_light else _channels(settings, wavelengths)
    made = [text for text in (first, *(step(settings) for step in steps)) if text]
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


def _dark(s: Mapping[str, Any]) -> str:
    if s["dark_frame"] is not None:
        return "An image of the camera without light was subtracted from each frame."
    if s["dark_offset"]:
        return f"{s['dark_offset']:g} counts, the camera's without light, were subtracted."
    return ""


def _motion(s: Mapping[str, Any]) -> str:
    if not s["motion"]:
        return ""
    return (
        "Each frame was shifted onto the mean image, rigidly and by linear interpolation; shifts "
        "are those of the highest cross-correlation of the signal channel, band-passed to vessels, "
        "upsampled to 1/20 px [@guizar2008] (scikit-image [@vanderwalt2014]); those above "
        f"{s['max_shift']:g} px were replaced by interpolation between frames."
    )


def _brain(s: Mapping[str, Any]) -> str:
    if s["brain_mask"] is None:
        return ""
    became = {"zero": "set to 0", "mean": "set to their own means over time"}[s["outside"]]
    return f"Pixels outside a mask of the brain were {became}."


def _binning(s: Mapping[str, Any]) -> str:
    if s["binning"] == 1:
        return ""
    return f"Squares of {s['binning']} × {s['binning']} px were averaged."


def _bleaching(s: Mapping[str, Any]) -> str:
    if not s["bleaching"]:
        return ""
    return (
        "Bleaching was divided out of each pixel: an exponential decay over a constant, its time "
        "constant fitted to the mean of all pixels by variable projection [@golub1973], its "
        "amplitude to each pixel by least squares."
    )


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
