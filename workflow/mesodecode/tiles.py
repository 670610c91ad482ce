"""The tiles of an image, for what differs over it: few numbers that every mouse has."""

from __future__ import annotations

import numpy as np

GRID = 4  # tiles along each side


def tiles(height: int, width: int) -> np.ndarray:
    """Return the tiles of an image as masks (GRID * GRID, height, width) bool, row by row."""
    row = np.arange(height) * GRID // height
    column = np.arange(width) * GRID // width
    number = row[:, None] * GRID + column
    return number == np.arange(GRID * GRID)[:, None, None]
