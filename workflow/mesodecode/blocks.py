"""Frames in blocks of one length, whatever the lengths they come in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np


def batched(pieces: Iterable[np.ndarray], size: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first frame, block of `size` frames) from pieces (n, H, W) of any lengths, in order.

    Only the last block may be shorter.
    """
    start, held, count = 0, [], 0
    for piece in pieces:
        while len(piece):
            held.append(piece[: size - count])
            count += len(held[-1])
            piece = piece[len(held[-1]) :]
            if count == size:
                yield start, held[0] if len(held) == 1 else np.concatenate(held)
                start, held, count = start + size, [], 0
    if held:
        yield start, np.concatenate(held)
