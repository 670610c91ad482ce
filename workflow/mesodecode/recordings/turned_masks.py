"""Whether a mask is for this movie, or for its mirror image: by the light inside and outside.

Of a square movie no size tells that rows and columns of a mask are exchanged (as MATLAB writes an
image), and of any movie none that it is mirrored, or 1 outside the brain.
"""

import numpy as np

from mesodecode.base.roc_auc import roc_auc

FITS, BETTER = 0.9, 0.1  # AUC of pixels in the mask by brightness, and by how much it has to rise
SIDE = 128  # px, about, of the images that are compared


def better_turned(inside: np.ndarray, mean: np.ndarray) -> str:
    """Return how a mask (H, W) bool would cover the light of a mean image; "" if it does as it is.

    Brain is brighter than what is around it: a mask is taken for turned where another way to lay it
    divides pixels by their brightness nearly without fault (AUC above `FITS`), and it does not.
    """
    step = max(1, min(mean.shape) // SIDE)
    inside, mean = inside[::step, ::step], mean[::step, ::step]
    ways = {
        "mirrored left to right": inside[:, ::-1],
        "upside down": inside[::-1],
        "turned by 180 degrees": inside[::-1, ::-1],
        "inverted (0 on the brain)": ~inside,
    }
    if inside.shape[0] == inside.shape[1]:
        ways |= {
            "with rows and columns exchanged": inside.T,
            "turned by 90 degrees": np.rot90(inside),
            "turned by 90 degrees the other way": np.rot90(inside, -1),
        }
    own = roc_auc(inside.ravel(), mean.ravel())
    found = {way: roc_auc(other.ravel(), mean.ravel()) for way, other in ways.items()}
    best = max(found, key=found.__getitem__)
    return best if found[best] > max(FITS, own + BETTER) else ""
