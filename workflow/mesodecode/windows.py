"""Which frames can be decoded: the one rule that every stage uses."""

from __future__ import annotations

import numpy as np

IMAGE_REACH = 1  # the image of frame t is the frames t-1, t, t+1 as three channels


def centres(n_frames: int, reach: int, segment: np.ndarray | None = None) -> np.ndarray:
    """Return the frames t whose neighbours t-reach … t+reach all exist and lie in one segment.

    A decoder of one image has reach 1 (t-1, t, t+1 are its channels); a window of half-width w
    over images has reach w + 1; a window over ROI signals has reach w. Frames left out at a
    recording's ends and at segment boundaries are counted by ``n_frames - len(centres(...))``.

    Parameters: n_frames; reach in frames, ≥ 0; segment (T,), equal within a segment, or None.
    Returns int64 (N,), ascending.
    """
    if reach < 0:
        raise ValueError(f"reach is {reach}; needs 0 or more")
    if segment is None:
        return np.arange(reach, max(reach, n_frames - reach))
    if len(segment) != n_frames:
        raise ValueError(f"{len(segment)} segment values for {n_frames} frames")
    starts = np.flatnonzero(np.diff(segment, prepend=np.nan))  # NaN differs: frame 0 starts one
    stops = np.append(starts[1:], n_frames)
    parts = [np.arange(a + reach, b - reach) for a, b in zip(starts, stops, strict=True)]
    return np.concatenate(parts) if parts else np.arange(0)
