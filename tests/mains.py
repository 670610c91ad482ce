"""Snakemake as tests run it in a fresh process, which finds these functions by their names."""

from __future__ import annotations

import time
from pathlib import Path

from snakemake.cli import main
from snakemake.executors import touch
from snakemake.jobs import Job
from snakemake.logging import DefaultFormatter


def told(words: list[str]) -> None:
    """Say the files of each job, which Snakemake leaves out of a rule that has a message."""
    DefaultFormatter.format_job_info = lambda self, job: "\n".join(self._format_job_info(job))
    main(words)


def told_params(words: list[str]) -> None:
    """Say of each job, too, what makes it run again beside its command and the dates of its files.

    Code by the verbs that it is behind, files that are held by how many they are.
    """
    from mesodecode.running import provenance

    provenance.code_version = lambda *names: " ".join(Path(name).name for name in names)
    params: dict[int, str] = {}
    log_info, format_info = Job.log_info, DefaultFormatter._format_job_info

    def logged(job, *args, **settings):
        params[job.dag.jobid(job)] = _beside(job)
        return log_info(job, *args, **settings)

    def formatted(self, msg):
        return [*format_info(self, msg), f"    params: {params[msg['jobid']]}"]

    Job.log_info, DefaultFormatter._format_job_info = logged, formatted
    told(words)


def _beside(job: Job) -> str:
    """The params of a job that say something, but for those in its command; `code` in any case."""
    found = []
    for name, value in job.params.items():
        words = value if isinstance(value, list) else [str(value)]
        if name == "held":
            found += [f"held={len(words)}"] if words else []
        elif any(words) and (name == "code" or " ".join(words) not in (job.shellcmd or "")):
            found.append(f"{name}={' '.join(words)}")
    return ", ".join(found)


def fast_touch(words: list[str]) -> None:
    """`--touch` of files that are made, empty, if they are not there.

    It sleeps 0.1 s a job, for file systems that keep times to the second.
    """
    touch.Executor.SLEEPING_TIME = 0.005
    run_job = touch.Executor.run_job

    def made(self, job):
        for path in map(Path, job.output):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        run_job(self, job)

    touch.Executor.run_job = made
    main(words)


def timed_plan(words: list[str]) -> None:
    """Write the seconds of CPU that Snakemake takes, which the clock is not, into a file."""
    try:
        main(words)
    finally:
        Path("seconds").write_text(str(time.process_time()))
