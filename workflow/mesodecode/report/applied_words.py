"""The words of Methods for decoders that train nothing of their own: they apply others."""

from collections.abc import Mapping
from typing import Any

from mesodecode.report.phrases import joined
from mesodecode.study import protocols
from mesodecode.study.targets import RUN, Kind


def average(name: str, settings: Mapping[str, Any], scored: Kind = RUN.kind) -> str:
    """Return the words for a decoder that averages others."""
    what = "predictions" if scored.name == "regression" else "probabilities"
    return f"{name}: the mean of the {what} of {joined(settings['average_of'])}, frame by frame."


def adapted(settings: Mapping[str, Any]) -> str:
    """Return the words for a trained decoder that is applied in another way."""
    parts = ["inputs are normalised as they were in training"]
    if settings["normalise"] == "past":
        parts = [
            "images are normalised by the frames before each second, ROI signals by those up to "
            f"each (the first {settings['warm_up']:g} s are not decoded)"
        ]
    if settings["first_unlabelled"]:
        parts.append(
            "what is taken of a recording beside the frames decoded and those before (mean and SD "
            "or range, registration, statistics of images and features) is of its first "
            f"{protocols.part_in_words(settings['first_unlabelled'])}, without labels, which are "
            "not scored"
        )
    if settings["register"]:
        parts.append("turned and shifted onto the mean images of the training mice")
    if settings["batch_norm"]:
        parts.append("BatchNorm layers take the statistics of the test mouse [@schneider2020]")
    if settings["coral"]:
        parts.append(
            "what is read of a frame (CNN features, pixels or ROI signals) is given the mean and "
            "covariance that it has in the training mice [@sun2016]"
        )
    if settings["few_shot"]:
        what = {"head": "the last layer is", "norm": "last layer and normalisation scales are"}
        parts.append(
            f"{what.get(settings['finetune'], 'all layers are')} fine-tuned on "
            f"{protocols.part_in_words(settings['few_shot'])} of the test mouse with labels, which "
            f"are not scored (networks by Adam, learning rate {settings['max_lr']:g}, passes: "
            f"{settings['passes']}, seed {settings['seed']}; logistic regression is refitted with "
            "an L2 penalty on the difference from the trained weights [@chelba2004], C = "
            f"{settings['C']:g})"
        )
    return f"the models of {settings['adapted_from']}, applied: {'; '.join(parts)}."


SEEN = {  # kind of target -> what of outputs an adaptive decoder chooses by
    "run": "how far their outputs fall into two states and how slow these are",
    "states": (
        "how far the probability of each state falls into two and how slow it is, means over states"
    ),
    "regression": (
        "how slow their outputs are and how far these lie from the mean of the mice that are known"
    ),
}


def adaptive(settings: Mapping[str, Any], scored: Kind = RUN.kind) -> str:
    """Return the words for what takes one of several decoders for each test mouse."""
    members = joined(settings["adaptive_of"])
    best = (
        f"the one with the best mean {scored.axis} in the mice that validated beside that test "
        "mouse"
    )
    if settings["by"] == "validation":
        return f"for each test mouse one of {members}: {best}."
    on = f"logit {scored.axis}s" if scored.scale == "logit" else f"the log of 1 - {scored.axis}"
    return (
        f"for each test mouse one of {members}, never by its labels. A ridge regression over the "
        "mice that validated beside it, of differences between decoders within a mouse, predicts "
        f"{on} from {SEEN[scored.name]}; the highest is taken if choosing so won more than "
        f"{settings['margin']:g} of {scored.axis} in these mice, each left out in turn, else "
        f"{best}."
    )
