"""Hidden pixels as the weighted mean of their neighbours: the linear imputation of ROAD.

Rong et al. 2022, A consistent and efficient evaluation strategy for attribution methods, ICML,
PMLR 162: 18770-18795. Filled in this way, the shape of an area shows less than where it is zero.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

STRAIGHT, DIAGONAL = 1 / 6, 1 / 12  # weights of the eight neighbours (Rong et al. 2022)


class Imputation(NamedTuple):
    """How one hidden area is filled from what surrounds it, whatever the image.

    hidden (K,) and around (R,), numbers of pixels in an image that is read row by row; `values`
    maps the pixels around, (R, n) of n images, to the hidden ones (K, n), float64.
    """

    hidden: np.ndarray
    around: np.ndarray
    values: Callable[[np.ndarray], np.ndarray]


def imputation(hidden: np.ndarray) -> Imputation:
    """Return what fills the hidden pixels of images, hidden bool (H, W), not all of them.

    Every hidden pixel is the weighted mean of its neighbours, hidden ones too: one sparse system
    of linear equations, which is factored here, once for all images. At the edges of the image the
    weights of the neighbours that are there are scaled to a sum of 1.
    """
    inside = np.flatnonzero(hidden)
    rows = _weights(*hidden.shape)[inside]
    around = np.setdiff1d(rows.indices, inside)
    own = sparse.eye_array(len(inside), format="csc") - rows[:, inside].tocsc()
    solve, outer = splu(own.tocsc()).solve, rows[:, around].tocsr()
    return Imputation(inside, around, lambda visible: solve(outer @ visible))


@functools.lru_cache(maxsize=1)
def _weights(height: int, width: int) -> sparse.csr_array:
    """Return the weights (H W, H W) of the neighbours of each pixel, which sum to 1."""
    vertical, horizontal = (
        sparse.csr_array(np.eye(n, k=1) + np.eye(n, k=-1)) for n in (height, width)
    )
    straight = sparse.kron(vertical, sparse.eye_array(width)) + sparse.kron(
        sparse.eye_array(height), horizontal
    )
    weights = STRAIGHT * straight + DIAGONAL * sparse.kron(vertical, horizontal)
    return sparse.csr_array(sparse.diags_array(1 / weights.sum(axis=1)) @ weights)
