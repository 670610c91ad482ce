"""Files that jobs killed while they wrote have left half-written, under hidden names."""

import os
import re
import stat
import time
from contextlib import suppress
from pathlib import Path

from mesodecode.base.files import GB, say

HALF = re.compile(r"\..+\.[a-z0-9_]{8}(\.[^.]+)?")  # how `base.files.atomic_path` calls them
GIVEN_UP = 86_400  # s without a write after which no process is at work on one


def drop(folder: str | Path) -> None:
    """Delete those below a folder that nothing has been written to for a day; a line says so.

    Younger ones may be of a process that is at work, on another machine too. Half-written files are
    the user's alone to read until they are whole: what others may read is somebody's file of such a
    name, and stays.
    """
    dropped, size = 0, 0
    for root, _, names in os.walk(folder):
        for name in filter(HALF.fullmatch, names):
            path = Path(root, name)
            with suppress(OSError):  # another process was first
                found = path.lstat()
                private = stat.S_ISREG(found.st_mode) and not found.st_mode & 0o077
                if private and time.time() - found.st_mtime > GIVEN_UP:
                    path.unlink()
                    dropped, size = dropped + 1, size + found.st_size
    if dropped:
        say(f"{folder}: deleted half-written files of killed jobs: {dropped} ({size / GB:.1f} GB)")
