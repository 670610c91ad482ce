"""The checks of single units and of what a map keeps beside its size: sign, time in the window.

What they are made of and what a failure means: `map_measures`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mesodecode.explain import map_measures
from mesodecode.explain.verdict_rows import Row, judged, not_made

if TYPE_CHECKING:
    from mesodecode.explain.map_verdicts import Evidence


def rows(evidence: Evidence) -> list[Row]:
    """Return the rows of a map; of what is planted in units with frames, where something is."""
    found = [_moved(evidence), _apart(evidence)]
    if evidence.true_times is not None and evidence.size.size:
        found.append(_times(evidence, evidence.true_times))
    if (np.abs(evidence.true_signs) == 1).any() and evidence.signed.size:
        found.append(_signs(evidence, evidence.true_signs))
    return found


def _moved(e: Evidence) -> Row:
    name = "deletion one by one"
    if not e.moved.size:
        return not_made(name, "Not made: no map is of other mice than those tested.")
    gain, as_much = map_measures.moved_gain(e.moved, e.moved_random)
    draws, steps = e.moved_random.shape[1], e.target.steps
    numbers = f"by {gain:.2f} {steps} on average, in {as_much} of {draws} random orders as far"
    first = "those on top of the map of other mice first"
    if e.kind != "ROI":
        first = "those of the largest score in the map of other mice first, whatever its sign"
    good = (
        f"Without one {_unit(e)} after another, {first}, the output moves farther than in random "
        f"order: {numbers}."
    )
    bad = (
        f"Without one {_unit(e)} after another, {first}, the output moves no farther than in "
        f"random order: {numbers}. What the map puts on top does not move this decoder, or not "
        "in every mouse."
    )
    return judged(name, as_much == 0, gain, 0.0, good, bad)


def _apart(e: Evidence) -> Row:
    name = "deletion by sign"
    if not e.apart.size:
        return not_made(name, "Not made: no signed map is of other mice than those tested.")
    gain, as_well = map_measures.apart_gain(e.apart, e.apart_random)
    passed = gain > 0 and as_well == 0
    (one, other), what = e.target.kind.speaks, f"{_unit(e)}s"
    numbers = (
        f"{gain:.2f} {e.target.steps} apart on average, with the maps of {what} exchanged as far "
        f"in {as_well} of {e.apart_random.shape[1]} draws"
    )
    good = (
        f"Without the {what} that speak for {other}, by the signed map of other mice, the output "
        f"is above that without those that speak for {one}: {numbers}."
    )
    bad = (
        f"Removing {what} that speak for {one} and for {other} does not tell them apart: "
        f"{numbers}. "
        "The signs of the map are not those of the decoder, or not of every mouse: read its "
        "size only."
    )
    return judged(name, passed, gain, 0.0, good, bad)


def _unit(e: Evidence) -> str:
    return "ROI" if e.kind == "ROI" else "area"


def _times(e: Evidence, truth: np.ndarray) -> Row:
    size = e.size.mean(axis=0)
    planted = (truth == 1).any(axis=0)
    profile = size[:, planted].sum(axis=1)  # of all planted units together
    alike = size.sum(axis=0) * (profile / max(profile.sum(), np.finfo(float).tiny))[:, None]
    found, together = (
        map_measures.planted_truth(one.ravel(), truth.ravel()) for one in (size, alike)
    )
    numbers = (
        f"relevance mass {found.mass:.3f} over {_unit(e)}s and frames, {together.mass:.3f} were "
        f"all at the same times, {found.chance:.3f} by chance; relevance rank {found.rank:.2f}, "
        f"average precision {found.average_precision:.2f}"
    )
    good = f"Planted {_unit(e)}s that lead count earlier than those that lag: {numbers}."
    bad = (
        f"Planted {_unit(e)}s that lead count no earlier than those that lag: {numbers}. Read "
        "where the map is large, not when."
    )
    return judged("planted times", found.mass > together.mass, found.mass, together.mass, good, bad)


def _signs(e: Evidence, truth: np.ndarray) -> Row:
    planted = np.abs(truth) == 1
    sums = e.signed.mean(axis=0).sum(axis=0)
    right = np.sign(sums[planted]) == truth[planted]
    wrong = [unit for unit, ok in zip(np.array(e.units)[planted], right, strict=True) if not ok]
    one, other = e.target.kind.speaks
    good = (
        f"The sign of all {len(right)} planted {_unit(e)}s is right: more activity of "
        f"{int((truth == 1).sum())} speaks for {one}, of {int((truth == -1).sum())} for {other}."
    )
    bad = (
        f"The sign of planted {_unit(e)} {', '.join(wrong)} is wrong ({right.sum()} of "
        f"{len(right)} right): the decoder reads it against the others, or the map does not "
        "say which state it speaks for."
    )
    return judged("planted signs", not wrong, float(right.mean()), 1.0, good, bad)
