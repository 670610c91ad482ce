"""Areas of the cortex as they lie on the mean image of a session, to be coloured by a map."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from mesodecode.base.files import UserError
from mesodecode.recordings.masks import read_masks
from mesodecode.recordings.recording import Recording

COLOURS = "RdBu_r"  # red, white, blue: tells signs apart for all kinds of colour vision
SMOOTH = 0.3  # px by which an outline may miss the edges of pixels, which makes it short


@dataclass(frozen=True, eq=False)
class Cortex:
    """A mean image (h, w), and the outlines of ROIs on it, in their order.

    Outlines are in px of `size`, (height, width) as recorded; the image may be smaller.
    """

    image: np.ndarray
    size: tuple[int, int]
    outlines: list[Outline]


def read_cortex(path: str | Path, recording: Recording, dataset: str | None = None) -> Cortex:
    """Read where ROIs lie in a recording.

    `path` is a file of masks in pixels of the movie as recorded (`dataset`: see `read_masks`), or
    the truth of a simulated session (.h5). Raises UserError if it is neither.
    """
    if is_truth(path):
        with h5py.File(path) as file:
            centres, radius = file["roi_xy"][:], float(file["roi_radius"][()])
            size = file["brain"].shape
        circles = [Outline.circle(centre, radius) for centre in centres]
        return Cortex(recording.pixel_mean, size, circles)
    size = recording.recorded_size or recording.shape[1:]
    outlines = []
    for pixels in read_masks(path, *size, dataset).pixels:
        area = np.zeros(size, bool)
        area.flat[pixels] = True
        outlines.append(outline(area))
    return Cortex(recording.pixel_mean, size, outlines)


def is_truth(path: str | Path) -> bool:
    """Tell whether a file is the truth of a simulated session, and none of masks."""
    if Path(path).suffix != ".h5":
        return False
    try:
        with h5py.File(path) as file:
            return "roi_xy" in file
    except FileNotFoundError:
        raise
    except OSError:  # no HDF5: the reader of masks says so
        return False


def outline(area: np.ndarray) -> Outline:
    """Return the outline of an area, bool (H, W), in px: x and y, pixel centres whole numbers."""
    from skimage.measure import approximate_polygon, find_contours  # seconds, and only here

    lines = find_contours(np.pad(area, 1).astype(float), 0.5)  # padded: closed at the edges too
    rings = [approximate_polygon(line[:, ::-1] - 1, SMOOTH) for line in lines]
    return Outline.make_compound_path(*[Outline(ring, closed=True) for ring in rings])


def chosen(cortex: Cortex, rois: Sequence[int], path: str | Path) -> Cortex:
    """Return the cortex with these ROIs only, numbers from 1, in this order.

    Raises UserError if `path`, which it was read from, has fewer.
    """
    if max(rois) > len(cortex.outlines):
        raise UserError(
            f"{path}: {len(cortex.outlines)} ROIs, but the maps are of ROI {max(rois)} too; give "
            "the areas that the signals are of"
        )
    return Cortex(cortex.image, cortex.size, [cortex.outlines[roi - 1] for roi in rois])


def paint(axes: Axes, cortex: Cortex, values: np.ndarray, norm: Normalize) -> None:
    """Draw the mean image in grey, and on it the areas in the colours of values (R,)."""
    height, width = cortex.size
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    mean_image(axes, cortex.image, extent)
    colours = mpl.colormaps[COLOURS](norm(values))
    for number in np.argsort(np.abs(values)):  # strong ones on top, where areas overlap
        look = {"facecolor": colours[number], "edgecolor": "0.15", "linewidth": 0.25}
        axes.add_patch(PathPatch(cortex.outlines[number], **look))
    axes.set(xlim=extent[:2], ylim=extent[2:])


def mean_image(
    axes: Axes, image: np.ndarray, extent: tuple[float, float, float, float] | None = None
) -> None:
    """Draw a mean image (H, W), neither black nor white, on which colours would be lost."""
    low, high = np.percentile(image, (1, 99.5))
    spread = high - low
    grey = {"cmap": "gray", "vmin": low - 0.5 * spread, "vmax": high + 0.4 * spread}
    axes.imshow(image, interpolation="nearest", extent=extent, **grey)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
