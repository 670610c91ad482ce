"""Errors a user can act on, and output files that are whole or absent.

This module is the bottom of the package: everything may import it, it imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class UserError(Exception):
    """Something the user can mend. Its one line says what, in which file, and what to do."""


class Stopped(Exception):
    """Work was asked to stop by a signal; what is done is kept, the same command goes on."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` if the block succeeds.

    A job that is killed or fails leaves no half-written `path`, and a second writer of the same
    file can only replace it by another whole one. The temporary name keeps the suffix of `path`,
    since writers such as matplotlib choose the format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # mkstemp makes the file private; a lab shares results
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
