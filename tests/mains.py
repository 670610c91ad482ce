"""Snakemake as tests run it in a fresh process, which finds these functions by their names."""

from __future__ import annotations

import time
from pathlib import Path

from snakemake.cli import main
from snakemake.executors import touch
from snakemake.logging import DefaultFormatter


def told(words: list[str]) -> None:
    """Say the files of each job, which Snakemake leaves out of a rule that has a message."""
    DefaultFormatter.format_job_info = lambda self, job: "\n".join(self._format_job_info(job))
    main(words)


def fast_touch(words: list[str]) -> None:
    """`--touch` sleeps 0.1 s a job, for file systems that keep times to the second."""
    touch.Executor.SLEEPING_TIME = 0.005
    main(words)


def timed_plan(words: list[str]) -> None:
    """Write the seconds of CPU that Snakemake takes, which the clock is not, into a file."""
    try:
        main(words)
    finally:
        Path("seconds").write_text(str(time.process_time()))
