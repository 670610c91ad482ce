"""ImageJ's selections: a .roi file, or the RoiSet.zip of its ROI Manager."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mesodecode.base.files import UserError, refused

if TYPE_CHECKING:
    import roifile

AREAS = ("POLYGON", "RECT", "OVAL", "FREEHAND", "TRACED")
CORNERS = 256  # of an oval
MOST = 64 << 20  # bytes of a selection; an outline of a million corners has 8 MB


def outlines(path: str | Path) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Yield the name of each selection and its outlines; what two of them enclose is a hole.

    An outline is corners (n, 2), x and y in px with the centre of the first pixel at (0, 0), where
    ImageJ has (0.5, 0.5). Selections of a .zip are named as its files are, as ImageJ's ROI Manager
    shows them. Raises UserError if the file is damaged, or a selection is no area.
    """
    for name, roi in _selections(Path(path)):
        kind = roi.roitype.name
        if kind not in AREAS or roi.subtype.name in ("TEXT", "IMAGE", "ARROW"):
            raise UserError(
                f"{path}: selection {name} is a {kind.lower()}, no area; leave it out of the file"
            )
        if roi.composite:
            corners = roi.coordinates(multi=True)
        elif kind in ("RECT", "OVAL"):
            if roi.rounded_rect_arc_size:
                raise UserError(
                    f"{path}: selection {name} is a rectangle with round corners, which is not "
                    "read; draw it as a polygon"
                )
            corners = [(_ellipse if kind == "OVAL" else _rectangle)(roi)]
        else:
            corners = [roi.coordinates()]
        if not all(len(part) > 2 for part in corners):
            raise UserError(f"{path}: selection {name} has no outline; draw it anew")
        yield name, [np.asarray(part, np.float64) - 0.5 for part in corners]


def _selections(path: Path) -> Iterator[tuple[str, roifile.ImagejRoi]]:
    import roifile

    found = {}
    with refused(path, "not a readable file of ImageJ"):
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as file:
                for entry in file.infolist():
                    if not entry.filename.lower().endswith(".roi"):
                        continue
                    if entry.file_size > MOST:
                        raise UserError(
                            f"{path}: {entry.filename} of {entry.file_size} bytes is no selection"
                        )
                    name = Path(entry.filename).name[:-4]
                    if name in found:
                        raise UserError(f"{path}: selection {name} is there twice; rename one")
                    found[name] = roifile.ImagejRoi.frombytes(file.read(entry))
        else:
            found[path.stem] = roifile.ImagejRoi.frombytes(path.read_bytes())
    if not found:
        raise UserError(f"{path}: no selection of ImageJ (.roi) in it")
    yield from found.items()


def _box(roi: roifile.ImagejRoi) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom; roifile 2026.2.10 leaves parts of a pixel out."""
    if roi.subpixelrect:
        return roi.xd, roi.yd, roi.xd + roi.widthd, roi.yd + roi.heightd
    return roi.left, roi.top, roi.right, roi.bottom


def _rectangle(roi: roifile.ImagejRoi) -> np.ndarray:
    left, top, right, bottom = _box(roi)
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def _ellipse(roi: roifile.ImagejRoi) -> np.ndarray:
    left, top, right, bottom = _box(roi)
    angle = np.arange(CORNERS) / CORNERS * 2 * np.pi
    x, y = (left + right) / 2, (top + bottom) / 2
    return np.stack(
        [x + (right - left) / 2 * np.cos(angle), y + (bottom - top) / 2 * np.sin(angle)], axis=1
    )
