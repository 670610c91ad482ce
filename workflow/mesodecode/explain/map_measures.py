"""Is a map right? Checks that an importance map should pass before it is believed.

A map gives every unit, an ROI or a mask of the image, a score. Arrays of maps are (A, U): the maps
of A allocations over U units. Which decoders and windows they are of says
`mesodecode.explain.map_check`, what is a pass and what a flag `mesodecode.explain.map_verdicts`.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from mesodecode.scores.published_tests import holm, rank_sum


@dataclass(frozen=True)
class Planted:
    """How well a map finds what was planted; see `planted_truth`."""

    average_precision: float
    chance: float
    n_planted: int
    n_on_top: int
    n_units: int
    mass: float

    @property
    def rank(self) -> float:
        """Relevance rank: the share of planted units among as many highest ones."""
        return self.n_on_top / self.n_planted


def planted_truth(scores: np.ndarray, planted: np.ndarray) -> Planted:
    """Compare a map with the truth of a simulation.

    Method: average precision, the area under the precision-recall curve over units, of scores (U,)
    as a detector of planted (U,): 1 planted, 0 not, NaN left out (a mask that hides a little of a
    planted area is neither). 1 where all planted units are above all others; expected of a random
    order: the share of planted units. `n_on_top`: planted ones among as many highest scores as
    there are planted ones, those that tie with others last; their share of the planted ones is the
    relevance rank. `mass`, the relevance mass: the share of the sum of |scores| that lies on
    planted units; even scores have that of chance. Units may be ROIs or masks, or these at each
    frame of the window.
    Citation: synthetic truth as a benchmark of attributions, Arras, Osman & Samek 2022,
    Information Fusion 81: 14-40 (relevance mass and rank too; of time series
    Baer 2026, arXiv:2603.06781); average precision, Davis & Goadrich 2006, ICML.
    Failure: the map misses what the recordings hold, or finds what they do not. Or it is right, and
    the decoder needs fewer areas than carry the signal: look at the AUC and the other checks.
    """
    from sklearn.metrics import average_precision_score  # seconds, and only here

    counted = ~np.isnan(planted)
    scores, truth = scores[counted], planted[counted].astype(bool)
    n = int(truth.sum())
    order = np.lexsort((truth, -scores))
    size = np.abs(scores)
    return Planted(
        average_precision=float(average_precision_score(truth, scores)),
        chance=float(truth.mean()),
        n_planted=n,
        n_on_top=int(truth[order[:n]].sum()),
        n_units=len(truth),
        mass=float(size[truth].sum() / max(size.sum(), np.finfo(float).tiny)),
    )


def rank_correlations(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation (A,) of maps (A, U) with others (A, U), row by row.

    0 where one of the two is constant: it ranks nothing.

    Method: `others` are maps of what cannot know the behaviour, made in the same way on the same
    windows: decoders with randomly drawn weights (model randomisation), or trained on permuted
    labels (label randomisation). ROIs are ranked, so that the size of scores does not count.
    Citation: Adebayo et al. 2018, Sanity checks for saliency maps, NeurIPS 31.
    Failure, a high correlation: the map would look like this whatever was learned. It shows the
    input (which signals vary most), the method or the architecture, and must not be read as a
    property of the trained decoder.
    """
    pairs = zip(maps, others, strict=True)
    return np.array([_spearman(one, other) for one, other in pairs])


def elsewhere(maps: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """Return which share of maps (A, U) lies elsewhere than in others (A, U), and among these.

    The first is the mean over allocations of the share of a map's sum of sizes that would have to
    move to make it the other of its allocation, 0 where they are in proportion, 1 where no unit has
    both; the second the same of all pairs of the others, NaN where there is one map only.

    Method: as of `rank_correlations`, for maps of areas of images by networks that treat all places
    alike. A convolutional network with random weights has the map of how much its input varies,
    dark outside the brain and bright where activity is; ranks of a right map go with it, as the
    signal that was learned makes the input vary, too. So it is asked whether a map differs from
    such maps by more than these do from each other.
    Citation: that ranks cannot tell, Binder et al. 2023, Shortcomings of top-down
    randomization-based sanity checks, CVPR (arXiv:2211.12486); the share is the distance in total
    variation.
    Failure, a share hardly larger than the second: as of `rank_correlations`.
    """
    shares, unlike = (
        np.abs(found) / np.maximum(np.abs(found).sum(axis=1, keepdims=True), np.finfo(float).tiny)
        for found in (maps, others)
    )
    moved = np.abs(shares - unlike).sum(axis=1) / 2
    pairs = [np.abs(a - b).sum() / 2 for a, b in combinations(unlike, 2)]
    return float(moved.mean()), float(np.mean(pairs)) if pairs else float("nan")


def stability(maps: np.ndarray, mice: np.ndarray) -> tuple[float, float]:
    """Return the mean rank correlation of all pairs of maps (A, U), by test mouse (A,).

    First over the pairs of allocations with different test mice, then over those with the same one;
    NaN where there is no such pair.

    Method: decoders of other training mice, on other recordings, should look at the same areas.
    Citation: Kalousis, Prados & Hilario 2007, Knowl Inf Syst 12: 95-116 (stability of rankings).
    Failure, a low correlation: the ranking is that of one network or mouse, not of the question;
    only what all maps share may be read from it. Areas of which a decoder needs one or another, and
    many areas that matter little (their order is luck), make it low too.
    """
    found: dict[bool, list[float]] = {False: [], True: []}
    for a, b in combinations(range(len(maps)), 2):
        found[bool(mice[a] == mice[b])].append(_spearman(maps[a], maps[b]))
    different, same = (float(np.mean(f)) if f else float("nan") for f in found.values())
    return different, same


def deletion_gain(auc: np.ndarray, auc_random: np.ndarray) -> tuple[float, int]:
    """Return how much faster the AUC falls when units are removed in the map's order.

    auc (A, S): AUC with growing shares of the units removed, highest scores first; auc_random
    (A, K, S) in K random orders. The first result is the area between the curves, the mean over
    allocations and shares of random - map; the second, r, the number of random orders (draw k of
    all allocations together) under which the AUC falls as fast or faster: p = (r + 1) / (K + 1).

    Method: deletion curve. Which decoder, which windows, and where the order comes from:
    `mesodecode.explain.map_check`. The map that gives the order is of other mice than those whose
    AUC is measured. For cut-out this is essential: its scores are losses of AUC on the very frames
    and labels, so that their order would profit from their noise.
    Citation: Samek et al. 2017, IEEE Trans Neural Netw Learn Syst 28: 2660-2673; Petsiuk, Das &
    Saenko 2018 (RISE), BMVC.
    Failure: what the map puts on top, the decoder can do without as well as without anything else:
    the map is not faithful to the decoder, or does not hold in other mice. A decoder that holds the
    same signal in several areas falls late in any order. Units removed are inputs that the decoder
    was not trained on.
    """
    own, drawn = np.nanmean(auc, axis=(0, 1)), np.nanmean(auc_random, axis=(0, 2))
    return float(drawn.mean() - own), int((drawn <= own).sum())


def moved_gain(moved: np.ndarray, moved_random: np.ndarray) -> tuple[float, int]:
    """Return how much more the output has moved when units are removed one by one, largest first.

    moved (A, S): the sum of the changes that each removal made, whatever their signs, when growing
    shares of units are gone; moved_random (A, K, S) in K random orders. The results are as of
    `deletion_gain`, in units of the output: the mean of map - random, and the number of random
    orders under which the output moved as much or more.

    Method: cumulative prediction difference. Units removed together may cancel: of two that pull
    the output to either side with the same strength nothing is seen in the AUC, nor in the output
    without both. So the change of each is counted, by its size.
    Citation: Jang, Kim & Yang 2025 (arXiv:2506.05035), ICML.
    Failure: what the map puts on top does not move this decoder's output more than anything else.
    """
    return deletion_gain(-moved, -moved_random)


def apart_gain(apart: np.ndarray, apart_random: np.ndarray) -> tuple[float, int]:
    """Return how far removing by sign drives the output apart, a mean over allocations and shares.

    apart (A, S): the output without the units that speak for rest in a window less that without
    those that speak for run there; apart_random (A, K, S) where the units' signed maps are
    exchanged at random. The second result is the number of these that do as well or better.

    Method: deletion by sign (Jang, Kim & Yang 2025, arXiv:2506.05035), by the map of other mice;
    when a unit speaks for run says `removed_rois`, of masks `removed_areas`.
    Failure, 0 or less: the signs of the map are not those of the decoder, or not the same in other
    mice: read its size, not its direction.
    """
    own, drawn = np.nanmean(apart), np.nanmean(apart_random, axis=(0, 2))
    return float(own), int((drawn >= own).sum())


def relative_change(maps: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    """Return how much maps (A, U) change with noise, noisy (A, D, U): (A, D), of their size.

    |noisy - map| / |map|, Euclidean over units; 0 where both are 0, infinite where the map is.

    Method: the same decoder is explained again, in the same way and on the same frames, with white
    noise added to what it reads: of each ROI or pixel as much as successive frames differ by
    (`recording_noise`). The largest change over draws is the sensitivity of the map.
    Citation: max-sensitivity, Yeh et al. 2019, On the (in)fidelity and sensitivity of explanations,
    NeurIPS 32; here by noise of the measurement, not by the worst of a ball.
    Failure, a large change: scores rest on what changes from frame to frame, by chance or fast, and
    have other sizes in recordings of less noise. Where ranks stay, the order may be read.
    """
    size = np.linalg.norm(maps, axis=-1)[:, None]
    change = np.linalg.norm(noisy - maps[:, None], axis=-1)
    return np.divide(change, size, out=np.where(change > 0, np.inf, 0.0), where=size > 0)


def gini(maps: np.ndarray) -> np.ndarray:
    """Return the Gini index (A,) of |scores| of maps (A, U).

    0 where all are equal (all 0 too), 1 - 1 / U where one is all.

    Method: sparseness, compared with that of the maps of random weights: training should single
    areas out, or the map says no more of areas than chance does.
    Citation: Hurley & Rickard 2009, IEEE Trans Inf Theory 55: 4723-4741 (of six measures the Gini
    index alone has all properties asked for; it does not depend on the size of scores).
    Failure, no sparser than with random weights: the map singles nothing out. The decoder may read
    the whole cortex, which is a finding; that single areas matter cannot be read from it.
    """
    ordered = np.sort(np.abs(maps), axis=-1)
    n, total = ordered.shape[-1], ordered.sum(axis=-1)
    weighted = ordered @ (n - np.arange(n) - 0.5)
    share = np.divide(weighted, total, out=np.full(total.shape, n / 2), where=total > 0)
    return 1 - 2 * share / n


def agreement_of_mice(maps: np.ndarray, mice: np.ndarray) -> dict[str, float]:
    """Return of each test mouse the rank correlation of its map with that of all other mice.

    Of maps (A, U) by test mouse (A,): means over the allocations of a mouse, and over other mice.

    Method: mice are the unit that a study speaks of; one of them with another map is lost in the
    mean over pairs of `stability`.
    Citation: as of `stability`; leaving one mouse out.
    Failure, a low correlation of one mouse: the map that is shown is not this mouse's. Look at its
    recording (alignment of ROIs, vessels, motion) before the map is said to hold for mice.
    """
    means = {str(mouse): maps[mice == mouse].mean(axis=0) for mouse in dict.fromkeys(mice)}
    return {
        mouse: _spearman(own, np.mean([m for other, m in means.items() if other != mouse], axis=0))
        for mouse, own in means.items()
    }


def real_against_permuted(real: np.ndarray, permuted: np.ndarray) -> pd.DataFrame:
    """Compare maps of decoders with the real (A, U) and with permuted labels (B, U), unit by unit.

    Returns n_null, mean_null, sd_null (sample SD; NaN for one), statistic and p of the rank-sum
    test of real against permuted over allocations, and p_holm, corrected over the units: a row a
    unit (Ajioka et al. 2024, Fig 6). Allocations share mice, so these p values are descriptive.
    """
    tests = np.array([rank_sum(a, b) for a, b in zip(real.T, permuted.T, strict=True)])
    return pd.DataFrame(
        {
            "n_null": len(permuted),
            "mean_null": permuted.mean(axis=0),
            "sd_null": permuted.std(axis=0, ddof=1) if len(permuted) > 1 else np.nan,
            "statistic": tests[:, 0],
            "p": tests[:, 1],
            "p_holm": holm(tests[:, 1]),
        }
    )


def smallest_p_holm(n: int, n_null: int, n_units: int) -> float:
    """Return the smallest corrected p that `real_against_permuted` can give, of distinct values."""
    _, p = rank_sum(np.arange(n) + n_null, np.arange(n_null))
    return min(1.0, p * n_units)


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(stats.spearmanr(a, b).statistic)
