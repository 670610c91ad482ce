"""One line that says how far a run of Snakemake is, in the place of its paragraph for every job.

Snakemake's words go to its log file all the same (`.snakemake/log`); warnings, and what is said of
jobs that fail, are shown too.
"""

import logging
import shutil
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TextIO

VARIABLE = "MESODECODE_PROGRESS"  # set: show the line
LOG_EVERY = 15.0  # seconds between lines where they are not written over each other
UNKNOWN = 60  # runtime of a job that states none, as of most small ones times six


class JobProgress(logging.Handler):
    """Listens to Snakemake and says which share of the jobs and allocations is done, and what runs.

    `jobs` returns the jobs that are to be run (asked once the first of them starts), as of
    Snakemake's DAG: each with jobid, rule, message, wildcards, resources, output.

    The time left takes for each job the mean of those of its rule that are done. A rule of which
    none is done takes the longer the more `runtime` it asks for, by the ratio that the others have.
    Where that would be a guess of most of the work, of two thirds by `runtime`, no time is told.
    """

    def __init__(
        self,
        jobs: Callable[[], Iterable[Any]],
        to: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._ask, self._to, self._clock = jobs, to or sys.stderr, clock
        self._jobs: dict[int, Any] = {}  # all, by id
        self._running: dict[int, float] = {}  # id -> when it started
        self._done: dict[int, float] = {}  # id -> its seconds
        self._start = self._next = clock()
        self._open = False  # whether a line is on the terminal that has not ended

    def quiet(self, handlers: Iterable[logging.Handler]) -> None:
        """Let only what must be read pass the handler of Snakemake that writes on the screen."""
        for handler in handlers:
            if handler.name == "DefaultStreamHandler":
                handler.addFilter(self._shown)

    def _shown(self, record: logging.LogRecord) -> bool:
        begun = bool(self._jobs) or _event(record) is not None
        if begun and record.levelno < logging.WARNING:
            return False
        self._end_line()
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Note what starts and ends, and say so."""
        event, now = _event(record), self._clock()
        if event == "job_info":
            if not self._jobs:
                self._jobs = {job.jobid: job for job in self._ask()}
                self._start, self._next = now, now
            if record.jobid in self._jobs:
                self._running[record.jobid] = now
        elif event == "job_finished" and record.job_id in self._running:
            self._done[record.job_id] = now - self._running.pop(record.job_id)
        elif event == "job_error":
            self._running.pop(record.jobid, None)
            return
        else:
            return
        self._say(now)

    def line(self) -> str:
        """Return how far the run is, in words."""
        now = self._clock()
        words = f"{_duration(now - self._start)}: {len(self._done)} of {len(self._jobs)} jobs"
        of_all = Counter(self._allocation(job) for job in self._jobs.values())
        unfinished = Counter(
            self._allocation(j) for i, j in self._jobs.items() if i not in self._done
        )
        names = [name for name in of_all if name]
        if names:
            done = sum(not unfinished[name] for name in names)
            words += f", {done} of {len(names)} allocations"
        if self._done:
            words += " done"
            left = self._seconds_left(now)
            words += "" if left is None else f", about {_duration(left)} left"
        if self._running:
            running = self._jobs[[*self._running][-1]]
            words += f"; now: {running.message or running.rule.name}"
        return words

    def end(self, logs: Iterable[str], report: Path) -> None:
        """Say that all is done, where Snakemake's own words are, and the report if it was made."""
        self._end_line()
        said = f"{len(self._done)} jobs done in {_duration(self._clock() - self._start)}"
        print(f"{said}; Snakemake's log: {', '.join(logs)}", file=self._to)
        if any(str(report) in job.output for job in self._jobs.values()):
            print(f"Report: {report}", file=self._to)

    @staticmethod
    def _allocation(job: Any) -> str | None:
        return dict(job.wildcards.items()).get("allocation")

    def _seconds_left(self, now: float) -> float | None:
        took: dict[str, list[float]] = defaultdict(list)
        for jobid, seconds in self._done.items():
            took[self._jobs[jobid].rule.name].append(seconds)
        ratio = sum(self._done.values()) / sum(self._runtime(self._jobs[i]) for i in self._done)
        work = known_runtime = runtime = 0.0
        for jobid, job in self._jobs.items():
            if jobid not in self._done:
                known = took.get(job.rule.name)
                runtime += self._runtime(job)
                known_runtime += self._runtime(job) if known else 0.0
                mean = sum(known) / len(known) if known else ratio * self._runtime(job)
                work += max(0.0, mean - (now - self._running.get(jobid, now)))
        if known_runtime < runtime / 3:
            return None
        busy = sum(self._done.values()) + sum(now - start for start in self._running.values())
        return work / max(1.0, busy / max(now - self._start, 1e-9))

    @staticmethod
    def _runtime(job: Any) -> float:
        return job.resources.get("runtime") or UNKNOWN

    def _say(self, now: float) -> None:
        if self._to.isatty():
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{self.line()[:width]}\x1b[K", end="", file=self._to)
            self._open = True
        elif now >= self._next:
            self._next = now + LOG_EVERY
            print(self.line(), file=self._to)

    def _end_line(self) -> None:
        if self._open:
            print(file=self._to)
            self._open = False


def _event(record: logging.LogRecord) -> str | None:
    return getattr(getattr(record, "event", None), "value", None)


def _duration(seconds: float) -> str:
    """Return seconds as min:s, or h:min:s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
