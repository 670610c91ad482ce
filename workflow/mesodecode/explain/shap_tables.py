"""Maps of SHAP values over allocations: their mean, tables by ROI and by frame, and words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from mesodecode.base.files import UserError
from mesodecode.explain import shap_files
from mesodecode.explain.shap_files import VALUES, Map, ShapMap, by_output
from mesodecode.study.targets import Target


def mean_map(maps: Sequence[Map]) -> np.ndarray:
    """Return the mean over allocations (frames, ROIs). Raises UserError if they do not match."""
    check_alike(maps, "decoder")
    return mean_of(maps, "mean_abs")


def mean_of(maps: Sequence[ShapMap], value: str) -> np.ndarray:
    """Return the mean of one of `VALUES` over the allocations that have it (frames, ROIs).

    NaN where none has.
    """
    return np.ma.masked_invalid([getattr(one, value) for one in maps]).mean(axis=0).filled(np.nan)


def check_alike(maps: Sequence[Map], *also: str) -> None:
    """Raise UserError unless maps are of the same ROIs, frames, output and target (and `also`)."""
    first = maps[0]
    for other in maps:
        for key in ("frame", "roi", "output", "target", *also):
            if not np.array_equal(getattr(first, key), getattr(other, key)):
                raise UserError(
                    f"maps of allocations {first.allocation} and {other.allocation}: of other "
                    "ROIs, frames, decoders or outputs; summarise maps of one analysis"
                )


def roi_sums(maps: Sequence[Map]) -> np.ndarray:
    """Return mean |SHAP| of ROIs summed over the frames of the window (allocations, ROIs)."""
    return np.array([one.mean_abs.sum(axis=0) for one in maps])


def roi_table(maps: Sequence[Map]) -> pd.DataFrame:
    """Return roi, name, n (allocations), mean and sd (sample SD), a row an ROI.

    Of each ROI's mean |SHAP| summed over the frames of the window (Ajioka et al. 2024, Fig 6B).
    """
    first, sums = maps[0], roi_sums(maps)
    return pd.DataFrame(
        {
            "roi": first.roi,
            "name": shap_files.names_of(maps),
            "n": len(sums),
            "mean": sums.mean(axis=0),
            "sd": sums.std(axis=0, ddof=1) if len(sums) > 1 else np.nan,
        }
    )


def signed_table(maps: Sequence[Map]) -> pd.DataFrame:
    """Return a row an ROI, over allocations, of values summed over the frames of the window.

    roi, name, n (allocations); mean_abs; signed and its sample SD; in_run and in_rest (see
    `shap_maps`); toward, "run" where signed is above 0, "rest" where it is below, "-" at 0;
    peak_frame, the frame of the largest mean |SHAP| relative to the decoded one, and peak_s, in s.
    Of another target `Kind.sides` stand for run and rest, and of states a column `state` before
    roi, and a row a state and ROI.
    """
    return _of_outputs(maps, _signed_rows)


def time_table(maps: Sequence[Map]) -> pd.DataFrame:
    """Return a row an ROI and frame of the window: roi, name, frame, time_s, n and `VALUES`.

    Means over allocations, not summed; frame is relative to the decoded one, time_s in s (NaN where
    frame rates differ). Of another target as `signed_table`.
    """
    return _of_outputs(maps, _time_rows)


def _of_outputs(
    maps: Sequence[Map], rows: Callable[[Sequence[ShapMap]], pd.DataFrame]
) -> pd.DataFrame:
    target, tables = maps[0].target, []
    run, rest = target.kind.sides
    for name, mine in zip(target.states or [target.name], by_output(maps), strict=True):
        table = rows(mine).rename(columns={"in_run": f"in_{run}", "in_rest": f"in_{rest}"})
        if "toward" in table:
            table["toward"] = table["toward"].replace({"run": run, "rest": rest})
        if target.states:
            table.insert(0, "state", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _signed_rows(maps: Sequence[ShapMap]) -> pd.DataFrame:
    first = maps[0]
    sums = {key: mean_of(maps, key).sum(axis=0) for key in VALUES}
    each = np.array([one.signed.sum(axis=0) for one in maps])
    peak = first.frame[mean_of(maps, "mean_abs").argmax(axis=0)]
    words = np.array(["rest", "-", "run"])
    return pd.DataFrame(
        {
            "roi": first.roi,
            "name": shap_files.names_of(maps),
            "n": len(maps),
            "mean_abs": sums["mean_abs"],
            "signed": sums["signed"],
            "sd": each.std(axis=0, ddof=1) if len(maps) > 1 else np.nan,
            "in_run": sums["in_run"],
            "in_rest": sums["in_rest"],
            "toward": words[np.sign(sums["signed"]).astype(int) + 1],
            "peak_frame": peak,
            "peak_s": peak / (common_rate(maps) or np.nan),
        }
    )


def _time_rows(maps: Sequence[ShapMap]) -> pd.DataFrame:
    first = maps[0]
    n_frames, n_rois = first.mean_abs.shape
    names = shap_files.names_of(maps)
    frame = np.tile(first.frame, n_rois)
    return pd.DataFrame(
        {
            "roi": np.repeat(first.roi, n_frames),
            "name": np.repeat(names, n_frames),
            "frame": frame,
            "time_s": frame / (common_rate(maps) or np.nan),
            "n": len(maps),
            **{key: mean_of(maps, key).T.ravel() for key in VALUES},
        }
    )


def common_rate(maps: Sequence[Map]) -> float:
    """Return the frame rate of all maps in frames/s, 0 if there is none."""
    rates = {one.frame_rate for one in maps}
    return rates.pop() if len(rates) == 1 else 0.0


def told(target: Target, output: str) -> str:
    """Return in words what is explained; `output` as maps have it."""
    if target.kind.name == "run":
        return f"{output} of run"
    if target.states:
        return f"log-probability of each of {', '.join(target.states)} less their mean"
    unit = f" ({target.unit})" if target.unit else ""
    return f"{output} of {target.name}{unit}"
