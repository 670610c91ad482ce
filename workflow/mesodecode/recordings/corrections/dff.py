"""ΔF/F = (F - F0) / F0, over a baseline F0 of the whole recording or a running one."""

from collections import deque
from collections.abc import Iterator

import numpy as np

from mesodecode.recordings.corrections.movies import Movie, block_size, mean_image, whole_blocks

STEPS = 32  # means of frames that a window is made of: what is kept in memory
WHOLE_STEPS = 128  # of the whole recording
# A pixel whose F0 is below this share of the bright pixels' shows no brain; its ΔF/F would be the
# camera's noise blown up, and is set to 0.
DARK = 0.01


class Dff:
    """ΔF/F of a movie, float32.

    `statistic` mean or percentile (then `percentile`) of the frames in `window` frames around each
    frame, before it if `causal`; None takes the whole recording, whose F0 (H, W) is `baseline`.
    The window moves in steps of 1/32 of its length: the percentile is that of the means of such
    steps, and F0 goes linearly from step to step. Of a causal baseline, F0 at a frame depends on no
    frame of its own step or later; the first step alone, which has nothing before it, is its own
    baseline.
    """

    def __init__(
        self,
        source: Movie,
        statistic: str,
        *,
        window: float | None = None,
        percentile: float = 10,
        causal: bool = False,
    ) -> None:
        self.source, self.path = source, source.path
        self.shape, self.dtype = source.shape, np.dtype(np.float32)
        self._percentile = percentile if statistic == "percentile" else None
        self._causal, n_frames = causal, source.shape[0]
        self.baseline: np.ndarray | None = None
        if window is None:
            self._step = -(-n_frames // WHOLE_STEPS)
            self.baseline = self._whole()
        else:
            # what comes later, and so how long the recording is, changes no causal baseline
            window = window if causal else min(window, n_frames)
            self._step = max(1, round(window / STEPS))
            n_steps = round(window / self._step)
            self._before = n_steps - 1 if causal else n_steps // 2
            self._after = 0 if causal else n_steps // 2

    def _whole(self) -> np.ndarray:
        if self._percentile is None:
            return mean_image(self.source).astype(np.float32)
        return self._statistic(list(self._means()))

    def _means(self) -> Iterator[np.ndarray]:
        """Yield the mean image of each step."""
        for _, block in whole_blocks(self.source, self._step):
            yield block.mean(axis=0, dtype=np.float64).astype(np.float32)

    def _statistic(self, images: list[np.ndarray]) -> np.ndarray:
        if self._percentile is None:
            return np.mean(images, axis=0)
        return np.percentile(images, self._percentile, axis=0).astype(np.float32)

    def _knots(self) -> Iterator[np.ndarray]:
        """Yield F0 (H, W) at the middle of each step; of a causal baseline, at its end."""
        means, held = self._means(), deque()
        n_steps = -(-self.shape[0] // self._step)
        first = last = 0  # steps in memory: first … last - 1
        for step in range(n_steps):
            while last < min(step + self._after + 1, n_steps):
                held.append(next(means))
                last += 1
            while first < step - self._before:
                held.popleft()
                first += 1
            yield self._statistic(list(held))

    def _running(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield (first frame, block, F0 of each of its frames), a step at a time.

        Two readings of the movie go along, one ahead by the window's second half: what lies
        between them need not be kept.
        """
        knots = self._knots()
        before = here = next(knots)
        for start, block in whole_blocks(self.source, self._step):
            share = (np.arange(len(block), dtype=np.float32) + 0.5)[:, None, None] / self._step
            if self._causal:  # from F0 at the end of the step before last to that of the last
                baseline = before + (here - before) * share
                if start:
                    before, here = here, next(knots, here)
                yield start, block, baseline
                continue
            after = next(knots, here)
            baseline = np.where(
                share < 0.5,
                before + (here - before) * (share + 0.5),
                here + (after - here) * (share - 0.5),
            )
            before, here = here, after
            yield start, block, baseline

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        if self.baseline is not None:
            for start, block in self.source.blocks(min(size, block_size(self.source))):
                yield start, dff(block, self.baseline)
            return
        for start, block, baseline in self._running():
            values = dff(block, baseline)
            for first in range(0, len(block), size):
                yield start + first, values[first : first + size]


def dff(block: np.ndarray, baseline: np.ndarray, floor: float | None = None) -> np.ndarray:
    """Return (F - F0) / F0 of frames (n, H, W), float32; 0 where F0 shows no brain (`DARK`).

    `baseline` is F0 of every frame (n, H, W) or of all (H, W); `floor` that of `floor_of`, taken of
    the first frame's if it is None.
    """
    baseline = baseline.astype(np.float32, copy=False)
    if floor is None:
        floor = floor_of(baseline[0] if baseline.ndim == 3 else baseline)
    shown = baseline > floor
    values = block.astype(np.float32) - baseline
    return np.divide(values, baseline, out=np.zeros_like(values), where=shown)


def floor_of(baseline: np.ndarray) -> float:
    """Return what F0 (H, W) lies above where it shows brain."""
    return max(DARK * np.percentile(baseline.astype(np.float32, copy=False), 99), 0)
