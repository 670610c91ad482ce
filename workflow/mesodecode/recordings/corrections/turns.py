"""Whether channels that take turns in the frames of a movie keep their order to its end.

A frame that a camera or a computer drops exchanges two wavelengths in all that follows; so do dark
frames before the light goes on, if their number is no multiple of the channels. Neither shows in
any length. It is seen where wavelengths have unlike images, and told only where nothing else is
possible: equal wavelengths, movement, neurons, bleaching and light that changes are the same in
all channels, or slow, or do not make one channel the other.

The mean of `GRID` x `GRID` tiles is kept of each frame, 0.1 kB. At each frame, the images of the
channels in the `LENGTH` cycles after it are compared with those before, in the same order and in
every other one.
"""

import warnings
from collections.abc import Iterator

import numpy as np

from mesodecode.base.files import UserError, doubt, say
from mesodecode.recordings.corrections.movies import Movie

GRID = 5
SAMPLES = 64  # rows and columns of pixels at least that are looked at
LENGTH = 3  # cycles before and after a frame
UNLIKE = 0.03  # least difference of two channels' tiles, as a share of the brightness
ALIKE = 1.2  # ratio of differences (mean square) of two channels and in one, below: one light
CLEAR = 4.0  # by which an image has to be nearer to one channel than to all others
DARK = 0.5, 0.2  # most brightness and contrast of a dark frame, as shares of the darkest channel's
MOSTLY = 0.8  # share of frames that have to be as clear; else channels are alike, or light flickers
FEW = 25.0  # by which this has to be clearer where less than a cycle is before a frame
STEP = 4096  # frames looked at together
MEND = "give each frame's light source in recordings.light_sources"


class InTurn:
    """A movie that, once it is read to its end, raises UserError if its channels change order.

    `apart`: each channel is of files of its own, whose frames should take no turns themselves.
    """

    def __init__(self, source: Movie, channels: int, *, apart: bool = False) -> None:
        self.source, self.channels, self.path = source, channels, source.path
        self._check = self._check_each if apart else self._check_turns
        self.shape, self.dtype = source.shape, source.dtype
        self._every = [max(1, length // SAMPLES) for length in source.shape[1:]]
        sampled = [
            -(-length // every) for length, every in zip(source.shape[1:], self._every, strict=True)
        ]
        self._edges = [np.linspace(0, n, min(GRID, n) + 1).astype(int) for n in sampled]
        self._tiles = np.zeros(
            (source.shape[0], *(len(edges) - 1 for edges in self._edges)), np.float32
        )
        self._seen = 0

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        for start, block in self.source.blocks(size):
            if start <= self._seen < start + len(block):
                self._look(block[self._seen - start :])
            yield start, block
        if self._seen == self.shape[0] and self._tiles is not None:
            tiles, self._tiles = self._tiles.reshape(self._seen, -1), None
            self._check(tiles)

    def _look(self, new: np.ndarray) -> None:
        rows, columns = self._edges
        sampled = new[:, :: self._every[0], :: self._every[1]].astype(np.float32)
        sums = np.add.reduceat(np.add.reduceat(sampled, columns[:-1], axis=2), rows[:-1], axis=1)
        sizes = np.multiply.outer(np.diff(rows), np.diff(columns))
        self._tiles[self._seen : self._seen + len(new)] = sums / sizes
        self._seen += len(new)

    def _check_each(self, tiles: np.ndarray) -> None:
        n = self.channels
        if any(_take_turns(tiles[i::n], n) for i in range(n)):
            raise UserError(
                f"{self.path}: taken for one of {n} wavelengths, each in files or datasets of its "
                f"own, but {n} unlike images take turns in its frames: set wavelengths: in_turn"
            )

    def _check_turns(self, tiles: np.ndarray) -> None:
        n, n_frames = self.channels, len(tiles)
        if n_frames < 2 * n or not np.isfinite(tiles).all():
            return
        dark = dark_frames(tiles, n)
        first = int(np.argmin(dark))
        if first % n:
            raise UserError(
                f"{self.path}: the light goes on at frame {first}, which is no multiple of {n} "
                f"channels: which frame is of which channel is open; {MEND}"
            )
        if first:
            say(f"{self.path}: the first {first} frames are dark, and kept")
        changes = changes_of_order(tiles, n, dark)
        if changes:
            more = f" and {len(changes) - 1} times more" if len(changes) > 1 else ""
            raise UserError(
                f"{self.path}: the {n} channels change their order at frame {changes[0]} of "
                f"{n_frames}{more}: was a frame dropped? {MEND}"
            )
        if one_after_the_other(tiles, n):
            raise UserError(
                f"{self.path}: the {n} channels do not take turns, but follow each other after "
                f"{n_frames // n} frames; name a file of each and set wavelengths: separate"
            )
        if not _unlike(tiles[~dark], n):
            doubt(
                self.path,
                f"the {n} channels look the same, as frames of one light do: if wavelengths take "
                "no turns in it, leave out corrections: channels (by_cohort, where others have "
                f"them), or all frames but one in {n} are lost",
            )


def dark_frames(tiles: np.ndarray, n: int) -> np.ndarray:
    """Return which frames are dark, (T,) bool: tiles (T, K) without light and without an image."""
    lit = [np.median(tiles[len(tiles) // 2 :][i::n], axis=0) for i in range(n)]
    if tiles.min() < 0:  # ΔF/F
        return np.zeros(len(tiles), bool)
    dark = tiles.mean(axis=1) < DARK[0] * min(channel.mean() for channel in lit)
    return dark & (tiles.std(axis=1) < DARK[1] * min(channel.std() for channel in lit))


def changes_of_order(tiles: np.ndarray, n: int, dark: np.ndarray) -> list[int]:
    """Return the frames at which `n` channels that take turns, tiles (T, K), change their order.

    Dark frames, (T,) bool, count as turns, and are not looked at.
    """
    if not _tell_apart(tiles[~dark], n):
        return []
    # The shorter look is for two changes one soon after the other.
    return _changes(tiles, n, dark, LENGTH) or _changes(tiles, n, dark, 1)


def _tell_apart(tiles: np.ndarray, n: int) -> bool:
    """Return whether frames (T, K) are by far nearer to those a cycle before than to others."""
    if len(tiles) <= n:
        return False
    apart = [np.square(tiles[n:] - tiles[n - lag : -lag]).mean(axis=1) for lag in range(1, n + 1)]
    return np.mean(apart[-1] * CLEAR**2 < np.min(apart[:-1], axis=0)) > MOSTLY


def _unlike(tiles: np.ndarray, n: int) -> bool:
    """Return whether frames (T, K) differ more from the next ones than from those a cycle after.

    Of a cycle or less nothing tells, and they are taken for unlike.
    """
    return len(tiles) <= n or bool(_between(tiles, n) > ALIKE * _apart(tiles, n))


def _between(tiles: np.ndarray, n: int) -> float:
    """Return the least difference (mean square) of two of `n` channels of frames (T, K)."""
    return min(_apart(tiles, lag) for lag in range(1, n))


def _apart(tiles: np.ndarray, lag: int) -> float:
    return float(np.square(tiles[lag:] - tiles[:-lag]).mean())


def _take_turns(tiles: np.ndarray, n: int) -> bool:
    """Return whether `n` unlike images take turns in frames, tiles (T, K)."""
    if len(tiles) < 2 * n or not np.isfinite(tiles).all() or not _tell_apart(tiles, n):
        return False
    return bool(_between(tiles, n) > (UNLIKE * np.abs(tiles).mean()) ** 2)


def _changes(tiles: np.ndarray, n: int, dark: np.ndarray, length: int) -> list[int]:
    lit = [np.flatnonzero(~dark[i::n]) * n + i for i in range(n)]
    if min(map(len, lit)) < 2:
        return []
    sums = [np.cumsum(np.vstack([0 * tiles[:1], tiles[i]]), axis=0, dtype=float) for i in lit]
    steps = np.split(np.arange(len(tiles)), range(STEP, len(tiles), STEP))
    found = [_compared(times, lit, sums, length) for times in steps]
    ratio, unlike = (np.concatenate(values) for values in zip(*found, strict=True))
    usual = np.nanmedian(unlike)
    if usual < (UNLIKE * np.abs(tiles).mean()) ** 2:
        return []
    doubtful = (ratio * CLEAR**2 > 1) | (unlike < usual / 4)
    changes: list[int] = []
    for t in np.flatnonzero(~doubtful & ~dark):
        if not _each_is_clear(tiles, t, lit, length):
            continue
        if changes and t - changes[-1] < n * length:
            changes[-1] = min(changes[-1], t, key=lambda i: ratio[i])
        else:
            changes.append(int(t))
    return changes


def _compared(
    times: np.ndarray, lit: list[np.ndarray], sums: list[np.ndarray], length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Compare the images of channels around frames (m,), of which `lit` are those of each channel.

    Returns the squared distance of images after a frame from those before it in the best other
    order, over that in the same order; and the least squared distance between channels. Both (m,).
    """
    n = len(lit)
    sides = []
    for before in (True, False):
        means = []
        for frames, total in zip(lit, sums, strict=True):
            at = np.searchsorted(frames, times)
            low, high = (at - length, at) if before else (at, at + length)
            low, high = np.maximum(low, 0), np.minimum(high, len(frames))
            count = (high - low)[:, None]
            means.append((total[high] - total[low]) / np.where(count, count, np.nan))
        sides.append(np.stack(means))
    before, after = sides  # (channels, frames, tiles); NaN where there are none
    apart = np.stack([_distance(before, np.roll(after, -shift, axis=0)) for shift in range(n)])
    turned = [
        [_distance(side, np.roll(side, -shift, axis=0)) for shift in range(1, n)] for side in sides
    ]
    unlike = np.fmin(*(np.min(distances, axis=0) for distances in turned))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = apart[1:].min(axis=0) / apart[0]
    ratio[times < n] *= FEW  # not a cycle before
    return np.where(np.isfinite(ratio) & (times <= lit[0][-1]), ratio, np.inf), unlike


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the mean squared distance (m,) of images (channels, m, K), of those that are there."""
    with warnings.catch_warnings(action="ignore"):  # of none
        return np.nanmean(np.square(a - b).mean(axis=2), axis=0)


def _each_is_clear(tiles: np.ndarray, t: int, lit: list[np.ndarray], length: int) -> bool:
    """Return whether each frame near t is by far nearest to its own channel, before and after."""
    for before in (True, False):
        near = []
        for frames in lit:
            at = np.searchsorted(frames, t)
            near.append(frames[max(at - length, 0) : at] if before else frames[at : at + length])
        if not all(map(len, near)):  # at the start
            continue
        means = np.stack([tiles[frames].mean(axis=0) for frames in near])
        for own, frames in enumerate(near):
            apart = np.square(tiles[frames][:, None] - means).mean(axis=2)
            others = np.delete(apart, own, axis=1).min(axis=1)
            if (apart[:, own] * CLEAR**2 > others).any():
                return False
    return True


def one_after_the_other(tiles: np.ndarray, n: int) -> bool:
    """Return whether the channels, tiles (T, K), are not in turn, but one after all of another."""
    length = len(tiles) // n
    if length < 2 * n:
        return False
    steps = np.square(np.diff(tiles, axis=0)).mean(axis=1)
    largest = np.sort(np.argsort(steps)[len(steps) - n + 1 :]) + 1
    at_edges = np.abs(largest - length * np.arange(1, n)) <= n
    least = (UNLIKE * np.abs(tiles).mean()) ** 2
    rest = np.delete(steps, largest - 1)
    return bool(at_edges.all() and steps[largest - 1].min() > max(least, CLEAR**2 * rest.max()))
