"""How long Snakemake takes to plan a study: jobs and seconds of a dry-run, by size.

python benchmarks/dag.py          the study of config.yaml, and 20 mice x 13 sessions
python benchmarks/dag.py --grow   also half the mice, twice the sessions, one decoder more

The large study has every pair of a validation and a test mouse (`choose: each_pair`, 380), four
decoders (linear, CNN, frozen CNN-GRU, ROI-GRU), one comparison and Deep SHAP. Its files are empty:
a dry-run looks only whether they are there.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from mesodecode.study import study as studies

ROOT = Path(__file__).parents[1]
PUBLISHED = yaml.safe_load((ROOT / "config.yaml").read_text())
DECODERS = {
    "linear": {"model": "logistic_regression"},
    "cnn": {},
    "cnn_gru": {"start_from": "cnn", "rnn": "gru", "cnn_weights": "frozen"},
    "roi_gru": {"input": "rois", "rnn": "gru"},
}


def study(mice: int, sessions: int, **more: dict) -> dict:
    """Return the config of a study of so many mice and sessions a mouse; `more`: decoders."""
    names = {f"m{i:02}": [f"m{i:02}_s{j:02}" for j in range(sessions)] for i in range(mice)}
    return {
        "study": f"mice{mice}",
        "recordings": PUBLISHED["recordings"],
        "mice": names,
        "allocation": {"choose": "each_pair"},
        "decoders": DECODERS | more,
        "comparisons": {"all": {"decoders": list(DECODERS)}},
        "importance": {"shap": {"decoder": "roi_gru"}},
    }


def measure(config: dict, folder: Path) -> tuple[int, float, float]:
    """Return jobs, wall and CPU seconds of a dry-run in an empty folder."""
    (folder / "study.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    checked = studies.load(folder / "study.yaml")
    for session in checked.mouse_of:
        for kind in ("movie", "behavior", "rois"):
            path = folder / checked.source(kind, session)
            path.parent.mkdir(exist_ok=True)
            path.touch()
    words = ["-n", "--quiet", "rules", "--configfile", "study.yaml"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *words],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = int((done.stdout + done.stderr).split("\ntotal")[-1].split()[0])
    return jobs, seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grow", action="store_true", help="also other sizes")
    configs = {
        "config.yaml (goal 15 s)": PUBLISHED,
        "20 mice x 13 sessions (goal 60 s)": study(20, 13),
    }
    if parser.parse_args().grow:
        configs |= {
            "10 mice x 13 sessions": study(10, 13),
            "20 mice x 26 sessions": study(20, 26),
            "20 mice x 13, one ROI decoder more": study(
                20, 13, roi_lstm={"like": "roi_gru", "rnn": "lstm"}
            ),
        }
    print(f"{'study':<36}{'allocations':>12}{'jobs':>7}{'wall s':>8}{'CPU s':>7}")
    for name, config in configs.items():
        with tempfile.TemporaryDirectory() as folder:
            jobs, wall, cpu = measure(config, Path(folder))
        number = len(studies.resolve(config).allocations)
        print(f"{name:<36}{number:>12}{jobs:>7}{wall:>8.1f}{cpu:>7.1f}", flush=True)


if __name__ == "__main__":
    main()
