"""The words of Methods for the shift report."""

from collections.abc import Mapping
from typing import Any

from mesodecode.report.phrases import named, value
from mesodecode.shift import columns, distances, predicted_auc
from mesodecode.study import decoder_table, targets
from mesodecode.study.targets import Kind

_OF_STATES = "how sure it is, as an energy [@liu2020], how far it falls into two values that last"
OF_OUTPUT = {  # kind of target -> what is measured of a decoder's output
    "run": f"{_OF_STATES} [@otsu1979] and how slow it is",
    "states": f"{_OF_STATES} [@otsu1979] and how slow it is, means over states",
    "regression": "how slow it is and how far it goes from the mean of the known mice",
}
NO_FEATURES = ("average", "adaptive")  # kinds that have no last layer of their own


def shift(config: Mapping[str, Any]) -> str:
    """Return how test mice are held against those that decoders know; empty if they are not."""
    settings, kind = config["shift"], targets.kind_named(config["target"])
    names = settings["decoders"]
    if not names:
        return ""
    limits = [
        f"{name.replace('_', ' ')} {_limits(settings[name])}" for name in columns.judged(kind)
    ]
    know = "knows" if len(names) == 1 else "know"
    return (
        f"How far each test mouse is from the mice that {named(names)} {know} was measured without "
        f"its labels.{_features(config, kind)} Of the output: {OF_OUTPUT[kind.name]}, beside the "
        "same of the validation mouse. Of the images: where the brain lies, how it is turned, its "
        "light, sharpness, noise and spectra, against the nearest training mouse. From the output "
        f"{kind.an_expected} is predicted by a ridge regression over the other test mice, drawn "
        "towards its coefficients in simulated mice, where there are at least "
        f"{predicted_auc.FEWEST} of them. A session is shifted, or unusable, by the worst of all "
        f"measures; the thresholds of both are: {'; '.join(limits)}."
    )


def _features(config: Mapping[str, Any], kind: Kind) -> str:
    """Return what is measured of features; empty if no decoder has any."""
    settings = config["shift"]
    kinds = {name: decoder_table.kind_of(config["decoders"][name]) for name in settings["decoders"]}
    without = [name for name, of in kinds.items() if of in NO_FEATURES]
    if len(without) == len(kinds):
        return ""
    group = f"one of {kind.groups} groups of values" if kind.groups else "a state"
    but = f" (of {named(without)} nothing)" if without else ""
    return (
        f" Of what the last layer reads of {settings['frames']} frames a session{but}, in "
        f"principal components scaled to the SD of the training mice within {group}: the "
        "Mahalanobis distance from the nearest mean of such a group [@lee2018], the distance to "
        f"the {distances.NEIGHBOURS}th nearest frame of the training mice [@sun2022], and the AUC "
        "of a classifier that tells their frames from the session's [@lopezpaz2017], beside the "
        "same of each known mouse against the other training mice."
    )


def _limits(limits: list[float | None]) -> str:
    return ", ".join(map(value, limits))
