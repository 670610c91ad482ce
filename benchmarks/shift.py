"""Does the shift report see a shifted mouse? One simulated mouse, shifted by degrees.

python benchmarks/shift.py                  logistic regression of pixels, all 20 allocations
python benchmarks/shift.py --decoder cnn    EfficientNet-Lite0, each mouse tested once

Five mice; mouse m1 is recorded again and again: turned, scaled, at less camera gain, with a slower
indicator, at less light, with a dark hemisphere, with little signal or none. Where it is the test
mouse its decoder has never seen it, so that decoders are trained once. Each condition is a cohort:
its AUCs of test sessions of m1 and of the other, unshifted mice are predicted without labels, each
from the other mice.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

from mesodecode.decoders import linear, predict, train
from mesodecode.decoders.inputs import Images
from mesodecode.decoders.networks import CNNDecoder
from mesodecode.decoders.predictions import SessionPredictions, bind
from mesodecode.decoders.weights import Trained
from mesodecode.recordings.recording import Recording, read_recording
from mesodecode.scores import auc as auc_tables
from mesodecode.shift import columns, images, measures, shift_verdicts
from mesodecode.shift.features import Features
from mesodecode.simulation.simulate import cohort as sessions_of
from mesodecode.simulation.simulate import simulate_session
from mesodecode.study import mouse_allocations, schema
from mesodecode.study.allocation import Allocation

GRADES = {
    "rotation": [8, 16, 24, 45],  # degrees
    "scale": [0.9, 0.8, 0.7],
    "gain": [0.25, 0.1, 0.05],  # counts a photon; 0.5 in the other mice
    "tau_decay_s": [0.4, 0.8, 1.6],  # s; 0.2 in the other mice
    "photons": [100, 60, 30],  # 150 in the other mice
    "missing_left": [0.5, 0.9, 1.0],  # share of light lost
    "run_signal": [0.02, 0.01, 0.0],  # dF/F; 0.04 in the other mice
}
# The demo's cohort, with shorter sessions.
COHORT = {
    **{"n_frames": 900, "image_size": 64, "run_signal": 0.04, "signal_radius": 0.075},
    **{"fast_amplitude": 0.01, "photons": 150, "position_jitter": 0.03, "rotation_sd": 6},
    "brightness_sd": 0.3,
}
SHIFTED = "m1"


def record(folder: Path, mouse: str, session: str, share: float, **settings: Any) -> Recording:
    """Simulate a session and return it as a recording."""
    made = simulate_session(
        mouse=mouse, session=session, run_share=share, **schema.defaults("simulate", **settings)
    )
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / f"{session}.h5", "w") as file:
        file.attrs.update(mouse=mouse, session=session, frame_rate=30.0)
        file["frames"], file["labels"] = made.frames, made.label
        file["pixel_mean"] = made.frames.mean(0, dtype=np.float64).astype(np.float32)
        file["stack_sd"] = made.frames.std(dtype=np.float64)
        file["rois"] = made.rois.T
    return read_recording(folder / f"{session}.h5")


def conditions(
    folder: Path, grades: Mapping[str, Sequence[float]], **settings: Any
) -> dict[tuple[str, float], list[Recording]]:
    """Return (kind, value) -> recordings of the cohort; ("none", 0) is the unshifted one."""
    base = [record(folder / "none", *about, **settings) for about in sessions_of(5, 2)]
    others = [recording for recording in base if recording.mouse != SHIFTED]
    found = {("none", 0.0): base}
    for kind, values in grades.items():
        for value in values:
            where, changed = folder / f"{kind}_{value:g}", settings | {kind: value}
            own = [record(where, *about, **changed) for about in sessions_of(1, 2)]
            found[kind, value] = own + others
    return found


def fit(
    decoder: str, allocation: Allocation, recordings: Sequence[Recording], out: Path
) -> tuple[Path, Callable[[Sequence[Recording]], dict[str, SessionPredictions]]]:
    """Train a decoder; return the file of its model, and what predicts recordings by it."""
    mine = {role: [r for r in recordings if r.mouse in getattr(allocation, role)] for role in ROLES}
    if decoder == "linear":
        model = linear.fit_linear(mine["train"], pixels=16, C=1.0, frame_step=1)
        how = {"pixels": 16, "baseline": None}
        weights = linear.weights_of(model, how, allocation.train, allocation.valid)
        weights.save(out.with_suffix(".npz"))
        return out.with_suffix(".npz"), partial(linear.predict_linear, model, pixels=16)
    fitted = train.fit(
        lambda: CNNDecoder("efficientnet_lite0", "lite0"),
        *(Images(mine[role]) for role in ROLES),
        **{"epochs": 3, "batch_size": 16, "max_lr": 0.003, "frame_step": 6, "seed": 1},
    )
    about = "cnn", {"backbone": "efficientnet_lite0"}, allocation.train, allocation.valid
    trained = Trained(*about, fitted.state)
    trained.save(out.with_suffix(".pt"))
    return out.with_suffix(".pt"), partial(predict.predict, trained)


ROLES = ("train", "valid")


def measured(
    decoder: str, allocations: Sequence[Allocation], cohorts: Mapping[tuple, list[Recording]]
) -> Iterator[tuple[tuple, dict[str, Any], float]]:
    """Yield condition, row of `columns.MEASURE_COLUMNS` and AUC of every test session.

    Mice other than the shifted one are tested in the first condition only.
    """
    first = cohorts["none", 0.0]
    with tempfile.TemporaryDirectory() as folder:
        for allocation in allocations:
            model, predicted = fit(decoder, allocation, first, Path(folder) / allocation.id)
            valid = [recording for recording in first if recording.mouse in allocation.valid]
            validation = predicted(valid)
            for condition, recordings in cohorts.items():
                if condition[0] != "none" and SHIFTED not in allocation.test:
                    continue
                tested = [r for r in recordings if r.mouse in allocation.test]
                item = bind(decoder, allocation, predicted(tested))
                featured = Features(100).of(model, recordings)
                by_name = {recording.session: recording for recording in recordings}
                aucs = auc_tables.session_table([item])["auc"]
                made = measures.rows(item, validation, featured, by_name)
                yield from ((condition, row, auc) for row, auc in zip(made, aucs, strict=True))


def judged(decoder: str, choose: str, cohorts: Mapping[tuple, list[Recording]]) -> pd.DataFrame:
    """Return kind, value and `columns.COLUMNS` of the test sessions of every cohort."""
    allocations = mouse_allocations.allocate(
        sorted({r.mouse for r in cohorts["none", 0.0]}), choose=choose
    )
    found = list(measured(decoder, allocations, cohorts))
    settings, parts, described = schema.defaults("shift"), [], {}
    for recording in (one for recordings in cohorts.values() for one in recordings):
        if recording.path not in described:
            reference = cohorts["none", 0.0][-1].pixel_mean
            described[recording.path] = images.describe(recording, reference)
    for kind, value in cohorts:
        mine = [
            (row, auc)
            for condition, row, auc in found
            if condition == (kind, value) or row["test_mouse"] != SHIFTED
        ]
        table = pd.DataFrame([row for row, _ in mine], columns=columns.MEASURE_COLUMNS)
        aucs = table[["decoder", "allocation", "session"]].assign(auc=[auc for _, auc in mine])
        pictures = pd.DataFrame([described[one.path] for one in cohorts[kind, value]])
        report = shift_verdicts.report(table, aucs, pictures, settings)
        parts.append(report.assign(kind=kind, value=value))
    return pd.concat(parts, ignore_index=True)


def rank_correlations(table: pd.DataFrame) -> tuple[float, float]:
    """Return Spearman's rho of predicted with true AUC of allocations.

    Of all allocations of a cohort, the median over cohorts; and of those that test the shifted
    mouse, over all conditions.
    """
    keys = ["kind", "value", "test_mouse", "allocation"]
    each = table.groupby(keys)[["auc", "predicted_auc"]].mean().reset_index()
    within = [
        spearmanr(rows["auc"], rows["predicted_auc"])[0] for _, rows in each.groupby(keys[:2])
    ]
    own = each[each["test_mouse"] == SHIFTED]
    return float(np.median(within)), float(spearmanr(own["auc"], own["predicted_auc"])[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--decoder", choices=("linear", "cnn"), default="linear")
    parser.add_argument("--seed", type=int, default=7, help="of the simulation (default: 7)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    choose = "all" if args.decoder == "linear" else "each_test"
    with tempfile.TemporaryDirectory() as folder:
        cohorts = conditions(Path(folder), GRADES, **COHORT, seed=args.seed)
        table = judged(args.decoder, choose, cohorts)
    own = table[table["test_mouse"] == SHIFTED]
    print(
        f"{args.decoder}, seed {args.seed}: test mouse {SHIFTED}, mean over allocations, sessions"
    )
    print(
        "| shift | true AUC | predicted | error expected | in distribution / shifted / unusable |"
    )
    print("|---|---|---|---|---|")
    for (kind, value), rows in own.groupby(["kind", "value"], sort=False):
        counts = " / ".join(str((rows["verdict"] == name).sum()) for name in columns.VERDICTS)
        means = rows[["auc", "predicted_auc", "predicted_error"]].mean()
        print(f"| {kind} {value:g} | " + " | ".join(f"{v:.3f}" for v in means) + f" | {counts} |")
    within, over = rank_correlations(table)
    print(f"Spearman over allocations: in a cohort, median {within:.2f}; {SHIFTED} {over:.2f}")
    for name in columns.VERDICTS:
        rows = own[own["verdict"] == name]
        print(f"{name}: {len(rows)} sessions of {SHIFTED}, AUC {rows['auc'].mean():.3f}")


if __name__ == "__main__":
    main()
