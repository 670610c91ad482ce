"""Which ROIs and masks carry the signal that a simulation planted, and when: the truth of a map."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mesodecode.base.files import UserError, one_line
from mesodecode.simulation.kinetics import calcium

# Of truths that say nothing of it: the defaults of the simulation.
TIMES = {"tau_rise_s": 0.02, "tau_decay_s": 0.2, "frame_rate": 30.0}
# Of each target which settings name the ROIs that carry it; of another trace nothing is known.
CARRIERS = {
    **dict.fromkeys(("run", "speed"), ("signal",)),
    "pupil": ("pupil",),
    "states": ("signal", "pupil"),  # run and rest, and with a small or a large pupil
}
ANSWERS, SILENT = 0.5, 0.05  # shares of the indicator's peak: planted from, not planted below


def planted_rois(
    truth: Sequence[str | Path], rois: Sequence[int], target: str = "run"
) -> np.ndarray:
    """Return 1 for the ROIs (R,) that carry a target in a simulation, 0 for others.

    NaN without a file of truth, or of a target of which a simulation knows nothing. `rois` are
    numbers from 1, those of the simulation.
    """
    if not truth or target not in CARRIERS:
        return np.full(len(rois), np.nan)
    planted = {int(roi) for path in truth for roi in _read_truth(path, target)["signal_rois"]}
    return np.isin(rois, sorted(planted)).astype(float)


def planted_signs(
    truth: Sequence[str | Path], rois: Sequence[int], target: str = "run"
) -> np.ndarray:
    """Return 1 for the ROIs (R,) whose planted signal rises with running, -1 where it falls.

    Or with a trace. 0 for others; NaN without a file of truth, where these differ, and of states,
    as no signal rises with all.
    """
    if not truth or target == "states" or target not in CARRIERS:
        return np.full(len(rois), np.nan)
    found = np.zeros((len(truth), len(rois)))
    for row, path in enumerate(truth):
        about = _read_truth(path, target)
        sign = dict(zip(about["signal_rois"].tolist(), np.sign(about["gains"]), strict=True))
        found[row] = [sign.get(roi, 0) for roi in rois]
    return np.where((found == found[0]).all(axis=0), found[0], np.nan)


def planted_times(
    truth: Sequence[str | Path],
    rois: Sequence[int],
    frame: Sequence[int],
    frame_rate: float | None = None,
    target: str = "run",
) -> np.ndarray:
    """Return 1 where an ROI answers the decoded frame's state (frames, ROIs), 0 where it does not.

    `frame` is relative to the decoded one, `frame_rate` (frames/s) that of what is decoded; None:
    as simulated. A planted signal leads the behaviour, or lags, and the
    indicator answers it for a while: 1 where that answer to the state at the decoded frame is
    `ANSWERS` of its peak or more, 0 where it is below `SILENT` of it (signals there are of the
    states of other frames, which may be the same state) and in ROIs without a signal. NaN between
    the two, where files of truth differ, and without one; and where no trace is known.
    """
    if not truth or target not in CARRIERS:
        return np.full((len(frame), len(rois)), np.nan)
    found = np.zeros((len(truth), len(frame), len(rois)))
    for one, path in zip(found, truth, strict=True):
        about = _read_truth(path, target)
        rise, decay = about["tau_rise_s"], about["tau_decay_s"]
        peak = calcium(rise * np.log1p(decay / rise), rise, decay)
        leads = dict(zip(about["signal_rois"].tolist(), about["leads_s"], strict=True))
        for column, roi in enumerate(rois):
            if roi in leads:
                time = np.asarray(frame) / (frame_rate or about["frame_rate"]) + leads[roi]
                answer = calcium(time, rise, decay) / peak
                one[:, column] = np.select([answer >= ANSWERS, answer < SILENT], [1, 0], np.nan)
    return np.where((found == found[0]).all(axis=0), found[0], np.nan)


def planted_masks(
    truth: Sequence[str | Path], areas: np.ndarray, target: str = "run"
) -> np.ndarray:
    """Return 1 for the masks (M, H, W) that hide half of a planted area or more, 0 for those that
    hide none of any, NaN for the others (M,). With several files of truth: where all say so.

    A planted area is the disc of a signal ROI; its place differs from mouse to mouse.
    """
    truth = truth if target in CARRIERS else ()
    found = np.full((max(1, len(truth)), len(areas)), np.nan)
    for row, path in enumerate(truth):
        hidden = _hidden(_read_truth(path, target), areas)
        found[row, (hidden >= 0.5).any(1)] = 1
        found[row, (hidden == 0).all(1)] = 0
    return np.where((found == found[0]).all(axis=0), found[0], np.nan)


def planted_in_masks(
    truth: Sequence[str | Path],
    areas: np.ndarray,
    frame: Sequence[int],
    frame_rate: float | None = None,
    target: str = "run",
) -> tuple[np.ndarray, np.ndarray]:
    """Return `planted_times` (frames, M) and `planted_signs` (M,) of masks (M, H, W).

    Those of the planted areas that a mask holds, see `planted_masks`: it answers when one of them
    does, and does not when none that it touches does; it has their sign if all have one. NaN for
    what is neither, and where files of truth differ.
    """
    truth = truth if target in CARRIERS else ()
    times = np.full((max(1, len(truth)), len(frame), len(areas)), np.nan)
    signs = np.full((max(1, len(truth)), len(areas)), np.nan)
    for row, path in enumerate(truth):
        about = _read_truth(path, target)
        hidden, rois = _hidden(about, areas), about["signal_rois"]
        when = planted_times([path], rois, frame, frame_rate, target)[:, None]  # (frames, 1, K)
        which = planted_signs([path], rois, target)
        held, touched = hidden >= 0.5, hidden > 0
        times[row, ((when == 0) | ~touched).all(2)] = 0
        times[row, ((when == 1) & held).any(2)] = 1
        for sign in (1, -1):
            signs[row, held.any(1) & ((which == sign) | ~touched).all(1)] = sign
        signs[row, ~touched.any(1)] = 0
    return tuple(
        np.where((found == found[0]).all(axis=0), found[0], np.nan) for found in (times, signs)
    )


def _hidden(about: Mapping[str, Any], areas: np.ndarray) -> np.ndarray:
    """Return which share of each planted area masks (M, H, W) hide (M, K)."""
    rows, columns = np.mgrid[: areas.shape[1], : areas.shape[2]]
    scale = areas.shape[2] / about["image_size"]
    centre = (about["roi_xy"][np.array(about["signal_rois"], int) - 1] + 0.5) * scale - 0.5
    radius = about["signal_radius"] * areas.shape[2]
    discs = np.hypot(columns - centre[:, :1, None], rows - centre[:, 1:, None]) <= radius
    # of an area outside the image nothing is hidden
    return np.einsum("mhw,khw->mk", areas.astype(float), discs) / discs.sum((1, 2)).clip(1)


def true_labels(path: str | Path) -> np.ndarray:
    """Return whether a simulated mouse runs (T,) uint8, whatever the labels on record say.

    Raises UserError if the file is no truth.
    """
    try:
        with h5py.File(path) as file:
            return file["label"][:]
    except (OSError, KeyError) as error:
        raise UserError(
            f"{path}: no truth of `mesodecode simulate` with labels; simulate the session again"
        ) from error


def _read_truth(path: str | Path, target: str) -> dict[str, Any]:
    """Return what is planted of a target; `signal_rois`: the ROIs that carry it, each once."""
    try:
        with h5py.File(path) as file:
            about = {key: file.attrs[key] for key in ("signal_radius", "image_size")}
            about["roi_xy"] = file["roi_xy"][:]
            about |= {key: file.attrs.get(key, value) for key, value in TIMES.items()}
            carriers = {}
            for kind in CARRIERS[target]:
                for roi, *of_roi in _carriers(file.attrs, kind):
                    carriers.setdefault(roi, of_roi)
    except (OSError, KeyError) as error:
        raise UserError(
            f"{path}: not a truth of `mesodecode simulate` ({one_line(error)})"
        ) from error
    each = np.array([*carriers.values()], float).reshape(-1, 2).T
    keys = ("signal_rois", "gains", "leads_s")
    return about | dict(zip(keys, (np.array([*carriers], int), *each), strict=True))


def _carriers(about: Mapping[str, Any], kind: str) -> list[tuple[int, float, float]]:
    """Return number, gain and lead (s) of ROIs that follow running, or the pupil; none at 0."""
    lead = about.get("lead_s", 0.0)
    if kind == "pupil":
        planted = about.get("pupil_signal", 0) > 0
        return [(int(roi), 1.0, lead) for roi in (about["pupil_rois"] if planted else ())]
    rois = about["signal_rois"]
    if not about["run_signal"] > 0:
        return []
    gains = _each(about.get("signal_gains", ()), 1.0, len(rois))
    leads = lead + _each(about.get("signal_leads_s", ()), 0.0, len(rois))
    return [(int(roi), *each) for roi, *each in zip(rois, gains, leads, strict=True)]


def _each(given: Sequence[float], default: float, n: int) -> np.ndarray:
    """Return a number for each of n signal ROIs, all `default` where none are given."""
    return np.array(given, float) if len(given) else np.full(n, default)
