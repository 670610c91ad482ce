"""All that `plan` prints, as text: `plans/`, of jobs that Snakemake is not asked for.

What was changed on purpose is read in the diff: `PLANS=write pytest -n 0 …`.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from kept import assert_kept
from mesodecode.base.files import UserError
from mesodecode.cli.running import plan as verb
from mesodecode.recordings import heads, source_files
from mesodecode.running import plan, preflight
from mesodecode.running.plan import DryRun, Job
from mesodecode.running.preflight import OK, WARN, Check

FOLDER = Path(__file__).with_name("plans")
STUDY = {
    "study": "lab",
    "recordings": {"movie": "data/{session}.tif", "behavior": "data/{session}.mat"},
    "mice": {mouse: [f"{mouse}1", f"{mouse}2"] for mouse in "abcde"},
    "decoders": {"linear": {"model": "logistic_regression"}, "cnn": {}},
}
GPU = {"runtime": 90, "gres": "gpu:a100:2"}


@pytest.fixture
def planned(tmp_path, monkeypatch, capsys):
    """A function that gives all that is printed for a dry run, or what it ends with."""
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(yaml.safe_dump(STUDY))
    benchmark = Path("results/lab/benchmarks/fit/linear/one.tsv")
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\th:m:s\n720\t0:12:00\n")
    sizes = {f"{mouse}{i}": (30000, 30000 * 20000) for mouse in "abcde" for i in (1, 2)}
    usage = SimpleNamespace(total=10**13, used=0, free=2 * 10**12)

    def printed(dry: DryRun, data: Check, more: tuple[Check, ...] = ()) -> str:
        monkeypatch.setattr(plan, "dry_run", lambda *asked: {("config.yaml", "slurm"): dry}[asked])
        monkeypatch.setattr(source_files, "data", lambda study: data)
        monkeypatch.setattr(source_files, "movie_sizes", lambda study: sizes)
        monkeypatch.setattr(heads, "named", lambda study: list(more))
        monkeypatch.setattr(preflight, "slurm", lambda dry: [Check("SLURM", OK, "head is up")])
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
        plan.measured_hours.cache_clear()
        plan._mean_size.cache_clear()
        parser = argparse.ArgumentParser()
        verb.add_arguments(parser)
        ends = "ends well"
        try:
            verb.run(parser.parse_args(["--profile", "slurm"]))
        except UserError as error:
            ends = f"ends with: {error}"
        said = capsys.readouterr()
        return f"{said.out}--\n{said.err}--\n{ends}\n"

    return printed


def jobs() -> list[list[Job]]:
    """Submissions: two trainings of 2 GPUs, a group of what was measured once and what was not."""
    root = "results/lab"
    fit = f"{root}/benchmarks/fit/linear/two.tsv"
    cnn = [f"{root}/models/cnn/train-b+c+d.valid-e.test-{mouse}.pt" for mouse in "ab"]
    measured = Job("fit", (f"{root}/models/linear/x.pt",), fit, 3, {"runtime": 600})
    other = Job("fit", (f"{root}/models/linear/y.pt",), None, 3, {"runtime": 600})
    made = [Job("preprocess", (f"{root}/recordings/{name}.h5",), None, 1, {"runtime": 5})
            for name in ("a1", "b2")]  # fmt: skip
    return [[measured, other], *([Job("train_cnn", (one,), None, 8, GPU)] for one in cnn),
            *([one] for one in made)]  # fmt: skip


ALL = Job("all", (), None, 1, {})
DATA = Check("data", OK, "20 files")
SENT = [one for submission in jobs() for one in submission]
CASES = {
    "slurm": (DryRun([*SENT, ALL], jobs(), "slurm"), DATA, (Check("names", WARN, "odd"),)),
    "local": (DryRun([*SENT, ALL], jobs(), "local"), DATA),
    "nothing": (DryRun([], [], "local"), DATA),
    "missing": (DryRun(SENT, jobs(), "slurm"), Check("data", "FAIL", "no file data/a1.tif")),
}


@pytest.mark.parametrize("name", CASES)
def test_plan_stands_as_text(planned, name):
    assert_kept(planned(*CASES[name]), FOLDER / f"{name}.txt", "PLANS")
