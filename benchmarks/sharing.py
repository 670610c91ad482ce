"""What trainings shared by allocations save: seconds of all jobs that train, beside another commit.

python benchmarks/sharing.py --commit 866cb41 [--cores 2]

Both commits run the trainings of one simulated study of five mice and all 20 allocations, and what
these need, each in a worktree and a folder of its own, one after the other. Jobs that train are
those of rules named train…, finetune, fit… or stack…; their seconds are those that Snakemake
measured (the imports of a job included). A decoder that starts from a CNN is trained once for each
of the CNN's epochs that the allocations of a set of training mice chose: its distinct starts.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import yaml
from beside import checked_out

from mesodecode.decoders.weights import load_epochs

ROOT = Path(__file__).parents[1]
TRAINS = ("train", "finetune", "fit", "stack")
CNN = {"backbone": "efficientnet_lite0", "pretrained": "none", "epochs": 4, "batch_size": 16}
RNN = {"start_from": "cnn", "rnn": "gru", "epochs": 4, "half_window": 3, "batch_size": 32}
STUDY = {
    "study": "sharing",
    "simulate": {"seed": 1, "n_frames": 400, "image_size": 32, "run_signal": 0.1},
    "mice": {f"m{i}": [f"m{i}_s1"] for i in range(1, 6)},
    "decoders": {
        "linear": {"model": "logistic_regression", "pixels": 16},
        "cnn": CNN,
        "frozen": {**RNN, "cnn_weights": "frozen"},
        "tuned": {**RNN, "cnn_weights": "finetuned", "epochs": 2},
        "roi_gru": {"input": "rois", "rnn": "gru", "epochs": 20, "half_window": 10},
    },
    "comparisons": {"all": {"decoders": ["linear", "cnn", "frozen", "tuned", "roi_gru"]}},
    "threads": 1,
}


def seconds(code: Path, folder: Path, cores: int) -> dict[str, tuple[int, float]]:
    """Run the study with the code of a worktree; return decoder -> trainings and their seconds."""
    folder.mkdir()
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(code / "Snakefile")]
    how = {
        "cwd": folder,
        "env": os.environ | {"PYTHONPATH": str(code / "workflow"), "OMP_NUM_THREADS": "1"},
        "check": True,
    }
    study = ["--configfile", "study.yaml"]
    listed = [*command, "--list-rules", *study]
    rules = subprocess.run(listed, stdout=subprocess.PIPE, text=True, **how)
    until = [rule for rule in rules.stdout.split() if rule.startswith(TRAINS)]
    for rule in until:  # one call a rule: what follows a rule of --until isn't run, training or not
        words = ["tables", "--cores", str(cores), "--quiet", "all", "--until", rule]
        subprocess.run([*command, *words, *study], **how)
    found = defaultdict(lambda: (0, 0.0))
    for path in (folder / "results" / "sharing" / "benchmarks").rglob("*.tsv"):
        rule, decoder, *_ = path.relative_to(folder / "results" / "sharing" / "benchmarks").parts
        if rule.startswith(TRAINS):
            with open(path, newline="") as file:
                (row,) = csv.DictReader(file, delimiter="\t")
            n, sum_ = found[decoder]
            found[decoder] = n + 1, sum_ + float(row["s"])
    return found


def starts_a_set(folder: Path) -> dict[str, float]:
    """Return decoder -> mean of the distinct starts of its sets of training mice, if it has any."""
    found = defaultdict(list)
    for path in (folder / "results" / "sharing" / "trained").glob("*/*.pt"):
        if starts := set(load_epochs(path).starts):
            found[path.parent.name].append(len(starts))
    return {decoder: sum(counts) / len(counts) for decoder, counts in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commit", default="866cb41", help="the other one (default: 866cb41)")
    parser.add_argument("--cores", type=int, default=2, help="of Snakemake (default: 2)")
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as at,
        checked_out(args.commit, Path(at) / "other") as other,
    ):
        before = seconds(other, Path(at) / "before", args.cores)
        now = seconds(ROOT, Path(at) / "now", args.cores)
        starts = starts_a_set(Path(at) / "now")
    print(f"{'decoder':10} {args.commit:>16} {'now':>16}  ratio  starts a set  ratio a start")
    every = [tuple(map(sum, zip(*side.values(), strict=True))) for side in (before, now)]
    for decoder, (n, sum_) in (before | {"all": every[0]}).items():
        m, ours = (now | {"all": every[1]})[decoder]
        line = f"{decoder:10} {n:6} {sum_:7.0f} s {m:6} {ours:7.0f} s  {ours / sum_:5.2f}"
        if decoder in starts:
            line += f"  {starts[decoder]:12.2f}  {ours / sum_ / starts[decoder]:13.2f}"
        print(line)


if __name__ == "__main__":
    main()
