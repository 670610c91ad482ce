"""What a decoder itself says about its importance map, in one allocation.

Made here and judged later, over all allocations (`map_measures`): the map of the same
network with random weights, and what is left as units are removed, in the map's order and in random
ones (`deletion`): the test AUC without all of them at once, how far the output moves as they are
removed one by one, and by sign; where asked for, the map of what is read with noise.

The order of removal is that of the mean map of allocations that test OTHER mice. So it says whether
the map holds beyond the mouse that it was made from; and for cut-out, whose scores are losses of
AUC on the very frames and labels that the deletion curve scores again, order and evaluation do not
share their data. (Those other decoders have, however, been trained on this mouse.)
"""

import copy
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import nn

from mesodecode.base.files import UserError
from mesodecode.base.windows import IMAGE_REACH
from mesodecode.decoders.adapt.domain import set_batch_norm
from mesodecode.decoders.inputs import SAMPLED, Images
from mesodecode.decoders.networks import CNNDecoder
from mesodecode.decoders.weights import Trained
from mesodecode.explain import deletion
from mesodecode.explain.check_files import MapCheck, checked
from mesodecode.explain.cutout import cutout_session, frames_used
from mesodecode.explain.cutout_logits import Decoder, Masked
from mesodecode.explain.cutout_masks import CutoutMasks
from mesodecode.explain.cutout_tables import inside
from mesodecode.explain.removed_areas import Areas
from mesodecode.explain.removed_rois import ONE_BY_ONE, Rois
from mesodecode.explain.shap_files import Map, ShapMap, by_output
from mesodecode.explain.shap_maps import evenly, shap_map, windows_as_trained
from mesodecode.explain.shap_tables import mean_of
from mesodecode.recordings.recording import Recording, mice_of
from mesodecode.recordings.sample import sample
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
RUN = 60  # consecutive frames, whose windows share their images
FEW = 10  # of so many images that are looked at one: one by one, and by sign

Network = TypeVar("Network")


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

    What is removed and how: `removed_rois`. ROIs that the decoder does not read stay out: units
    are the others. Of states how far outputs move is a mean over them.
    """
    allocation = trained.allocate(mice_of(recordings))
    rng, target = generator(settings["seed"], allocation.id), Target.of_settings(trained.settings)
    model = trained.build(device)
    untrained = trained.with_state(randomised(model, int(rng.integers(2**31))).state_dict())
    sizes = {key: min(settings[key], limit) for key in ("windows", "background")}
    options, about = {**settings, **sizes}, {"decoder": "", "device": device}

    def made(network: Trained, noise: np.random.Generator | None = None) -> Map:
        return shap_map(network, recordings, background_recordings, options, noise=noise, **about)

    random_map = made(untrained)
    luck = generator(settings["seed"], f"noise of {allocation.id}")
    noises = [None, *[luck] * noise_draws] if noise_draws else []
    noisy = [made(trained, noise).mean_abs.sum(axis=0) for noise in noises]
    source, rois = windows_as_trained(trained, recordings, device)
    at = source.centres[evenly(len(source.centres), limit)]
    few = evenly(len(at), ONE_BY_ONE)
    windows = Rois(model, source.batch(at), source.labels[at], few, target)
    numbers = [rois[column] for column in windows.columns]
    units = tuple(map(str, numbers))
    orders = orders_of(maps, allocation.test, units, draws, rng)
    others = [one for one in signed if of_others(one.test_mouse, allocation.test)]
    says = [_says(theirs, rois, windows.columns, draws, rng) for theirs in by_output(others)]
    found = deletion.curves(windows, orders, says)
    return checked(
        target,
        allocation=allocation.id,
        test_mouse=allocation.joined("test"),
        unit=units,
        randomised=random_map.mean_abs.sum(axis=0)[windows.columns],
        planted=planted_rois(truth, numbers, target.name),
        share=np.array(windows.shares),
        **found.parts(),
        planted_times=planted_times(
            truth, numbers, random_map.frame, recordings[0].frame_rate, target.name
        ),
        planted_signs=planted_signs(truth, numbers, target.name),
        noisy=np.array(noisy).reshape(-1, len(rois))[:, windows.columns],
    )


def of_others(tested: str, mice: Sequence[str]) -> bool:
    """Tell whether a map is of none of some mice; `tested`: its own, joined."""
    return set(mice).isdisjoint(split_ids(tested))


def _says(
    others: Sequence[ShapMap],
    rois: Sequence[int],
    columns: np.ndarray,
    draws: int,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """Return the signed map (T, F) of `others`, and `draws` times with `columns` exchanged."""
    own = pd.DataFrame(mean_of(others, "signed"), columns=others[0].roi)[list(rois)]
    return deletion.exchanged(own.to_numpy(copy=True), columns, draws, rng)


def check_cutout(
    decoder: Decoder,
    recordings: Sequence[Recording],
    masks: Sequence[CutoutMasks],
    settings: Mapping[str, Any],
    *,
    allocation: Allocation,
    half_window: int | None = None,
    maps: pd.DataFrame | None = None,
    signed: Mapping[str, pd.DataFrame] | None = None,
    truth: Sequence[str | Path] = (),
    limit: int = LIMIT,
    draws: int = DRAWS_OF_MASKS,
    noise_draws: int = 0,
    seed: int = 0,
    target: Target | None = None,
    device: torch.device | str = "cpu",
) -> MapCheck:
    """Check the cut-out map of an image decoder.

    `decoder` and half_window as of `cutout_session`; `masks`, those of each recording; `settings`,
    its fill, blur_sigma, frame_step and run_length; `signed`, what masks say in all allocations, as
    of `maps.read_cutout`; `target`, what is decoded, None: run and rest; the rest as of
    `check_shap`. Where the frames of the map are many, fewer are used, about `limit` in all
    sessions together, in runs of `RUN` at most; a session of one state is left out. Scores and
    curves are means over sessions.

    Units are masks; what is removed and how: `removed_areas`. In random orders the masks have
    random ranks for scores, so that the same area is removed, as smoothly. One by one and by sign
    about every `FEW`-th frame is used, in runs as long as a window. Removed pixels are filled as in
    the map.
    Raises UserError if no session has both states, or two values.
    """
    rng, target = generator(seed, allocation.id), target or Target()
    networks = decoder, untaught(decoder, int(rng.integers(2**31)), recordings, device)
    orders = orders_of(maps, allocation.test, masks[0].names, draws, rng)
    says = said_by_masks(signed or {}, allocation.test, masks[0], target, draws, rng)
    seeds = noise_seeds(seed, allocation.id, noise_draws)
    wanted = limit / len(recordings)
    options = {key: settings[key] for key in ("fill", "blur_sigma")}
    options |= {"half_window": half_window, "device": device}
    about = options, seeds, orders, says, target
    used = frames_of_check(recordings, half_window, settings, wanted, target)
    found = [
        _check_session(networks, recordings[i], masks[i], frames, wanted, *about)
        for i, frames in used.items()
    ]
    scores, noisy, removed = zip(*found, strict=True)
    curves = deletion.mean(removed)
    return checked(
        target,
        allocation=allocation.id,
        test_mouse=allocation.joined("test"),
        unit=masks[0].names,
        randomised=np.mean(scores, axis=0),
        planted=planted_masks(truth, masks[0].areas, target.name),
        share=np.array(Areas.shares),
        **curves.parts(),
        planted_times=np.empty((0, len(masks[0]))),
        planted_signs=np.full(len(masks[0]), np.nan),
        noisy=np.mean(noisy, axis=0).reshape(-1, len(masks[0])),
    )


def _check_session(
    networks: tuple[Decoder, Decoder],
    recording: Recording,
    masks: CutoutMasks,
    frames: Mapping[str, int],
    wanted: float,
    options: Mapping[str, Any],
    seeds: Sequence[int | None],
    orders: Sequence[np.ndarray],
    says: Sequence[Sequence[np.ndarray]],
    target: Target,
) -> tuple[np.ndarray, list[np.ndarray], deletion.Curves]:
    """Return the scores (U,) of random weights, those with noise of `seeds`, and the curves.

    `networks`: the decoder, and with random weights; `frames`: which are used, as of `_frames`.
    """
    decoder, untrained = networks
    how = {**options, **frames, "target": target}
    scores = cutout_session(untrained, recording, masks, **how)["score"]
    noisy = [
        cutout_session(decoder, recording, masks, noise_seed=one, **how)["score"] for one in seeds
    ]
    areas = areas_of_session(decoder, recording, masks, frames, wanted, options, target)
    return scores.to_numpy(), noisy, deletion.curves(areas, orders, says)


def areas_of_session(
    decoder: Decoder,
    recording: Recording,
    masks: CutoutMasks,
    frames: Mapping[str, int],
    wanted: float,
    options: Mapping[str, Any],
    target: Target,
) -> Areas:
    """Return what is removed from a session; `frames` as of `frames_of_check`, about `wanted`."""
    session = Masked(decoder, recording, outputs=target.outputs, **options)
    half = session.half_window
    at, n = frames_used(recording, half, **frames)
    few, _ = frames_used(recording, half, math.ceil(n / math.ceil(wanted / FEW)), 2 * half + 1)
    return Areas(session, masks, recording.labels, at, few, target)


def said_by_masks(
    signed: Mapping[str, pd.DataFrame],
    test_mice: Sequence[str],
    masks: CutoutMasks,
    target: Target,
    draws: int,
    rng: np.random.Generator,
) -> list[list[np.ndarray]]:
    """Return what masks say in rest and in run (2, U), and `draws` times with masks exchanged.

    A list for each output: of a trace in low and high values; of states each in its own frames, and
    nothing in others. By maps of other mice; nothing where there is none.
    """
    sides = target.states or target.kind.sides[::-1]
    others = [_other_maps(signed[f"in_{side}"], test_mice) for side in sides if signed]
    if not others or others[0].empty:
        return []
    found = np.array([one[list(masks.names)].mean().to_numpy() for one in others])
    of_outputs = [np.array([0 * one, one]) for one in found] if target.states else [found]
    kept = np.flatnonzero(inside(masks))
    return [deletion.exchanged(own, kept, draws, rng) for own in of_outputs]


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


def untaught(
    decoder: Decoder, seed: int, recordings: Sequence[Recording], device: torch.device | str
) -> Decoder:
    """Return a decoder of images, `randomised`, whose BatchNorm layers know images of recordings.

    New weights make ever smaller maps, layer by layer, where statistics of others are kept: all
    frames would then have the same logit but for rounding, and the map be that of rounding.
    """
    drawn = randomised(decoder, seed)
    parts = drawn if isinstance(drawn, tuple) else (drawn,)
    cnns = [cnn for part in parts for cnn in part.to(device).modules() if _has_statistics(cnn)]
    if cnns:
        few = [Images([sample(one, SAMPLED, IMAGE_REACH)], device) for one in recordings]
    for cnn in cnns:
        set_batch_norm(cnn, few)
    return drawn


def _has_statistics(network: nn.Module) -> bool:
    layers = network.modules() if isinstance(network, CNNDecoder) else ()
    return any(isinstance(layer, nn.BatchNorm2d) for layer in layers)


def generator(seed: int, allocation: str) -> np.random.Generator:
    """Return a stream of an allocation's own: luck then evens out over allocations."""
    return np.random.default_rng([seed, *allocation.encode()])


def noise_seeds(seed: int, allocation: str, draws: int) -> list[int | None]:
    """Return the seeds of a map without noise (None) and of `draws` with it; [] for no draws."""
    luck = generator(seed, f"noise of {allocation}")
    return [None, *luck.integers(2**31, size=draws).tolist()] if draws else []


def orders_of(
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
    others = _other_maps(maps, test_mice)
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


def _other_maps(maps: pd.DataFrame, test_mice: Sequence[str]) -> pd.DataFrame:
    tested = maps.index.get_level_values("test_mouse")
    return maps[[of_others(mice, test_mice) for mice in tested]]


def frames_of_check(
    recordings: Sequence[Recording],
    half_window: int | None,
    settings: Mapping[str, Any],
    wanted: float,
    target: Target,
) -> dict[int, dict[str, int]]:
    """Return frame_step and run_length for about `wanted` frames, by number of a recording.

    Of recordings with both states. Raises UserError if there is none.
    """
    found = {i: _frames(one, half_window, settings, wanted) for i, one in enumerate(recordings)}
    used = {i: frames for i, frames in found.items() if frames is not None}
    if not used:
        raise UserError(
            f"{', '.join(str(r.path) for r in recordings)}: no session has "
            f"{'both run and rest' if target == Target() else f'two values of {target.name}'}, so "
            f"there is no {target.kind.axis} to check a map by"
        )
    return used


def _frames(
    recording: Recording, half_window: int | None, settings: Mapping[str, Any], wanted: float
) -> dict[str, int] | None:
    """Return frame_step and run_length for about `wanted` frames of both states, None if none."""
    run_length = min(settings["run_length"], RUN)
    _, n = frames_used(recording, half_window or 0, 1, run_length)
    for step in range(max(settings["frame_step"], math.ceil(n / wanted)), 0, -1):
        at, _ = frames_used(recording, half_window or 0, step, run_length)
        if len(np.unique(recording.labels[at])) >= 2:
            return {"frame_step": step, "run_length": run_length}
    return None
