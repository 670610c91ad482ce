"""An importance map with mice as the unit: an interval of each area, and a test over all of them.

The published tests of a map (`map_measures.real_against_permuted`, stars of a figure) take
allocations for independent, which share mice. Here each test mouse counts once, by the mean of its
allocations. Beside the published tables, which stay as they are.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mesodecode.base.files import UserError
from mesodecode.scores import mouse_tests

COLUMNS = (
    *("unit", "n", "n_mice", "mean", "low", "high", "against"),
    *("difference", "difference_low", "difference_high", "t", "p_max_t", "p_smallest"),
)
NUMBERS = tuple(column for column in COLUMNS if column not in ("unit", "against"))
PERMUTED, ZERO = "permuted labels", "0"


def over_mice(scores: pd.DataFrame, null: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return `COLUMNS`, a row a unit, of maps as of `maps.read`.

    unit; n allocations, n_mice test mice; mean over mice, and low and high of its 95 % interval
    (Student's t over mice: `mouse_tests.mean_interval`; of each unit by itself). What is tested is
    the difference to what stands in `against`: the maps of the same allocations of the decoder
    trained on permuted labels, where `null` has them; else 0 for masks, whose score is an AUC lost;
    nothing ("") for ROIs and areas, whose mean |SHAP| is above 0 whatever they say. Its mean over
    mice and interval, t and p_max_t over all units together (`mouse_tests.max_t`), and p_smallest,
    which so few mice allow. NaN where there is one mouse or nothing to test against; n_mice is 0,
    and every interval NaN, where allocations have several test mice ("a+b"): their maps are of no
    one mouse. Raises UserError if `null` lacks an allocation or unit.
    """
    means, differences = mouse_means(scores), tested(scores, null)
    mice = 0 if any("+" in mouse for mouse in means.index) else len(means)
    against = PERMUTED if null is not None else ZERO if scores.columns.name == "mask" else ""
    few = slice(mice or 1)  # of one there are no intervals
    low, high = _intervals(means[few])
    t = p = difference = np.full(len(low), np.nan)
    limits, smallest = (t, t), np.nan
    if against:
        difference, limits = differences.mean().to_numpy(), _intervals(differences[few])
        t, p, smallest = mouse_tests.max_t(differences[few].to_numpy())
    return pd.DataFrame(
        {
            "unit": scores.columns,
            "n": len(scores),
            "n_mice": mice,
            "mean": means.mean().to_numpy(),
            "low": low,
            "high": high,
            "against": against,
            "difference": difference,
            "difference_low": limits[0],
            "difference_high": limits[1],
            "t": t,
            "p_max_t": p,
            "p_smallest": smallest,
        },
        columns=list(COLUMNS),
    )


def mouse_means(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the mean map of each test mouse (mice × units), of scores as of `maps.read`."""
    mice = scores.index.get_level_values("test_mouse").astype(str)
    return scores.groupby(mice, sort=False).mean()


def tested(scores: pd.DataFrame, null: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return what is tested of each test mouse (mice × units): its map, less that of `null`."""
    return mouse_means(scores if null is None else scores - _alike(null, scores))


def in_words(table: pd.DataFrame, units: str) -> str:
    """Return one sentence on a table of `over_mice`; `units` is what its rows are, such as ROIs."""
    first, level = table.iloc[0], mouse_tests.LEVEL
    mice = f"the {first['n_mice']:.0f} test mice"
    if first["n_mice"] == 0:
        return "Allocations test several mice together: maps are of no one mouse, and no interval."
    if first["n_mice"] == 1:
        return "There is one test mouse: no interval over mice, and no test."
    if not first["against"]:
        return (
            f"Intervals are over {mice}, and there is no test, as a mean |SHAP| is above 0 "
            "whatever it says: name a null_decoder to test against."
        )
    if first["p_smallest"] >= level:
        return (
            f"Intervals are over {mice}, which are too few for a test over all {units}: its p "
            f"cannot be less than {first['p_smallest']:.4g}. Read the intervals."
        )
    found = table[(table["p_max_t"] < level) & (table["difference"] > 0)]
    named = ", ".join(map(str, found["unit"])) or "none"
    than = "0" if first["against"] == ZERO else "with permuted labels"
    return (
        f"Over {mice}, {len(found)} of {len(table)} {units} are above {than} (sign flips over "
        f"mice, max-T over all {units}, p < {level:g}): {named}."
    )


def _intervals(means: pd.DataFrame) -> np.ndarray:
    """Return low and high (2, U) over mice of means (mice × units)."""
    return np.array([mouse_tests.mean_interval(one)[:2] for one in means.to_numpy().T]).T


def _alike(null: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return maps of permuted labels in the order of `scores`."""
    wanted: list[tuple[str, Sequence[str], pd.Index]] = [
        ("allocation", scores.index.get_level_values("allocation"), null.index),
        (str(scores.columns.name), scores.columns, null.columns),
    ]
    for what, names, there in wanted:
        missing = [n for n in names if n not in there.get_level_values(0)]
        if missing:
            raise UserError(
                f"maps of permuted labels: nothing of {what} {missing[0]}; give those of every "
                "allocation and unit"
            )
    ordered = null.droplevel("test_mouse").loc[
        scores.index.get_level_values("allocation"), scores.columns
    ]
    return ordered.set_axis(scores.index)
