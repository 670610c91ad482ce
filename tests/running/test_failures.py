"""What failed jobs said is on the terminal at the end of a run, without their logs being opened."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from make import STUDY, snakemake
from mesodecode.running.failures import Failures, last_words


def failed(failures: Failures, jobid: int, *logs: Path, indent: bool = False) -> None:
    more = {"event": LogEvent.JOB_ERROR, "jobid": jobid, "log": logs, "indent": indent}
    failures.emit(logging.makeLogRecord(more))


def shown(failures: Failures) -> str:
    text = io.StringIO()
    failures.show(text)
    return text.getvalue()


def log(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.log"
    path.write_bytes(text.encode())
    return path


def test_the_error_at_the_end_of_each_log(tmp_path):
    failures = Failures()
    assert shown(failures) == ""
    failed(failures, 3, log(tmp_path, "a", "reading\nmesodecode preprocess: error: a.tif: cut\n"))
    failed(failures, 4, log(tmp_path, "b", "10%|#\r20%|##\r30%|###\nKilled\n"))
    failed(failures, 5, tmp_path / "none.log")
    assert shown(failures).splitlines()[1:] == [
        "What failed jobs said last:",
        f"{tmp_path}/a.log:",
        "mesodecode preprocess: error: a.tif: cut",
        f"{tmp_path}/b.log:",
        "30%|###",
        "Killed",
    ]


def test_a_job_that_is_done_at_another_attempt_is_no_failure(tmp_path):
    failures = Failures()
    failed(failures, 3, log(tmp_path, "a", "x: error: out of memory\n"))
    done = {"event": LogEvent.JOB_FINISHED, "job_id": 3}
    failures.emit(logging.makeLogRecord(done))
    failures.emit(logging.makeLogRecord({"msg": "of no event"}))
    assert shown(failures) == ""


def test_members_of_a_group_that_did_not_fail_are_left_out(tmp_path):
    failures = Failures()
    failed(failures, 3, log(tmp_path, "a", "epoch 1\nepoch 2\n"), indent=True)
    failed(failures, 4, log(tmp_path, "b", "ValueError: x\n"), indent=True)
    assert f"{tmp_path}/b.log:\nValueError: x" in shown(failures)
    assert "a.log" not in shown(failures)


def test_the_log_of_a_cluster_where_that_of_the_rule_names_no_error(tmp_path):
    own, other = log(tmp_path, "own", "epoch 1\n"), log(tmp_path, "slurm", "error: oom_kill\n")
    failures = Failures()
    failed(failures, 3, own, other)
    assert "error: oom_kill" in shown(failures) and "epoch 1" not in shown(failures)
    own.write_text("mesodecode: error: a\n")
    assert "mesodecode: error: a" in shown(failures) and "oom_kill" not in shown(failures)


def test_hundreds_of_failures_are_a_few_lines(tmp_path):
    failures = Failures()
    for number in range(380):
        failed(failures, number, log(tmp_path, f"same{number}", "error: no space left\n"))
    for number in range(400, 420):
        failed(failures, number, log(tmp_path, f"own{number}", f"error: file {number}\n"))
    failed(failures, 500, log(tmp_path, "again", "error: file 419\n"))
    lines = shown(failures).splitlines()
    assert lines[2:4] == [f"{tmp_path}/same0.log and 379 more:", "error: no space left"]
    assert lines[-1] == "… and the logs of 17 more jobs that failed; see above" and len(lines) == 13


def test_a_log_of_gigabytes_is_read_from_its_end(tmp_path):
    path = log(tmp_path, "a", "x" * 200_000 + "\nmesodecode: error: last\n")
    assert last_words(path) == "mesodecode: error: last"
    windows = log(tmp_path, "c", "reading  \r\n10%|#\r20%|##  \r\n\r\nKilled\t\r\n")
    assert last_words(windows) == "reading\n20%|##\nKilled"
    lines = [f"line {i}" for i in range(5)]
    assert last_words(log(tmp_path, "b", "\n".join(lines))) == "\n".join(lines[2:])


@pytest.mark.slow
def test_a_run_ends_with_what_its_job_said(lab):
    done = snakemake(lab, "--cores", "1", "results/lab/recordings/a1.h5", config=STUDY)
    assert done.returncode != 0
    end = (done.stdout + done.stderr).split("What failed jobs said last:\n")[1].splitlines()
    assert end[0] == "results/lab/logs/preprocess/a1.log:"
    assert end[1].startswith("mesodecode preprocess: error: my data/a1.tif: ")
