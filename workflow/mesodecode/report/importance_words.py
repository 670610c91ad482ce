"""Importance analyses in plain words, numbers as set.

The words of a family of maps stand in its schema (`methods`, with settings in braces); here are
those that hang on several settings, and what is said of all.
Works are cited as `mesodecode.report.references` reads them: ``[@holm1979]``.
"""

from collections.abc import Mapping
from typing import Any

from mesodecode.report.decoder_words import listed, options
from mesodecode.study import importance as families
from mesodecode.study import schema, targets

DEEP = (
    "Deep SHAP [@lundberg2017; @shrikumar2017], with Shapley values for the products within "
    "recurrent units, if there are some [@chen2022]"
)


def importance(settings: Mapping[str, Any], target: str = "run") -> str:
    """Return the words for an importance analysis: attributions, or areas hidden."""
    name = families.kind_of(settings)
    checks = {key: item for key, item in settings.get("checks", {}).items() if item}
    checked = f" Its checks: {listed(checks)}." if checks not in ({}, {"frames": 500}) else ""
    settings = {key: item for key, item in settings.items() if key != "checks"}
    if name in OWN_WORDS:
        words = OWN_WORDS[name](settings, target)
    else:
        words = schema.load(name)["methods"].format(**settings) + options(name, settings)
    return f"{words}{checked}{_over_mice(settings)}"


def _cutout(settings: Mapping[str, Any], target: str) -> str:
    rest = {k: item for k, item in settings.items() if k != "decoder" and item not in (None, [])}
    filled = ""
    if settings.get("fill") == "road":
        filled = (
            " Hidden pixels were interpolated linearly from those around them, with noise of a "
            "tenth of the SD of the visible pixels [@rong2022]."
        )
    return (
        f"Areas of the images of {settings['decoder']} were hidden one after another (occlusion "
        f"[@zeiler2014]); the score of an area is the {targets.kind_named(target).axis} of the "
        f"whole images less that of the images without it.{filled} The map was checked by what "
        "areas hidden at once, one after another and by sign take from the decoder [@jang2025]. "
        f"Settings: {listed(rest)}."
    )


def _shap(settings: Mapping[str, Any], target: str) -> str:
    method = {
        "deep": DEEP,
        "gradient": "expected gradients [@erion2021]",
        "integrated": "integrated gradients [@sundararajan2017], averaged over the background",
    }[settings["method"]]
    return _attributed(settings, target, f"its inputs by {method}", "ROIs removed", "a signal") + (
        options("importance_shap", settings)
    )


def _pixels(settings: Mapping[str, Any], target: str) -> str:
    areas = {key: settings.get(key) for key in ("areas", "size", "stride")}
    given = listed({key: item for key, item in areas.items() if item is not None})
    return (
        _attributed(
            *(settings, target, f"the pixels of its frames by {DEEP}"),
            *("areas hidden", "a pixel, or the mean of an area,"),
        )
        + f" The value of an area is the sum of those of its pixels ({given})."
    )


def _attributed(
    settings: Mapping[str, Any], target: str, to: str, removed: str, signal: str
) -> str:
    """Return what is said of all maps of values by window and background."""
    kind = targets.kind_named(target)
    mice = {"train": "training mice", "test": "test mouse"}[settings["background_from"]]
    explained = {
        "": f"The {settings['output']}",
        "value": f"The value of {target}, in its unit,",
        "log-probability": "The log-probability of each state, less the mean over states,",
    }[kind.explained]
    mean = ", of states also their mean over all" if kind.name == "states" else ""
    return (
        f"{explained} of {settings['decoder']} was attributed to {to}; maps were checked by what "
        f"{removed} at once, one by one and by sign take from the decoder [@jang2025]. Explained "
        f"were up to {settings['windows']:,} windows of each test mouse, evenly spaced, against a "
        f"background of up to {settings['background']:,} windows of the {mice}, drawn at random "
        f"(seed {settings['seed']}). Shown is the mean absolute value{mean}; with signs, the mean "
        f"of values where {signal} is above its mean over the background, and of their negatives "
        "where it is below."
    )


OWN_WORDS = {
    "importance_cutout": _cutout,
    "importance_shap": _shap,
    "importance_pixels": _pixels,
}


def _over_mice(settings: Mapping[str, Any]) -> str:
    """Return the words for the intervals of a map over mice, and for its test, if it has one."""
    against = "permuted labels" if settings.get("null_decoder") else "0"
    words = (
        " With mice as the unit, areas have 95 % intervals (Student's t over test mice, of each "
    )
    words += "the mean of its allocations)"
    if against == "0" and "masks" not in settings:
        return f"{words}."
    return (
        f"{words} and were tested together against {against} by sign flips over mice and the "
        "largest |t| of all areas [@nichols2002]."
    )
