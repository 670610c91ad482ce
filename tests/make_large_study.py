"""A finished study of the size of the published one: 37 decoders, 20 allocations, 64 sessions.

`python tests/make_large_study.py FOLDER` writes its report.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from make import ROOT
from make_tables import run
from mesodecode.base.tables import write_table
from mesodecode.recordings import qc
from mesodecode.scores import auc, calibration, paired_tests, published_tests, quality
from mesodecode.shift import columns as shift
from mesodecode.study import session_ids
from mesodecode.study import study as studies


def drawing(rng: np.random.Generator, lines: int, points: int) -> str:
    """An SVG as matplotlib writes it: `lines` of `points`, six decimals."""
    paths = []
    for _ in range(lines):
        y = 150 + np.cumsum(rng.normal(size=points)) * 3
        x = np.linspace(30, 470, points)
        steps = " \nL ".join(f"{a:.6f} {b:.6f}" for a, b in zip(x, y, strict=True))
        paths.append(f'<path d="M {steps}" style="fill: none; stroke: #0072b2"/>')
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="493pt" height="300pt"'
    words = "<dc:title>A figure</dc:title><dc:description>What it shows.</dc:description>"
    return f'{head} viewBox="0 0 493 300"><metadata>{words}</metadata>{"".join(paths)}</svg>'


def make(folder: Path) -> Path:
    """Write tables and figures of the study of config.yaml into a folder; return its report."""
    rng = np.random.default_rng(0)
    config = studies.resolve(yaml.safe_load((ROOT / "config.yaml").read_text())).config
    (folder / "figures/qc").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    for name, values in tables_of(config, rng).items():
        write_table(values, folder / f"{name}.tsv")
    for name, (lines, points) in figures_of(config).items():
        (folder / f"figures/{name}.svg").write_text(drawing(rng, lines, points))
    words = ("--tables", folder, "--figures", folder / "figures", "--out", folder / "report.html")
    run("report", "--config", folder / "config.json", *words)
    return folder / "report.html"


def tables_of(config: Mapping[str, Any], rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    mice = session_ids.included(config)
    decoders, sessions = list(config["decoders"]), [(m, s) for m in mice for s in mice[m]]
    pairs = [(valid, test) for valid in mice for test in mice if valid != test]
    rows = []
    for decoder in decoders:
        for valid, test in pairs:
            train = "+".join(m for m in mice if m not in (valid, test))
            name = f"train-{train}.valid-{valid}.test-{test}"
            rows.append((decoder, name, train, valid, test))
    table = pd.DataFrame(rows, columns=["decoder", *auc.ATTRIBUTES[1:]])
    level = np.repeat(rng.uniform(0.75, 0.95, len(decoders)), len(pairs))
    table = table.assign(n_frames=200_000, n_run=80_000, accuracy=0.8, protocol="transductive")
    table["auc"] = level + rng.normal(0, 0.02, len(table))
    of_mice = pd.DataFrame(sessions, columns=["mouse", "session"])
    by_session = table.merge(of_mice, left_on="test_mouse", right_on="mouse")
    cohort = of_mice.assign(n_frames=18_000, n_run=7_000, frame_rate=30.0, height=128, width=128)
    tables = {"auc": table[list(auc.COLUMNS)], "session_auc": by_session[list(auc.SESSION_COLUMNS)]}
    tables |= {"cohort": cohort, "allocations": table[list(auc.ATTRIBUTES[1:])].drop_duplicates()}
    compared = [
        published_tests.compare(table, by="decoder", only=decoders[i : i + 6], name=f"family{i}")
        for i in range(0, 37, 6)
        if len(decoders[i : i + 6]) > 1
    ]
    tables["comparisons"] = pd.concat(compared)
    tests = tables["comparisons"].reindex(columns=list(paired_tests.COLUMNS), fill_value=0.0312345)
    words = {"mixed_note": "", "bootstrap_of": "mice and sessions", "sentence": "A above B. " * 12}
    tables["inference"] = tests.assign(n_allocations=20, n_mice=5, smallest_p=0.0625, **words)
    methods = pd.DataFrame({"method": ["none", "temperature", "isotonic"]})
    by_method = table.merge(methods, how="cross")
    filled = {
        "quality": (table, quality.COLUMNS, {}),
        "calibration": (by_method, calibration.COLUMNS, {}),
        "prediction_sets": (table, calibration.SET_COLUMNS, {"level": 0.9}),
        "shift": (by_session, shift.columns_of(), {"verdict": "shifted", "why": "darker; turned"}),
        "qc": (of_mice, qc.COLUMNS, {"check": "drift", "verdict": "pass", "words": "0.1 px"}),
    }
    for name, (part, columns, fixed) in filled.items():
        tables[name] = part.reindex(columns=list(columns), fill_value=0.25).assign(**fixed)
    return tables


def figures_of(config: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Return name -> lines and points, that make a file of the size of a real one."""
    decoders = config["decoders"]
    sessions = [name for ids in session_ids.included(config).values() for name in ids]
    sizes = {f"quality_{name}": (25, 450) for name in decoders}  # 260 kB, as in the demo
    sizes |= {f"loss_{name}": (60, 100) for name in decoders if "epochs" in decoders[name]}
    sizes |= {f"qc/{name}": (6, 400) for name in sessions}
    sizes |= {f"auc_{name}": (40, 40) for name in config["comparisons"]}
    for name in config["importance"]:
        sizes |= {f"importance_{name}{part}": (20, 100) for part in ("", "_sides", "_checks")}
    for name in ("calibration", "shift", "qc", "cohort"):
        sizes[name] = (20, 150)
    return sizes


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
