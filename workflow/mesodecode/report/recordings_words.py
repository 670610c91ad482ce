"""What a study's recordings are, in plain words: their size, labels and ROI signals, as set.

Works are cited as `mesodecode.report.references` reads them: ``[@chen2013]``.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from mesodecode.base.files import counted
from mesodecode.report import corrections_words
from mesodecode.report.decoder_words import listed
from mesodecode.report.phrases import joined


def recordings(config: Mapping[str, Any], cohort: pd.DataFrame) -> str:
    """Return how many recordings there are, of what size, and whence the labels."""
    rates = ", ".join(f"{rate:g}" for rate in sorted(cohort["frame_rate"].unique()))
    low, high = (f"{n:,.0f}" for n in (cohort["n_frames"].min(), cohort["n_frames"].max()))
    frames = low if low == high else f"{low} to {high}"
    sizes = sorted({f"{h:g} × {w:g}" for h, w in zip(cohort.height, cohort.width, strict=True)})
    n = cohort["mouse"].nunique()
    text = (
        f"The study has {counted(len(cohort), 'recording')} of {n} {'mouse' if n == 1 else 'mice'}"
        f", of {frames} frames each ({rates} frames/s; {', '.join(sizes)} px"
        f"{', resized when read, by antialiased bilinear filters' if config['image_size'] else ''})"
        ". "
    )
    if "simulate" in config:
        text += _simulation(config["simulate"])
        for name, own in config["by_cohort"].items():
            common = config["simulate"]
            unlike = {k: v for k, v in own["simulate"].items() if v != common.get(k)}
            text += f" Cohort {name} differs on purpose: {listed(unlike)}."
    else:
        if config["target"] != "run":
            text += (
                "Run and rest are not decoded; where a file of behaviour says nothing of them, "
                "every frame counts as rest in tables and figures. "
            )
        text += _of_cohorts(config, lambda one: _behavior(one["recordings"]))
    return text + _of_cohorts(config, _rois) + _harmonised(config)


def _of_cohorts(config: Mapping[str, Any], words: Callable[[Mapping[str, Any]], str]) -> str:
    """Return what `words` say of a config; where they differ between cohorts, of each."""
    each = {name: config | config["by_cohort"].get(name, {}) for name in config["cohorts"]}
    texts = {name: words(one) for name, one in each.items()} or {"all": words(config)}
    if len({*texts.values()}) == 1:
        return next(iter(texts.values()))
    said = [f"Of cohort {name}: {text.strip()}" for name, text in texts.items() if text]
    return f" {' '.join(said)}"


def _harmonised(config: Mapping[str, Any]) -> str:
    """Return how recordings were brought to one rate and to areas by name, if they were."""
    text = ""
    if config["frame_rate"] is not None:
        tables = [config["by_cohort"].get(name, config) for name in config["cohorts"]] or [config]
        rates = joined(list(dict.fromkeys(f"{t['recordings']['frame_rate']:g}" for t in tables)))
        text = (
            f" Recordings of {rates} frames/s were brought to {config['frame_rate']:g} frames/s by "
            "means over the time of each new frame, within segments; a new frame is run if the "
            "mouse ran in half of it or more."
        )
    if config["areas"] is not None:
        which = "those that all recordings have" if config["areas"] == "common" else "as listed"
        text += f" ROIs were matched by their names ({which})."
    return text


def _behavior(settings: Mapping[str, Any]) -> str:
    """Return whence run and rest of each frame are; `settings` are those of recordings."""
    below, shortest = settings["speed_threshold_low"], settings["min_bout"]
    runs = f"it runs above {settings['speed_threshold']:g} cm/s"
    runs += "" if below is None else f", from then on until at {below:g} cm/s or less"
    if shortest:
        runs += f"; rests shorter than {shortest:g} s between runs count as run, then such runs "
        runs += "between rests as rest"
    text = (
        "In every frame the mouse either runs or rests, "
        + {
            "auto": f"as its behaviour file says; where that holds the speed only, {runs}.",
            "labels": "as its behaviour file says.",
            "speed": f"by its speed: {runs}.",
        }[settings["states"]]
    )
    position = settings["behavior_position"] if not settings["behavior_encoder"] else None
    if position:
        scaled = (
            "" if settings["speed_scale"] is None else f" ({settings['speed_scale']:g} cm a unit)"
        )
        text += (
            f" Speed is that of a tracked position{scaled}: the straight way between the beginning "
            "and the end of each frame, by its duration."
        )
    elif settings["speed_scale"] is not None and not settings["behavior_encoder"]:
        less = f", less {settings['speed_offset']:g}" if settings["speed_offset"] else ""
        text += (
            f" Speed in cm/s is the signal as recorded{less}, times {settings['speed_scale']:g}."
        )
    if settings["behavior_encoder"]:
        text += (
            f" Speed is the way of a wheel ({settings['counts_per_turn']:,g} counts and "
            f"{settings['wheel_circumference']:g} cm a turn) during each frame, by its duration."
        )
    rate = settings["behavior_rate"]
    names = [str(settings[f"behavior_{key}"]) for key in ("labels", "speed", "encoder")]
    timed = str(settings["behavior"]).lower().endswith(".nwb") or any(
        name.endswith(("/values", "/level"))
        for name in names  # of Spike2
    )
    if settings["behavior_stop"]:
        text += " Run was told by intervals; a frame is of one if its middle lies in it."
    elif rate or settings["behavior_time"] or timed:
        sampled = f" at {rate:g} samples/s from the first frame on" if rate else ""
        text += (
            f" Behaviour that was sampled{sampled or ' at times of its own'} was brought onto the "
            "frames: speed as the mean of the samples within a frame, or, where it was sampled "
            "about as fast as the frames or slower, by linear interpolation, but not over gaps; "
            "states as they were in the middle of a frame."
        )
    if settings["zero_frames"] == "keep":
        text += " Frames that are 0 throughout were kept."
    return text


def corrections(config: Mapping[str, Any]) -> str:
    """Return what was done to the movies, of each cohort if not the same; empty if nothing was."""
    return _of_cohorts(config, _corrections).strip()


def _corrections(config: Mapping[str, Any]) -> str:
    """Return what was done to the movies of a cohort."""
    by_light = config["recordings"].get("light_sources") is not None
    return corrections_words.corrections(
        config["corrections"], by_light=by_light, wavelengths=config["recordings"]["wavelengths"]
    )


def _rois(config: Mapping[str, Any]) -> str:
    """Return whence ROI signals are, where that is not plain."""
    corrected = _corrections(config)
    if config["recordings"]["roi_masks"]:
        after = ["after the corrections below"] if corrected else []
        after += ["before frames are resized"] if config["image_size"] else []
        means = "The signal of a region of interest (ROI) is the mean of its pixels"
        return f" {', '.join([means, *after])}."
    if config["recordings"]["rois"] and corrected:
        return " ROI signals are those of a file, which the corrections below do not touch."
    return ""


def _simulation(settings: Mapping[str, Any]) -> str:
    """Return what a simulated cohort is made of."""
    rois = joined(settings["signal_rois"])
    shifted = "".join(
        f" Mouse {mouse} differs on purpose: {listed(own)}."
        for mouse, own in settings.get("by_mouse", {}).items()
    )
    drift = settings.get("signal_drift", 0)
    drift = f" The signal moves by {drift:g} of the image a day." if drift else ""
    return (
        "The recordings are simulated: spontaneous cortical activity, noise of photons and camera, "
        "vessels and bleaching, and, while the mouse runs, a signal of "
        f"{100 * settings['run_signal']:g} % ΔF/F in ROIs {rois}, seen through the kinetics of "
        f"GCaMP6 [@chen2013] (seed {settings['seed']}).{_areas(settings)}{_pupil(settings)}{drift}"
        f"{_faults(settings)}{shifted}"
    )


def _areas(settings: Mapping[str, Any]) -> str:
    """Return what is planted of each area by itself in simulated movies; empty if nothing is."""
    words = {
        "signal_gains": "times as strong (below 0: the area falls silent)",
        "signal_leads_s": "s earlier (below 0: later)",
    }
    found = [
        f"{', '.join(f'{each:g}' for each in settings[key])} {text}"
        for key, text in words.items()
        if settings.get(key)
    ]
    return f" In these ROIs, in turn, it is {joined(found)}." if found else ""


def _pupil(settings: Mapping[str, Any]) -> str:
    """Return what is planted of the pupil in simulated movies; empty if nothing is."""
    if not settings["pupil_signal"]:
        return ""
    rois = joined(settings["pupil_rois"])
    return (
        f" The pupil changes whether the mouse runs or not, and ΔF/F in ROIs {rois} follows it, by "
        f"{100 * settings['pupil_signal']:g} % an SD of its size."
    )


def _faults(settings: Mapping[str, Any]) -> str:
    """Return what goes with running in simulated movies without neurons, and what is wrong."""
    leaks = {
        "stray_light": "stray light of {:g} of the brightest cortex falls on the whole image",
        "movement": "the brain moves by {:g} of the image",
        "vessel_dilation": "vessels hold {:g} times more blood",
    }
    faults = {
        "dropped_frames": "{:g} of the frames are lost and replaced by the frame before",
        "flashes": "a light flashes in {:g} of the frames",
        "flicker": "the lamp flickers with an SD of {:g} of its light",
        "flipped_bouts": "{:g} of the bouts have the label of the other state",
    }
    said = ""
    for what, kinds in (
        ("Not of neurons, while the mouse runs", leaks),
        ("Faults on purpose", faults),
    ):
        found = [text.format(settings[key]) for key, text in kinds.items() if settings[key]]
        said += f" {what}: {joined(found)}." if found else ""
    return said
