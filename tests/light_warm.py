"""Servers of verbs for tests, in a module that a fresh process finds by its name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from huggingface_hub import constants
from snakemake.cli import main as snakemake_main

from mesodecode import cli
from mesodecode.running import warm

PROGRAM = subprocess.Popen


def light(command: list[str]) -> int:
    """A server without the heavy imports, which these verbs do without, with one that is broken."""
    warm.HEAVY = ()
    os.environ["SERVERS"] = "1"

    def main(words: list[str]) -> int:
        if words == ["broken"]:
            raise ValueError("a bug")
        if words == ["variables"]:
            print(*(f"{name}={os.environ.get(name)}" for name in ("SERVERS", "SHELLS")))
            return 0
        return cli.main(words)

    return warm.serve(command, main)


class Copied:
    """Snakemake as a copy of the server, in the place of the program that it starts."""

    def __init__(self, words: list[str], env: dict[str, str]) -> None:
        subprocess.Popen = PROGRAM  # for what Snakemake starts
        self.returncode = None
        self.pid = os.fork()
        if self.pid:
            return
        status = 1
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.environ.update(env)
            sys.argv = ["snakemake", *words]
            status = snakemake_main(words)
        except SystemExit as end:
            status = end.code
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status or 0)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)


def snakemake(words: list[str]) -> int:
    """Run Snakemake as `mesodecode warm snakemake` does, without a start of Python for it."""
    cli.parser()
    subprocess.Popen = Copied
    return warm.serve(words, cli.main)


def _timed(words: list[str]) -> int:
    """A verb that takes half a second, and writes down from when to when."""
    start = time.time()
    time.sleep(0.5)
    open(words[words.index("--all-epochs") + 1], "w").close()
    with open("times", "a") as file:
        print(start, time.time(), file=file)
    return 0


def timed(words: list[str]) -> int:
    """Run Snakemake with verbs that only take their time."""
    warm.HEAVY, subprocess.Popen = (), Copied
    return warm.serve(words, _timed)


def offline(words: list[str]) -> int:
    """Run Snakemake as if there were no internet, and nothing of it kept."""
    constants.HF_HUB_OFFLINE, constants.HF_HUB_CACHE = True, os.path.abspath("hub")
    return snakemake(words)
