"""What makes image decoders better in unlike mice? One change at a time, then together.

python benchmarks/better.py                   a simulated cohort, of which mouse m1 is the odd one
python benchmarks/better.py --study jedi1p    five real mice

Runs the workflow with the configs of benchmarks/better/ and prints a table: AUC, each test mouse's
(mean over its allocations), the gap between the best and the worst mouse, how much of the gap of
`--reference` a decoder closes, and the CPU time of all trainings that it needs, an allocation.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from snakemake.utils import update_config

from mesodecode.study import study

ROOT = Path(__file__).parents[1]
CONFIGS = {
    "simulated": ["benchmarks/better/simulated.yaml"],
    "jedi1p": ["tests/real/jedi1p.yaml", "benchmarks/better/jedi1p.yaml"],
}
TRAINING = ("train_cnn", "train_rnn", "finetune", "train_roi", "fit_linear", "extract", "adapt")


def needs(name: str, decoders: Mapping[str, Any]) -> set[str]:
    """Return a decoder and all that it is made of."""
    settings = decoders[name].settings
    parts = [settings.get(key) for key in ("start_from", "adapted_from")]
    parts += settings.get("average_of", [])
    return {name}.union(*(needs(part, decoders) for part in parts if part))


def seconds(folder: Path) -> dict[str, float]:
    """Return decoder -> CPU s of its trainings and extractions, the mean over allocations."""
    spent: dict[str, list[float]] = {}
    for rule in TRAINING:
        for path in sorted((folder / "benchmarks" / rule).glob("*/*.tsv")):
            line = pd.read_csv(path, sep="\t").iloc[-1]
            spent.setdefault(path.parent.name, []).append((rule, float(line["cpu_time"])))
    return {
        name: sum(pd.DataFrame(parts, columns=["rule", "s"]).groupby("rule")["s"].mean())
        for name, parts in spent.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", choices=CONFIGS, default="simulated")
    parser.add_argument("--reference", default="cnn_gru", help="decoder whose gap is compared with")
    parser.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    configs = [str(ROOT / path) for path in CONFIGS[args.study]]
    target = f"results/better-{args.study}/tables/auc.tsv"
    command = [sys.executable, "-m", "snakemake", "--cores", str(args.cores), target]
    subprocess.run([*command, "--configfile", *configs], cwd=ROOT, check=True)

    folder = ROOT / "results" / f"better-{args.study}"
    auc = pd.read_csv(folder / "tables" / "auc.tsv", sep="\t", dtype={"test_mouse": str})
    mice = auc.pivot_table("auc", "decoder", "test_mouse", sort=False)
    config: dict[str, Any] = {}
    for path in configs:
        update_config(config, yaml.safe_load(Path(path).read_text()))
    decoders = study.resolve(config).decoders
    spent = seconds(folder)
    table = pd.DataFrame({"mean": mice.mean(axis=1)}).join(mice)
    table["gap"] = mice.max(axis=1) - mice.min(axis=1)
    table["gap closed"] = 1 - table["gap"] / table.loc[args.reference, "gap"]
    table["CPU s"] = [sum(spent.get(n, 0) for n in needs(d, decoders)) for d in mice.index]
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
