"""Bleaching: an exponential decay of each pixel, divided out.

An exponential, not a polynomial: it is what bleaching is, it levels off instead of turning at the
ends, and it cannot follow slow activity up again. Its time constant belongs to the indicator and
the light and is fitted once, to the mean over pixels; its amplitude differs with the illumination
and is fitted in each pixel, by linear least squares, whose sums need one pass over the movie. Its
division, not its subtraction: bleaching takes the same share of baseline and activity.
"""

from dataclasses import dataclass

import numpy as np

from mesodecode.recordings.corrections.movies import Movie, block_size

# Time constants looked for, as shares of the recording. A slower decay is a line within it; a
# faster one would be over before it matters.
SHORTEST, LONGEST = 1 / 20, 5.0


@dataclass(frozen=True)
class Bleaching:
    """Fit of a movie: F(t) = level + amplitude exp(-t / tau), level and amplitude (H, W).

    decay (T,) is exp(-t / tau), tau in frames. Pixels whose fit is not above zero throughout have
    level 1 and amplitude 0, and so are left as they are.
    """

    level: np.ndarray
    amplitude: np.ndarray
    tau: float
    decay: np.ndarray

    @property
    def lost(self) -> float:
        """Share of the first frame's brightness that is lost by the last."""
        first = (self.level + self.amplitude * self.decay[0]).sum()
        return float(self.amplitude.sum() * (self.decay[0] - self.decay[-1]) / first)

    def divide(self, start: int, block: np.ndarray) -> np.ndarray:
        """Return a block without bleaching: its fit is divided out, the pixel's mean is kept."""
        mean = self.level + self.amplitude * self.decay.mean()
        here = self.decay[start : start + len(block), None, None].astype(np.float32)
        fit = here * (self.amplitude / mean).astype(np.float32)
        fit += (self.level / mean).astype(np.float32)
        return block / fit


def fit_bleaching(movie: Movie) -> Bleaching:
    """Fit the bleaching of a movie in two passes."""
    n_frames = movie.shape[0]
    brightness = np.zeros(n_frames)
    for start, block in movie.blocks(block_size(movie)):
        brightness[start : start + len(block)] = block.mean(axis=(1, 2), dtype=np.float64)
    tau = fit_tau(brightness)
    decay = _decay(n_frames, tau)
    total, product = np.zeros((2, *movie.shape[1:]))
    for start, block in movie.blocks(block_size(movie)):
        total += block.sum(axis=0, dtype=np.float64)
        centred = (decay[start : start + len(block)] - decay.mean()).astype(np.float32)
        product += np.einsum("t,tij->ij", centred, block, dtype=np.float64)
    amplitude = product / np.square(decay - decay.mean()).sum()
    mean = total / n_frames
    level = mean - amplitude * decay.mean()
    unfit = np.minimum(level + amplitude * decay[0], level + amplitude * decay[-1]) <= 0.01 * mean
    amplitude, level = np.where(unfit, 0, amplitude), np.where(unfit, 1, level)
    return Bleaching(level, amplitude, tau, decay)


def fit_tau(brightness: np.ndarray) -> float:
    """Return the time constant, in frames, of the decay that fits a trace (T,) best.

    For each time constant the best level and amplitude are known (variable projection, Golub &
    Pereyra 1973), so that one number is searched for.
    """
    from scipy.optimize import minimize_scalar

    n_frames = len(brightness)

    def residual(log_tau: float) -> float:
        columns = np.stack([np.ones(n_frames), _decay(n_frames, np.exp(log_tau))], axis=1)
        fit = np.linalg.lstsq(columns, brightness, rcond=None)[0]
        return float(np.square(brightness - columns @ fit).sum())

    bounds = np.log(n_frames * np.array([SHORTEST, LONGEST]))
    grid = np.linspace(*bounds, 25)  # the residual may have two valleys
    best = int(np.argmin([residual(x) for x in grid]))
    around = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    return float(np.exp(minimize_scalar(residual, bounds=around, method="bounded").x))


def _decay(n_frames: int, tau: float) -> np.ndarray:
    return np.exp(-np.arange(n_frames) / tau)
