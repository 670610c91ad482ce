"""Jobs that an earlier run left in the queue, against a `squeue` of our own (see tests/slurm)."""

from __future__ import annotations

import getpass
import os
import subprocess
from pathlib import Path

import pytest

from mesodecode.base.files import UserError
from mesodecode.running import slurm

SQUEUE = """#!/bin/sh
echo "$@" >> asked
cat queue
"""
SCANCEL = """#!/bin/sh
echo "$@" > cancelled
sed -i "/^$1$/d" queue   # the first ends at once, the others a little later
(sleep 0.5; : > queue) > /dev/null 2>&1 &
"""


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Commands in a folder that is the current one and comes first in PATH."""
    for name, text in {"squeue": SQUEUE, "scancel": SCANCEL}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_jobs_of_that_name_are_cancelled_and_waited_for(commands, capfd):
    Path("queue").write_text("7\n8\n")
    assert slurm.cancel("run") == ["7", "8"]
    assert Path("cancelled").read_text() == "7 8\n"
    assert Path("queue").read_text() == ""
    asked = Path("asked").read_text().splitlines()
    every = f"--noheader --user={getpass.getuser()} --name=run --format=%i"  # pending ones, too
    assert {*asked} == {every} and len(asked) > 1
    assert capfd.readouterr().err == (
        "cancelling SLURM jobs 7 8 of an earlier run; trainings go on from their checkpoints\n"
    )


def test_nothing_is_cancelled_where_nothing_is_left(commands):
    Path("queue").touch()
    assert slurm.cancel("run") == []
    assert not Path("cancelled").exists()


def test_a_job_that_does_not_end_is_named(commands, monkeypatch):
    monkeypatch.setattr(slurm, "PATIENCE", 0.1)
    Path("queue").write_text("7\n")
    Path("scancel").write_text("#!/bin/sh\n")
    with pytest.raises(UserError, match=r"SLURM jobs 7 of .* do not end; see `squeue --jobs=7`"):
        slurm.cancel("run")


def test_a_controller_that_is_away_stops_the_start(commands):
    Path("squeue").write_text("#!/bin/sh\necho Unable to contact slurm controller >&2\nexit 1\n")
    with pytest.raises(UserError, match=r"squeue cannot tell: Unable to contact .*; try again"):
        slurm.cancel("run")
    Path("squeue").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(UserError, match=r"squeue cannot tell: ended with status 1; try again"):
        slurm.cancel("run")


def test_a_controller_that_hangs_stops_the_start(commands, monkeypatch):
    def hangs(command, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(slurm.subprocess, "run", hangs)
    with pytest.raises(UserError, match=r"squeue cannot tell: no answer within 60 s; try again"):
        slurm.cancel("run")


def test_a_machine_without_slurm_has_no_jobs(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert slurm.cancel("run") == []


def test_the_name_of_a_run_is_taken_from_the_log(tmp_path):
    log = tmp_path / "run.log"
    log.write_text("Using shell: /bin/bash\nSLURM run ID: me_5f9c\nBuilding DAG\n")
    (tmp_path / "other.log").write_text("Using shell: /bin/bash\n")  # of another logger
    assert slurm.run_name([str(tmp_path / "other.log"), str(log)]) == "me_5f9c"
    log.write_text("nothing\n")
    with pytest.raises(UserError, match=r"names no SLURM run ID.*leave out --quiet all"):
        slurm.run_name([str(log)])
