"""The order of files and names, as people count: it says which frames of a movie come first.

Apart from `files`, whose code does not count for the hash of a stage (`running/provenance.py`).
"""

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path


def matching(path: str | Path) -> list[Path]:
    """Return the files that `path` names: itself, or those that match it as a pattern (* ? []).

    In the order of the numbers in their names. Where nothing matches, the path itself, so that
    opening it says what is missing.
    """
    if os.path.lexists(path) or not glob.has_magic(str(path)):
        return [Path(path)]
    return in_order(map(Path, glob.glob(str(path)))) or [Path(path)]


def natural(name: object) -> list[tuple[int, str]]:
    """Return a key that sorts names as people count: mouse 2 before mouse 10."""
    parts = re.split(r"(\d+)", str(name))  # text and digits in turn, so types never meet
    return [(int(part) if index % 2 else 0, part) for index, part in enumerate(parts)]


def each_in_order(names: Iterable[object]) -> list:
    """Return each of the names once, sorted as people count."""
    return sorted(dict.fromkeys(names), key=natural)


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Sort paths by their names as people count: 2 before 10, and rec before rec2 or rec-2."""
    return sorted(paths, key=lambda path: [*map(natural, [*path.parts[:-1], *_ends(path)])])


def stem(path: Path) -> str:
    """Return a file's name without what says its format, also .ome.tif."""
    return re.sub(r"\.ome$", "", path.stem, flags=re.IGNORECASE)


def _ends(path: Path) -> tuple[str, str]:
    return stem(path), path.suffix  # apart: '.' sorts after '-' and before '2'
