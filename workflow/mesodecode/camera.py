"""The most that cameras give: at which value of a whole number a pixel is full.

Cameras of 10, 12 or 14 bits are kept in 16: as they count, up to 2^bits - 1, or shifted to the top
("MSB-aligned", "left-justified": pixel formats of GenICam, AVI and many frame grabbers), where 12
bits end at 4095 * 16 = 65520.
"""

from __future__ import annotations

import numpy as np

BITS = (8, 10, 12, 14, 15, 16)  # of cameras, and of signed numbers that hold 16


def ceilings(dtype: np.dtype | type) -> set[int]:
    """Return the values of a type of whole numbers at which a camera may be full."""
    dtype = np.dtype(dtype)
    largest = int(np.iinfo(dtype).max)
    plain = {2**n - 1 for n in BITS if 2**n - 1 <= largest} | {largest}
    return plain | ({(2**n - 1) << (16 - n) for n in BITS} if dtype == np.uint16 else set())


def full_scale(top: int, dtype: np.dtype | type) -> int:
    """Return the value at which a camera is full whose largest value is `top`.

    `top` itself where a camera may end there, else where the smallest camera ends whose counts
    reach as far.
    """
    if top in ceilings(dtype):
        return top
    largest = int(np.iinfo(dtype).max)
    return min((2**n - 1 for n in BITS if top < 2**n <= largest), default=largest)
