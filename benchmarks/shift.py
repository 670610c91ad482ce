"""Does the shift report see a shifted mouse? One simulated mouse, shifted by degrees.

python benchmarks/shift.py                  logistic regression of pixels, all 20 allocations
python benchmarks/shift.py --decoder cnn    EfficientNet-Lite0, each mouse tested once
python benchmarks/shift.py --target speed   (pupil, states) ridge, or logistic regression, of pixels

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

from mesodecode.base.metrics import SCORES
from mesodecode.decoders import predict, train
from mesodecode.decoders.fitted import linear
from mesodecode.decoders.inputs import Images
from mesodecode.decoders.networks import CNNDecoder
from mesodecode.decoders.predictions import SessionPredictions, bind
from mesodecode.decoders.weights import Trained
from mesodecode.recordings.recording import Recording, read_recording, with_labels_of
from mesodecode.shift import columns, images, measures, shift_verdicts
from mesodecode.shift.features import Features
from mesodecode.simulation.simulate import Simulation, simulate_session
from mesodecode.simulation.simulate import cohort as sessions_of
from mesodecode.study import mouse_allocations, schema
from mesodecode.study.allocation import Allocation
from mesodecode.study.targets import Kind, Target

GRADES = {
    "rotation": [8, 16, 24, 45],  # degrees
    "scale": [0.9, 0.8, 0.7],
    "gain": [0.25, 0.1, 0.05],  # counts a photon; 0.5 in the other mice
    "tau_decay_s": [0.4, 0.8, 1.6],  # s; 0.2 in the other mice
    "photons": [100, 60, 30],  # 150 in the other mice
    "missing_left": [0.5, 0.9, 1.0],  # share of light lost
    "run_signal": [0.02, 0.01, 0.0],  # dF/F; 0.04 in the other mice; of the pupil in proportion
}
# The demo's cohort, with shorter sessions.
COHORT = {
    **{"n_frames": 900, "image_size": 64, "run_signal": 0.04, "signal_radius": 0.075},
    **{"fast_amplitude": 0.01, "photons": 150, "position_jitter": 0.03, "rotation_sd": 6},
    "brightness_sd": 0.3,
}
SHIFTED = "m1"
TARGETS = {
    "run": Target(),
    "speed": Target("speed", unit="cm/s"),
    "pupil": Target("pupil", unit="SD"),
    "states": Target("states", ("rest", "small", "large")),
}
PUPIL = 0.03  # dF/F of an SD of the pupil, where it is decoded


def record(
    folder: Path, target: Target, mouse: str, session: str, share: float, **settings: Any
) -> Recording:
    """Simulate a session and return it as a recording of a target."""
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
        if target.name != "run":
            file["target"] = decoded(made, target).astype(target.kind.dtype)
            file["target"].attrs.update(target.attributes())
    return read_recording(folder / f"{session}.h5")


def decoded(made: Simulation, target: Target) -> np.ndarray:
    """Return the values of a target, or the codes of its states, in each frame (T,)."""
    if target.name == "speed":
        return made.speed
    pupil = made.truth.pupil
    return np.where(made.label, 1 + (pupil > 0), 0) if target.states else pupil


def conditions(
    folder: Path,
    grades: Mapping[str, Sequence[float]],
    target: Target = TARGETS["run"],
    **settings: Any,
) -> dict[tuple[str, float], list[Recording]]:
    """Return (kind, value) -> recordings of the cohort; ("none", 0) is the unshifted one."""
    base = [record(folder / "none", target, *about, **settings) for about in sessions_of(5, 2)]
    others = [recording for recording in base if recording.mouse != SHIFTED]
    found = {("none", 0.0): base}
    for kind, values in grades.items():
        for value in values:
            where, changed = folder / f"{kind}_{value:g}", settings | {kind: value}
            if kind == "run_signal" and "pupil_signal" in settings:
                share = max(value / settings[kind], 1e-9)  # there is no pupil without any
                changed["pupil_signal"] *= share
            own = [record(where, target, *about, **changed) for about in sessions_of(1, 2)]
            found[kind, value] = own + others
    return found


def fit(
    decoder: str, allocation: Allocation, recordings: Sequence[Recording], out: Path
) -> tuple[Path, Callable[[Sequence[Recording]], dict[str, SessionPredictions]]]:
    """Train a decoder; return the file of its model, and what predicts recordings by it."""
    learned, target = with_labels_of(recordings, None), recordings[0].target
    mine = {role: [r for r in learned if r.mouse in getattr(allocation, role)] for role in ROLES}
    if decoder == "linear":
        model = linear.fit_linear(mine["train"], pixels=16, C=1.0, frame_step=1)
        how = {"pixels": 16, "baseline": None}
        seen = allocation.train, allocation.valid
        weights = linear.weights_of(model, how, *seen, target=target)
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
) -> Iterator[tuple[tuple, dict[str, Any], dict[str, float]]]:
    """Yield condition, row of `columns.measure_columns` and scores of every test session.

    Mice other than the shifted one are tested in the first condition only.
    """
    first = cohorts["none", 0.0]
    target = first[0].target
    names = target.kind.scores
    with tempfile.TemporaryDirectory() as folder:
        for allocation in allocations:
            model, predicted = fit(decoder, allocation, first, Path(folder) / allocation.id)
            valid = [recording for recording in first if recording.mouse in allocation.valid]
            validation = predicted(with_labels_of(valid, None))
            for condition, recordings in cohorts.items():
                if condition[0] != "none" and SHIFTED not in allocation.test:
                    continue
                learned = with_labels_of(recordings, None)
                tested = [r for r in learned if r.mouse in allocation.test]
                item = bind(decoder, allocation, predicted(tested), target=target)
                featured = Features(100).of(model, learned)
                by_name = {recording.session: recording for recording in recordings}
                scores = [
                    {name: SCORES[name](one.label, one.probability) for name in names}
                    for one in item.sessions.values()
                ]
                made = measures.rows(item, validation, featured, by_name)
                yield from ((condition, row, own) for row, own in zip(made, scores, strict=True))


def judged(decoder: str, choose: str, cohorts: Mapping[tuple, list[Recording]]) -> pd.DataFrame:
    """Return kind, value and `columns.columns_of` of the test sessions of every cohort."""
    target = cohorts["none", 0.0][0].target.kind
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
            (row, score)
            for condition, row, score in found
            if condition == (kind, value) or row["test_mouse"] != SHIFTED
        ]
        table = pd.DataFrame([row for row, _ in mine], columns=columns.measure_columns(target))
        scores = table[["decoder", "allocation", "session"]]
        scores = scores.assign(**pd.DataFrame([score for _, score in mine], scores.index))
        pictures = pd.DataFrame([described[one.path] for one in cohorts[kind, value]])
        report = shift_verdicts.report(table, scores, pictures, settings, target)
        parts.append(report.assign(kind=kind, value=value))
    return pd.concat(parts, ignore_index=True)


def rank_correlations(table: pd.DataFrame, kind: Kind) -> tuple[float, float]:
    """Return Spearman's rho of predicted with true scores of allocations.

    Of all allocations of a cohort, the median over cohorts; and of those that test the shifted
    mouse, over all conditions.
    """
    keys = ["kind", "value", "test_mouse", "allocation"]
    both = [kind.expected, columns.predicted_of(kind)[0]]
    each = table.groupby(keys)[both].mean().reset_index()
    within = [spearmanr(rows[both])[0] for _, rows in each.groupby(keys[:2])]
    own = each[each["test_mouse"] == SHIFTED]
    return float(np.median(within)), float(spearmanr(own[both])[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--decoder", choices=("linear", "cnn"), default="linear")
    parser.add_argument("--target", choices=TARGETS, default="run")
    parser.add_argument("--seed", type=int, default=7, help="of the simulation (default: 7)")
    args = parser.parse_args()
    if args.decoder == "cnn" and args.target != "run":
        parser.error("--decoder cnn: of run and rest only")
    target, settings = TARGETS[args.target], COHORT | {"seed": args.seed}
    if args.target in ("pupil", "states"):
        settings |= {"pupil_signal": PUPIL}
    torch.set_num_threads(1)
    choose = "all" if args.decoder == "linear" else "each_test"
    with tempfile.TemporaryDirectory() as folder:
        cohorts = conditions(Path(folder), GRADES, target, **settings)
        table = judged(args.decoder, choose, cohorts)
    kind = target.kind
    predicted, error, *_ = columns.predicted_of(kind)
    own = table[table["test_mouse"] == SHIFTED]
    about = f"{args.decoder}, {args.target}, seed {args.seed}"
    print(f"{about}: test mouse {SHIFTED}, mean over allocations, sessions")
    heads = "shift", f"true {kind.expected_axis}", "predicted", "error expected"
    print("| " + " | ".join((*heads, " / ".join(columns.VERDICTS))) + " |")
    print("|---|---|---|---|---|")
    for (change, value), rows in own.groupby(["kind", "value"], sort=False):
        counts = " / ".join(str((rows["verdict"] == name).sum()) for name in columns.VERDICTS)
        means = rows[[kind.expected, predicted, error]].mean()
        print(f"| {change} {value:g} | " + " | ".join(f"{v:.3f}" for v in means) + f" | {counts} |")
    others = table[(table["test_mouse"] != SHIFTED) & (table["kind"] == "none")]
    counts = " / ".join(str((others["verdict"] == name).sum()) for name in columns.VERDICTS)
    means = others[[kind.expected, predicted, error]].mean()
    print("| other mice | " + " | ".join(f"{v:.3f}" for v in means) + f" | {counts} |")
    within, over = rank_correlations(table, kind)
    print(f"Spearman over allocations: in a cohort, median {within:.2f}; {SHIFTED} {over:.2f}")
    for name in columns.VERDICTS:
        rows = own[own["verdict"] == name]
        mean = rows[kind.expected].mean()
        print(f"{name}: {len(rows)} sessions of {SHIFTED}, {kind.expected_axis} {mean:.3f}")


if __name__ == "__main__":
    main()
