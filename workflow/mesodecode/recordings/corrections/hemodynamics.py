"""Two-wavelength correction: what a channel without calcium shows is taken out of the signal.

Blood absorbs light, so that fluorescence goes with blood volume and oxygenation too (Ma et al.
2016, Phil Trans R Soc B 371:20150360). A second channel at a calcium-independent wavelength shows
these alone. `regression` subtracts from the signal's ΔF/F what the reference's ΔF/F explains of it
in each pixel (Valley et al. 2020, J Neurophysiol 123:356; Couto et al. 2021, Nat Protoc 16:3241).
`ratio` divides both: (1 + signal) / (1 + reference) - 1, which holds where blood dims both by the
same share, and needs no fit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mesodecode.recordings.corrections.movies import Movie, block_size, pairs

SMALLEST = 0.05  # 1 + ΔR/R below this is no reflectance; the ratio would blow up


@dataclass(frozen=True)
class Fit:
    """Of signal on reference in each pixel: slope, reference_mean and r2, explained share, (H, W).

    Pixels in which either does not vary have slope and r2 0.
    """

    slope: np.ndarray
    reference_mean: np.ndarray
    r2: np.ndarray


def fit(signal: Movie, reference: Movie) -> Fit:
    """Regress two movies of ΔF/F on each other in one pass: sums are all that it needs."""
    n_frames, size = signal.shape[0], block_size(signal)
    sums = np.zeros((5, *signal.shape[1:]))
    for _, y, x in pairs(signal, reference, size):
        for i, values in enumerate((x, y, x * x, x * y, y * y)):
            sums[i] += values.sum(axis=0, dtype=np.float64)
    x, y, xx, xy, yy = sums / n_frames
    var_x, var_y, cov = xx - x * x, yy - y * y, xy - x * y
    varies = (var_x > 1e-12) & (var_y > 1e-12)
    slope = np.divide(cov, var_x, out=np.zeros_like(cov), where=varies)
    r2 = np.divide(cov**2, var_x * var_y, out=np.zeros_like(cov), where=varies)
    return Fit(slope, x, r2)


class Corrected:
    """ΔF/F of `signal` less that of `reference`: by `fit`, or as a ratio where it is None."""

    def __init__(self, signal: Movie, reference: Movie, fit: Fit | None) -> None:
        self.signal, self.reference, self.fit = signal, reference, fit
        self.path, self.shape, self.dtype = signal.path, signal.shape, np.dtype(np.float32)

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        for start, y, x in pairs(self.signal, self.reference, min(size, block_size(self))):
            if self.fit is None:
                corrected = ratio(y, x)
            else:
                corrected = y - self.fit.slope * (x - self.fit.reference_mean)
            yield start, corrected.astype(np.float32)


def ratio(signal: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return what is left of ΔF/F of a signal once that of the reference is divided out."""
    return (1 + signal) / np.maximum(1 + reference, SMALLEST) - 1
