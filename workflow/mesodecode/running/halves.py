"""Files that jobs killed while they wrote have left half-written, under hidden names."""

import os
import re
import time
from contextlib import suppress
from pathlib import Path

from mesodecode.base.files import GB, say

HALF = re.compile(r"\..+\.[a-z0-9_]{8}(\.[^.]+)?")  # how `base.files.atomic_path` calls them
GIVEN_UP = 86_400  # s without a write after which no process is at work on one


def drop(folder: str | Path) -> None:
    """Delete those below a folder that nothing has been written to for a day; a line says so.

    Younger ones may be of a process that is at work, on another machine too.
    """
    dropped, size = 0, 0
    for root, _, names in os.walk(folder):
        for name in filter(HALF.fullmatch, names):
            path = Path(root, name)
            with suppress(OSError):  # another process was first
                found = path.lstat()
                if time.time() - found.st_mtime > GIVEN_UP:
                    path.unlink()
                    dropped, size = dropped + 1, size + found.st_size
    if dropped:
        say(f"{folder}: deleted half-written files of killed jobs: {dropped} ({size / GB:.1f} GB)")
