"""The checks of how steady a map is: over mice, with noise, and whether it singles areas out.

What they are made of and what a failure means: `map_measures`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mesodecode.explain import map_measures
from mesodecode.explain.verdict_rows import Row, judged, not_made

if TYPE_CHECKING:
    from mesodecode.explain.map_verdicts import Evidence

# Change of a map with noise, flagged from here on: by what it would be if noise were .8 of the
# variance that it rests on, as then √((1 + 2 · 0.8) / (1 + 0.8)) is 1.2.
CHANGES = 0.2


def rows(evidence: Evidence, limit: float) -> list[Row]:
    """Return the rows; `limit` is what the rank correlation of a mouse with others must exceed."""
    return [_mice(evidence, limit), _noise(evidence), _sparseness(evidence)]


def _mice(e: Evidence, limit: float) -> Row:
    name = "mice"
    if any("+" in str(mouse) for mouse in e.mice):
        return not_made(name, "Not made: allocations test several mice together.")
    n = len(set(e.mice))
    if n < 3:
        return not_made(name, f"Not made: with {n} test mice none can be the odd one.")
    found = map_measures.agreement_of_mice(e.real, e.mice)
    odd = min(found, key=found.get)
    value = found[odd]
    numbers = (
        f"rank correlation {value:.2f} at least, with the map of all other mice ({odd}; mean "
        f"{np.mean([*found.values()]):.2f}; flagged up to {limit:.2f})"
    )
    good = f"The map of every mouse is like that of the others: {numbers}."
    unlike = [mouse for mouse, one in found.items() if one <= limit]
    bad = (
        f"The map of {len(unlike)} of {len(found)} mice is unlike that of the others "
        f"({', '.join(unlike)}): {numbers}. Look at their recordings and alignment; what is "
        "shown is not their map."
    )
    return judged(name, value > limit, value, limit, good, bad)


def _noise(e: Evidence) -> Row:
    name = "noise"
    if not e.noisy.size:
        return not_made(name, "Not made: the checks' noise_draws is 0.")
    own, noisy = e.noisy[:, 0], e.noisy[:, 1:]
    change = map_measures.relative_change(own, noisy)
    ranks = [map_measures.rank_correlations(own, draw).mean() for draw in noisy.swapaxes(0, 1)]
    value, draws = float(change.mean()), f"{len(ranks)} draw{'s' * (len(ranks) > 1)}"
    numbers = (
        f"by {value:.0%} of its size on average, {change.max():.0%} at most, to a rank correlation "
        f"of {np.mean(ranks):.2f} ({draws} in each of {len(change)} allocations; flagged from "
        f"{CHANGES:.0%} on)"
    )
    more = "With as much noise again as successive frames differ by"
    good = f"{more} the map changes little: {numbers}."
    bad = (
        f"{more} the map changes: {numbers}. Its scores rest in good part on what is fast or "
        "chance in the recordings, and have other sizes in less noisy ones; read the order of "
        "areas as far as ranks stay."
    )
    return judged(name, value < CHANGES, value, CHANGES, good, bad)


def _sparseness(e: Evidence) -> Row:
    value, limit = (float(map_measures.gini(maps).mean()) for maps in (e.real, e.randomised))
    numbers = f"Gini index {value:.2f} (0: all {e.kind}s alike), {limit:.2f} with random weights"
    good = f"The map singles out some {e.kind}s: {numbers}."
    bad = (
        f"The map singles out no {e.kind}s, or no more than with random weights: {numbers}. "
        "The decoder may read all of the cortex; which part of it matters is not to be read "
        "from this map."
    )
    return judged("sparseness", value > limit, value, limit, good, bad)
