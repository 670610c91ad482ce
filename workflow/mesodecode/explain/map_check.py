"""What a decoder itself says about its importance map, in one allocation.

Made here and judged later, over all allocations (`map_measures`): the map of the same
network with random weights, and how the test AUC falls as units are removed, in the map's order and
in random ones; of ROIs also how far the output moves as they are removed one by one, and by sign;
where asked for, the map of what is read with noise.

The order of removal is that of the mean map of allocations that test OTHER mice. So it says whether
the map holds beyond the mouse that it was made from; and for cut-out, whose scores are losses of
AUC on the very frames and labels that the deletion curve scores again, order and evaluation do not
share their data. (Those other decoders have, however, been trained on this mouse.)
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import nn

from mesodecode.base import records
from mesodecode.base.files import UserError
from mesodecode.decoders.objectives import score_of
from mesodecode.decoders.weights import Trained
from mesodecode.explain import deletion, explained
from mesodecode.explain.cutout import Decoder, cutout_session, frames_used
from mesodecode.explain.cutout_masks import CutoutMasks
from mesodecode.explain.cutout_tables import pixel_map
from mesodecode.explain.shap_files import Map, ShapMap, by_output
from mesodecode.explain.shap_maps import evenly, mean_of, shap_map, windows_as_trained
from mesodecode.recordings.recording import Recording, mice_of
from mesodecode.simulation.truth import (
    planted_masks,
    planted_rois,
    planted_signs,
    planted_times,
)
from mesodecode.study.allocation import Allocation, split_ids
from mesodecode.study.targets import Target

LIMIT = 500  # windows or frames of a test mouse (and windows of the background) that are looked at
DRAWS, DRAWS_OF_MASKS = 20, 5  # random orders: p of the deletion check can reach 1/21, 1/6
SHARES = tuple(share / 10 for share in range(1, 10))  # of the units, or of the image's area
ONE_BY_ONE = 50  # windows of which ROIs are removed one by one
RUN = 60  # consecutive frames, whose windows share their images

Network = TypeVar("Network")


@dataclass(frozen=True)
class MapCheck:
    """What one allocation gives to the checks of a map over U units.

    unit, their names (U,); randomised (U,), the scores of the network with random weights;
    planted (U,), 1 where a simulation planted a signal, 0 where not, NaN where neither or unknown;
    share (S,) of units or area removed; auc (1, S) in the map's order, auc_random (K, S) in random
    orders, both without rows if no map of other mice gave an order; auc_intact; n_windows scored.
    Of ROIs, else without rows: moved (1, S) and moved_random (K, S), apart (1, S) and apart_random
    (K, S), as of `explain.deletion`, in the map's order and at random; planted_times (frames, U)
    and planted_signs (U,), as of `simulation.truth`. noisy (1 + D, U), the map of the check's
    windows or frames, then D maps of them with noise, without rows if D is 0.
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
    moved: np.ndarray
    moved_random: np.ndarray
    apart: np.ndarray
    apart_random: np.ndarray
    planted_times: np.ndarray
    planted_signs: np.ndarray
    noisy: np.ndarray

    @property
    def target(self) -> Target:
        """What is decoded."""
        return Target()

    def write(self, path: str | Path) -> None:
        """Write to `path` (HDF5), whole or not at all."""
        records.write(self, path)


@dataclass(frozen=True)
class TargetCheck(MapCheck):
    """The same of another target: what is called AUC is its score (`Kind.metric`)."""

    target_name: str
    target_unit: str
    target_states: tuple[str, ...]

    @property
    def target(self) -> Target:
        """What is decoded."""
        return Target(self.target_name, self.target_states, self.target_unit)


def read(path: str | Path) -> MapCheck:
    """Read what `MapCheck.write` wrote. Raises UserError if the file is none."""
    with records.reading(path, "a file of `mesodecode shap-check`", "shap-check") as file:
        return records.take(file, TargetCheck if "target_name" in file.attrs else MapCheck)


def _checked(target: Target, **found: Any) -> MapCheck:
    """Return what is found, of a decoder of a target."""
    if target == Target():
        return MapCheck(**found)
    about = {"target_name": target.name, "target_unit": target.unit}
    return TargetCheck(**found, **about, target_states=target.states)


def check_shap(
    trained: Trained,
    recordings: Sequence[Recording],
    background_recordings: Sequence[Recording],
    settings: Mapping[str, Any],
    *,
    maps: pd.DataFrame | None = None,
    signed: Sequence[Map] = (),
    truth: Sequence[str | Path] = (),
    limit: int = LIMIT,
    draws: int = DRAWS,
    noise_draws: int = 0,
    device: torch.device | str = "cpu",
) -> MapCheck:
    """Check the SHAP map of a recurrent decoder of ROI signals.

    Arguments as of `shap_map`; `maps`, scores of all allocations as of `maps.read`, of which
    those with other test mice are averaged to order the ROIs; `signed`, the maps of all allocations
    as of `maps.read_whole`, of which these give the signs; `truth`, files of `mesodecode
    simulate` of the test recordings; `limit`, of the windows explained and scored and of the
    background; `draws`, K; `noise_draws`, D: maps of windows with noise (`recording_noise`).

    A removed ROI has at every frame its mean over the windows scored. (Zero would be its minimum,
    where signals are scaled from 0 to 1: an input that means something.) ROIs that the decoder does
    not read stay out: units are the others. Of states how far outputs move is a mean over them.
    """
    allocation = trained.allocate(mice_of(recordings))
    rng, target = _generator(settings["seed"], allocation.id), Target.of_settings(trained.settings)
    model = trained.build(device)
    untrained = trained.with_state(randomised(model, int(rng.integers(2**31))).state_dict())
    sizes = {key: min(settings[key], limit) for key in ("windows", "background")}
    options, about = {**settings, **sizes}, {"decoder": "", "device": device}

    def made(network: Trained, noise: np.random.Generator | None = None) -> Map:
        return shap_map(network, recordings, background_recordings, options, noise=noise, **about)

    random_map = made(untrained)
    luck = _generator(settings["seed"], f"noise of {allocation.id}")
    noises = [None, *[luck] * noise_draws] if noise_draws else []
    noisy = [made(trained, noise).mean_abs.sum(axis=0) for noise in noises]
    source, rois = windows_as_trained(trained, recordings, device)
    at = source.centres[evenly(len(source.centres), limit)]
    windows, labels = source.batch(at), source.labels[at]
    mean = windows.mean((0, 1))
    read_rois = (windows != mean).any(1).any(0).cpu().numpy()
    columns = np.flatnonzero(read_rois)
    units = tuple(str(rois[column]) for column in columns)

    @torch.inference_mode()
    def auc(removed: np.ndarray) -> float:
        hidden = torch.zeros(len(rois), dtype=torch.bool)
        hidden[columns[removed]] = True
        return score_of(labels, model(torch.where(hidden.to(device), mean, windows)), target)

    orders = _orders(maps, allocation.test, units, draws, rng)
    curves = np.array([[auc(step) for step in removals(scores)] for scores in orders])
    curves = curves.reshape(-1, len(SHARES))
    few = torch.as_tensor(evenly(len(windows), ONE_BY_ONE), device=device)
    by_one = {"windows": windows[few], "mean": mean, "shares": SHARES}
    others = [one for one in signed if _of_others(one.test_mouse, allocation.test)]
    moves, parts = [], []
    for output, theirs in zip_longest(explained.outputs(target), by_output(others), fillvalue=()):
        by_one["model"] = _only(explained.network_of(model, target), output)
        moves.append([deletion.moved(order=columns[_descending(one)], **by_one) for one in orders])
        says = _says(theirs, rois, columns, by_one, draws, rng)
        parts.append([deletion.apart(says=one, columns=columns, **by_one) for one in says])
    moves, parts = (np.mean(one, axis=0).reshape(-1, len(SHARES)) for one in (moves, parts))
    return _checked(
        target,
        allocation=allocation.id,
        test_mouse=allocation.joined("test"),
        unit=units,
        randomised=random_map.mean_abs.sum(axis=0)[columns],
        planted=planted_rois(truth, [rois[column] for column in columns], target.name),
        share=np.array(SHARES),
        auc_intact=auc(np.zeros(len(columns), bool)),
        auc=curves[:1],
        auc_random=curves[1:],
        n_windows=len(at),
        moved=moves[:1],
        moved_random=moves[1:],
        apart=parts[:1],
        apart_random=parts[1:],
        planted_times=planted_times(
            truth,
            [rois[column] for column in columns],
            random_map.frame,
            recordings[0].frame_rate,
            target.name,
        ),
        planted_signs=planted_signs(truth, [rois[column] for column in columns], target.name),
        noisy=np.array(noisy).reshape(-1, len(rois))[:, columns],
    )


def _of_others(tested: str, mice: Sequence[str]) -> bool:
    """Tell whether a map is of none of some mice; `tested`: its own, joined."""
    return set(mice).isdisjoint(split_ids(tested))


def _only(network: nn.Module, output: explained.Output) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda windows: output.of(network(windows))


def _says(
    others: Sequence[ShapMap],
    rois: Sequence[int],
    columns: np.ndarray,
    by_one: Mapping[str, Any],
    draws: int,
    rng: np.random.Generator,
) -> list[torch.Tensor]:
    """Return how ROIs speak in windows (N, F): by the signed map of `others`, of an output, and
    `draws` times with the maps of its ROIs `columns` exchanged. Nothing without maps.
    """
    if not others:
        return []
    windows, mean = by_one["windows"], by_one["mean"]
    own = pd.DataFrame(mean_of(others, "signed"), columns=others[0].roi)[list(rois)]
    own = own.to_numpy(copy=True)
    maps = [own]
    for _ in range(draws):
        maps.append(own.copy())
        maps[-1][:, columns] = own[:, rng.permutation(columns)]
    return [deletion.evidence(torch.as_tensor(one).to(windows), windows, mean) for one in maps]


def check_cutout(
    decoder: Decoder,
    recordings: Sequence[Recording],
    masks: Sequence[CutoutMasks],
    settings: Mapping[str, Any],
    *,
    allocation: Allocation,
    half_window: int | None = None,
    maps: pd.DataFrame | None = None,
    truth: Sequence[str | Path] = (),
    limit: int = LIMIT,
    draws: int = DRAWS_OF_MASKS,
    noise_draws: int = 0,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> MapCheck:
    """Check the cut-out map of an image decoder.

    `decoder` and half_window as of `cutout_session`; `masks`, those of each recording; `settings`,
    its fill, blur_sigma, frame_step and run_length; the rest as of `check_shap`. Where the frames
    of the map are many, fewer are used, about `limit` in all sessions together, in runs of `RUN` at
    most; a session of one state is left out. Scores and AUCs are means over sessions.

    Units are masks. Since masks overlap, what is removed is not so many of them but a share of the
    image: the pixels of the highest score, a pixel's score being the mean over the masks that cover
    it ("all but" masks apart). In random orders the masks have random ranks for scores, so that the
    same area is removed, as smoothly. Every second of `SHARES` is taken; removed pixels are filled
    as in the map.
    Raises UserError if no session has both states.
    """
    rng = _generator(seed, allocation.id)
    untrained = randomised(decoder, int(rng.integers(2**31)))
    units, shares = masks[0].names, SHARES[::2]
    orders = _orders(maps, allocation.test, units, draws, rng)
    scores, noisy, intact, curves, n_frames = [], [], [], [], 0
    luck = _generator(seed, f"noise of {allocation.id}")
    seeds = [None, *luck.integers(2**31, size=noise_draws).tolist()] if noise_draws else []
    for recording, areas in zip(recordings, masks, strict=True):
        frames = _frames(recording, half_window, settings, limit / len(recordings))
        if frames is None:
            continue
        options = {key: settings[key] for key in ("fill", "blur_sigma")}
        options |= {"half_window": half_window, "device": device, **frames}
        scores.append(cutout_session(untrained, recording, areas, **options)["score"])
        for_noise = (
            cutout_session(decoder, recording, areas, noise_seed=one, **options) for one in seeds
        )
        noisy.append([found["score"] for found in for_noise])
        pixels = [pixel_map(areas, order) for order in orders]
        hidden = [step for one in pixels for step in removals(one.ravel(), shares)]
        hidden = np.array(hidden, bool).reshape(-1, *areas.areas.shape[1:])
        # without an order any mask will do: only the intact AUC is asked for
        removed = CutoutMasks(tuple(map(str, range(len(hidden)))), hidden) if orders else areas[:1]
        found = cutout_session(decoder, recording, removed, **options)
        intact.append(found["auc_intact"].iloc[0])
        curves.append(found["auc_masked"][: len(hidden)])
        n_frames += int(found["n_frames"].iloc[0])
    if not n_frames:
        raise UserError(
            f"{', '.join(str(r.path) for r in recordings)}: no session has both run and rest, so "
            "there is no AUC to check a map by"
        )
    auc = np.mean(curves, axis=0).reshape(-1, len(shares))
    return MapCheck(
        allocation=allocation.id,
        test_mouse=allocation.joined("test"),
        unit=units,
        randomised=np.mean(scores, axis=0),
        planted=planted_masks(truth, masks[0].areas),
        share=np.array(shares),
        auc_intact=float(np.mean(intact)),
        auc=auc[:1],
        auc_random=auc[1:],
        n_windows=n_frames,
        **dict.fromkeys(("moved", "moved_random", "apart", "apart_random"), auc[:0]),
        planted_times=np.empty((0, len(units))),
        planted_signs=np.full(len(units), np.nan),
        noisy=np.mean(noisy, axis=0).reshape(-1, len(units)),
    )


@torch.no_grad()
def randomised(network: Network, seed: int) -> Network:
    """Return a copy of a network, or of several, whose weights are drawn anew, pretrained ones too.

    As torch draws those of a new layer; parameters of a module that cannot do that are shuffled.
    """
    drawn = copy.deepcopy(network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for part in drawn if isinstance(drawn, tuple) else (drawn,):
            part.cpu()  # the same numbers on any device
            for module in part.modules():
                if hasattr(module, "reset_parameters"):
                    module.reset_parameters()
                    continue
                for own in module.parameters(recurse=False):
                    own.copy_(own.flatten()[torch.randperm(own.numel())].view_as(own))
    return drawn


def removals(scores: np.ndarray, shares: Sequence[float] = SHARES) -> np.ndarray:
    """Return what is removed at each share (S, U): units of the highest scores (U,), NaN last."""
    place = np.empty(len(scores), int)
    place[_descending(scores)] = np.arange(len(scores))
    return place < np.rint(np.array(shares) * len(scores))[:, None]


def _descending(scores: np.ndarray) -> np.ndarray:
    """Return the places of scores (U,) from the highest down, NaN at the end."""
    return np.argsort(-scores, kind="stable")


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
    others = maps[[_of_others(mice, test_mice) for mice in tested]]
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


def _frames(
    recording: Recording, half_window: int | None, settings: Mapping[str, Any], wanted: float
) -> dict[str, int] | None:
    """Return frame_step and run_length for about `wanted` frames of both states, None if none."""
    run_length = min(settings["run_length"], RUN)
    _, n = frames_used(recording, half_window or 0, 1, run_length)
    for step in range(max(settings["frame_step"], math.ceil(n / wanted)), 0, -1):
        at, _ = frames_used(recording, half_window or 0, step, run_length)
        if len(np.unique(recording.labels[at])) == 2:
            return {"frame_step": step, "run_length": run_length}
    return None
