"""Verbs that share one start of Python: the same as alone, but sooner."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import fresh
from mesodecode import cli
from mesodecode.running import warm

CLIENT = f"{sys.executable} -I -S {shlex.quote(warm.__file__)}"
ALLOCATE = "allocations --config study.json --out allocations.tsv"


def serve(folder: Path, *lines: str) -> subprocess.CompletedProcess:
    """Run shell lines, whose function `mesodecode` is the client, under a server."""
    client = f'mesodecode() {{ {CLIENT} "$@"; }}'
    words = ("bash", "-c", "\n".join([client, *lines]))
    return fresh.Process("light_warm:light", *words, folder=folder).finish()


@pytest.fixture
def study(tmp_path) -> Path:
    (tmp_path / "study.json").write_text(
        '{"study": "s", "recordings": {"movie": "{session}.tif", "behavior": "{session}.mat"},'
        ' "mice": {"a": ["a1"], "b": ["b1"], "c": ["c1"], "d": ["d1"], "e": ["e1"]},'
        ' "decoders": {"cnn": {}}}'
    )
    return tmp_path


def test_verbs_run_in_the_callers_folder_and_streams_and_give_their_status(study):
    done = serve(
        study,
        f"mesodecode {ALLOCATE} && wc -l < allocations.tsv",
        "mesodecode allocations --config none.json --out x.tsv 2> error.log; echo bad: $?",
        "mesodecode allocations 2> usage.log; echo usage: $?",
        "mesodecode broken 2> bug.log; echo bug: $?",
        "mkdir sub; cd sub; mesodecode allocations --config ../study.json --out here.tsv && ls",
        "COLUMNS=40 mesodecode allocations --help | head -1",
        "mesodecode variables; unset SERVERS; SHELLS=2 mesodecode variables",
        "exit 3",
    )
    assert done.returncode == 3, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:4] == ["21", "bad: 1", "usage: 2", "bug: 1"]  # 20 allocations and the header
    assert lines[4] == "here.tsv" and (study / "bug.log").read_text().endswith("Error: a bug\n")
    assert lines[5].startswith("usage: mesodecode allocations") and len(lines[5]) <= 40
    # variables are those of the caller, not of the server
    assert lines[6:] == ["SERVERS=1 SHELLS=None", "SERVERS=None SHELLS=2"]
    assert "none.json: No such file" in (study / "error.log").read_text()
    assert "required: --config, --out" in (study / "usage.log").read_text()


def test_a_signal_reaches_the_verb_and_its_end_the_caller(study):
    # a training waits where another has its lock, as it must take this file to say
    waiting = "train-cnn --train a --valid b --out m.pt --history h.tsv --checkpoint c.pt"
    done = serve(
        study,
        "touch c.lock",
        "for signal in TERM INT; do",
        f"{CLIENT} {waiting} 2> $signal.log & client=$!",
        "until [ -s $signal.log ]; do sleep 0.05; done; kill -$signal $client; wait $client",
        "echo $?; done",
        "kill -INT $PPID; mesodecode allocations --help > /dev/null; echo $?",  # Ctrl-C here
        "trap 'exit 7' TERM; kill -TERM $PPID; sleep 1 & wait; exit 1",
    )
    assert done.stdout.split() == ["137", "130", "0"], done.stdout + done.stderr
    assert "interrupted, nothing written" in (study / "INT.log").read_text()
    assert done.returncode == 7  # the server's end is that of the command, which it has told


def test_a_server_of_another_checkout_is_refused(study, tmp_path):
    other = tmp_path / "other"
    (other / "running").mkdir(parents=True)
    (other / "running/warm.py").write_text(Path(warm.__file__).read_text())
    done = serve(study, f"{sys.executable} -I -S other/running/warm.py {ALLOCATE}; echo $?")
    assert done.stdout.split() == ["1"]
    assert f"runs the package in {warm.PACKAGE}, not {other}" in done.stderr


def test_no_command_is_a_line(capsys):
    assert cli.main(["warm"]) == 1
    assert "no command; give one" in capsys.readouterr().err
