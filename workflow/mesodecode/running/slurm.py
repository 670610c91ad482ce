"""Jobs that an earlier run of Snakemake has left in SLURM's queue."""

import getpass
import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from mesodecode.base.files import UserError, say

PATIENCE = 300.0  # seconds for cancelled jobs to end; SLURM's KillWait is 30 by default


def run_name(logfiles: Iterable[str | Path]) -> str:
    """Return what SLURM calls all jobs of a run, as the executor says it in Snakemake's log.

    Raises UserError if it does not stand there.
    """
    for path in logfiles:
        if found := re.search(r"SLURM run ID: (\S+)", Path(path).read_text()):
            return found[1]
    raise UserError(
        "Snakemake's log names no SLURM run ID, by which a run started again would find the jobs "
        "of this one; leave out --quiet all"
    )


def cancel(name: str) -> list[str]:
    """Cancel the user's jobs of this name; return their ids once they have ended.

    Raises UserError if SLURM does not answer, or a job does not end.
    """
    if not shutil.which("squeue"):
        return []
    found = left = _queue(name)
    if not found:
        return []
    words = f"SLURM jobs {' '.join(found)} of an earlier run"
    say(f"cancelling {words}; trainings go on from their checkpoints")
    _ask("scancel", *found)
    end = time.monotonic() + PATIENCE
    while left:
        if time.monotonic() > end:
            raise UserError(f"{words} do not end; see `squeue --jobs={','.join(left)}`")
        time.sleep(1)
        left = _queue(name)
    return found


def _queue(name: str) -> list[str]:
    """Return the user's jobs of a name that wait, run or are ending."""
    me = f"--user={getpass.getuser()}"
    return _ask("squeue", "--noheader", me, f"--name={name}", "--format=%i").split()


def _ask(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        said = None
        if done.returncode:
            said = done.stderr.strip() or f"ended with status {done.returncode}"
    except subprocess.TimeoutExpired:
        said = "no answer within 60 s"
    if said is not None:
        raise UserError(
            f"jobs of an earlier run may still be at work, but {command[0]} cannot tell: "
            f"{' '.join(said.split())}; try again when SLURM answers"
        )
    return done.stdout
