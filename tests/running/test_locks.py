"""Locks: one process at a time, whatever became of the one before."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from make import ROOT
from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.running import locks
from mesodecode.running.locks import Lock

HOLD = """
import sys, time
from mesodecode.running.locks import Lock
with Lock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def held(tmp_path):
    """A lock held by another process, which lets it go on a line of input."""
    path = tmp_path / "at" / "work.lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "workflow"), "SLURM_JOB_ID": "12"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield path, process
    process.kill()
    process.communicate()


def elsewhere(path: Path) -> None:
    """Make the holder one on another machine, of which only its signs of life are seen."""
    holder = json.loads(path.read_text())
    path.write_text(json.dumps(holder | {"machine": "another", "host": "n7"}))


def test_it_waits_until_the_holder_lets_go(held, monkeypatch, capfd):
    monkeypatch.setattr(locks, "SETTLE", 0)
    monkeypatch.setattr(locks, "SILENCE", 0.1)  # on this machine it is seen to live, silent or not
    path, process = held
    timer = threading.Timer(0.5, process.communicate, ["\n"])
    timer.start()
    lock = Lock(path)
    start = time.monotonic()
    lock.acquire(poll=0.05)
    assert time.monotonic() - start > 0.4
    timer.join()
    assert json.loads(path.read_text())["pid"] == os.getpid()
    lock.release()
    assert list(path.parent.iterdir()) == []
    assert capfd.readouterr().err == (
        f"waiting until SLURM job 12, process {process.pid} on {os.uname().nodename} finishes\n"
    )


def test_a_living_holder_is_an_error_where_nobody_waits(held):
    with pytest.raises(UserError, match=r"work.lock: SLURM job 12, process \d+ on .* is at work"):
        Lock(held[0]).acquire(wait=False)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_holder_is_replaced_at_once(held, monkeypatch, how):
    monkeypatch.setattr(locks, "SETTLE", 0.05)
    path, process = held
    process.send_signal(how)
    process.wait()
    assert path.exists()
    with Lock(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert list(path.parent.iterdir()) == []


def test_another_process_with_its_number_is_not_the_holder(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "SETTLE", 0.05)
    path = tmp_path / "work.lock"
    with Lock(path):
        text = path.read_text()
    path.write_text(json.dumps(json.loads(text) | {"started": 1.0, "token": "old"}))
    Lock(path).acquire(wait=False)


def test_on_another_machine_silence_tells(held, monkeypatch, capfd):
    monkeypatch.setattr(locks, "SETTLE", 0.05)
    monkeypatch.setattr(locks, "SILENCE", 0.6)
    path, _ = held
    elsewhere(path)
    start = time.monotonic()
    Lock(path).acquire(wait=False, poll=0.05)
    assert time.monotonic() - start > 0.6
    assert "gives a sign of life (up to 1 s)" in capfd.readouterr().err


def test_a_machine_without_proc_is_told_by_its_name_and_boot(monkeypatch):
    def none(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(locks.Path, "read_text", none)
    monkeypatch.setattr(locks.psutil, "boot_time", lambda: 1764340000.4)
    monkeypatch.setattr(locks.socket, "gethostname", lambda: "mac")
    assert locks._machine() == "mac 1764340000"


def test_on_another_machine_a_touch_is_life(held, monkeypatch):
    monkeypatch.setattr(locks, "SILENCE", 5)
    path, _ = held
    elsewhere(path)
    timer = threading.Timer(0.3, os.utime, [path])
    timer.start()
    with pytest.raises(UserError, match="on n7 is at work"):
        Lock(path).acquire(wait=False, poll=0.05)


@pytest.mark.parametrize("text", ['{"token": "of another"}', "{}", "", None])
def test_a_lock_that_is_no_longer_held_is_not_given_back(tmp_path, text):
    """Another took it over, or writes it at this moment, or it is gone."""
    lock = Lock(path := tmp_path / "work.lock")
    lock.acquire()
    path.unlink() if text is None else path.write_text(text)
    lock.release()
    assert (path.read_text() if path.exists() else None) == text


def test_of_several_that_replace_a_dead_holder_one_has_the_lock(held):
    path, process = held
    process.kill()
    process.wait()
    inside, most = 0, 0
    count = threading.Lock()

    def work():
        nonlocal inside, most
        lock = Lock(path)
        lock.acquire(poll=0.05)
        with count:
            inside += 1
            most = max(most, inside)
        time.sleep(0.1)
        with count:
            inside -= 1
        lock.release()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == 1 and not path.exists()


def test_a_holder_that_was_replaced_ends_without_a_word_more(held, tmp_path):
    """Silent for too long, as a suspended virtual machine: another has taken over."""
    code = "from mesodecode.running import locks; locks.BEAT = 0.1\n" + HOLD.replace("work", "w")
    path = tmp_path / "slow.lock"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "workflow")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    touched = path.stat().st_mtime_ns
    time.sleep(0.5)
    assert path.stat().st_mtime_ns > touched  # its signs of life
    os.replace(held[0], path)
    assert process.wait(10) == 1
    assert "taken over by SLURM job 12" in process.stderr.read()
    assert path.exists()
    process.communicate()


@pytest.mark.parametrize(("of", "step"), [(os, "utime"), (Path, "stat"), (Path, "read_text")])
def test_signs_of_life_go_on_after_a_hiccup_of_the_file_system(tmp_path, monkeypatch, of, step):
    path, failed, alive = tmp_path / "work.lock", threading.Event(), threading.Event()
    as_ever, touch = getattr(of, step), os.utime

    def once_away(which, *args, **options):
        if which == path and not failed.is_set():
            failed.set()
            raise OSError(errno.ESTALE, "Stale file handle")
        if step == "utime":
            alive.set()
        return as_ever(which, *args, **options)

    def touched(which):
        alive.set()
        touch(which)

    monkeypatch.setattr(locks, "BEAT", 0.005)
    monkeypatch.setattr(os, "utime", touched)
    monkeypatch.setattr(of, step, once_away)
    with Lock(path):
        assert failed.wait(5)
        alive.clear()
        assert alive.wait(1)


def test_a_training_verb_holds_the_lock_of_its_checkpoint(tmp_path, monkeypatch):
    kept = tmp_path / "checkpoints" / "a.b.pt"
    seen = []
    argv = [
        "train-rnn",
        "--features",
        "f",
        "--train-mice",
        "m",
        "--valid-mice",
        "n",
        "--rnn",
        "gru",
    ]
    argv += ["--out", "o", "--history", "h", "--checkpoint", str(kept)]
    module = sys.modules["mesodecode.cli.decoders.train_rnn"] if cli.parser() else None
    monkeypatch.setattr(module, "run", lambda args: seen.extend(kept.parent.iterdir()))
    assert cli.main(argv) == 0
    assert [path.name for path in seen] == ["a.b.lock"]
    assert list(kept.parent.iterdir()) == []
