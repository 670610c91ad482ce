"""Fresh processes in which the heavy imports are done: a few milliseconds each, not seconds.

A fork server, one for all workers of the tests, imports the libraries once; every process is a copy
of it. The package itself is imported anew by each: some tests run a copy of the project.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
import tempfile
from multiprocessing import forkserver
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["heavy"])
ADDRESS = "FRESH_SERVER"  # of the server that was started for all workers


def share() -> None:
    """Start the server, which ends with this process, for all that are started from now on."""
    if hasattr(forkserver._forkserver, "_forkserver_authkey"):
        return  # Python 3.14: a server answers the process alone that started it, one each then
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):
        forkserver.ensure_running()
    os.environ[ADDRESS] = forkserver._forkserver._forkserver_address


if ADDRESS in os.environ:
    forkserver._forkserver._forkserver_address = os.environ[ADDRESS]
    forkserver._forkserver._forkserver_alive_fd = os.open(os.devnull, os.O_RDONLY)
    forkserver._forkserver.ensure_running = multiprocessing.resource_tracker.ensure_running


def _enter(
    main: str,
    words: list[str],
    folder: str,
    streams: list[str],
    environment: dict[str, str],
) -> None:
    """In the new process: run `main` ("module:function") as if it were typed in `folder`."""
    os.environ.clear()  # the server's, of before the test
    os.environ.update(environment)
    for number, path in enumerate(streams, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.chdir(folder)
    sys.argv = [main, *words]
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    module, _, function = main.partition(":")
    sys.exit(getattr(importlib.import_module(module), function)(words))


def execute(words: list[str]) -> None:
    """Run `words`, a program and its arguments, as `python -c` does."""
    program, *sys.argv[1:] = words
    exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})


class Process:
    """A process that runs `main`, with what it wrote to its two streams."""

    def __init__(self, main: str, *words: object, folder: Path | str = ".") -> None:
        self.written = tempfile.TemporaryDirectory()
        self.streams = [Path(self.written.name, name) for name in ("stdout", "stderr")]
        streams = list(map(str, self.streams))
        arguments = (main, list(map(str, words)), str(folder), streams, dict(os.environ))
        self.process = SERVER.Process(target=_enter, args=arguments)
        with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):  # of the server
            self.process.start()

    def finish(self) -> CompletedProcess:
        """Wait for its end; return status and text."""
        self.process.join(1800)
        assert self.process.exitcode is not None, "no end after 30 minutes; was its server killed?"
        text = [path.read_text() for path in self.streams]
        return CompletedProcess([], self.process.exitcode, *text)
