"""Memory and time of every kind of job at the size of the published study.

python benchmarks/resources.py        about 15 minutes on one core, 5 GB of memory, 4 GB of disk

Each verb runs on one core at two sizes of what it grows with, on simulated sessions of 18,000
frames of 128 x 128 (shorter ones for networks). MB are the peak of the process's resident memory,
seconds are of CPU time. The last columns draw a straight line through both up to the largest
allocation of config.yaml: 41 sessions to train on, 12 to validate, 15 to test. That is an
extrapolation; for trainings, of memory alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from mesodecode.decoders.predictions import Predictions, SessionPredictions

ROOT = Path(__file__).parents[1]
FRAMES, SIZE = 18_000, 128
BASE = ["--threads", "1", "--device", "cpu"]
GRU = ["--rnn", "gru", "--epochs", "1", *BASE]


# The kernel's own record of the process: ru_maxrss would begin at what this script has in memory.
VERB = """
import os, sys
from mesodecode.cli import main
status = main(sys.argv[1:])
peak = open("/proc/self/status").read().split("VmHWM:")[1].split()[0]
print(peak, sum(os.times()[:4]))
sys.exit(status)
"""


def run(*words: object) -> tuple[float, float]:
    """Run a verb; return its peak memory in MB and its CPU seconds."""
    done = subprocess.run(
        [sys.executable, "-c", VERB, *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "workflow"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{words[0]}: {done.stderr}")
    peak, seconds = done.stdout.split()[-2:]
    return int(peak) / 1024, float(seconds)


def copy_session(source: Path, mouse: str, n: int, n_frames: int, frames: bool) -> Path:
    """Copy a recording to another session of a mouse, shortened, maybe without its frames."""
    out = source.with_name(f"{mouse}_{n}_{n_frames}_{int(frames)}.h5")
    if out.exists():
        return out
    with h5py.File(source) as old, h5py.File(out, "w") as new:
        new.attrs.update(old.attrs, session=f"{mouse}_s{n}", mouse=mouse)
        for name in ("pixel_mean", "stack_sd"):
            new[name] = old[name][()]
        for name in ("labels", "rois"):
            new[name] = old[name][:n_frames]
        shape = (n_frames, *old["frames"].shape[1:])
        new.create_dataset("frames", shape, old["frames"].dtype, chunks=(16, *shape[1:]))
        if frames:
            new["frames"][:] = old["frames"][:n_frames]
    return out


class Sessions:
    """Sessions of mice m1 (training), m2 (validation) and m3 (test)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "m1_s1.h5"

    def of(self, mouse: str, n: int, n_frames: int = FRAMES, frames: bool = True) -> list[Path]:
        """Return `n` sessions of a mouse."""
        return [copy_session(self.source, mouse, i, n_frames, frames) for i in range(n)]

    def roles(self, train: int, **how) -> list:
        """Return the flags of as many sessions to train on, one to validate and one to test."""
        flags = ["--train", *self.of("m1", train, **how), "--valid", *self.of("m2", 1, **how)]
        return [*flags, "--test", *self.of("m3", 1, **how)]

    def features(self, n: int) -> Path:
        """CNN features of as many sessions of m1, one of m2 and one of m3, as extract writes."""
        out = self.folder / f"features{n}.h5"
        rng = np.random.default_rng(0)
        with h5py.File(out, "w") as file:
            for mouse, count in (("m1", n), ("m2", 1), ("m3", n)):
                for i in range(count):
                    group = file.create_group(f"{mouse}_s{i}")
                    group.attrs.update(mouse=mouse, seen=mouse != "m3")
                    group["features"] = rng.random((FRAMES, 1280), np.float32).astype(np.float16)
                    group["labels"] = rng.integers(0, 2, FRAMES, np.uint8)
        return out


def main() -> None:
    """Measure all verbs and print a table."""
    print("| rule | grows with | small | larger | published | one core |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for measure in (recordings, images, frozen, rois, maps, tables):
            measure(folder, Sessions(folder))


def line(
    rule: str,
    grows_with: str,
    small: int,
    large: int,
    published: int,
    case: Callable[[int], list],
) -> None:
    """Print memory and time of the command `case(n)` at two sizes, and at the published one."""
    (a, s), (b, t) = (run(*case(n)) for n in (small, large))
    slope, rate = (b - a) / (large - small), (t - s) / (large - small)
    memory = b + max(0.0, slope) * (published - large)
    minutes = (t + max(0.0, rate) * (published - large)) / 60
    print(
        f"| {rule} | {grows_with} | {small}: {a:.0f} MB, {s:.0f} s | {large}: {b:.0f} MB, "
        f"{t:.0f} s | {published}: {memory:,.0f} MB | "
        f"{'' if rule.startswith(('train', 'finetune')) else f'{minutes:.0f} min'} |",
        flush=True,
    )


def recordings(at: Path, sessions: Sessions) -> None:
    """Make the recording that all other verbs read copies of, and its measures."""

    def simulate(n: int) -> list:
        of = ["--mouse", "m1", "--session", "m1_s1", "--run-share", "0.4"]
        return ["simulate", *of, "--n-frames", n, "--image-size", SIZE, "--out", at / f"raw{n}"]

    def preprocess(n: int) -> list:
        raw = at / f"raw{n}"
        of = ["--movie", raw / "m1_s1.tif", "--behavior", raw / "m1_s1_behavior.mat"]
        of += ["--rois", raw / "m1_s1_roi.mat", "--frame-rate", "30"]
        made = ["--out", sessions.source, "--measures", at / "measures.h5"]
        return ["preprocess", "--session", "m1_s1", "--mouse", "m1", *of, *made]

    line("simulate", "frames", FRAMES // 4, FRAMES, FRAMES, simulate)
    line("preprocess", "frames", FRAMES // 4, FRAMES, FRAMES, preprocess)
    shutil.rmtree(at / f"raw{FRAMES}")


def images(at: Path, sessions: Sessions) -> None:
    """Measure decoders of images."""

    def fit_linear(n: int) -> list:
        mice = ["--train", *sessions.of("m1", n), "--test", *sessions.of("m3", 1)]
        mice += ["--valid-mice", "m2", "--pixels", "32", "--frame-step", "10"]
        return ["fit-linear", *mice, "--out", at / "w.npz", "--predictions", at / "p.h5"]

    def train_cnn(n: int) -> list:
        roles = sessions.roles(1, n_frames=400)[:-2]
        made = ["--out", at / "cnn.pt", "--history", at / "h.tsv"]
        rate = ["--epochs", "1", "--batch-size", n, "--pretrained", "none", *BASE]
        return ["train-cnn", *roles, *rate, *made]

    def in_memory(n: int) -> list:  # all but one of the sessions train, for a step or two
        roles = ["--train", *sessions.of("m1", n - 1), "--valid", *sessions.of("m2", 1)]
        rate = ["--epochs", "1", "--batch-size", "32", "--frame-step", "600"]
        made = ["--out", at / "c.pt", "--history", at / "h.tsv"]
        return [
            "train-cnn",
            *roles,
            *rate,
            "--pretrained",
            "none",
            "--feed",
            "memory",
            *BASE,
            *made,
        ]

    def finetune(n: int) -> list:
        roles = sessions.roles(1, n_frames=400)[:-2]
        how = ["--batch-size", n, "--half-window", "15", "--frame-step", "2", *GRU]
        made = ["--out", at / "f.pt", "--history", at / "h.tsv"]
        return ["finetune", "--start", at / "cnn.pt", *roles, *how, *made]

    def predict(n: int) -> list:
        of = ["--weights", at / "f.pt", "--recordings", *sessions.of("m3", 1, n)]
        return ["predict", *of, "--out", at / "p.h5", "--decoder", "x", *BASE]

    line("fit_linear", "training sessions", 1, 3, 41, fit_linear)
    line("train_cnn", "images a batch", 32, 96, 512, train_cnn)
    line("train_cnn", "sessions in memory", 2, 4, 53, in_memory)
    line("finetune", "windows a batch", 16, 32, 32, finetune)
    line("predict_images", "frames", 500, 1500, FRAMES, predict)


def frozen(at: Path, sessions: Sessions) -> None:
    """Measure recurrent decoders of the features of a CNN, whose weights `images` made."""

    def extract(n: int) -> list:
        of = ["--weights", at / "cnn.pt", "--recordings", *sessions.of("m3", 1, n)]
        return ["extract", *of, "--features", at / "x.h5", "--predictions", at / "p.h5", *BASE]

    def train(n: int) -> list:
        of = ["--features", sessions.features(n - 1), "--train-mice", "m1", "--valid-mice", "m2"]
        made = ["--out", at / "r.pt", "--history", at / "h.tsv"]
        return ["train-rnn", *of, *GRU, "--frame-step", "100", *made]

    def predict(n: int) -> list:
        of = ["--weights", at / "r.pt", "--features", sessions.features(n), "--test-mice", "m3"]
        return ["predict", *of, "--decoder", "x", "--out", at / "p.h5", *BASE]

    line("extract", "frames", 500, 1500, FRAMES, extract)
    line("train_rnn", "sessions", 2, 6, 53, train)
    line("predict_rnn", "test sessions", 1, 2, 15, predict)


def rois(at: Path, sessions: Sessions) -> None:
    """Measure decoders of ROI signals."""
    roi = ["--baseline", "1000", "--decoder", "x", "--predictions", at / "p.h5"]
    roi += ["--half-window", "15"]

    def train(n: int) -> list:
        made = ["--frame-step", "20", "--out", at / "roi.pt", "--history", at / "h.tsv"]
        return ["train-roi", *sessions.roles(n - 2, frames=False), *roi, *GRU, *made]

    def fit(model: str, n: int) -> list:
        made = ["--frame-step", "10", "--out", at / "roi.joblib"]
        return ["fit-roi", *sessions.roles(n, frames=False), *roi, "--model", model, *made]

    line("train_roi", "sessions", 3, 12, 64, train)
    for model in ("logistic_regression", "linear_svm", "ridge", "gradient_boosting"):
        line(f"fit_roi ({model})", "training sessions", 2, 8, 41, partial(fit, model))


def maps(at: Path, sessions: Sessions) -> None:
    """Measure importance maps of the decoders that `rois` and `images` trained."""

    def shap(n: int, verb: str = "shap", *more: object) -> list:
        of = ["--weights", at / "roi.pt", "--recordings", *sessions.of("m3", 15, frames=False)]
        return [verb, *of, "--background", n, "--windows", "10", *BASE, *more]

    def cutout(n: int) -> list:
        of = ["--weights", at / "f.pt", "--recordings", *sessions.of("m3", 1, n), "--decoder", "x"]
        return ["cutout", *of, "--masks", "corners", "--size", "32", *BASE, "--out", at / "cut.tsv"]

    made, checked = ("--decoder", "x", "--out", at / "s.h5"), ("--maps", at / "s.h5")
    checked += ("--out", at / "check.h5")
    sizes = "background", 1000, 4000, 10_000
    line("shap (10 windows)", *sizes, lambda n: shap(n, "shap", *made))
    line("shap_check (10 windows)", *sizes, lambda n: shap(n, "shap-check", *checked))
    line("cutout (4 corners)", "frames", 400, 800, FRAMES, cutout)


def tables(at: Path, sessions: Sessions) -> None:
    """Measure what scores predictions and checks recordings."""
    line("quality", "allocations", 4, 12, 20, lambda n: _quality_of(sessions, at / f"q{n}", n))
    line("qc", "sessions", 2, 6, 64, lambda n: _qc_of(sessions, at, n))


def _quality_of(sessions: Sessions, at: Path, n: int) -> list:
    """Score `n` allocations of 13 test sessions each."""
    mice = [f"t{i}" for i in range(n)]
    names = [f"train-{m}.valid-b.test-m3" for m in mice]
    at.mkdir(exist_ok=True)
    table = at / "allocations.tsv"
    rows = [f"{a}\t{m}\tb\tm3" for a, m in zip(names, mice, strict=True)]
    head = "allocation\ttrain_mice\tvalid_mouse\ttest_mouse"
    table.write_text("\n".join([head, *rows]) + "\n")
    rng = np.random.default_rng(0)
    tested = {}
    for i, path in enumerate(sessions.of("m3", 13, frames=False)):
        (at / f"m3_s{i}.h5").unlink(missing_ok=True)
        (at / f"m3_s{i}.h5").symlink_to(path)
        with h5py.File(path) as file:
            labels = file["labels"][()]
        frames = np.arange(len(labels))
        tested[f"m3_s{i}"] = SessionPredictions("m3", frames, labels, rng.random(len(labels)))
    for name, mouse in zip(names, mice, strict=True):
        path = at / "x" / f"{name}.h5"
        path.parent.mkdir(exist_ok=True)
        Predictions("x", name, mouse, "b", "m3", tested).write(path)
    made = ["--out", at / "q.tsv", "--curves", at / "c.tsv", "--figure", at / "q"]
    where = ["--allocations", table, "--recordings", at, "--predictions", at]
    return ["quality", "--decoder", "x", *where, *made]


def _qc_of(sessions: Sessions, at: Path, n: int) -> list:
    """Check `n` sessions, all of the same measures."""
    recordings = sessions.of("m1", n, frames=False)
    measures = [at / f"measures{i}.h5" for i in range(n)]
    for i, path in enumerate(measures):
        shutil.copy(at / "measures.h5", path)
        with h5py.File(path, "a") as file:
            file.attrs["session"] = f"m1_s{i}"
    made = ["--table", at / "qc.tsv", "--out", at / "qc"]
    return ["qc", "--recordings", *recordings, "--measures", *measures, *made]


if __name__ == "__main__":
    main()
