"""Single images and stacks of them: of areas, of the brain, of a camera in the dark."""

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from mesodecode.base.files import UserError, check_memory, refused
from mesodecode.recordings.movie import check_chain, check_held, check_opens
from mesodecode.recordings.readers import hdf5, mat
from mesodecode.study import file_formats

AS_GREY = "save it as numbers of one channel (greyscale), 0 outside"
IMAGES = ("TIFF", "NPY", "PNG", "MAT", "HDF5")


def read_image(
    path: str | Path, dataset: str | None = None, *, setting: str | None = None
) -> np.ndarray:
    """Return an image file as an array: NPY, PNG, MAT (as MATLAB shows it), HDF5, else TIFF.

    Images of colours that are all grey are read as their grey, others refused; of a palette, the
    places of its colours.

    `dataset` names an array of a MAT or HDF5 file, and `setting` the setting that says so; None
    takes the only one of two axes or more. Raises UserError if there is none.
    """
    known = file_formats.format_of(path, "masks")
    check_opens(path)
    with refused(path, "not a readable image"):
        if known in ("MAT", "HDF5"):
            return _held(Path(path), known == "MAT", dataset, setting)
        if known == "NPY":
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            check_memory(array.nbytes, path, "its array")
            return np.array(array)
        if known == "PNG":
            with Image.open(path) as image:
                return _values(image, path)
        with tifffile.TiffFile(path) as tif:
            check_chain(tif, path)
            check_memory(tif.series[0].nbytes if tif.series else 0, path, "its image")
            for number, page in enumerate(tif.pages):
                check_held(page, number, path)
            array, page = tif.asarray(), tif.pages.first
            if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and not tif.is_imagej:
                raise UserError(f"{path}: an image whose 0 is white, not black; {AS_GREY}")
            if "S" not in (axes := tif.series[0].axes):
                return array
            samples = np.moveaxis(array, axes.index("S"), -1)
            if tif.is_shaped and (samples != samples[..., :1]).any():
                return array  # of three masks tifffile makes colours, and says their shape
            return _grey(samples, path)


def _values(image: Image.Image, path: str | Path) -> np.ndarray:
    """Return the numbers of a PNG image (H, W): of a palette's colours, their places in it.

    Place 0 is outside, as black or transparent as it is shown; in a palette of greys that begins
    with another, what is shown counts. Raises UserError if colours say what no number does.
    """
    if image.mode != "P":
        array = np.asarray(image)
        return _grey(array, path) if array.ndim == 3 else array
    places, colours = np.asarray(image), np.asarray(image.convert("RGBA"))
    outside = colours[places == 0]
    if not (outside[:, :3].any(axis=-1) & (outside[:, 3] > 0)).any():
        return places
    return _grey(colours, path)


def _grey(colours: np.ndarray, path: str | Path) -> np.ndarray:
    """Return what is the same in the colours of an image (…, samples), 0 where nothing is shown.

    Two and four samples have a last one that says how much is shown, in full where it says
    nothing. Raises UserError if colours differ or are shown in part.
    """
    n = colours.shape[-1]
    grey, shown = colours[..., 0], colours[..., -1] if n in (2, 4) else None
    same = all((colours[..., i] == grey).all() for i in range(1, n - (n in (2, 4))))
    full = shown is None or np.isin(shown[grey != 0], (0, shown.max())).all()
    if not (same and full):
        raise UserError(f"{path}: an image of colours; {AS_GREY}")
    hidden = shown is not None and ((shown == 0) & (grey != 0)).any()
    if hidden and not ((shown != 0) & (grey != 0)).any():
        raise UserError(f"{path}: an image of which nothing but black is shown; {AS_GREY}")
    return np.where(shown == 0, 0, grey) if hidden else grey


def _held(path: Path, of_mat: bool, dataset: str | None, setting: str | None) -> np.ndarray:
    if of_mat:
        shapes = mat.held(path)
        name = _choose(shapes, dataset, path, setting)
        return mat.read_mat(path, [name])[name]
    with hdf5.open_file(path) as file:
        items = hdf5.datasets(file, path)
        shapes = {name: item.shape for name, item in items.items()}
        return hdf5.read_array(items[_choose(shapes, dataset, path, setting)], path)


def _choose(
    shapes: dict[str, tuple[int, ...]], dataset: str | None, path: Path, setting: str | None
) -> str:
    name = (dataset or "").strip("/")
    images = [key for key, shape in shapes.items() if sum(n > 1 for n in shape) > 1]
    if name in shapes or (not name and len(images) == 1):
        return name or images[0]
    fault = f"no '{name}' in it" if name else f"{len(images)} arrays that could be the image"
    mend = f"name one in {setting}" if setting else "save the image in a file of its own"
    raise UserError(f"{path}: {fault}; it holds: {hdf5.listed(shapes)}; {mend}")
