"""What a decoder of images itself says about its map of pixels x time, in one allocation.

As `map_check`, of which it is made: the map of random weights and of images with noise are made as
the map is (`pixel_shap`), and what is removed are its areas, hidden as by a cut-out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mesodecode.decoders.applied import Loaded
from mesodecode.explain import deletion
from mesodecode.explain.check_files import MapCheck, checked
from mesodecode.explain.map_check import (
    DRAWS_OF_MASKS,
    LIMIT,
    RUN,
    areas_of_session,
    frames_of_check,
    generator,
    noise_seeds,
    orders_of,
    said_by_masks,
    untaught,
)
from mesodecode.explain.pixel_shap import areas_of, pixel_shap
from mesodecode.explain.shap_files import Map, by_output, units_of
from mesodecode.recordings.baseline import prepared
from mesodecode.recordings.recording import Recording, mice_of
from mesodecode.simulation.truth import planted_in_masks, planted_masks
from mesodecode.study import schema

# What of a cut-out a removal has: its default fill, frames at any distance from each other.
HIDDEN = {key: schema.defaults("importance_cutout")[key] for key in ("fill", "blur_sigma")}
FRAMES = {"frame_step": 1, "run_length": RUN}


def check_pixels(
    loaded: Loaded,
    recordings: Sequence[Recording],
    background_recordings: Sequence[Recording],
    settings: Mapping[str, Any],
    *,
    maps: pd.DataFrame | None = None,
    signed: Sequence[Map] = (),
    truth: Sequence[str | Path] = (),
    limit: int = LIMIT,
    draws: int = DRAWS_OF_MASKS,
    noise_draws: int = 0,
) -> MapCheck:
    """Check the map of pixels of a decoder of images.

    Arguments as of `pixel_shap.pixel_shap` and `map_check.check_shap`. Units are areas; order and
    signs of removal are those of the maps of other mice (`removed_areas`), signs by what areas say
    in run and in rest. Curves are means over sessions with both states.
    Raises UserError as `pixel_shap` does, and if no session has both states, or two values.
    """
    allocation, target = loaded.allocate(mice_of(recordings)), loaded.target
    rng, decoder = generator(settings["seed"], allocation.id), loaded.decoder
    ready = list(prepared(recordings, decoder.normalising))
    drawn = untaught(decoder.network, int(rng.integers(2**31)), ready, decoder.device)
    untrained = replace(loaded, decoder=replace(decoder, network=drawn))
    sizes = {key: min(settings[key], limit) for key in ("windows", "background")}
    options = {**settings, **sizes}

    def made(one: Loaded, noise_seed: int | None = None) -> Map:
        given = one, recordings, background_recordings, options
        return pixel_shap(*given, decoder="", noise_seed=noise_seed)[0]

    random_map = made(untrained)
    seeds = noise_seeds(settings["seed"], allocation.id, noise_draws)
    noisy = [made(loaded, seed).mean_abs.sum(axis=0) for seed in seeds]
    masks = [areas_of(settings, one) for one in ready]
    orders = orders_of(maps, allocation.test, masks[0].names, draws, rng)
    says = said_by_masks(_says(signed), allocation.test, masks[0], target, draws, rng)
    wanted = limit / len(ready)
    how = {**HIDDEN, "half_window": decoder.half_window, "device": decoder.device}
    used = frames_of_check(ready, decoder.half_window, FRAMES, wanted, target)
    sessions = [
        areas_of_session(decoder.network, ready[i], masks[i], frames, wanted, how, target)
        for i, frames in used.items()
    ]
    curves = deletion.mean([deletion.curves(one, orders, says) for one in sessions])
    times, signs = planted_in_masks(
        *(truth, masks[0].areas, random_map.frame, recordings[0].frame_rate, target.name)
    )
    return checked(
        target,
        allocation=allocation.id,
        test_mouse=allocation.joined("test"),
        unit=masks[0].names,
        randomised=random_map.mean_abs.sum(axis=0),
        planted=planted_masks(truth, masks[0].areas, target.name),
        share=np.array(sessions[0].shares),
        **curves.parts(),
        planted_times=times,
        planted_signs=signs,
        noisy=np.array(noisy).reshape(-1, len(masks[0])),
    )


def _says(maps: Sequence[Map]) -> dict[str, pd.DataFrame]:
    """Return what areas say, summed over the window, as `maps.read_cutout` has it of masks."""
    if not maps:
        return {}
    target = maps[0].target
    about = [(one.allocation, one.test_mouse) for one in maps]
    index = pd.MultiIndex.from_tuples(about, names=["allocation", "test_mouse"])

    def table(values: list[np.ndarray]) -> pd.DataFrame:
        sums = [one.sum(axis=0) for one in values]
        return pd.DataFrame(sums, index, units_of(maps[0]))

    of_outputs = by_output(maps)
    if target.states:
        each = zip(target.states, of_outputs, strict=True)
        return {f"in_{state}": table([one.in_run for one in mine]) for state, mine in each}
    run, rest = target.kind.sides
    (mine,) = of_outputs
    return {
        f"in_{run}": table([one.in_run for one in mine]),
        f"in_{rest}": table([one.in_rest for one in mine]),
    }
