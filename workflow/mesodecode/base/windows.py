"""Which frames can be decoded: the one rule that every stage uses."""

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from mesodecode.base.files import say

IMAGE_REACH = 1  # the image of frame t is the frames t-1, t, t+1 as three channels


class Session(Protocol):
    """What frames are decoded of: a recording, or its features or signals.

    `causal`: its windows and images end at the decoded frame; `skip`: frames at its start that no
    window may reach into, since what normalises them was not yet known.
    """

    session: str
    labels: np.ndarray
    segment: np.ndarray | None
    causal: bool
    skip: int


def decodable(sessions: Sequence[Session], reach: int, shift: int = 0) -> list[np.ndarray]:
    """Return the frames of each session that can be decoded, see `decoded`.

    Sessions without any are named (`tell_short`), and what causal decoders leave out is.
    """
    found = [decoded(one, reach, shift) for one in sessions]
    tell_short({one.session: len(at) for one, at in zip(sessions, found, strict=True)})
    for one in sessions:
        if one.causal and one.skip < len(one.labels):
            _tell(
                f"causal: the first {one.skip + 2 * reach} frames of a recording and the first "
                f"{2 * reach} of each later segment are not decoded, as a window there would reach "
                "into frames that are not there or not yet normalised"
            )
    return found


def decoded(session: Session, reach: int, shift: int = 0) -> np.ndarray:
    """Return the `centres` of one session; the window of a causal one ends at its frame."""
    shift -= reach * session.causal
    return centres(len(session.labels), reach, session.segment, shift, session.skip)


def offsets(half: int, shift: int = 0, causal: bool = False) -> np.ndarray:
    """Return which frames a window has, from the decoded one: (2 half + 1,) int64.

    -half … half; -2 half … 0 if `causal`; all moved by `shift`.
    """
    return np.arange(-half, half + 1) + shift - half * causal


def tell_short(frames: Mapping[str, int]) -> None:
    """Say, once, which sessions have no frame to decode; `frames`: session -> how many it has.

    They are left out of training and scores. Where all are, nothing is said: that is an error, and
    its own line.
    """
    short = [name for name, n in frames.items() if not n]
    if 0 < len(short) < len(frames):
        _tell(
            f"session {', '.join(short)}: left out, as all segments are shorter than a window (or "
            "all of it only normalises others), so that there is no frame to decode"
        )


@functools.cache
def _tell(line: str) -> None:
    say(line)


def centres(
    n_frames: int,
    reach: int,
    segment: np.ndarray | None = None,
    shift: int = 0,
    skip: int = 0,
) -> np.ndarray:
    """Return the frames t whose neighbours t-reach … t+reach all exist and lie in one segment.

    A decoder of one image has reach 1 (t-1, t, t+1 are its channels); a window of half-width w
    over images has reach w + 1; a window over ROI signals has reach w. Frames left out at a
    recording's ends and at segment boundaries are counted by ``n_frames - len(centres(...))``.
    A window moved by `shift` frames is t+shift-reach … t+shift+reach, and frame t lies with it.
    No window reaches into the first `skip` frames.

    Parameters: n_frames; reach in frames, ≥ 0; segment (T,), equal within a segment, or None;
    shift in frames, > 0 for later frames.
    Returns int64 (N,), ascending.
    """
    if reach < 0:
        raise ValueError(f"reach is {reach}; needs 0 or more")
    before, after = max(0, reach - shift), max(0, reach + shift)
    if segment is None:
        return np.arange(skip + before, max(skip + before, n_frames - after))
    if len(segment) != n_frames:
        raise ValueError(f"{len(segment)} segment values for {n_frames} frames")
    segment = np.asarray(segment)
    edges = [0, *(np.flatnonzero(segment[1:] != segment[:-1]) + 1), n_frames]
    edges = np.maximum(edges, min(skip, n_frames))
    return np.concatenate([np.arange(a + before, b - after) for a, b in itertools.pairwise(edges)])
