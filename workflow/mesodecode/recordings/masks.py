"""ROI signals from a movie: the mean over each mask, taken while the movie is read.

Masks are a label image, polygons or circles, in pixels of the movie as recorded: x to the right,
y down, the centre of the first pixel at (0, 0).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mesodecode.base.files import UserError, doubt, first_few, one_line, read_json, say
from mesodecode.recordings.movie import check_opens
from mesodecode.recordings.readers import imagej
from mesodecode.recordings.readers.image_files import IMAGES, read_image
from mesodecode.study import file_formats

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("name", "hemisphere", "x", "y", "radius")  # of a table of circles


@dataclass(frozen=True)
class Masks:
    """ROIs as pixels: names (R,); pixels, for each ROI indices into the flattened image."""

    names: tuple[str, ...]
    pixels: tuple[np.ndarray, ...]

    def within(self, known: np.ndarray, path: str | Path) -> Masks:
        """Return the masks without pixels that are not `known` (H, W) bool.

        Raises UserError if an ROI is left without a pixel.
        """
        kept = tuple(pixels[known.ravel()[pixels]] for pixels in self.pixels)
        for name, pixels in zip(self.names, kept, strict=True):
            if not len(pixels):
                raise UserError(
                    f"{path}: all pixels of ROI {name} are NaN in the movie; leave it out"
                )
        return Masks(self.names, kept)

    def of(self, names: Sequence[str], path: str | Path) -> Masks:
        """Return the ROIs of these names, in their order: those that a decoder was trained on.

        Without names, or where the ROIs of one side alone are called by numbers, as those of label
        images are, all in the order in which they are; a line says so. Raises UserError if one is
        not there.
        """
        if tuple(names) == self.names or not any(names):
            return self
        numbered = [all(re.fullmatch(r"-?\d+", n) for n in side) for side in (self.names, names)]
        if numbered[0] != numbered[1]:
            if len(names) == len(self.names):
                pair = f"'{self.names[0]}' for '{names[0]}'"
                say(f"{path}: ROIs are taken in their order, {pair}: the names do not tell")
            return self
        if missing := [name for name in names if name not in self.names]:
            raise UserError(
                f"{path}: no ROI '{missing[0]}' in it, which the decoder was trained on; it has "
                f"{first_few(self.names, 10)}"
            )
        pixels = dict(zip(self.names, self.pixels, strict=True))
        return Masks(tuple(names), tuple(pixels[name] for name in names))

    def means(self, frames: np.ndarray) -> np.ndarray:
        """Return the mean of frames (n, H, W) over each ROI, float32 (n, R)."""
        flat = frames.reshape(len(frames), -1)
        means = [flat[:, pixels].mean(axis=1, dtype=np.float64) for pixels in self.pixels]
        return np.stack(means, axis=1).astype(np.float32)


def read_masks(path: str | Path, height: int, width: int, dataset: str | None = None) -> Masks:
    """Read the masks of a movie of height x width px, by suffix.

    An image, of a MAT or HDF5 file `dataset` (see `read_image`): labels (H, W), 0 or NaN outside,
    else the number of the ROI; ROIs in the order of their numbers. Where some are negative, the
    sign tells hemispheres, as in wfield's atlas: "3 left" is 3, "3 right" is -3, and the left ones
    come first (where negative ones lie left in the image, which may be mirrored, they are named "3"
    and "-3"). Or a stack of masks, (R, H, W) or (H, W, R), each of 0 (or NaN) and one other number;
    ROIs are numbered from 1.
    .json: polygons, {"name": [[x, y], …], …}; a pixel belongs to an ROI if its centre lies inside.
    .roi, .zip: selections of ImageJ, in the order of the file.
    .tsv, .csv: circles, columns `COLUMNS`, x, y and radius in px; a pixel belongs if its centre is
    within the radius.
    Raises UserError if it is no such file, does not fit the movie, or an ROI holds no pixel.
    """
    known = file_formats.format_of(path, "masks")
    if known is None:
        raise file_formats.unknown(path, "masks", "masks are")
    check_opens(path)
    if known in IMAGES:
        image = read_image(path, dataset, setting="roi_dataset")
        found = (_of_stack if image.ndim == 3 else _of_labels)(image, height, width, path)
    elif known == "polygons":
        found = of_polygons(read_json(path), height, width, path)
    elif known == "ImageJ":
        found = _of_outlines(path, height, width)
    else:
        found = _of_circles(_read_circles(path), height, width, path)
    masks = dict(found)
    for name, pixels in masks.items():
        if len(pixels) == 0:
            raise UserError(f"{path}: ROI {name} holds no pixel's centre; make it larger")
    if not masks:
        raise UserError(f"{path}: no ROI in it")
    return Masks(tuple(masks), tuple(masks.values()))


def read_dark(path: str | Path, height: int, width: int, movie: str | Path) -> np.ndarray:
    """Return the counts of a camera without light (H, W) float32: of a stack of images, the mean.

    Raises UserError unless they are numbers, and of the size of `movie`.
    """
    image = read_image(path)
    image = image.mean(axis=0) if image.ndim == 3 else image
    _check_image(image, "dark_frame", height, width, path, movie)
    if not np.isfinite(image).all():
        raise UserError(f"{path}: dark_frame with NaN or infinite pixels; needs a number for each")
    return image.astype(np.float32)


def read_brain(path: str | Path, height: int, width: int, movie: str | Path) -> np.ndarray:
    """Return where the brain is, (H, W) bool: above 0. NaN is outside.

    Raises UserError unless it is an image of the size of `movie`, without negative values.
    """
    image = read_image(path)
    _check_image(image, "brain_mask", height, width, path, movie)
    if (image < 0).any():  # labels of two hemispheres? half the brain would be lost
        raise UserError(
            f"{path}: brain_mask has negative values; needs 0 outside and more than 0 on all of "
            "the brain"
        )
    if not (image > 0).any():
        raise UserError(f"{path}: no pixel above 0; the brain is above 0")
    return image > 0


def _check_image(
    image: np.ndarray, key: str, height: int, width: int, path: str | Path, movie: str | Path
) -> None:
    if image.ndim != 2 or image.dtype.kind not in "buif":
        raise UserError(
            f"{path}: {key} of shape {image.shape} and type {image.dtype}; needs height x width "
            "numbers"
        )
    if image.shape != (height, width):
        raise UserError(
            f"{path}: {key} of {image.shape[0]} x {image.shape[1]} px, but {movie} has "
            f"{height} x {width}; make it for this movie{_exchanged(image, height, width)}"
        )


def _exchanged(image: np.ndarray, height: int, width: int) -> str:
    """Return the words for an image that has the size of the movie the other way round."""
    turned = image.shape == (width, height)
    return ", or are rows and columns exchanged? see movie_axes" if turned else ""


def whole_labels(labels: np.ndarray, path: str | Path) -> np.ndarray:
    """Return a label image (H, W) as int32, NaN as 0.

    Raises UserError if it is none: not of two axes, or not of whole numbers.
    """
    if labels.ndim != 2 or labels.dtype.kind not in "buif":
        raise UserError(
            f"{path}: an image of shape {labels.shape} and type {labels.dtype}; a label image is "
            "height x width of whole numbers"
        )
    known = np.where(np.isnan(labels), 0, labels)
    bad = np.argwhere((known != np.rint(known)) | (np.abs(known) > np.iinfo(np.int32).max))
    if len(bad):
        row, column = bad[0]
        raise UserError(
            f"{path}: {labels[row, column]:g} in row {row}, column {column}; a label image is of "
            "whole numbers, 0 or NaN outside"
        )
    return known.astype(np.int32)


def _of_labels(
    image: np.ndarray, height: int, width: int, path: str | Path
) -> Iterator[tuple[str, np.ndarray]]:
    labels = whole_labels(image, path)
    if labels.shape != (height, width):
        raise UserError(
            f"{path}: a label image of {labels.shape[0]} x {labels.shape[1]} px, but the movie has "
            f"{height} x {width}; make it for this movie{_exchanged(labels, height, width)}"
        )
    numbers = np.unique(labels[labels != 0]).tolist()
    if len(numbers) == 1:
        share = (labels != 0).mean()
        doubt(
            path,
            f"{numbers[0]} is its only label: one ROI, {share:.0%} of the image; areas are "
            "numbered 1, 2, 3 …, filled, not outlined",
        )
    sides = _sides(numbers, labels, path)
    for number in sorted(numbers, key=lambda n: (n < 0, abs(n))):
        name = f"{abs(number)} {sides[number < 0]}" if sides else f"{number}"
        yield name, np.flatnonzero(labels == number)


def _of_stack(
    stack: np.ndarray, height: int, width: int, path: str | Path
) -> Iterator[tuple[str, np.ndarray]]:
    first, last = stack.shape[1:] == (height, width), stack.shape[:2] == (height, width)
    masks = stack if first else np.moveaxis(stack, -1, 0)
    if stack.dtype.kind == "f":
        masks = np.where(np.isnan(masks), 0, masks)
    whole = stack.dtype.kind in "buif" and stack.any() and all(map(_is_mask, masks))
    if first == last or not whole:
        raise UserError(
            f"{path}: an image of shape {stack.shape} and type {stack.dtype}; needs a label image, "
            f"{height} x {width} whole numbers, or a stack of masks of that size, of 0 and 1"
        )
    for number, mask in enumerate(masks, 1):
        yield f"{number}", np.flatnonzero(mask)


def _is_mask(image: np.ndarray) -> bool:
    """Return whether an image is of 0 and one other number at most."""
    return np.unique(image[image != 0]).size < 2


def _sides(numbers: list[int], labels: np.ndarray, path: str | Path) -> tuple[str, ...]:
    """Return what positive and negative labels are, left and right; () where that is open.

    In wfield's atlas, positive ones are left, in the image as well; where they are not, it is
    mirrored or of another convention. Raises UserError where the one negative number may as well
    stand for what is outside.
    """
    negative = [number for number in numbers if number < 0]
    if len(negative) == 1 and (numbers != [*negative, -negative[0]] or (labels != 0).all()):
        raise UserError(
            f"{path}: labels of one negative number, {negative[0]}: if it is outside, make it 0; "
            "of labels of two hemispheres, those of the right one are negative"
        )
    columns = [np.nonzero(side)[1] for side in (labels > 0, labels < 0)]
    both = all(len(side) for side in columns)
    return ("left", "right") if both and columns[0].mean() < columns[1].mean() else ()


def of_polygons(
    polygons: Any, height: int, width: int, path: str | Path
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and pixels (indices into the flattened image) of polygons: name -> corners [x, y].

    Raises UserError, with `path` in front, for what is no polygon or reaches beyond the image.
    """
    if not isinstance(polygons, dict):
        raise UserError(f'{path}: needs {{"name": [[x, y], …], …}}, a polygon an ROI')
    for name, corners in polygons.items():
        try:
            corners = np.array(corners, dtype=float).reshape(len(corners), 2)
        except (TypeError, ValueError):
            corners = np.empty((0, 2))
        if len(corners) < 3 or not np.isfinite(corners).all():
            raise UserError(f"{path}: ROI {name}: a polygon is three or more corners [x, y] in px")
        _check_inside(name, corners.min(axis=0), corners.max(axis=0), height, width, path)
        yield name, np.flatnonzero(_inside(corners, height, width))


def _of_outlines(path: str | Path, height: int, width: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and pixels of ImageJ's selections; what two outlines of one enclose is a hole."""
    for name, outlines in imagej.outlines(path):
        inside = np.zeros((height, width), bool)
        for corners in outlines:
            _check_inside(name, corners.min(axis=0), corners.max(axis=0), height, width, path)
            inside ^= _inside(corners, height, width)
        yield name, np.flatnonzero(inside)


def _inside(corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the pixels (H, W) bool whose centres lie in a polygon of corners (n, 2).

    By the even-odd rule: a ray to the right crosses an odd number of edges.
    """
    inside = np.zeros((height, width), bool)
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 1
    box = inside[top:bottom, left:right]
    rows, columns = np.indices(box.shape) + np.array([top, left])[:, None, None]
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 != y1:
            crosses = (y0 > rows) != (y1 > rows)
            box ^= crosses & (columns < x0 + (rows - y0) * (x1 - x0) / (y1 - y0))
    return inside


def _read_circles(path: str | Path) -> pd.DataFrame:
    import pandas as pd

    try:
        table = pd.read_csv(
            path,
            sep="\t" if Path(path).suffix.lower() == ".tsv" else ",",
            dtype={"name": str, "hemisphere": str},
            keep_default_na=False,
        )
    except ValueError as error:  # as pandas' own are
        raise UserError(f"{path}: not a table ({one_line(error)})") from error
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise UserError(
            f"{path}: no column {missing[0]}; circles need {', '.join(COLUMNS)} (px), it holds: "
            f"{', '.join(map(str, table.columns))}"
        )
    for name in ("x", "y", "radius"):
        if table[name].dtype.kind not in "iuf":
            raise UserError(f"{path}: column {name} holds text; needs numbers in px")
    return table


def _of_circles(
    table: pd.DataFrame, height: int, width: int, path: str | Path
) -> Iterator[tuple[str, np.ndarray]]:
    rows, columns = np.mgrid[:height, :width]
    seen = set()
    for row in table.itertuples(index=False):
        name = " ".join(filter(None, (row.name, row.hemisphere)))
        if name in seen:
            raise UserError(f"{path}: ROI {name} is there twice; give each its own name")
        seen.add(name)
        centre = np.array([row.x, row.y], float)
        _check_inside(name, centre, centre, height, width, path)
        yield name, np.flatnonzero(np.hypot(columns - row.x, rows - row.y) <= row.radius)


def _check_inside(
    name: str, low: np.ndarray, high: np.ndarray, height: int, width: int, path: str | Path
) -> None:
    """Raise UserError unless low and high (x, y) lie on the image."""
    if (low < -0.5).any() or (high > (width - 0.5, height - 0.5)).any():
        x, y = low if (low < -0.5).any() else high
        raise UserError(
            f"{path}: ROI {name} reaches to x = {x:g}, y = {y:g}, outside the movie of {width} x "
            f"{height} px (width x height); were the masks made for another size?"
        )


GRID = 4  # tiles along each side


def tiles(height: int, width: int) -> np.ndarray:
    """Return the tiles of an image as masks (GRID * GRID, height, width) bool, row by row."""
    row = np.arange(height) * GRID // height
    column = np.arange(width) * GRID // width
    number = row[:, None] * GRID + column
    return number == np.arange(GRID * GRID)[:, None, None]
