"""Maps of SHAP as they are kept: of run and rest one, of other targets one of each output.

What has a value is an ROI, or of decoders of images an area, whose file holds `Pixels` too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from mesodecode.base import records
from mesodecode.base.files import UserError
from mesodecode.study.targets import RUN, Target

VALUES = ("mean_abs", "signed", "in_run", "in_rest")  # of a map, each (frames, ROIs)
OF_PIXELS = "deep, of pixels"  # `method` of maps of areas of images


@dataclass(frozen=True)
class ShapMap:
    """Mean SHAP values of one decoder in one allocation, and all that they depend on.

    mean_abs, and with their sign (see the module's words) signed, in_run and in_rest (frames, ROIs)
    float64, in units of the output, NaN without a window of that state; frame (frames,), relative
    to the decoded one; roi (ROIs,), numbers from 1; names, where ROIs have some; frame_rate in
    frames/s, 0 if the sessions differ; n_run, those of n_windows that are labelled run; base, the
    mean output over the background; completeness_error, the largest |base + sum of a window's
    values - its output|.
    """

    decoder: str
    allocation: str
    test_mouse: str
    mean_abs: np.ndarray
    signed: np.ndarray
    in_run: np.ndarray
    in_rest: np.ndarray
    frame: np.ndarray
    roi: np.ndarray
    names: tuple[str, ...]
    frame_rate: float
    method: str
    output: str
    n_windows: int
    n_run: int
    n_background: int
    background_from: str
    base: float
    completeness_error: float

    @property
    def target(self) -> Target:
        """What is decoded."""
        return RUN

    def write(self, path: str | Path) -> None:
        """Write the map to `path` (HDF5), whole or not at all."""
        records.write(self, path)


@dataclass(frozen=True)
class TargetMap:
    """Mean SHAP values of a decoder of another target, of its K outputs (`explained.outputs`).

    As `ShapMap`, but mean_abs (frames, ROIs) is the mean of each_abs (K, frames, ROIs) over
    outputs, and signed, one_side and other_side (K, frames, ROIs), base and n_one_side (K,) are
    of each output. The sides are those of `Kind.sides`: of a trace, windows in which it is above
    the mean of all that are explained, and below; of a state, windows of it, and of others. All in
    the unit of the trace, or in nats.
    """

    decoder: str
    allocation: str
    test_mouse: str
    target_name: str
    target_unit: str
    target_states: tuple[str, ...]
    mean_abs: np.ndarray
    each_abs: np.ndarray
    signed: np.ndarray
    one_side: np.ndarray
    other_side: np.ndarray
    frame: np.ndarray
    roi: np.ndarray
    names: tuple[str, ...]
    frame_rate: float
    method: str
    output: str
    n_windows: int
    n_one_side: np.ndarray
    n_background: int
    background_from: str
    base: np.ndarray
    completeness_error: float

    @property
    def target(self) -> Target:
        """What is decoded."""
        return Target(self.target_name, self.target_states, self.target_unit)

    def of_outputs(self) -> list[ShapMap]:
        """Return the map of each output, whose `in_run` and `in_rest` are its two sides."""
        both = {field.name for field in fields(ShapMap)} & {field.name for field in fields(self)}
        common = {name: getattr(self, name) for name in both}
        arrays = (self.each_abs, self.signed, self.one_side, self.other_side)
        each = zip(*arrays, self.n_one_side, self.base, strict=True)
        return [
            ShapMap(
                **common
                | dict(zip(VALUES, values, strict=True))
                | {"n_run": int(n), "base": float(base)}
            )
            for *values, n, base in each
        ]

    def write(self, path: str | Path) -> None:
        """Write the map to `path` (HDF5), whole or not at all."""
        records.write(self, path)


Map = ShapMap | TargetMap


def by_output(maps: Sequence[Map]) -> list[list[ShapMap]]:
    """Return the maps of each output, in the order of `explained.outputs`; none of no maps."""
    if not maps or isinstance(maps[0], ShapMap):
        return [list(maps)] if maps else []
    return [list(each) for each in zip(*(one.of_outputs() for one in maps), strict=True)]


def read(path: str | Path) -> Map:
    """Read a map. Raises UserError if the file is none."""
    with records.reading(path, "a file of `mesodecode shap`", "shap") as file:
        return records.take(file, TargetMap if "target_name" in file.attrs else ShapMap)


def kind_of_unit(one: Map) -> str:
    """Return what a map has values of, "ROI" or "area"."""
    return "area" if one.method == OF_PIXELS else "ROI"


def units_of(one: Map) -> list[str]:
    """Return the names of a map's units, as all tables of maps know them: ROIs by their number."""
    return list(one.names) if one.method == OF_PIXELS else [str(roi) for roi in one.roi]


def names_of(maps: Sequence[Map]) -> list[str]:
    """Return the names of the ROIs of maps, of the first that has some; without any, numbers."""
    named = next((one for one in maps if one.names), maps[0])
    return list(named.names) or [str(roi) for roi in named.roi]


@dataclass(frozen=True)
class Pixels:
    """What a map of a decoder of images holds of single pixels, beside that of areas.

    pixel_abs (frames, H, W), mean |SHAP|, of states the mean over them; pixel_signed (K, frames, H,
    W), as `signed` of each of K outputs; image (H, W), the mean image of `session`, the first one.
    """

    pixel_abs: np.ndarray
    pixel_signed: np.ndarray
    image: np.ndarray
    session: str


def write_pixels(path: str | Path, found: Map, pixels: Pixels) -> None:
    """Write a map of areas and that of pixels to `path` (HDF5), whole or not at all."""
    with records.creating(path) as file:
        records.put(file, found)
        records.put(file, pixels, single=True)


def read_pixels(path: str | Path) -> Pixels:
    """Read what `write_pixels` wrote of pixels. Raises UserError if the file is none."""
    return records.read(path, Pixels, "shap-pixels")


def mean_pixels(each: Sequence[Pixels]) -> Pixels:
    """Return the mean over allocations, on the image of the first; UserError if sizes differ."""
    first = each[0]
    for other in each:
        if other.pixel_signed.shape != first.pixel_signed.shape:
            raise UserError(
                f"maps of pixels of sessions {first.session} and {other.session}: of other frames "
                "or image sizes; summarise maps of one analysis"
            )
    return Pixels(
        np.mean([one.pixel_abs for one in each], axis=0),
        np.mean([one.pixel_signed for one in each], axis=0),
        first.image,
        first.session,
    )
