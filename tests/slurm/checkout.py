"""A copy of the project in which a test runs Snakemake on the cluster, and what came of it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from cluster import Cluster, output, wait_for

ROOT = Path(__file__).parents[2]
TABLES = ("auc", "session_auc", "comparisons", "inference")
SNAKEMAKE = ("-m", "snakemake")
SOON = (str(Path(__file__).with_name("soon.py")),)
# In place of the groups of the profile: a fault is to meet one training, not those sent with it.
ALONE = ("--groups", "quality=quality")


@dataclass(frozen=True)
class Job:
    """A job as accounting saw it: one submission, or one start of a requeued job."""

    rule: str
    wildcards: str
    state: str
    start: str
    end: str
    memory: int  # MB asked for
    minutes: int  # asked for
    gpus: int
    partition: str


class Checkout:
    """A copy of the project's working tree, in which snakemake runs as a user types it."""

    def __init__(
        self, folder: Path, cluster: Cluster, *words: str, snakemake: tuple[str, ...] = SNAKEMAKE
    ) -> None:
        self.folder, self.cluster, self.words = folder, cluster, words
        self.snakemake = snakemake
        self.results = folder / "results" / "cluster"
        self.began = output("date", "+%Y-%m-%dT%H:%M:%S")
        if not folder.exists():
            for name in ("workflow", "envs", "slurm", "local"):
                shutil.copytree(ROOT / name, folder / name)
            shutil.copy(ROOT / "Snakefile", folder)
            shutil.copy(ROOT / "tests" / "slurm" / "study.yaml", folder)

    def copy(self, name: str, *words: str) -> Checkout:
        """Copy everything, results with their records too; `words` replace those of ALONE."""
        folder = self.folder.with_name(name)
        shutil.copytree(self.folder, folder, symlinks=True)
        return Checkout(folder, self.cluster, *(words or ALONE), snakemake=SOON)

    def forget(self, decoder: str, *allocations: str) -> None:
        """Delete what a decoder's jobs made, and all tables."""
        shutil.rmtree(self.results / "tables", ignore_errors=True)
        mine = tuple(map(training_of, allocations))  # with which names of allocations begin too
        for folder in ("trained", "passed", "models", "predictions"):
            for path in (self.results / folder / decoder).iterdir():
                if not mine or path.name.startswith(mine):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    @contextmanager
    def running(self, *words: str, profile: str = "slurm") -> Iterator[subprocess.Popen]:
        """Run snakemake as a user types it in this folder; its words go to said.log.

        If the block fails, neither snakemake nor its jobs are left to the next test.
        """
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        command = [sys.executable, *self.snakemake, "--profile", profile, *words]
        if profile == "slurm":
            command += self.words
        else:
            environment["PYTHONPATH"] = str(self.folder / "workflow")
            command = [sys.executable, "-m", "mesodecode", "warm", *command]
        with open(self.folder / "said.log", "a") as said:
            process = subprocess.Popen(
                [*command, "--configfile", "study.yaml"],
                cwd=self.folder,
                env=environment,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        try:
            yield process
        except BaseException:
            process.kill()
            process.wait()
            self.cluster.cancel_jobs()
            raise

    def run(self, *words: str, profile: str = "slurm", seconds: float = 900) -> int:
        """Run snakemake to its end and return its exit status."""
        with self.running(*words, profile=profile) as process:
            return process.wait(seconds)

    def lock(self) -> Path:
        """The file that keeps a second run away."""
        return self.results / ".snakemake.lock"

    def said(self) -> str:
        return (self.folder / "said.log").read_text()

    def finished(self) -> Counter[str]:
        """How many jobs of each rule have finished, members of groups and local ones too."""
        return Counter(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", self.said(), re.M))

    def log(self, rule: str, decoder: str, allocation: str) -> Path:
        """The log of the training that an allocation has."""
        return self.results / "logs" / rule / decoder / f"{training_of(allocation)}.log"

    def trained(self, decoder: str, allocation: str, suffix: str = ".pt") -> Path:
        return self.results / "trained" / decoder / f"{training_of(allocation)}{suffix}"

    def tables(self) -> dict[str, str]:
        return {name: (self.results / "tables" / f"{name}.tsv").read_text() for name in TABLES}

    def history(self, decoder: str, allocation: str) -> list[list[str]]:
        """The epochs of a training without the columns that time it: losses, AUC, rate."""
        path = self.results / "models" / decoder / f"{allocation}.history.tsv"
        return [line.split("\t")[:6] for line in path.read_text().splitlines()]

    def jobs(self, rule: str | None = None, wildcards: str = "") -> list[Job]:
        """The SLURM jobs of this folder so far, requeued ones once a start, in order."""
        fields = "JobIDRaw,Comment,State,Start,End,ReqMem,TimelimitRaw,ReqTRES,Partition,WorkDir"
        words = ("sacct", "-nPX", "--duplicates", "-S", self.began, "-o", fields)
        jobs = []
        for line in output(*words).splitlines():
            _, comment, state, start, end, memory, minutes, tres, where, folder = line.split("|")
            if Path(folder) != self.folder:
                continue
            name, _, given = comment.removeprefix("rule_").partition("_wildcards_")
            name = re.sub(r"^(\w+)_\1$", r"\1", name)  # a group: its name, and that of its rule
            gpus = int(tres.partition("gres/gpu=")[2].split(",")[0] or 0)
            asked = _megabytes(memory), int(minutes), gpus, where
            jobs.append(Job(name, given, state, start, end, *asked))
        chosen = [j for j in jobs if rule in (None, j.rule) and wildcards in j.wildcards]
        return sorted(chosen, key=lambda job: job.start)

    # Trainings, caught in the middle.

    def checkpoint(self, allocation: str, decoder: str = "roi_gru") -> Path:
        return self.results / "checkpoints" / decoder / f"{training_of(allocation)}.pt"

    def training(self, allocation: str, decoder: str = "roi_gru") -> psutil.Process | None:
        """The process that trains a decoder, if one does."""
        name = str(self.checkpoint(allocation, decoder).relative_to(self.folder))
        found = [
            p for p in self.cluster.processes("mesodecode", name) if p.cwd() == str(self.folder)
        ]
        return found[0] if found else None

    def catch(self, *allocations: str) -> dict[str, psutil.Process]:
        """Stop (SIGSTOP) the training of each allocation once it has a checkpoint."""
        caught: dict[str, psutil.Process] = {}

        def more() -> bool:
            for allocation in set(allocations) - set(caught):
                if self.checkpoint(allocation).exists():
                    caught[allocation] = self.training(allocation)
                    caught[allocation].send_signal(signal.SIGSTOP)
            return len(caught) == len(allocations)

        wait_for(more, f"checkpoints of {allocations}\n{self.said()}", 300)
        return caught

    def second_of_group(self, *allocations: str) -> list[str]:
        """Kill the training that follows the first finished one; return what was finished."""

        def finished() -> list[str]:
            ends = {a: self.checkpoint(a).with_suffix(".finished.pt") for a in allocations}
            return [a for a, path in ends.items() if path.exists()]

        wait_for(finished, "a finished training", 300)
        (next_,) = wait_for(
            lambda: [
                process
                for a in set(allocations) - set(finished())
                if self.checkpoint(a).exists() and (process := self.training(a))
            ],
            "the next training",
            300,
        )
        next_.kill()
        return finished()

    def kept(self, allocation: str) -> tuple[int, int]:
        """The epoch that a checkpoint has come to, and the batches done in it."""
        state = torch.load(self.checkpoint(allocation), weights_only=True)["state"]
        return state["epoch"], state["batches"]

    def went_on_at(self, allocation: str) -> tuple[int, int]:
        """Where the last training of an allocation went on; (1, 0) if it began anew."""
        words = self.log("train_roi", "roi_gru", allocation).read_text()
        found = re.search(r"going on at epoch (\d+), batch (\d+)", words)
        return (int(found[1]), int(found[2])) if found else (1, 0)


def training_of(allocation: str) -> str:
    """The training of an allocation: of its training mice."""
    return allocation.partition(".valid-")[0]


def job_id(process: psutil.Process) -> str:
    return process.environ()["SLURM_JOB_ID"]


def node_of(process: psutil.Process) -> str:
    return process.environ()["SLURMD_NODENAME"]


def _megabytes(text: str) -> int:
    return int(float(text[:-1]) * {"M": 1, "G": 1024}[text[-1]])
