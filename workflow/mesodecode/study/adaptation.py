"""Which adaptation makes sense for which kind of decoder; nothing heavy, as the config needs it.

What a decoder lacks is refused rather than passed over: an option without effect would stand in the
tables as a protocol.
"""

from collections.abc import Mapping
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.study import protocols
from mesodecode.study.kinds import KINDS, Kind


def check(
    settings: Mapping[str, Any], kind: str, start: Mapping[str, Any], name: str, where: str
) -> None:
    """Raise UserError, naming the setting, if one of decoders/adapted.yaml makes no sense.

    `kind` and `start` (its settings, with the `baseline` of the CNN that it reads) are those of the
    decoder `name` that is applied; `where` stands before a setting, "config: decoders.x." or "--".
    """
    of = KINDS[kind]
    faults = {
        "normalise": settings["normalise"] == "past" and _of_past(of, start, name),
        "first_unlabelled": settings["first_unlabelled"] and _of_first(settings, of, start, name),
        "register": settings["register"]
        and not of.of_images
        and f"{name} reads ROI signals, not frames that could be moved; align the recordings "
        "(mesodecode align) and cut ROIs from them",
        "batch_norm": settings["batch_norm"]
        and not of.image_network
        and f"{name} has no BatchNorm layer; leave it out",
        "coral": settings["coral"]
        and settings["few_shot"]
        and "aligned features are not fine-tuned; choose coral or few_shot",
        "few_shot": settings["few_shot"]
        and not of.network
        and start["model"] != "logistic_regression"
        and f"{name} is {start['model']}; only networks and logistic_regression are fine-tuned",
        "finetune": settings["few_shot"] and _of_layers(settings["finetune"], of, name),
    }
    if start.get("causal") and not settings["first_unlabelled"]:
        ahead = f"takes whole recordings, but {name} is causal; take it of the first minutes "
        ahead += "(first_unlabelled)"
        for key in ("register", "batch_norm", "coral"):
            faults[key] = faults.get(key) or (settings[key] and ahead)
    for key, fault in faults.items():
        if fault:
            flag = key.replace("_", "-") if where == "--" else key
            raise UserError(f"{where}{flag}: {fault}")


def _of_past(kind: Kind, start: Mapping[str, Any], name: str) -> str:
    """Return what is wrong with normalising by the past; empty if nothing is."""
    if start.get("causal"):
        return f"past, but {name} is causal, and so normalised by no later frame; leave it out"
    if kind.of_images and start.get("baseline"):
        return (
            f"past, but {name} reads frames less a moving mean, which takes later frames; adapt a "
            "decoder without a baseline"
        )
    return ""


def _of_layers(finetune: str, kind: Kind, name: str) -> str:
    """Return what is wrong with what is to be fine-tuned; empty if nothing is."""
    if not kind.network and finetune != "head":
        return f"{finetune}, but {name} is one layer of weights; leave it out (head)"
    if kind.network and not kind.of_images and finetune == "norm":
        return f"norm, but {name} has no normalisation layer; choose head or all"
    return ""


def _of_first(settings: Mapping[str, Any], kind: Kind, start: Mapping[str, Any], name: str) -> str:
    """Return what is wrong with taking statistics of the first minutes; empty if nothing is."""
    if settings["few_shot"]:
        return "few_shot takes the whole recording; choose one of them"
    causal = bool(start.get("causal"))
    if kind.of_images and start.get("baseline") and not causal:
        return (
            f"{name} reads frames less a moving mean, which takes later frames; adapt a decoder "
            "without a baseline"
        )
    # by frames up to the decoded one: differences from a trailing mean, and over it
    follows = not kind.of_images and (
        start["normalise"] == "none" or (start["normalise"] == "dff" and start["baseline"])
    )
    taken = any(settings[key] for key in ("register", "batch_norm", "coral"))
    if not taken and (settings["normalise"] == "past" or follows or causal):
        return (
            f"{name} takes no statistics of the first minutes; leave it out, with normalise past, "
            "or ask for coral" + ", batch_norm or register" * kind.of_images
        )
    return ""


def check_sessions(few_shot: float | str, mouse: str, n_sessions: int, where: str) -> None:
    """Raise UserError if a mouse has no session left to score beside those that are labelled."""
    sessions = protocols.labelled_part(few_shot)[1]
    if sessions and sessions >= n_sessions:
        raise UserError(
            f"{where}few_shot: {few_shot}, but mouse {mouse} has {n_sessions}; one more is needed "
            "to score, or give minutes"
        )
