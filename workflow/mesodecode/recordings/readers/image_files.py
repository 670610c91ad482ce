"""Single images and stacks of them: of areas, of the brain, of a camera in the dark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from mesodecode.base.files import UserError
from mesodecode.study import file_formats

IMAGES = ("TIFF", "NPY", "PNG")


def read_image(path: str | Path) -> np.ndarray:
    """Return an image file (NPY, PNG, else TIFF) as an array. Raises UserError if it is none."""
    known = file_formats.format_of(path, "masks")
    try:
        if known == "NPY":
            return np.load(path, allow_pickle=False)
        if known == "PNG":
            with Image.open(path) as image:
                return np.asarray(image)
        return tifffile.imread(path)
    except FileNotFoundError:
        raise
    except Exception as error:  # the readers raise whatever they meet
        words = " ".join(str(error).split())
        raise UserError(f"{path}: not a readable image ({words})") from error
