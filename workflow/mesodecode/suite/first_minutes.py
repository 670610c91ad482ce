"""Whether a mouse's first minutes, without labels, made its decoder better, against the truth.

A statement of the benchmark (`suite`), of each mouse: the decoder that knows its first minutes
(protocol first_unlabelled) has an AUC by the true labels that is higher by `BETTER` or more than
that of the decoder that it adapts, over the same frames. It should be said of a mouse that lies
turned, which registration mends; of no mouse that lies as the others do.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mesodecode.base.roc_auc import roc_auc
from mesodecode.decoders import predictions
from mesodecode.decoders.predictions import Predictions
from mesodecode.scores.mouse_tests import by_mouse
from mesodecode.simulation.truth import true_labels

STAGE = "first"
BETTER = 0.05  # AUC
TURNED = 5  # degrees; registration is good to about 3
LIES = ("position_jitter", "rotation_sd")  # settings by which all mice lie each in its own way


def asked(settings: Mapping[str, Any]) -> bool:
    """Return whether a decoder of these settings knows its mouse's first minutes."""
    return bool(settings.get("first_unlabelled"))


def expected(
    simulated: Mapping[str, Any], settings: Mapping[str, Any], mice: Sequence[str]
) -> tuple[set[str], set[str]]:
    """Return the mice that the first minutes should help, and those that they may help as well.

    `simulated`: the table `simulate` of a config; `settings`: those of the adapted decoder. What
    is not turned back by registration (another brightness, another scale) may be helped or not.
    """
    should, may = set(), set()
    for mouse in mice:
        own = simulated["by_mouse"].get(mouse, {})
        has = {**simulated, **own}
        turned = abs(has["rotation"] - simulated["rotation"]) > TURNED
        if turned and settings["register"]:
            should.add(mouse)
        elif own or any(has[key] for key in LIES):
            may.add(mouse)
    return should, may


def gains(
    adapted: Sequence[Predictions], of: Sequence[Predictions], truth: str | Path
) -> dict[str, float]:
    """Return test mouse -> AUC of `adapted` minus that of the decoder `of` over the same frames.

    By the true labels of {session}_truth.h5 in the folder `truth`; means of the allocations of a
    mouse, which both have.
    """
    before = {one.allocation: one for one in of}
    mice = [one.test_mouse for one in adapted]
    found = np.array([_gain(one, before[one.allocation], Path(truth)) for one in adapted])
    return dict(zip(dict.fromkeys(mice), by_mouse(found, np.array(mice)), strict=True))


def read_gains(folder: str | Path, decoder: str, of: str, allocations: Sequence[str]) -> dict:
    """Return `gains` of a study's predictions in its folder results/{study}."""
    of_both = (
        [predictions.read(Path(folder) / f"predictions/{name}/{each}.h5") for each in allocations]
        for name in (decoder, of)
    )
    return gains(*of_both, Path(folder) / "simulated")


def _gain(adapted: Predictions, of: Predictions, truth: Path) -> float:
    labels, after, before = [], [], []
    for name, one in adapted.sessions.items():
        other = of.sessions[name]
        frames, mine, theirs = np.intersect1d(one.frame, other.frame, return_indices=True)
        labels.append(true_labels(truth / f"{name}_truth.h5")[frames])
        after.append(one.probability[mine])
        before.append(other.probability[theirs])
    label = np.concatenate(labels)
    return roc_auc(label, np.concatenate(after)) - roc_auc(label, np.concatenate(before))
