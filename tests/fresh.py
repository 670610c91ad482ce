"""Fresh processes in which the heavy imports are done: a few milliseconds each, not seconds.

A fork server, one for each worker of the tests, imports the libraries once; every process is a copy
of it. The package itself is imported anew by each: some tests run a copy of the project. `python`
gives the jobs of a whole workflow such processes, too: a demo is a hundred of them.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import shlex
import socketserver
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["snakemake.cli", "torch", "h5py", "tqdm", "sklearn.linear_model", "seaborn", "statsmodels.api"]
)


def _enter(
    main: str,
    words: list[str],
    folder: str,
    streams: list[str],
    environment: dict[str, str],
    python: str | None = None,
) -> None:
    """In the new process: run `main` ("module:function") as if it were typed in `folder`."""
    os.environ.clear()  # the server's, of before the test
    os.environ.update(environment)
    for number, path in enumerate(streams, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.chdir(folder)
    sys.argv, sys.executable = [main, *words], python or sys.executable
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    module, _, function = main.partition(":")
    sys.exit(getattr(importlib.import_module(module), function)(words))


class Process:
    """A process that runs `main`, with what it wrote to its two streams.

    `python` takes the place of sys.executable, with which it starts processes of its own.
    """

    def __init__(
        self, main: str, *words: object, folder: Path | str = ".", python: str | None = None
    ) -> None:
        self.written = tempfile.TemporaryDirectory()
        self.streams = [Path(self.written.name, name) for name in ("stdout", "stderr")]
        streams = list(map(str, self.streams))
        arguments = (main, list(map(str, words)), str(folder), streams, dict(os.environ), python)
        self.process = SERVER.Process(target=_enter, args=arguments)
        self.process.start()

    def finish(self) -> CompletedProcess:
        """Wait for its end; return status and text."""
        self.process.join(900)
        assert self.process.exitcode is not None, "no end after 15 minutes; was its server killed?"
        text = [path.read_text() for path in self.streams]
        return CompletedProcess([], self.process.exitcode, *text)


class _Verb(socketserver.StreamRequestHandler):
    """Runs what a `python` of below was asked for; answers with its exit status."""

    def handle(self) -> None:
        asked = json.loads(self.rfile.readline())
        streams = [f"/proc/{asked['pid']}/fd/{number}" for number in (1, 2)]
        verb = asked["words"], asked["folder"], streams, asked["environment"]
        process = SERVER.Process(target=_enter, args=("mesodecode.cli:main", *verb))
        process.start()
        process.join()
        self.wfile.write(str(process.exitcode).encode())


# What a job starts: no site-packages, as it only passes on what it was given.
CLIENT = """
import json, os, socket, sys
if sys.argv[2:4] != ["-m", "mesodecode"]:
    os.execv(sys.argv[1], sys.argv[1:])
with socket.socket(socket.AF_UNIX) as server:
    server.connect(os.path.join(os.path.dirname(os.path.abspath(__file__)), "socket"))
    asked = {"words": sys.argv[4:], "pid": os.getpid(), "folder": os.getcwd()}
    server.sendall(json.dumps(asked | {"environment": dict(os.environ)}).encode() + b"\\n")
    sys.exit(int(server.makefile().read()))
"""


@contextmanager
def python() -> Iterator[str]:
    """Yield a `python` whose `-m mesodecode VERB` runs in a process with the imports done."""
    with tempfile.TemporaryDirectory() as folder:
        client, script = Path(folder, "client.py"), Path(folder, "python")
        client.write_text(CLIENT)
        words = shlex.join([sys.executable, "-I", "-S", str(client), sys.executable])
        script.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        script.chmod(0o755)
        with socketserver.ThreadingUnixStreamServer(str(Path(folder, "socket")), _Verb) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield str(script)
            server.shutdown()
