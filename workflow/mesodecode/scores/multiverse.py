"""Variants of a study side by side: does what is concluded hold in all of them?

A family is a decoder of the study with its lines on variants, and adaptive decoders that take one
of these. The unit is the mouse: means over the allocations in which it is the test mouse.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mesodecode.base.files import UserError
from mesodecode.scores.mouse_tests import mean_interval
from mesodecode.study import variants
from mesodecode.study.allocation import share_mice, split_ids
from mesodecode.study.targets import RUN, Kind, kind_scored


def numbers_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of numbers of a kind of target."""
    return "n_allocations", kind.metric, "difference", "shifted"


def columns_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of a `table` of a kind of target."""
    about = ("family", "variant", "decoder", "test_mouse")
    return *about, *numbers_of(kind), "qc", "chosen"


def families(decoders: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return family -> variant -> decoder, of those with more than one line.

    `decoders`: name -> `decoder_table.Decoder`. The study's own is called `variants.OWN`; adaptive
    decoders stand under their own names in the family of what they take.
    """
    found: dict[str, dict[str, str]] = {}
    family_of = {}
    for name in decoders:
        variant = variants.of(name, decoders)
        base = name.removesuffix(f"_{variant}")
        family_of[name] = base if base in decoders else name
        if not {"average_of", "adaptive_of"} & decoders[name].settings.keys():
            found.setdefault(family_of[name], {})[variant or variants.OWN] = name
    for name, one in decoders.items():
        members = {family_of[member] for member in one.settings.get("adaptive_of", [])}
        if len(members) == 1 and members <= found.keys():
            found[members.pop()][name] = name
    return {family: lines for family, lines in found.items() if len(lines) > 1}


def table(
    auc: pd.DataFrame,
    lines: Mapping[str, Mapping[str, str]],
    shift: pd.DataFrame | None,
    verdicts: Mapping[str, Mapping[str, str]],
    chosen: Mapping[str, Mapping[str, str]],
    kind: Kind = RUN.kind,
) -> pd.DataFrame:
    """Return `columns_of` a kind, a row a variant of a family and test mouse.

    `auc`: table of allocations, with the score of another target as its column auc
    (`base.tables.read_scores`); `lines` as of `families`; `shift`: the shift report, if it was
    made; `verdicts`: decoder -> mouse -> worst verdict of the quality of what it reads; `chosen`:
    adaptive decoder -> test mouse -> the decoder taken. `difference` is from the study's own line
    (NaN without one), `shifted` the share of rows of the shift report that are not in distribution.
    Raises UserError if `auc` lacks a decoder of `lines`.
    """
    missing = {name for each in lines.values() for name in each.values()} - {*auc["decoder"]}
    if missing:
        raise UserError(f"nothing of decoder {min(missing)}; score it too")
    means = auc.groupby(["decoder", "test_mouse"], sort=False)["auc"].agg(["mean", "count"])
    rows = []
    for family, members in lines.items():
        own = members.get(variants.OWN)
        for variant, decoder in members.items():
            for mouse, row in means.loc[decoder].iterrows():
                base = means["mean"].get((own, mouse), np.nan)
                about = {"family": family, "variant": variant, "decoder": decoder}
                about |= {"test_mouse": mouse, "n_allocations": int(row["count"])}
                about |= {kind.metric: row["mean"], "difference": row["mean"] - base}
                about["shifted"] = _shifted(shift, decoder, mouse)
                about["qc"] = verdicts.get(decoder, {}).get(mouse, "")
                rows.append(about | {"chosen": chosen.get(decoder, {}).get(mouse, "")})
    return pd.DataFrame(rows, columns=list(columns_of(kind)))


def _shifted(shift: pd.DataFrame | None, decoder: str, mouse: Any) -> float:
    if shift is None:
        return float("nan")
    mine = shift[(shift["decoder"] == decoder) & shift["test_mouse"].isin(split_ids(mouse))]
    return float(mine["verdict"].ne("in distribution").mean()) if len(mine) else float("nan")


def sentences(rows: pd.DataFrame) -> list[str]:
    """Return what holds in all variants: each family against chance, and families with each other.

    Of a `table`; intervals are 95 % over mice (`mouse_tests.mean_interval`).
    """
    return [_against_chance(name, mine) for name, mine in rows.groupby("family", sort=False)] + [
        words
        for a, b in combinations(rows["family"].unique(), 2)
        if (words := _against(rows, a, b))
    ]


def _against_chance(family: str, rows: pd.DataFrame) -> str:
    kind = kind_scored(rows.columns)
    rows = rows[rows[kind.metric].notna()]  # of a mouse whose trace does not change
    if rows.empty:
        return f"{family}: nothing is scored."
    means = rows.groupby("variant", sort=False)[kind.metric].mean().sort_values()
    n_mice = len({mouse for mice in rows["test_mouse"] for mouse in split_ids(mice)})
    text = (
        f"{family}: the mean {kind.axis} over {n_mice} mice goes from {means.iloc[0]:.3f} "
        f"({means.index[0]}) to {means.iloc[-1]:.3f} ({means.index[-1]})"
    )
    if share_mice(rows["test_mouse"]):
        return f"{text}; mice are tested together, so that there is no interval over them."
    above = []
    for variant, mine in rows.groupby("variant"):
        low, _, _ = mean_interval(mine[kind.metric].to_numpy() - kind.chance)
        above += [variant] if low > 0 else []
    n, last = len(means), means.index[-1]
    rest = ", ".join(sorted(set(means.index) - set(above)))
    holds = f"in all {n}" if len(above) == n else f"in {len(above)} of {n} (not in {rest})"
    text += f"; it is above chance, by the 95 % interval over mice, {holds}."
    best = rows[rows["variant"] == last]["difference"].dropna().to_numpy()
    if last != variants.OWN and len(best) > 1:
        low, high, _ = mean_interval(best)
        text += (
            f" {last} differs from the study's own by {best.mean():.3f} ({low:.3f} to {high:.3f}); "
            "it is the highest of several, and chosen in hindsight."
        )
    return text


def _against(rows: pd.DataFrame, a: str, b: str) -> str:
    """Return in how many variants one family is above another; empty for fewer than two."""
    kind = kind_scored(rows.columns)
    both = rows[rows["family"].isin((a, b))].pivot_table(
        index=["variant", "test_mouse"], columns="family", values=kind.metric
    )
    both = both.reindex(columns=[a, b])  # one may have no score at all
    differences = (both[a] - both[b]).dropna().groupby("variant").mean()
    if len(differences) < 2:
        return ""
    above, below = (int((sign * differences > 1e-9).sum()) for sign in (1, -1))
    if not above + below:
        return f"{a} and {b} have the same mean {kind.axis} in all {len(differences)} variants."
    return (
        f"{a if above >= below else b} has the higher mean {kind.axis} of {a} and {b} in "
        f"{max(above, below)} of {len(differences)} variants."
    )


def order(rows: pd.DataFrame) -> Sequence[str]:
    """Return the variants of one family by their mean score, the lowest first."""
    metric = kind_scored(rows.columns).metric
    return list(rows.groupby("variant")[metric].mean().sort_values(kind="stable").index)
