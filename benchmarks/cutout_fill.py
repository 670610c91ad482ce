"""Cut-out: which fill of a hidden area finds the areas that were planted?

python benchmarks/cutout_fill.py      half an hour on a core; --cnn 0: a quarter of an hour

Cohorts of four simulated mice, one session each; a decoder is trained on three and its images are
hidden in the fourth, in turn, by squares a quarter of the image wide every eighth of it. Measured
is the average precision of the mean map of the four, over squares that hide half of a planted area
or more, against those that hide nothing of any. Cohorts differ by seed, and in one way: the planted
areas are narrow, wide beside a square or weak, or running brightens all of the cortex, too.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mesodecode.decoders import train
from mesodecode.decoders.fitted.linear import LinearWeights, fit_linear
from mesodecode.decoders.inputs import Images
from mesodecode.decoders.linear_networks import Pixels
from mesodecode.decoders.networks import CNNDecoder
from mesodecode.explain.cutout import cutout_session
from mesodecode.explain.cutout_fill import FILLS
from mesodecode.explain.cutout_masks import squares
from mesodecode.explain.map_measures import planted_truth
from mesodecode.recordings.sample import Sample
from mesodecode.simulation.simulate import cohort, simulate_session, write_session
from mesodecode.simulation.truth import planted_masks
from mesodecode.study import schema

MICE, SIZE = 4, 48
# as in demo.yaml
COMMON = {
    "n_frames": 900,
    "image_size": SIZE,
    "run_signal": 0.04,
    "signal_radius": 0.075,
    "fast_amplitude": 0.01,
    "photons": 150,
    "position_jitter": 0.03,
    "rotation_sd": 6,
    "brightness_sd": 0.3,
}
COHORTS = {
    "narrow areas": {},
    "wide areas": {"signal_radius": 0.15},
    "weak areas": {"run_signal": 0.015},
    "all cortex too": {"global_fraction": 0.5},
}
OPTIONS = {
    "epochs": 3,
    "batch_size": 16,
    "max_lr": 0.003,
    "frame_step": 6,
    "seed": 1,
}


def recordings(folder: Path, seed: int, **changes: float) -> tuple[list[Sample], list[Path]]:
    """Return simulated sessions in memory, one a mouse, and the files of their truth."""
    settings = schema.defaults("simulate", seed=seed, **COMMON | changes)
    sessions, truth = [], []
    for mouse, session, share in cohort(MICE, 1):
        made = simulate_session(mouse=mouse, session=session, run_share=share, **settings)
        write_session(made, folder)
        truth.append(folder / f"{session}_truth.h5")
        sessions.append(
            Sample(
                path=truth[-1],
                session=session,
                mouse=mouse,
                frame_rate=settings["frame_rate"],
                labels=made.label,
                speed=None,
                segment=None,
                rois=None,
                pixel_mean=made.frames.mean(axis=0, dtype=np.float64).astype(np.float32),
                stack_sd=float(made.frames.std(dtype=np.float64)),
                shape=made.frames.shape,
                frames=made.frames,
            )
        )
    return sessions, truth


def linear(known: list[Sample]) -> nn.Module:
    """Return a logistic regression of 16 x 16 px."""
    normalising = {"baseline": None, "causal": False, "normalise_from": "past", "warm_up": 0.0}
    fitted = fit_linear(known, pixels=16, C=0.01, frame_step=1, **normalising)
    scaler, model = fitted[0], fitted[-1]
    about = {"pixels": 16, "train_mice": (), "valid_mice": ()}
    return Pixels(
        LinearWeights(model.coef_[0], model.intercept_, scaler.mean_, scaler.scale_, **about)
    )


def cnn(known: list[Sample]) -> nn.Module:
    """Return a CNN, as in the demo but for all mice that are known in training."""
    fitted = train.fit(
        lambda: CNNDecoder("efficientnet_lite0", "lite0"),
        Images(known, feed="memory"),
        None,
        **OPTIONS,
    )
    model = CNNDecoder("efficientnet_lite0")
    model.load_state_dict(fitted.states[-1])
    return model


def found(decoder, name: str, seed: int, frames: int) -> tuple[float, dict[str, float]]:
    """Return the mean intact AUC, and the average precision of each fill's mean map."""
    masks = squares(SIZE, SIZE)
    with tempfile.TemporaryDirectory() as folder:
        sessions, truth = recordings(Path(folder), seed, **COHORTS[name])
        planted = planted_masks(truth, masks.areas)
    maps: dict[str, list[np.ndarray]] = {fill: [] for fill in FILLS}
    intact = []
    for tested in sessions:
        model = decoder([one for one in sessions if one is not tested])
        step = max(1, len(tested) // frames)
        for fill in FILLS:
            options = {"frame_step": step, "run_length": 1, "feed": "memory"}
            table = cutout_session(model, tested, masks, fill=fill, **options)
            maps[fill].append(table["score"].to_numpy())
        intact.append(table["auc_intact"].iloc[0])
    precision = {
        fill: planted_truth(np.mean(each, axis=0), planted).average_precision
        for fill, each in maps.items()
    }
    return float(np.mean(intact)), precision


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--linear", type=int, default=10, help="cohorts of a kind (default: 10)")
    parser.add_argument("--cnn", type=int, default=1, help="cohorts of a kind (default: 1)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| decoder | cohorts | AUC | {' | '.join(FILLS)} |\n|---|---|---|{'---|' * len(FILLS)}")
    for decoder, count, frames in ((linear, args.linear, 450), (cnn, args.cnn, 60)):
        for name in COHORTS if count else ():
            aucs, rows = zip(
                *(found(decoder, name, 1 + k, frames) for k in range(count)), strict=True
            )
            cells = [f"{np.mean([row[fill] for row in rows]):.2f}" for fill in FILLS]
            lowest = [f"{min(row[fill] for row in rows):.2f}" for fill in FILLS]
            both = " | ".join(f"{a} ({b})" for a, b in zip(cells, lowest, strict=True))
            title = f"{count} x {name}"
            print(f"| {decoder.__name__} | {title} | {np.mean(aucs):.2f} | {both} |", flush=True)


if __name__ == "__main__":
    main()
