"""Verbs that share one start of Python: a server that has imported everything is copied for each.

To import torch takes seconds, of which the jobs of a small study mostly consist. While a command
runs under `serve`, the rules' `mesodecode` (workflow/rules/setup.smk) hands its words, folder,
environment and streams to that server, which forks; `python -I -S warm.py VERB …` is that client
and so imports little. For one machine: a job of a cluster does not see the socket, and starts its
own Python.
"""

import json
import os
import signal
import socket
import sys

TYPE_CHECKING = False  # typing's takes as long to import as all of the above
if TYPE_CHECKING:
    from collections.abc import Callable

    Main = Callable[[list[str]], int]

VARIABLE = "MESODECODE_WARM"  # the server's socket
PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
HEAVY = (
    *(
        "torch",
        "torch._dynamo",  # which the first optimiser imports
        "mesodecode.decoders.timm_import",
        "pandas",
        "h5py",
        "tifffile",
        "tqdm",
        "PIL.Image",
        "skimage.registration",
    ),
    *("sklearn.linear_model", "sklearn.ensemble", "sklearn.isotonic", "scipy.io", "scipy.stats"),
    *("matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg"),
)


def serve(command: list[str], main: "Main") -> int:
    """Run `command`, whose verbs share this process's imports; return its exit status.

    `main` runs the words of a verb and returns its status. The package is as it is now: edits of
    its code while the command runs are not seen.
    """
    import importlib
    import subprocess
    import tempfile

    for name in (*HEAVY, *_modules()):
        importlib.import_module(name)
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is the command's own; it ends, then we
    workers: set[int] = set()
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        path = os.path.join(folder, "socket")
        server.bind(path)
        server.listen(64)
        server.settimeout(0.2)
        process = subprocess.Popen(command, env=os.environ | {VARIABLE: path})
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        while process.poll() is None:
            workers -= {pid for pid in workers if os.waitpid(pid, os.WNOHANG)[0]}
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            pid = os.fork()
            if not pid:
                server.close()
                _work(connection, main)
            workers.add(pid)
            connection.close()
    return process.returncode


def _modules() -> list[str]:
    """Return the modules of the package that verbs import when they run."""
    import pkgutil

    rooms = ("recordings", "simulation", "decoders", "scores", "shift", "confounds", "explain")
    paths = [os.path.join(PACKAGE, room) for room in rooms]
    return [
        f"mesodecode.{os.path.basename(found.module_finder.path)}.{found.name}"
        for found in pkgutil.iter_modules(paths)
    ]


def _work(connection: socket.socket, main: "Main") -> None:
    """In the copy: run what the client asks for as if it were typed there, and end."""
    status = 1
    try:
        connection.setblocking(True)
        size, streams, *_ = socket.recv_fds(connection, 8, 3)
        with connection.makefile("rb") as file:
            asked = json.loads(file.read(int.from_bytes(size)))
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(asked["folder"])
        connection.sendall(os.getpid().to_bytes(8))
        if asked["package"] != PACKAGE:
            sys.exit(f"mesodecode warm: runs the package in {PACKAGE}, not {asked['package']}")
        status = main(asked["words"])
    except SystemExit as end:  # of argparse: a number; of others: words
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall((status or 0).to_bytes(8))
        os._exit(0)


def client(words: list[str]) -> int:
    """Have the server run a verb; return its exit status, 137 if it was killed."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ[VARIABLE])
        asked = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}
        text = json.dumps(asked | {"package": PACKAGE}).encode()
        socket.send_fds(connection, [len(text).to_bytes(8)], [0, 1, 2])
        connection.sendall(text)
        pid = int.from_bytes(connection.recv(8))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: os.kill(pid, number))
        status = connection.recv(8)
    return int.from_bytes(status) if status else 137


if __name__ == "__main__":
    sys.exit(client(sys.argv[1:]))
