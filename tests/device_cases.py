"""Every verb with --device on a tiny cohort, as lines to type, and the numbers that they write."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from make_decoders import responses
from mesodecode import cli
from mesodecode.encoding.responses import write_responses

SIDE, N_ROIS = 32, 4
NAME = "train-m1+m2.valid-m3.test-m4"  # of the one allocation
# session -> frames of its segments. Those of 4 are too short for a window of ±2 frames.
SESSIONS = dict.fromkeys(("m1", "m2", "m3", "m4", "m4b"), (40, 30))
SESSIONS |= {"m1s": (4, 3, 4), "m3s": (4,), "m4s": (4, 2)}
MEASURED = ("_per_s", "_share", "_mb", "_ms")  # of a run, which no other repeats
CONFIG = """
study: tiny
recordings: {movie: "{session}.tif", behavior: "{session}.csv", rois: "{session}.rois.csv"}
mice: {m1: [m1], m2: [m2], m3: [m3], m4: [m4]}
allocation: {train: 2, valid: 1, test: 1}
decoders: {roi: {input: rois, rnn: gru, epochs: 1, half_window: 2, baseline: null}}
tune: {roi: {trials: 2, search: {hidden_size: [4, 8], max_lr: [0.001, 0.1]}}}
"""
TINY = "--batch-size 16 --max-lr 0.001 --epochs 1"
RNN = "--rnn gru --hidden-size 8 --num-layers 2 --dropout 0"  # devices have dice of their own
ENCODING = "--backbone test_resnet --convolutions 1 --epochs 2 --batch-size 8 --readout rnn"
ENCODING += " --units 4 --presentations 3 --fold s.fold-1 --folds 3"


def verbs_with_device() -> set[str]:
    """Return the verbs that compute with torch."""
    (verbs,) = [a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return {verb for verb, each in verbs.choices.items() if "--device" in each.format_usage()}


def write_recording(path: Path, mouse: str, seed: int, segments: Sequence[int]) -> None:
    """Write a recording of type uint16 up to its ends; run frames are brighter.

    `segments`: how many frames each has.
    """
    rng, n_frames = np.random.default_rng(seed), sum(segments)
    run = np.arange(n_frames) // 9 % 2 == seed % 2
    frames = rng.integers(20000, 40000, (n_frames, SIDE, SIDE))
    frames[run, 8:24, 8:24] += 12000  # to both sides of 32768
    frames[0, 0, :2] = 0, 65535
    rois = rng.normal(100, 5, (n_frames, N_ROIS)) + 6 * run[:, None]
    with h5py.File(path, "w") as file:
        file["frames"], file["labels"] = frames.astype(np.uint16), run.astype(np.uint8)
        file["rois"] = rois.astype(np.float32)
        file["segment"] = np.repeat(np.arange(len(segments)), segments)
        file["pixel_mean"] = frames.mean(axis=0).astype(np.float32)
        file["stack_sd"] = np.float32(frames.std())
        file.attrs.update(session=path.stem, mouse=mouse, frame_rate=30.0)


def numbers(path: Path) -> dict[str, np.ndarray]:
    """Return what a table or HDF5 file of any verb says in real numbers: name -> (N,)."""
    found = {}
    if path.suffix == ".h5":

        def add(name: str, item: h5py.Dataset | h5py.Group) -> None:
            if isinstance(item, h5py.Dataset) and item.dtype.kind == "f":
                found[name] = np.ravel(item[()]).astype(float)

        with h5py.File(path) as file:
            file.visititems(add)
        return found
    table = pd.read_table(path).select_dtypes("float")
    return {key: table[key].to_numpy() for key in table if not key.endswith(MEASURED)}


@dataclass
class Cohort:
    """A tiny cohort in a folder: recordings of m1, m2 (train), m3 (valid), m4 (test), models.

    `folder` holds what a device wrote. A verb that needs models reads those of `shared`, which the
    same lines made, so that two devices can start alike.
    """

    folder: Path
    device: str
    shared: Path | None = None
    done: dict[str, list[Path]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.shared = self.shared or self.folder
        if self.shared != self.folder:
            return
        for number, (session, segments) in enumerate(SESSIONS.items()):
            write_recording(self.folder / f"{session}.h5", session[:2], number, segments)
        table = "allocation\ttrain_mice\tvalid_mouse\ttest_mouse\n"
        (self.folder / "allocations.tsv").write_text(f"{table}{NAME}\tm1+m2\tm3\tm4\n")
        write_responses(responses(), self.folder / "s.h5")
        (self.folder / "config.yaml").write_text(CONFIG)

    def type(self, line: str, outputs: Sequence[str]) -> list[Path]:
        """Run one line; return the files that it wrote."""
        words = line.format(here=self.folder, there=self.shared, name=NAME).split()
        paths = [self.folder / name for name in outputs]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        status = cli.main([*words, "--device", self.device, "--threads", "1"])
        assert status == 0, " ".join(words)
        return paths

    def run(self, verb: str) -> list[Path]:
        """Run the lines of a verb, once; return the files that they wrote."""
        if verb in self.done:
            return self.done[verb]
        written = []
        for needed, line, outputs in CASES[verb]:
            if self.shared == self.folder:
                for other in needed:
                    self.run(other)
            written += self.type(line, outputs)
        self.done[verb] = written
        return written


def case(line: str, *outputs: str, needs: tuple[str, ...] = ()) -> tuple:
    """Return a line: {there} has recordings and models, {here} takes what is written."""
    return needs, line, [output.format(name=NAME) for output in outputs]


SETS = "--train {there}/m1.h5 {there}/m1s.h5 {there}/m2.h5 --valid {there}/m3s.h5 {there}/m3.h5"
ALONE = SETS.partition(" --valid")[0]
TEST = "{there}/m4.h5 {there}/m4s.h5 {there}/m4b.h5"
CNN, FINE = "{there}/cnn/{name}.pt", "{there}/fine/{name}.pt"
FEATURES = "{there}/features/{name}.h5"
ROI, LSTM = "{there}/roi/{name}.pt", "{there}/lstm/{name}.pt"
KNOWN = "--recordings {there}/m1s.h5 {there}/m1.h5 {there}/m2.h5 {there}/m3.h5 {there}/m3s.h5"
CHOSEN = "--allocations {there}/allocations.tsv"
VALID = "--recordings {there}/m3.h5 {there}/m3s.h5"
FEW = f"--recordings {TEST} --background-recordings {{there}}/m1.h5 {{there}}/m1s.h5"
FEW += " --background 8 --windows 4"
SHIFT = f"shift --decoder fine --models {{there}}/fine {CHOSEN} {KNOWN} {TEST} --frames 30"
SHIFT += " --predictions {there}/fine_predictions --validation {there}/fine_validation"
SHIFTED, ALIGNED = ("predict",), '{{"coral":true}}'
STACKED = f"--rnn lstm --half-window 2 --baseline 30 --hidden-size 8 {TINY}"
# Adam's first steps are as long for a gradient near 0 as for any: rounded ones take another way
FEW_SHOT = "--few-shot 0.02 --finetune all --passes 2 --max-lr 0.00001"
MASKS = "--masks squares --size 16 --stride 16 --run-length 20"

# verb -> lines (verbs whose files it reads, the line, files that it writes). The lines that apply
# a model come once a kind of it: their numbers tell how a device computes from the same weights.
CASES = {
    "train-cnn": [
        case(
            f"train-cnn {SETS} --backbone test_efficientnet.r160_in1k --pretrained none {TINY} "
            "--augment-shift 0.1 --augment-rotation 5 "
            "--out {here}/cnn/{name}.pt --history {here}/cnn.tsv",
            *("cnn/{name}.pt", "cnn.tsv"),
        ),
        case(
            f"train-cnn {SETS} --backbone test_efficientnet.r160_in1k --pretrained none {TINY} "
            "--baseline 20 --frame-step 2 "
            "--out {here}/moving/{name}.pt --history {here}/moving.tsv",
            *("moving/{name}.pt", "moving.tsv"),
        ),
        case(
            f"train-cnn {ALONE} --backbone test_efficientnet.r160_in1k --pretrained none {TINY} "
            "--frame-step 2 --all-epochs {here}/trained_cnn.pt",
            "trained_cnn.pt",
        ),
    ],
    "pass-images": [
        case(
            f"pass-images --trained {{there}}/trained_cnn.pt {VALID} --out {{here}}/passed_cnn.h5",
            "passed_cnn.h5",
            needs=("train-cnn",),
        ),
    ],
    "finetune": [
        case(
            f"finetune --start {CNN} {SETS} {RNN} --half-window 2 --run-length 8 {TINY} "
            "--ema-decay 0.5 --feed stream --out {here}/fine/{name}.pt --history {here}/fine.tsv",
            *("fine/{name}.pt", "fine.tsv"),
            needs=("train-cnn",),
        ),
    ],
    "extract": [
        case(
            f"extract --weights {CNN} {KNOWN} {TEST} --features {{here}}/features/{{name}}.h5",
            "features/{name}.h5",
            needs=("train-cnn",),
        ),
    ],
    "train-rnn": [
        case(
            f"train-rnn --features {FEATURES} --train-mice m1 m2 --valid-mice m3 {TINY} "
            "--rnn lstm --hidden-size 8 --half-window 2 --bidirectional --ema-decay 0.5 "
            "--out {here}/lstm/{name}.pt --history {here}/lstm.tsv",
            *("lstm/{name}.pt", "lstm.tsv"),
            needs=("extract",),
        ),
    ],
    "pass-features": [
        case(
            "extract --trained {there}/trained_cnn.pt --chosen-by {there}/passed_cnn.h5 "
            "--recordings {there}/m1.h5 {there}/m2.h5 --features {here}/trained_features.h5",
            "trained_features.h5",
            needs=("pass-images",),
        ),
        case(
            "extract --trained {there}/trained_cnn.pt --chosen-by {there}/passed_cnn.h5 "
            f"{VALID} --features {{here}}/m3_features.h5",
            "m3_features.h5",
        ),
        case(
            f"train-rnn --features {{there}}/trained_features.h5 {TINY} --rnn gru --hidden-size 8 "
            "--half-window 2 --all-epochs {here}/trained_rnn.pt",
            "trained_rnn.pt",
        ),
        case(
            "pass-features --trained {there}/trained_rnn.pt --features {there}/m3_features.h5 "
            "--out {here}/passed_rnn.h5",
            "passed_rnn.h5",
        ),
    ],
    "hold-out": [
        case(
            "hold-out --arm own --decoder linear --train {there}/m4.h5 {there}/m4s.h5 "
            "--test {there}/m4b.h5 --out {here}/held_out.h5 "
            '--settings {{"model":"logistic_regression","pixels":8}}',
            "held_out.h5",
        ),
    ],
    "live": [
        case(
            f"train-roi {SETS} --test {TEST} --decoder roi --rnn gru --causal --warm-up 0.2 "
            f"--half-window 2 --baseline none --hidden-size 8 {TINY} "
            "--predictions {here}/causal_predictions.h5 --out {here}/causal.pt "
            "--history {here}/causal.tsv",
            "causal.pt",
        ),
        case(
            "live --weights {there}/causal.pt --source {there}/m4.h5 --rate 10000 "
            "--known {there}/m1.h5 {there}/m2.h5 --out {here}/live.tsv",
            "live.tsv",
        ),
    ],
    "predict": [
        case(
            f"predict --weights {FINE} {VALID} {TEST} --decoder fine "
            "--out {here}/fine_predictions/{name}.h5 "
            "--validation {here}/fine_validation/{name}.h5",
            *("fine_predictions/{name}.h5", "fine_validation/{name}.h5"),
            needs=("finetune",),
        ),
        case(
            f"predict --weights {CNN} --features {FEATURES} --test-mice m4 --decoder cnn "
            "--out {here}/cnn_predictions/{name}.h5 "
            "--validation {here}/cnn_validation/{name}.h5",
            *("cnn_predictions/{name}.h5", "cnn_validation/{name}.h5"),
            needs=("extract",),
        ),
        case(
            f"predict --weights {LSTM} --features {FEATURES} --test-mice m4 --decoder lstm "
            "--out {here}/lstm.h5",
            "lstm.h5",
            needs=("train-rnn",),
        ),
    ],
    "train-roi": [
        case(
            f"train-roi {SETS} --test {TEST} --decoder roi --rnn rnn --half-window 2 --baseline 30 "
            f"--hidden-size 8 {TINY} --predictions {{here}}/roi_predictions/{{name}}.h5 "
            "--validation {here}/roi_validation/{name}.h5 "
            "--out {here}/roi/{name}.pt --history {here}/roi.tsv",
            *("roi_predictions/{name}.h5", "roi_validation/{name}.h5"),
            *("roi/{name}.pt", "roi.tsv"),
        ),
        case(
            f"train-roi {ALONE} --rnn gru --half-window 2 --baseline 30 --hidden-size 8 {TINY} "
            "--all-epochs {here}/trained_roi.pt",
            "trained_roi.pt",
        ),
    ],
    "pass-signals": [
        case(
            f"pass-signals --trained {{there}}/trained_roi.pt {VALID} --out {{here}}/passed_roi.h5",
            "passed_roi.h5",
            needs=("train-roi",),
        ),
    ],
    "predict-rois": [
        case(
            f"predict-rois --weights {ROI} {VALID} {TEST} --decoder roi "
            "--out {here}/roi_again.h5 --validation {here}/roi_again_validation.h5",
            *("roi_again.h5", "roi_again_validation.h5"),
            needs=("train-roi",),
        ),
    ],
    "stack-roi": [
        case(
            "stack-roi --recordings {there}/m1.h5 {there}/m1s.h5 {there}/m2.h5 --sets m1+m2 m2 "
            f"--decoders roi other=5 {STACKED} --out {{here}}/stacks/roi.pt",
            "stacks/roi.pt",
        ),
    ],
    "choose-roi": [
        case(
            "choose-roi --stack {there}/stacks/roi.pt --train-mice m1 m2 --valid {there}/m3s.h5 "
            f"{{there}}/m3.h5 --test {TEST} --decoder roi {STACKED} "
            "--predictions {here}/chosen_predictions/{name}.h5 "
            "--validation {here}/chosen_validation/{name}.h5 "
            "--out {here}/chosen/{name}.pt --history {here}/chosen.tsv",
            *("chosen_predictions/{name}.h5", "chosen_validation/{name}.h5"),
            *("chosen/{name}.pt", "chosen.tsv"),
            needs=("stack-roi",),
        ),
    ],
    "tune": [
        case(
            "tune --config {there}/config.yaml --decoder roi --test-mice m4 "
            f"{KNOWN} --out {{here}}/best.json "
            "--trials-table {here}/trials.tsv",
            "trials.tsv",
        ),
    ],
    "adapt": [
        case(
            f"adapt --weights {FINE} {SETS} --test {TEST} --decoder adapted --normalise past "
            f"--warm-up 0.2 --register --batch-norm {FEW_SHOT} "
            "--out {here}/adapted.h5 --validation {here}/adapted_validation.h5",
            *("adapted.h5", "adapted_validation.h5"),
            needs=("finetune",),
        ),
        case(
            f"adapt --weights {LSTM} --cnn {CNN} {SETS} --test {TEST} --decoder adapted --coral "
            "--out {here}/frozen.h5 --validation {here}/frozen_validation.h5",
            *("frozen.h5", "frozen_validation.h5"),
            needs=("train-rnn",),
        ),
        case(
            f"adapt --weights {ROI} {SETS} --test {TEST} --decoder adapted {FEW_SHOT} "
            "--out {here}/signals.h5 --validation {here}/signals_validation.h5",
            *("signals.h5", "signals_validation.h5"),
            needs=("train-roi",),
        ),
    ],
    "shap": [
        case(
            f"shap --weights {ROI} {FEW} --decoder roi --method {method} "
            f"--out {{here}}/{method}.h5",
            f"{method}.h5",
            needs=("train-roi",),
        )
        for method in ("deep", "gradient", "integrated")
    ],
    "shap-check": [
        case(
            f"shap-check --weights {ROI} {FEW} --maps {{there}}/deep.h5 "
            "--out {here}/shap_check.h5",
            "shap_check.h5",
            needs=("shap",),
        ),
    ],
    "cutout": [
        case(
            f"cutout --weights {FINE} --recordings {TEST} --decoder fine {MASKS} --fill blur "
            "--out {here}/cutout.tsv",
            "cutout.tsv",
            needs=("finetune",),
        ),
        case(
            f"cutout --weights {LSTM} --cnn {CNN} --recordings {TEST} --decoder lstm {MASKS} "
            "--fill mean --out {here}/cutout_frozen.tsv",
            "cutout_frozen.tsv",
            needs=("train-rnn",),
        ),
    ],
    "cutout-check": [
        case(
            f"cutout-check --weights {FINE} --recordings {TEST} {MASKS} "
            "--maps {there}/cutout.tsv --out {here}/cutout_check.h5",
            "cutout_check.h5",
            needs=("cutout",),
        ),
    ],
    "pixels-check": [
        case(
            f"pixels-check --weights {FINE} --recordings {TEST} --windows 2 --background 2 "
            "--frames 30 --maps {there}/pixels.h5 --out {here}/pixels_check.h5",
            "pixels_check.h5",
            needs=("shap-pixels",),
        ),
    ],
    "shap-pixels": [
        case(
            f"shap-pixels --weights {weights} --recordings {TEST} --windows 2 --background 2 "
            f"--figure {{here}}/pixels --out {{here}}/{out}",
            out,
            needs=needs,
        )
        for weights, out, needs in (
            (FINE, "pixels.h5", ("finetune",)),
            (f"{LSTM} --cnn {CNN}", "pixels_frozen.h5", ("train-rnn",)),
        )
    ],
    "shift": [
        case(f"{SHIFT} --out {{here}}/shift.tsv", "shift.tsv", needs=SHIFTED),
        case(
            f"{SHIFT} --adapted {ALIGNED} --out {{here}}/shift_adapted.tsv",
            "shift_adapted.tsv",
            needs=SHIFTED,
        ),
    ],
    "train-encoding": [
        case(
            f"train-encoding --responses {{there}}/s.h5 {ENCODING} --name net --out {{here}}/p.h5 "
            "--weights {here}/w.pt --history {here}/h.tsv",
            *("p.h5", "h.tsv"),
        ),
    ],
    "sweep-encoding": [
        case(
            f"sweep-encoding --responses {{there}}/s.h5 {ENCODING} --learning-rates 0.01 "
            "--momenta 0 0.9 --l2s 0 --initialisations kaiming --out {here}/sweep.tsv",
            "sweep.tsv",
        ),
    ],
    "diagnose": [
        case(
            f"diagnose --responses {{there}}/s.h5 {ENCODING} --history {{there}}/h.tsv "
            "--out {here}/diagnosis",
            *(f"diagnosis_{name}.tsv" for name in ("checks", "layers")),
            needs=("train-encoding",),
        ),
    ],
}
