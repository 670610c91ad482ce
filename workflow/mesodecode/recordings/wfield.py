"""Files of wfield (Couto et al. 2021): landmarks of a session, and the areas of its atlas.

Both are JSON. Its atlas is in mm from bregma, x to the right and y to the back; landmarks are kept
in mm, in px of an image of the atlas and in px of the session's movie (x right, y down).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mesodecode.base.files import UserError, read_json

Landmarks = dict[str, np.ndarray]  # name -> (x, y)


def areas(path: str | Path) -> dict[str, list] | None:
    """Return the areas of wfield's atlas as polygons in mm, "V1 left" and "V1 right".

    They are those of a file such as dorsal_cortex_ccf_labels.json; None if it is no such file.
    """
    table = read_json(path)
    rows = table if isinstance(table, list) else _rows(table)
    sides = [(side, f"{side}_x", f"{side}_y") for side in ("left", "right")]
    keys = {"acronym", *(key for side in sides for key in side[1:])}
    if not rows or not all(isinstance(row, Mapping) and keys <= set(row) for row in rows):
        return None
    return {
        f"{row['acronym']} {side}": np.stack([row[x], row[y]], axis=1).tolist()
        for side, x, y in sides
        for row in rows
        if len(row[x]) > 2
    }


def _rows(table: Any) -> list[dict]:
    """Return the rows of a table that pandas wrote column by column."""
    if not isinstance(table, Mapping) or not isinstance(table.get("acronym"), Mapping):
        return []
    return [{key: column.get(at) for key, column in table.items()} for at in table["acronym"]]


def landmarks(
    pattern: str | Path, sessions: Iterable[tuple[str, str]], *, atlas: str, mm: bool
) -> dict[str, Landmarks]:
    """Return the landmarks of sessions, (mouse, session), and of the atlas, called `atlas`.

    `pattern` is a path that holds {session}, and {mouse} if need be; a session without a file has
    none. The atlas's are in mm, or in px of its image. Raises UserError if none has a file, or
    files are of other atlases.
    """
    found: dict[str, Landmarks] = {}
    for mouse, session in sessions:
        path = Path(str(pattern).replace("{session}", session).replace("{mouse}", mouse))
        if not path.is_file():
            continue
        about = read_json(path)
        found[session] = _points(about, "landmarks_match", path)
        home = _points(about, "landmarks" if mm else "landmarks_im", path)
        first = found.setdefault(atlas, home)
        same = first.keys() == home.keys() and all(np.allclose(first[n], home[n]) for n in home)
        if not same:
            raise UserError(f"{path}: its atlas has other landmarks than that of other sessions")
    if not found:
        raise UserError(f"{pattern}: no session has such a file of landmarks")
    return found


def _points(about: Any, key: str, path: Path) -> Landmarks:
    try:
        table = about[key]
        xy = np.array([table["x"], table["y"]], np.float64).T
        points = dict(zip(table["name"], xy, strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: no {key} of wfield in it (x, y and name of each)") from error
    if len(points) < len(xy) or not np.isfinite(xy).all():
        raise UserError(f"{path}: {key}: each needs a name of its own, x and y")
    return points
