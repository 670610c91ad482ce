"""Blocks of frames: of one length, whatever the lengths they come in, and of another size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image


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


def resize(frames: np.ndarray, size: int) -> np.ndarray:
    """Resize frames (n, H, W) to float32 (n, size, size), with Pillow's antialiasing filter."""
    return np.stack(
        [
            np.asarray(Image.fromarray(frame).resize((size, size), Image.Resampling.BILINEAR))
            for frame in frames.astype(np.float32, copy=False)
        ]
    )
