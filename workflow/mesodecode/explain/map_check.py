"""What a decoder itself says about its importance map, in one allocation.

Two maps are compared later (`mesodecode.explain.checks`), and here made: that of the same network
with random weights, and how the test AUC falls as units are removed, in the map's order and in
random ones. Neither changes the map.

The order of removal is that of the mean map of allocations that test OTHER mice. So it says whether
the map holds beyond the mouse that it was made from; and for cut-out, whose scores are losses of
AUC on the very frames and labels that the deletion curve scores again, order and evaluation do not
share their data. (Those other decoders have, however, been trained on this mouse.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import torch

from mesodecode.explain import storage
from mesodecode.explain.cutout import Decoder, cutout_session
from mesodecode.explain.cutout_masks import CutoutMasks
from mesodecode.explain.shap_maps import evenly, shap_map, windows_as_trained
from mesodecode.files import UserError
from mesodecode.models import Trained
from mesodecode.recordings import Recording, mice_of
from mesodecode.scores import roc_auc
from mesodecode.windows import IMAGE_REACH, centres

LIMIT = 500  # windows or frames of a test mouse (and windows of the background) that are looked at
DRAWS = 20  # random orders: p of the deletion check can reach 1/21
SHARES = tuple(share / 10 for share in range(1, 10))  # of the units, or of the image's area
RUN = 60  # consecutive frames, of which their windows share the images


@dataclass(frozen=True)
class MapCheck:
    """What one allocation gives to the checks of a map over U units.

    unit, their names (U,); randomised (U,), the scores of the network with random weights;
    planted (U,), 1 where a simulation planted a signal, 0 where not, NaN where neither or unknown;
    share (S,) of units or area removed; auc (1, S) in the map's order, auc_random (K, S) in random
    orders, both without rows if no map of other mice gave an order; auc_intact; n_windows scored.
    """

    allocation: str
    test_mouse: str
    unit: tuple[str, ...]
    randomised: np.ndarray
    planted: np.ndarray
    share: np.ndarray
    auc_intact: float
    auc: np.ndarray
    auc_random: np.ndarray
    n_windows: int

    def write(self, path: str | Path) -> None:
        """Write to `path` (HDF5), whole or not at all."""
        storage.write(self, path)


def read(path: str | Path) -> MapCheck:
    """Read what `MapCheck.write` wrote. Raises UserError if the file is none."""
    return storage.read(path, MapCheck, "shap-check")


def check_shap(
    trained: Trained,
    recordings: Sequence[Recording],
    background_recordings: Sequence[Recording],
    settings: Mapping[str, Any],
    *,
    maps: pd.DataFrame | None = None,
    truth: Sequence[str | Path] = (),
    limit: int = LIMIT,
    draws: int = DRAWS,
    device: torch.device | str = "cpu",
) -> MapCheck:
    """Check the SHAP map of a recurrent decoder of ROI signals.

    Arguments as of `shap_map`; `maps`, scores of all allocations as of `map_scores.read`, of which
    those with other test mice are averaged to order the ROIs; `truth`, files of `mesodecode
    simulate` of the test recordings; `limit`, of the windows explained and scored and of the
    background; `draws`, K.

    A removed ROI has at every frame its mean over the windows scored. (Zero would be its minimum,
    where signals are scaled from 0 to 1: an input that means something.) ROIs that the decoder does
    not read stay out: units are the others.
    """
    allocation = trained.allocate(mice_of(recordings))
    rng = _generator(settings["seed"], allocation.id)
    untrained = trained.randomised(int(rng.integers(2**31)))
    sizes = {key: min(settings[key], limit) for key in ("windows", "background")}
    random_map = shap_map(
        *(untrained, recordings, background_recordings, {**settings, **sizes}),
        **{"decoder": "randomised", "device": device},
    )
    source, rois = windows_as_trained(trained, recordings, device)
    at = source.centres[evenly(len(source.centres), limit)]
    windows, labels = source.batch(at), source.labels[at].cpu().numpy()
    mean = windows.mean((0, 1))
    read_rois = (windows != mean).any(1).any(0).cpu().numpy()
    columns = np.flatnonzero(read_rois)
    units = tuple(str(rois[column]) for column in columns)
    model = trained.build(device)

    @torch.inference_mode()
    def auc(removed: np.ndarray) -> float:
        hidden = torch.zeros(len(rois), dtype=torch.bool)
        hidden[columns[removed]] = True
        return roc_auc(labels, model(torch.where(hidden.to(device), mean, windows)).cpu().numpy())

    orders = _orders(maps, allocation.test, units, draws, rng)
    curves = np.array([[auc(step) for step in removals(scores)] for scores in orders])
    curves = curves.reshape(-1, len(SHARES))
    return MapCheck(
        **{"allocation": allocation.id, "test_mouse": allocation.joined("test"), "unit": units},
        randomised=random_map.mean_abs.sum(axis=0)[columns],
        planted=planted_rois(truth, [rois[column] for column in columns]),
        share=np.array(SHARES),
        auc_intact=auc(np.zeros(len(columns), bool)),
        **{"auc": curves[:1], "auc_random": curves[1:], "n_windows": len(at)},
    )


def check_cutout(
    trained: Trained | tuple[Trained, Trained],
    recordings: Sequence[Recording],
    masks: CutoutMasks,
    settings: Mapping[str, Any],
    *,
    maps: pd.DataFrame | None = None,
    truth: Sequence[str | Path] = (),
    limit: int = LIMIT,
    draws: int = 5,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> MapCheck:
    """Check the cut-out map of an image decoder.

    `trained`: CNN, or CNN and RNN trained together; or a frozen CNN and the RNN of its features.
    `settings`, fill and blur_sigma of `cutout_session`; the rest as of `check_shap`. Of every test
    session runs of `RUN` frames are used, evenly, about `limit` frames in all its sessions
    together; a session of one state is left out. Scores and AUCs are means over sessions.

    Units are masks. Since masks overlap, what is removed is not so many of them but a share of the
    image: the pixels of the highest score, a pixel's score being the mean over the masks that cover
    it. In random orders the masks have random ranks for scores, so that the same area is removed,
    as smoothly. Every second of `SHARES` is taken; removed pixels are filled as in the map.
    """
    parts = trained if isinstance(trained, tuple) else (trained,)
    allocation = parts[-1].allocate(mice_of(recordings))
    parts[0].allocate(mice_of(recordings))
    rng = _generator(seed, allocation.id)
    untrained = tuple(part.randomised(int(rng.integers(2**31))) for part in parts)
    half_window = parts[-1].settings.get("half_window")
    options = {key: settings[key] for key in ("fill", "blur_sigma")}
    options |= {"half_window": half_window, "run_length": RUN, "device": device}
    shares = SHARES[::2]
    hidden = []
    for scores in _orders(maps, allocation.test, masks.names, draws, rng):
        pixels = pixel_map(scores, masks.areas)
        hidden += [step.reshape(pixels.shape) for step in removals(pixels.ravel(), shares)]
    removed = CutoutMasks(tuple(map(str, range(len(hidden)))), np.array(hidden)) if hidden else None

    randomised, intact, curves, n_frames = [], [], [], 0
    for recording in recordings:
        step = _frame_step(recording, half_window, limit / len(recordings))
        if step is None:
            continue
        where = options | {"frame_step": step}
        scores = cutout_session(_join(untrained, device), recording, masks, **where)
        randomised.append(scores["score"])
        decoder = _join(parts, device)
        found = cutout_session(decoder, recording, removed or masks[:1], **where)
        intact.append(found["auc_intact"].iloc[0])
        curves.append(found["auc_masked"])
        n_frames += int(found["n_frames"].iloc[0])
    if not n_frames:
        raise UserError(
            f"{', '.join(str(r.path) for r in recordings)}: no session has both run and rest, so "
            "there is no AUC to check a map by"
        )
    auc = np.mean(curves, axis=0).reshape(-1, len(shares)) if hidden else np.empty((0, len(shares)))
    return MapCheck(
        **{"allocation": allocation.id, "test_mouse": allocation.joined("test")},
        **{"unit": masks.names, "randomised": np.mean(randomised, axis=0)},
        planted=planted_masks(truth, masks.areas),
        share=np.array(shares),
        auc_intact=float(np.mean(intact)),
        **{"auc": auc[:1], "auc_random": auc[1:], "n_windows": n_frames},
    )


def removals(scores: np.ndarray, shares: Sequence[float] = SHARES) -> np.ndarray:
    """Return what is removed at each share (S, U): units of the highest scores (U,), NaN last."""
    order = np.argsort(-scores, kind="stable")  # NaN at the end
    place = np.empty(len(scores), int)
    place[order] = np.arange(len(scores))
    return place < np.rint(np.array(shares) * len(scores))[:, None]


def pixel_map(scores: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Return the mean score (H, W) of the masks that cover a pixel, NaN where none does.

    scores (M,), areas bool (M, H, W).
    """
    covered = areas.sum(axis=0)
    total = np.tensordot(scores, areas.astype(float), 1)
    return np.divide(total, covered, out=np.full(covered.shape, np.nan), where=covered > 0)


def planted_rois(truth: Sequence[str | Path], rois: Sequence[int]) -> np.ndarray:
    """Return 1 for the ROIs (R,) that carry a planted signal in a simulation, 0 for others.

    NaN without a file of truth. `rois` are numbers from 1, those of the simulation.
    """
    if not truth:
        return np.full(len(rois), np.nan)
    planted = {int(roi) for path in truth for roi in _read_truth(path)["signal_rois"]}
    return np.isin(rois, sorted(planted)).astype(float)


def planted_masks(truth: Sequence[str | Path], areas: np.ndarray) -> np.ndarray:
    """Return 1 for the masks (M, H, W) that hide half of a planted area or more, 0 for those that
    hide none of any, NaN for the others (M,). With several files of truth: where all say so.

    A planted area is the disc of a signal ROI; its place differs from mouse to mouse.
    """
    found = np.full((max(1, len(truth)), len(areas)), np.nan)
    rows, columns = np.mgrid[: areas.shape[1], : areas.shape[2]]
    for row, path in enumerate(truth):
        about = _read_truth(path)
        scale = areas.shape[2] / about["image_size"]
        centre = (about["roi_xy"][np.array(about["signal_rois"], int) - 1] + 0.5) * scale - 0.5
        radius = about["signal_radius"] * areas.shape[2]
        discs = np.hypot(columns - centre[:, :1, None], rows - centre[:, 1:, None]) <= radius
        discs = discs[discs.any((1, 2))]
        hidden = np.einsum("mhw,khw->mk", areas.astype(float), discs) / discs.sum((1, 2))
        found[row, (hidden >= 0.5).any(1)] = 1
        found[row, (hidden == 0).all(1)] = 0
    return np.where((found == found[0]).all(axis=0), found[0], np.nan)


def _read_truth(path: str | Path) -> dict[str, Any]:
    try:
        with h5py.File(path) as file:
            about = {key: file.attrs[key] for key in ("signal_rois", "signal_radius", "image_size")}
            about["roi_xy"] = file["roi_xy"][:]
            planted = file.attrs["run_signal"] > 0
    except (OSError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not a truth of `mesodecode simulate` ({reason})") from error
    return about if planted else about | {"signal_rois": np.array([], int)}


def _generator(seed: int, allocation: str) -> np.random.Generator:
    """Return a stream of an allocation's own: luck then evens out over allocations."""
    return np.random.default_rng([seed, *allocation.encode()])


def _orders(
    maps: pd.DataFrame | None,
    test_mice: Sequence[str],
    units: Sequence[str],
    draws: int,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """Return scores (U,) that say what to remove first: those of other mice, `draws` random ones.

    Nothing where no map is of other mice only.
    """
    if maps is None:
        return []
    tested = maps.index.get_level_values("test_mouse")
    others = maps[[set(test_mice).isdisjoint(mice.split("+")) for mice in tested]]
    if others.empty:
        return []
    missing = [unit for unit in units if unit not in maps.columns]
    if missing:
        raise UserError(
            f"maps: nothing of {maps.columns.name} {missing[0]}; give maps of the decoder and "
            "units that are checked"
        )
    scores = others[list(units)].mean().to_numpy()
    # Ranks, not the scores exchanged: ties would be removed in the order of the units.
    return [scores, *(rng.permutation(len(units)).astype(float) for _ in range(draws))]


def _join(parts: Sequence[Trained], device: torch.device | str) -> Decoder:
    """Return a network as `cutout_session` takes it."""
    built = tuple(part.build(device) for part in parts)
    return built if len(built) > 1 else built[0]


def _frame_step(recording: Recording, half_window: int | None, wanted: float) -> int | None:
    """Return the step between runs for `wanted` frames or more of both states, None if none."""
    at = centres(len(recording), (half_window or 0) + IMAGE_REACH, recording.segment)
    labels = recording.labels[at]
    for step in range(max(1, math.ceil(len(at) / wanted)), 0, -1):
        if len(np.unique(labels[np.arange(len(at)) // RUN % step == 0])) == 2:
            return step
    return None
