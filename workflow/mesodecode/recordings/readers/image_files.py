"""Single images and stacks of them: of areas, of the brain, of a camera in the dark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from mesodecode.base.files import UserError, check_memory
from mesodecode.recordings.readers import hdf5, mat
from mesodecode.study import file_formats

IMAGES = ("TIFF", "NPY", "PNG", "MAT", "HDF5")


def read_image(
    path: str | Path, dataset: str | None = None, *, setting: str | None = None
) -> np.ndarray:
    """Return an image file as an array: NPY, PNG, MAT (as MATLAB shows it), HDF5, else TIFF.

    `dataset` names an array of a MAT or HDF5 file, and `setting` the setting that says so; None
    takes the only one of two axes or more. Raises UserError if there is none.
    """
    known = file_formats.format_of(path, "masks")
    try:
        if known in ("MAT", "HDF5"):
            return _held(Path(path), known == "MAT", dataset, setting)
        if known == "NPY":
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            check_memory(array.nbytes, path, "its array")
            return np.array(array)
        if known == "PNG":
            with Image.open(path) as image:
                return np.asarray(image)
        with tifffile.TiffFile(path) as tif:
            check_memory(tif.series[0].nbytes if tif.series else 0, path, "its image")
            return tif.asarray()
    except (FileNotFoundError, UserError):
        raise
    except Exception as error:  # the readers raise whatever they meet
        words = " ".join(str(error).split())
        raise UserError(f"{path}: not a readable image ({words})") from error


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
