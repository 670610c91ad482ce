"""Which difference between mice of two cohorts goes with what a decoder loses there.

Mice are the unit. Within each way (trained in one cohort, tested in another) mice are ranked by how
far they are from the training mice in one respect, and by what they lose; the rank correlation is
of all ways together, so that what differs between cohorts as wholes cannot make it. Its p is of
losses exchanged among the mice of a test cohort. It says what goes with a loss, not what makes it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from mesodecode.scores.cohort_matrix import with_cohorts
from mesodecode.scores.mouse_tests import LEVEL
from mesodecode.scores.published_tests import holm
from mesodecode.shift.columns import OF_IMAGES
from mesodecode.study.allocation import split_ids
from mesodecode.study.targets import RUN, Kind

UNITS = {
    "rate": "octaves of the frame rate as recorded",
    "position": "% of the image",
    "rotation": "degrees",
    "extent": "times larger or smaller",
    "left_right": "octaves of left over right light",
    "brightness": "octaves",
    "sharpness": "octaves",
    "noise": "share of variance",
    "spectrum": "slope of log power",
    "speed": "octaves in time",
}
NUMBERS = ("n_mice", "within", "across", "n_both", "n_larger", "rho", "p", "p_holm")
COLUMNS = ("decoder", "difference", "unit", *NUMBERS, "sentence")
LEAST = 6  # mice; fewer cannot be ranked to any purpose
OF_A_WAY = 3  # mice tested on it
DRAWS, SEED = 9_999, 1


def table(
    shift: pd.DataFrame,
    cohorts: Mapping[str, Sequence[str]],
    rates: Mapping[str, float],
    kind: Kind = RUN.kind,
) -> pd.DataFrame:
    """Return `COLUMNS`, a row a decoder and difference.

    `shift` as of `shift_verdicts.report`, of decoders of a kind of target, whose metric stands for
    the AUC (only its ranks count); `rates`: mouse -> frames/s as recorded. within and
    across: the median difference from the nearest training mouse, over mice tested from their own
    and from another cohort; of `n_both` that are tested from both, `n_larger` differ more across.
    rho > 0: mice that differ more lose more, of `n_mice`; NaN where there are too few of them, or
    all are alike within their cohort.
    """
    shift = with_cohorts(shift, cohorts).assign(rate_shift=_rates(shift, rates))
    names = [name for name in UNITS if name == "rate" or name in OF_IMAGES]
    columns = [f"{name}_shift" for name in names]
    rows = []
    for decoder, mine in shift.groupby("decoder", sort=False):
        keys = ["train_cohort", "test_cohort", "test_mouse"]
        points = mine.groupby(keys, sort=False)[[kind.metric, *columns]].mean().reset_index()
        points = points.rename(columns={kind.metric: "score"})
        own = points["train_cohort"] == points["test_cohort"]
        apart = [
            not {*split_ids(a)} & {*split_ids(b)}
            for a, b in zip(points["train_cohort"], points["test_cohort"], strict=True)
        ]
        across = _with_losses(points[apart], points[own])
        found = [_row(name, across, points[own]) for name in names]
        known = [row for row in found if not np.isnan(row["p"])]
        for row, p in zip(known, holm([row["p"] for row in known]), strict=True):
            row["p_holm"] = p
        for row in found:
            about = {"decoder": decoder, "unit": UNITS[row["difference"]]}
            rows.append(about | row | {"sentence": _sentence(decoder, row)})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rates(shift: pd.DataFrame, rates: Mapping[str, float]) -> list[float]:
    """Return how far the rate of each test mouse is from the nearest of its training mice."""
    return [
        min(abs(np.log2(rates[split_ids(test)[0]] / rates[mouse])) for mouse in split_ids(train))
        for train, test in zip(shift["train_mice"], shift["test_mouse"], strict=True)
    ]


def _with_losses(across: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Return what each mouse loses, against its own cohort, or where it has none its score less."""
    known = own.set_index("test_mouse")["score"]
    best = across["test_mouse"].map(known)
    base = best if best.notna().all() else 0.0
    return across.assign(loss=base - across["score"]).dropna(subset=["loss"])


def _row(name: str, across: pd.DataFrame, own: pd.DataFrame) -> dict[str, float | str]:
    column = f"{name}_shift"
    row = {"difference": name, "within": own[column].median(), "across": across[column].median()}
    both = across.groupby("test_mouse")[column].mean() - own.groupby("test_mouse")[column].mean()
    both = both.dropna()
    row |= {"n_both": len(both), "n_larger": int((both > 1e-9).sum())}
    known = across.dropna(subset=[column])
    ways = [
        part
        for _, part in known.groupby(["train_cohort", "test_cohort"], sort=False)
        if len(part) >= OF_A_WAY
    ]
    mice = sorted({mouse for part in ways for mouse in part["test_mouse"]})
    row |= {"n_mice": len(mice), "rho": np.nan, "p": np.nan, "p_holm": np.nan}
    if len(mice) < LEAST:
        return row
    rho, p = _exchanged(ways, column)
    return row | {"rho": rho, "p": p}


def _exchanged(ways: Sequence[pd.DataFrame], column: str) -> tuple[float, float]:
    """Return the rank correlation of differences and losses within ways, and its p; NaN if alike.

    Losses go to other mice of the same test cohort, the same in all ways that test them.
    """
    ways = [part.sort_values("test_mouse") for part in ways]
    difference = np.concatenate([_ranks(part[column]) for part in ways])
    losses = [_ranks(part["loss"]) for part in ways]
    if not difference.any():
        return np.nan, np.nan
    rng = np.random.default_rng(SEED)
    sets = [tuple(part["test_mouse"]) for part in ways]
    plain = {mice: np.tile(np.arange(len(mice)), (DRAWS, 1)) for mice in sets}
    orders = {mice: rng.permuted(each, axis=1) for mice, each in plain.items()}
    drawn = np.hstack([one[orders[mice]] for one, mice in zip(losses, sets, strict=True)])
    found = np.concatenate(losses)
    size = np.sqrt((difference @ difference) * (found @ found))
    if not size:
        return 0.0, 1.0
    reached = np.abs(drawn @ difference) >= abs(found @ difference) - 1e-9
    return float(found @ difference / size), float((1 + reached.sum()) / (1 + DRAWS))


def _ranks(values: pd.Series) -> np.ndarray:
    ranks = rankdata(np.round(values.to_numpy(float), 9))
    return ranks - ranks.mean()


def _sentence(decoder: str, row: Mapping[str, float | str]) -> str:
    name = _name(row)
    if row["n_mice"] < LEAST:
        return (
            f"{decoder}, {name}: {row['n_mice']} mice tested from another cohort are too few to "
            "rank."
        )
    if np.isnan(row["rho"]):
        return (
            f"{decoder}, {name}: all mice of a cohort are alike, so that it cannot be told from "
            "whatever else differs between cohorts."
        )
    about = f"rank correlation {row['rho']:.2f} over {row['n_mice']} mice, p {row['p_holm']:.2g}"
    if row["p_holm"] < LEVEL:
        more = "more" if row["rho"] > 0 else "less"
        return f"{decoder}, {name}: mice that differ more lose {more} ({about})."
    return f"{decoder}, {name}: not shown to go with the loss ({about})."


def headlines(rows: pd.DataFrame) -> list[str]:
    """Return a text a decoder: what differs between cohorts as wholes, and what goes with a loss.

    Of a `table`. As wholes: the difference is larger across than within in every mouse.
    """
    found = []
    for decoder, mine in rows.groupby("decoder", sort=False):
        each = mine.to_dict("records")
        ranked = [row for row in each if not np.isnan(row["rho"])]
        named = [row for row in ranked if row["p_holm"] < LEVEL and row["rho"] > 0]
        named.sort(key=lambda row: row["p_holm"])
        if not ranked:
            text = (
                "what goes with the loss is not known: fewer than "
                f"{LEAST} mice are tested from another cohort, or all of a cohort are alike"
            )
        elif named:
            words = ", ".join(f"{_name(row)} ({row['rho']:.2f})" for row in named)
            text = (
                f"mice of a cohort lose more that differ more in {words}: rank correlations over "
                f"{named[0]['n_mice']:.0f} mice, which prove no cause"
            )
        else:
            text = (
                f"within cohorts none of {len(ranked)} differences is shown to go with the loss, "
                f"by ranks over {ranked[0]['n_mice']:.0f} mice"
            )
        wholes = [
            f"{_name(row)} ({row['across']:.3g} against {row['within']:.3g} {row['unit']})"
            for row in each
            if row["n_both"] and row["n_larger"] == row["n_both"]
        ]
        if wholes:
            text += (
                f". Every mouse is further from the other cohort than from its own in "
                f"{', '.join(wholes)}: what cohorts differ in as wholes cannot be told apart by "
                "their mice"
            )
        found.append(f"{decoder}: {text}.")
    return found


def _name(row: Mapping[str, float | str]) -> str:
    return str(row["difference"]).replace("_", "/")
