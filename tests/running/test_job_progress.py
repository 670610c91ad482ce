"""A run of Snakemake says in one line how far it is; what fails is shown in full."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from make import STUDY, snakemake
from mesodecode.running import job_progress
from mesodecode.running.job_progress import VARIABLE, JobProgress


def job(number: int, rule: str, allocation: str | None = None, runtime: int | None = 10):
    return SimpleNamespace(
        jobid=number,
        rule=SimpleNamespace(name=rule),
        message=f"{rule} {allocation or number}",
        wildcards={"allocation": allocation} if allocation else {},
        resources={} if runtime is None else {"runtime": runtime},
        output=[f"results/{rule}.html", f"results/{number}"],
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Run:
    """Jobs that start and end on a clock that is set by hand."""

    def __init__(self, *jobs, to=None):
        self.time, self.to = 0.0, to or io.StringIO()
        self.progress = JobProgress(lambda: jobs, self.to, clock=lambda: self.time)

    def tell(self, event, **more):
        self.progress.emit(logging.makeLogRecord({"event": event, **more}))

    def start(self, number):
        self.tell(LogEvent.JOB_INFO, jobid=number)

    def end(self, number, seconds):
        self.time += seconds
        self.tell(LogEvent.JOB_FINISHED, job_id=number)


def test_the_time_left_is_that_of_the_same_rule_or_goes_with_the_runtime_asked_for():
    run = Run(job(1, "fit"), job(2, "fit"), job(3, "train", runtime=40), job(4, "fit"))
    run.start(1)
    assert run.progress.line() == "0:00: 0 of 4 jobs; now: fit 1"
    run.end(1, 5)
    # two fits of 5 s, and a training that asks for four times the runtime of a fit: 20 s
    assert run.progress.line() == "0:05: 1 of 4 jobs done, about 0:30 left"
    run.start(3)
    run.end(3, 30)
    assert run.progress.line() == "0:35: 2 of 4 jobs done, about 0:10 left"


def test_a_job_that_the_run_did_not_name_is_not_counted():
    run = Run(job(1, "fit"), job(2, "fit"))
    run.start(1)
    run.start(7)
    assert run.progress.line() == "0:00: 0 of 2 jobs; now: fit 1"
    run.end(7, 4)
    run.end(1, 1)
    assert run.progress.line() == "0:05: 1 of 2 jobs done, about 0:05 left"


def test_jobs_that_ask_for_no_runtime_count_alike():
    run = Run(*(job(n, rule, runtime=None) for n, rule in enumerate(("fit", "fit", "train"), 1)))
    run.start(1)
    run.end(1, 5)
    assert run.progress.line() == "0:05: 1 of 3 jobs done, about 0:10 left"


def test_no_time_is_told_while_most_of_the_work_is_of_unknown_rules():
    run = Run(job(1, "fit"), job(2, "fit"), job(3, "train", runtime=720))
    run.start(1)
    run.end(1, 5)
    assert run.progress.line() == "0:05: 1 of 3 jobs done"
    run.start(3)
    run.end(3, 30)
    assert run.progress.line() == "0:35: 2 of 3 jobs done, about 0:05 left"


def test_jobs_side_by_side_halve_the_time_left():
    run = Run(*(job(n, "fit") for n in range(1, 7)))
    for pair in ((1, 2), (3, 4)):
        for number in pair:
            run.start(number)
        run.end(pair[0], 10)
        run.end(pair[1], 0)
    assert run.progress.line() == "0:20: 4 of 6 jobs done, about 0:10 left"
    run.start(5)
    run.time += 4
    assert "about 0:0" in run.progress.line()  # what runs is partly done
    run.time += 60
    assert "left; now: fit 5" in run.progress.line()  # longer than the others: never below 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3600, "1:00:00"), (36605, "10:10:05")],
)
def test_durations(seconds, words):
    assert job_progress._duration(seconds) == words


def test_a_job_without_words_is_called_by_its_rule():
    one = job(1, "fit")
    one.message = None
    run = Run(one)
    run.start(1)
    assert run.progress.line() == "0:00: 0 of 1 jobs; now: fit"


def test_an_allocation_is_done_with_its_last_job():
    run = Run(job(1, "fit", "a"), job(2, "test", "a"), job(3, "fit", "b"), job(4, "table"))
    for number, done in ((1, 0), (3, 1), (2, 2), (4, 2)):
        run.start(number)
        run.end(number, 1)
        assert f", {done} of 2 allocations done" in run.progress.line()


def test_a_log_has_a_line_now_and_then_and_a_terminal_one_line():
    lines = {}
    for to in (io.StringIO(), Terminal()):
        run = Run(*(job(n, "fit") for n in range(40)), to=to)
        for number in range(40):
            run.start(number)
            run.end(number, 1)
        run.progress.end(["a.log"], Path("results/table.html"))
        lines[type(to)] = to.getvalue().splitlines()
    log, screen = lines[io.StringIO], lines[Terminal]
    assert len(log) == 1 + 40 // 15 + 1  # the first, every 15 s, the end
    assert log[-1] == screen[-1] == "40 jobs done in 0:40; Snakemake's log: a.log"
    assert screen[-2].startswith("0:40: 40 of 40 jobs done") and "\n" not in screen[-2]


def test_the_report_is_named_if_this_run_made_it():
    run = Run(job(1, "fit"), job(2, "report"))
    for number in (1, 2):
        run.start(number)
        run.end(number, 3)
    run.progress.end(["a.log", "b.log"], Path("results/report.html"))
    assert run.to.getvalue().splitlines()[-2:] == [
        "2 jobs done in 0:06; Snakemake's log: a.log, b.log",
        "Report: results/report.html",
    ]


def test_what_failed_runs_no_more_and_is_shown_on_a_line_of_its_own():
    run = Run(job(1, "fit"), job(2, "fit"), to=Terminal())
    said, record = logging.StreamHandler(run.to), logging.makeLogRecord
    said.name = "DefaultStreamHandler"
    run.progress.quiet([logging.NullHandler(), said])
    said.handle(record({"msg": "Building DAG", "levelno": logging.INFO}))
    run.start(1)
    said.handle(record({"msg": "rule fit", "levelno": logging.INFO, "event": LogEvent.JOB_INFO}))
    said.handle(record({"msg": "Error in fit", "levelno": logging.ERROR}))
    said.handle(record({"msg": "A warning", "levelno": logging.WARNING}))
    run.tell(LogEvent.JOB_ERROR, jobid=1)
    run.tell(LogEvent.JOB_FINISHED, job_id=7)  # of no job that started: a group's
    assert run.to.getvalue() == (
        "Building DAG\n\r0:00: 0 of 2 jobs; now: fit 1\x1b[K\nError in fit\nA warning\n"
    )
    assert run.progress.line() == "0:00: 0 of 2 jobs"


@pytest.mark.slow
def test_a_run_shows_its_progress_and_its_failure(lab, monkeypatch):
    monkeypatch.setenv(VARIABLE, "1")
    done = snakemake(lab, "--cores", "1", "results/lab/recordings/a1.h5", config=STUDY)
    assert done.returncode != 0
    assert "0:00: 0 of 1 jobs; now: Preprocessing session a1\n" in done.stderr
    assert "Error in rule preprocess:" in done.stderr
    assert "What failed jobs said last:\nresults/lab/logs/preprocess/a1.log:\n" in done.stderr
    hidden = "Job stats:", "Reason: Missing output files"
    (log,) = (lab / ".snakemake/log").iterdir()
    for words in hidden:
        assert words in log.read_text() and words not in done.stderr
