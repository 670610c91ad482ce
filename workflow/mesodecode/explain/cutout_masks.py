"""Areas to cut out of images: squares, circles, edges, corners, mirror pairs, areas of a file.

A mask is True where the image is hidden. Lengths are pixels of the decoder's images, or, below 1,
shares of the shorter side: the grid of Ajioka et al. 2024, squares of 32 px every 16 px of 128,
is 0.25 and 0.125 at any size. x grows to the right, y down; pixel (0, 0) is the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mesodecode.base.files import UserError
from mesodecode.recordings.masks import read_masks
from mesodecode.recordings.recording import Recording
from mesodecode.study import importance

SIZE, STRIDE = 0.25, 0.125  # Ajioka et al. 2024: 32 and 16 of 128 px
BAND = 0.125


@dataclass(frozen=True, eq=False)
class CutoutMasks:
    """Masks with names: names (M,), areas bool (M, H, W), True where an image is hidden.

    Raises UserError if there is no mask, names are not unique, shapes do not fit, or a mask covers
    nothing or everything: the first changes no image, the second leaves none.
    """

    names: tuple[str, ...]
    areas: np.ndarray

    def __post_init__(self) -> None:
        areas = np.asarray(self.areas)
        if areas.ndim != 3 or areas.dtype != bool or len(areas) != len(self.names):
            raise UserError(
                f"masks: {len(self.names)} names and {areas.dtype} of shape {areas.shape}; need "
                "True and False (masks, height, width), and a name for each"
            )
        if len(areas) == 0:
            raise UserError("masks: there is none")
        seen = set()
        for name, area in zip(self.names, areas, strict=True):
            if name in seen:
                raise UserError(f"mask '{name}': is there twice; give each its own name")
            seen.add(name)
            if not area.any():
                raise UserError(f"mask '{name}': covers nothing of the image; make it larger")
            if area.all():
                raise UserError(f"mask '{name}': covers the whole image; make it smaller")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, part: slice) -> CutoutMasks:
        """Return some of the masks, as for one job of many."""
        return CutoutMasks(self.names[part], self.areas[part])

    def __add__(self, other: CutoutMasks) -> CutoutMasks:
        if self.areas.shape[1:] != other.areas.shape[1:]:
            raise UserError(f"masks of {self.areas.shape[1:]} and {other.areas.shape[1:]} px")
        return CutoutMasks(self.names + other.names, np.concatenate([self.areas, other.areas]))

    def centres(self) -> np.ndarray:
        """Return the centre of mass of each mask, x and y in px (M, 2)."""
        return np.array([np.argwhere(area).mean(axis=0)[::-1] for area in self.areas])

    def mirrors(self) -> tuple[str, ...]:
        """Return for each mask the one whose centre is the mirror image of its own, "" if none is.

        The mirror is the image's vertical midline; centres may miss by a pixel, as those of grids
        that were rounded to pixels do. A mask on the midline has no mirror.
        """
        here = self.centres()
        there = np.array([self.areas.shape[2] - 1, 0]) + here * (-1, 1)
        miss = np.abs(here[None] - there[:, None]).max(axis=2)  # of mask i's image and mask j
        nearest = miss.argmin(axis=1)
        found = []
        for i, j in enumerate(nearest):
            mutual = nearest[j] == i != j and miss[i, j] <= 1
            found.append(self.names[j] if mutual else "")
        return tuple(found)


def squares(height: int, width: int, *, size: float = SIZE, stride: float = STRIDE) -> CutoutMasks:
    """Return a grid of squares, row by row; the defaults are the published 7 x 7.

    `size` is a square's side, `stride` the way from one to the next, in px or shares. Squares
    touch all edges of the image: where the stride does not lead to the last one, a further row or
    column of squares does. Names: "square r1 c1" at the top left.
    """
    side = _length("size", size, height, width)
    areas, names = [], []
    for r, y in enumerate(_starts(height, side, stride, height, width), 1):
        for c, x in enumerate(_starts(width, side, stride, height, width), 1):
            area = np.zeros((height, width), bool)
            area[y : y + side, x : x + side] = True
            areas.append(area)
            names.append(f"square r{r} c{c}")
    return CutoutMasks(tuple(names), np.stack(areas))


def circles(height: int, width: int, *, size: float = SIZE, stride: float = STRIDE) -> CutoutMasks:
    """Return the circles within the squares of `squares`: `size` is their diameter.

    A pixel belongs if its centre is within the radius. Names: "circle r1 c1" at the top left.
    """
    grid = squares(height, width, size=size, stride=stride)
    radius = _length("size", size, height, width) / 2
    rows, columns = np.mgrid[:height, :width]
    areas = [np.hypot(columns - x, rows - y) <= radius for x, y in grid.centres()]
    names = (name.replace("square", "circle") for name in grid.names)
    return CutoutMasks(tuple(names), np.stack(areas))


def edges(height: int, width: int, *, size: float = BAND) -> CutoutMasks:
    """Return bands along the edges, on both sides at once: left and right, top and bottom, all.

    `size` is the breadth of a band, in px or a share. Ajioka et al. 2024 mask both sides at once;
    the default breadth is ours.
    """
    band = _length("size", size, height, width)
    rows, columns = np.mgrid[:height, :width]
    sides = (columns < band) | (columns >= width - band)
    ends = (rows < band) | (rows >= height - band)
    names = ("edges left and right", "edges top and bottom", "edges all")
    return CutoutMasks(names, np.stack([sides, ends, sides | ends]))


def corners(height: int, width: int, *, size: float = SIZE) -> CutoutMasks:
    """Return squares in the corners, left and right at once: the top two, the bottom two, all four.

    `size` is the side of a square, in px or a share. Ajioka et al. 2024 mask all four.
    """
    side = _length("size", size, height, width)
    rows, columns = np.mgrid[:height, :width]
    sides = (columns < side) | (columns >= width - side)
    top, bottom = sides & (rows < side), sides & (rows >= height - side)
    return CutoutMasks(
        ("corners top", "corners bottom", "corners all"), np.stack([top, bottom, top | bottom])
    )


def pairs(height: int, width: int, *, size: float = SIZE, stride: float = STRIDE) -> CutoutMasks:
    """Return squares of the left half together with their mirror images, each pair once.

    The mirror is the image's vertical midline. Squares whose centres lie on it or to its left are
    taken, so the published grid gives 7 x 4. Names: "pair r1 c1" at the top left. Ajioka et al.
    2024, Fig S3.
    """
    grid = squares(height, width, size=size, stride=stride)
    left = np.flatnonzero(grid.centres()[:, 0] <= (width - 1) / 2)
    areas = grid.areas[left] | grid.areas[left][:, :, ::-1]
    return CutoutMasks(tuple(grid.names[i].replace("square", "pair") for i in left), areas)


def from_file(
    path: str | Path, height: int, width: int, recorded: tuple[int, int] | None = None
) -> CutoutMasks:
    """Return for every area of a file a mask of it, and one of all but it.

    The file is one of `masks.read_masks`: a label image (.tif, .npy, .png), polygons or
    circles, in pixels of the movie as recorded, whose height and width are `recorded` where the
    decoder's images have another size. A pixel then belongs to an area that has half of it or
    more. Names: "area 8", "all but area 8".
    Raises UserError as `read_masks` does, and if an area holds none of the pixels or all of them.
    """
    size = recorded or (height, width)
    read = read_masks(path, *size)
    names, areas = [], []
    for name, pixels in zip(read.names, read.pixels, strict=True):
        area = np.zeros(size[0] * size[1], np.float32)
        area[pixels] = 1
        image = Image.fromarray(area.reshape(size))
        if size != (height, width):
            image = image.resize((width, height), Image.Resampling.BOX)
        names.append(f"area {name}")
        areas.append(np.asarray(image) >= 0.5)
    try:
        inside = CutoutMasks(tuple(names), np.stack(areas))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return inside + CutoutMasks(tuple(f"all but {name}" for name in names), ~inside.areas)


MAKERS: dict[str, Callable[..., CutoutMasks]] = {
    "squares": squares,
    "circles": circles,
    "edges": edges,
    "corners": corners,
    "pairs": pairs,
}


def make_masks(masks: str, height: int, width: int, **options: float) -> CutoutMasks:
    """Return the masks of one of `MAKERS` with its options (`size`, `stride`).

    Raises UserError for an unknown name or option.
    """
    if masks not in MAKERS:
        raise UserError(f"masks '{masks}': must be one of {', '.join(MAKERS)}, or a file")
    allowed = MAKERS[masks].__kwdefaults__
    for option in options:
        if option not in allowed:
            raise UserError(f"masks '{masks}': has no '{option}', only {', '.join(allowed)}")
    return MAKERS[masks](height, width, **options)


def masks_of(settings: Mapping[str, Any], recording: Recording, key: str = "masks") -> CutoutMasks:
    """Return the masks that settings ask for by `key`, for a session.

    Settings are those of importance/cutout.yaml, or of importance/pixels.yaml: "areas".
    """
    importance.check_masks("--", settings, key)
    kind, (height, width) = settings[key], recording.shape[1:]
    if kind in importance.MASKS:
        given = {key: settings[key] for key in ("size", "stride") if settings[key] is not None}
        return make_masks(kind, height, width, **given)
    name = recording.name or recording.session
    path = kind.replace("{session}", name).replace("{mouse}", recording.mouse)
    return from_file(path, height, width, recording.recorded_size)


def part(masks: CutoutMasks, block: int, blocks: int) -> CutoutMasks:
    """Return the masks of block 1 … blocks; blocks differ by one mask at most.

    Raises UserError if there is no such block or a block is left without a mask.
    """
    if not 1 <= block <= blocks:
        raise UserError(f"block {block}/{blocks}: give 1/{blocks} to {blocks}/{blocks}")
    if blocks > len(masks):
        raise UserError(
            f"{len(masks)} masks in {blocks} blocks: set blocks to {len(masks)} at most"
        )
    first, last = (len(masks) * number // blocks for number in (block - 1, block))
    return masks[first:last]


def _length(what: str, given: float, height: int, width: int) -> int:
    """Return a length in px: a number of 1 or more as it is, below 1 as a share."""
    if not 0 < given < float("inf"):
        raise UserError(f"{what}: {given}; needs px, or a share of the image between 0 and 1")
    return max(1, round(given * min(height, width) if given < 1 else given))


def _starts(extent: int, side: int, stride: float, height: int, width: int) -> list[int]:
    """Return the first pixels of squares along one axis, the last at the edge."""
    last = extent - side
    if last < 0:
        raise UserError(f"size: squares of {side} px do not fit into images of {height} x {width}")
    _length("stride", stride, height, width)
    step = max(1.0, stride * min(height, width) if stride < 1 else stride)
    starts = [round(i * step) for i in range(int(last / step) + 1)]
    return starts if starts[-1] == last else [*starts, last]
