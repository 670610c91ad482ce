"""What killed jobs leave half-written is deleted, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mesodecode.base.files import atomic_path
from mesodecode.running import halves


def half_written(path: Path, days: float) -> Path:
    """What a job leaves that is killed as it writes `path`, touched last so many days ago."""
    with atomic_path(path) as part:
        part.write_text("half")
        os.link(part, part.parent / "kept")
    path.unlink()
    (part.parent / "kept").rename(part)
    part.chmod(0o600)  # as it was while it was written
    os.utime(part, (time.time() - days * 86_400,) * 2)
    return part


@pytest.mark.parametrize("name", ["m.h5", "train-a+b.valid-c.test-d.pt", "x.finished.pt", "log"])
def test_files_that_none_has_written_to_for_a_day_are_deleted(tmp_path, name, capsys):
    old = half_written(tmp_path / "results/lab/recordings" / name, 1.1)
    new = half_written(tmp_path / "results/lab/recordings" / name, 0.9)
    halves.drop(tmp_path / "results")
    assert new.exists() and not old.exists()
    assert "deleted half-written files of killed jobs: 1 (0.0 GB)" in capsys.readouterr().err
    halves.drop(tmp_path / "results")
    halves.drop(tmp_path / "none")
    assert new.exists() and capsys.readouterr().err == ""


def test_whole_files_and_those_of_locks_and_lists_stay(tmp_path):
    names = ("m.h5", "a.finished.pt", ".snakemake.lock", ".slurm_run", ".maps.txt.aside", ".x.h5")
    names += (".view.snapshot.html",)  # a user's, of a name as half-written files have
    for name in names:
        (tmp_path / name).write_text("whole")
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / ".view.snapshot.html").chmod(0o640)  # which a group reads
    (tmp_path / ".in.abcdefgh").mkdir()
    halves.drop(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*names, ".in.abcdefgh"}
