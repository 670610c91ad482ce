"""Areas of a map over mice: how often a test finds one that is not there, and one that is.

python benchmarks/map_power.py      a minute or two on a core

Maps of 49 areas are drawn, 7 x 7, neighbours alike as overlapping masks are (r = .5), of every
allocation of so many mice to one validation and one test mouse: a mouse's own map (SD 1) and an
allocation's (SD 1). Four areas carry an effect; maps with permuted labels carry none. Tests: the
rank-sum test over allocations with Holm's correction, as published; the t test over mouse means
with Holm's; sign flips over mice with max-T (`mesodecode map-mice`). Once more where training mice
have effects of their own on the maps of the mice that they train for.
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy import stats
from scipy.ndimage import gaussian_filter

from mesodecode.explain.map_measures import real_against_permuted
from mesodecode.scores.mouse_tests import max_t
from mesodecode.scores.published_tests import holm

GRID, PLANTED, STUDIES, PUBLISHED = 7, (8, 9, 36, 37), 2000, 100
SMOOTH = 0.85  # px; neighbours of drawn maps then correlate by about .5


def drawn(rng: np.random.Generator, mice: int, effect: float, training: float) -> np.ndarray:
    """Return maps (mice, allocations of each, areas); `training`: share of the variance."""
    valid, test = np.array([*itertools.permutations(range(mice), 2)]).T
    own = smooth(rng, mice)[test] + smooth(rng, len(test))
    if training:
        lent = smooth(rng, mice)
        others = lent.sum(axis=0) - lent[valid] - lent[test]
        others /= np.sqrt(mice - 2)
        own = np.sqrt(1 - training) * own + np.sqrt(2 * training) * others
    own[:, PLANTED] += effect
    return np.stack([own[test == mouse] for mouse in range(mice)])


def smooth(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return maps (n, areas) of SD 1 in which neighbours are alike."""
    fields = rng.standard_normal((n, 3 * GRID, 3 * GRID))
    fields = gaussian_filter(fields, (0, SMOOTH, SMOOTH))[:, GRID:-GRID, GRID:-GRID]
    return fields.reshape(n, -1) / fields.std()


def found(rng: np.random.Generator, mice: int, effect: float, training: float, n: int) -> dict:
    """Return of each test in how many of n studies it finds an area that is not there, and what
    share of the planted ones it finds.
    """
    hits: dict[str, list[np.ndarray]] = {}
    for study in range(n):
        real, null = (drawn(rng, mice, one, training) for one in (effect, 0))
        means = (real - null).mean(axis=1)
        p = {"t over mice, Holm": holm(stats.ttest_1samp(means, 0).pvalue)}
        p["sign flips, max-T"] = max_t(means)[1]
        if study < PUBLISHED:
            areas = real.shape[-1]
            table = real_against_permuted(real.reshape(-1, areas), null.reshape(-1, areas))
            p["rank-sum over allocations, Holm"] = table["p_holm"].to_numpy()
        for name, one in p.items():
            hits.setdefault(name, []).append(one < 0.05)
    other = np.setdiff1d(np.arange(GRID**2), PLANTED)
    return {
        name: (
            np.mean([one[other].any() for one in each]),
            np.mean([one[[*PLANTED]].mean() for one in each]),
        )
        for name, each in hits.items()
    }


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(1)
    print("| mice | training mice | test | false, any area | found at 1 SD | 2 SD | 3 SD |")
    print("|---|---|---|---|---|---|---|")
    for mice, training in itertools.product((5, 8, 12), (0.0, 0.2)):
        # SD of the difference of two mouse means: own and permuted, allocations averaged
        sd = np.sqrt(2 * (1 + 1 / (mice - 1)))
        levels = found(rng, mice, 0, training, STUDIES)
        powers = [found(rng, mice, d * sd, training, STUDIES // 4) for d in (1, 2, 3)]
        for name, (false, _) in levels.items():
            cells = " | ".join(f"{one[name][1]:.2f}" for one in powers)
            share = f"{training:.1f}" if training else "0"
            print(f"| {mice} | {share} | {name} | {false:.3f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
