"""How long Snakemake takes to plan a study: jobs and seconds of a dry-run, by size.

python benchmarks/dag.py          the study of config.yaml, and 20 mice x 13 sessions
python benchmarks/dag.py --grow   also half the mice, twice the sessions, one decoder more
python benchmarks/dag.py --against CHECKOUT
                                  config.yaml of this and of another version, as each has it, in
                                  turns: CPU seconds a job, and their ratio

The large study has every pair of a validation and a test mouse (`choose: each_pair`, 380), four
decoders (linear, CNN, frozen CNN-GRU, ROI-GRU), one comparison and Deep SHAP. Its files are empty:
a dry-run looks only whether they are there.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
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


def measure(config: dict, folder: Path, root: Path = ROOT) -> tuple[int, float, float]:
    """Return jobs, wall and CPU seconds of a dry-run in an empty folder, of a version (`root`)."""
    (folder / "study.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    for mouse, sessions in config["mice"].items():
        for session in sessions:
            for kind in ("movie", "behavior", "rois"):
                path = folder / config["recordings"][kind].format(session=session, mouse=mouse)
                path.parent.mkdir(exist_ok=True)
                path.touch()
    words = ["-n", "--quiet", "rules", "--configfile", "study.yaml"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile"), *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(root / "workflow")},
        capture_output=True,
        text=True,
    )
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = int((done.stdout + done.stderr).split("\ntotal")[-1].split()[0])
    return jobs, seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def against(other: Path, times: int = 5) -> None:
    """Print CPU seconds a job of config.yaml, as this and another version have it, in turns.

    The first plan after an edit, which writes bytecode and reads all modules for their hashes, is
    not counted.
    """
    a_job: dict[Path, list[float]] = {other: [], ROOT: []}
    for turn in range(times + 1):
        for root, found in a_job.items():
            with tempfile.TemporaryDirectory() as folder:
                config = yaml.safe_load((root / "config.yaml").read_text())
                jobs, _, cpu = measure(config, Path(folder), root)
            if not turn:
                continue
            found.append(cpu / jobs)
            print(
                f"{root}: {jobs} jobs, {cpu:.1f} CPU s, {1000 * cpu / jobs:.2f} ms a job",
                flush=True,
            )
    ratio = statistics.median(a_job[ROOT]) / statistics.median(a_job[other])
    print(f"a job takes {ratio:.2f} of what it took (medians of {times})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grow", action="store_true", help="also other sizes")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another version")
    args = parser.parse_args()
    if args.against:
        against(args.against.resolve())
        return
    configs = {
        "config.yaml (goal 15 s)": PUBLISHED,
        "20 mice x 13 sessions (goal 60 s)": study(20, 13),
    }
    if args.grow:
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
