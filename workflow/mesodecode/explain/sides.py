"""Left against right: is an area more important to a decoder than its mirror image?

For squares and circles of a cut-out, and for ROIs, by allocation: the score of a unit of the left
side less that of its mirror image. Two tests of each pair: Wilcoxon's signed-rank test over
allocations, Holm-corrected over the pairs, in the manner of the paper, which takes allocations for
independent although they share mice; and the exact sign-flip test of the means of the test mice,
which does not, and which 5 mice cannot bring below .0625 (see `mesodecode.scores.mouse_tests`).

A difference is one of this decoder, not of the cortex: a decoder that needs one of two equal sides
only may take either. Read it together with `pairs` of a cut-out, which hide both.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mesodecode.base.files import UserError
from mesodecode.scores.mouse_tests import by_mouse, sign_flip, signed_rank
from mesodecode.scores.published_tests import holm
from mesodecode.study import importance

COLUMNS = (
    *("unit", "mirror", "n", "n_mice", "mean_left", "mean_right"),
    *("difference", "sd", "p", "p_holm", "p_mice"),
)
Pairs = Sequence[tuple[str, str]]


def compare(values: pd.DataFrame, pairs: Pairs, mice: Sequence[str]) -> pd.DataFrame:
    """Compare units with their mirror images; return `COLUMNS`, a row a pair.

    `values` (units × allocations); pairs (left, right) of its units; mice, the test mouse of each
    allocation. Allocations without a value (NaN) of one of the two are left out.
    n allocations, n_mice; means of both sides; difference, left - right, and its sample SD; p of
    the signed-rank test over allocations and p_holm, NaN for one allocation; p_mice of the
    sign-flip test over mice, uncorrected, NaN where allocations have several test mice ("a+b").
    """
    rows = []
    for left, right in pairs:
        both = values.loc[[left, right]].to_numpy(float)
        known = ~np.isnan(both).any(axis=0)
        a, b = both[:, known]
        difference, several = a - b, known.sum() > 1
        means = by_mouse(difference, np.asarray(mice)[known])
        row = (left, right, len(a), len(means), a.mean(), b.mean(), difference.mean())
        tests = (difference.std(ddof=1), signed_rank(difference)) if several else (np.nan, np.nan)
        p_mice = np.nan if any("+" in mouse for mouse in mice) else sign_flip(means)[0]
        rows.append((*row, *tests, np.nan, p_mice))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(p_holm=holm(table["p"]))


def of_masks(masks: pd.DataFrame) -> Pairs:
    """Return the pairs of a cut-out's `mask_table`, left ones first."""
    x = masks.set_index("mask")["x"]
    mirrored = masks[masks["mirror"] != ""]
    names = zip(mirrored["mask"], mirrored["mirror"], strict=True)
    return [(one, other) for one, other in names if x[one] < x[other]]


def of_rois(rois: Sequence[str], mirror: Sequence[str]) -> Pairs:
    """Return pairs of ROI numbers, as text.

    `mirror` is one number k, for ROI i and i + k of a numbering with k of each side (published:
    25); or pairs "left:right". Raises UserError if no pair, or an unknown one, is among `rois`.
    """
    try:
        if len(mirror) == 1 and ":" not in mirror[0]:
            offset = int(mirror[0])
            pairs = [(str(i), str(i + offset)) for i in range(1, offset + 1)]
            pairs = [pair for pair in pairs if {*pair} <= {*rois}]
        else:
            pairs = [tuple(str(int(roi)) for roi in text.split(":")) for text in mirror]
            if any(len(pair) != 2 for pair in pairs):
                raise ValueError
    except ValueError:
        raise UserError(
            f"--mirror {' '.join(mirror)}: give one number, or pairs such as 6:31 8:33"
        ) from None
    if len(mirror) > 1 or ":" in mirror[0]:
        importance.check_pairs(pairs, f"--mirror {' '.join(mirror)}")
    strangers = sorted({roi for pair in pairs for roi in pair} - {*rois}, key=int)
    if strangers or not pairs:
        what = f"no ROI {', '.join(strangers)}" if strangers else "no ROI has its mirror image"
        raise UserError(f"--mirror {' '.join(mirror)}: {what} among {', '.join(rois)}")
    return pairs
