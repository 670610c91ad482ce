"""Rigid motion of the brain under the objective: estimated by phase correlation, undone by shifts.

Sub-pixel shifts by an upsampled cross-correlation (Guizar-Sicairos et al. 2008, Optics Letters
33:156), as scikit-image has it.
"""

import numpy as np
import scipy.fft
from scipy.ndimage import shift as shift_image
from skimage.registration import phase_cross_correlation

from mesodecode.base.progress import Progress
from mesodecode.recordings.corrections.movies import Movie, block_size, mean_image

UPSAMPLING = 20  # shifts to 1/20 px
ROUNDS = 2  # against the blurred mean of the movie, then against the sharp one of moved frames


class Registration:
    """Shifts of images against a reference image (H, W)."""

    def __init__(self, reference: np.ndarray) -> None:
        height, width = reference.shape
        # An image's edges do not move with the brain: without a window they pull shifts to zero.
        window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
        self._window = window.astype(np.float32)
        # Nor does the illumination: what is compared are vessels, detail of 1 px to 1/16 of the
        # image (SD of Gaussians), which leaves most of the noise out too.
        square = np.add.outer(np.fft.fftfreq(height) ** 2, np.fft.fftfreq(width) ** 2)
        fine, coarse = 1.0, max(2.0, min(height, width) / 16)
        low_passes = [np.exp(-2 * np.pi**2 * sd**2 * square) for sd in (fine, coarse)]
        self._band = (low_passes[0] - low_passes[1]).astype(np.float32)
        self._reference = self._transform(reference)

    def _transform(self, image: np.ndarray) -> np.ndarray:
        image = image.astype(np.float32)
        return scipy.fft.fft2((image - image.mean()) * self._window) * self._band

    def shift(self, image: np.ndarray) -> np.ndarray:
        """Return (rows, columns) px by which an image must be shifted to fit the reference."""
        return phase_cross_correlation(
            self._reference,
            self._transform(image),
            space="fourier",
            upsample_factor=UPSAMPLING,
            normalization=None,  # whitening would give noise the weight of vessels
        )[0]


def estimate_shifts(movie: Movie, max_shift: float) -> tuple[np.ndarray, int]:
    """Return the shift of every frame onto the mean image, (T, 2) rows and columns in px.

    The second value is how many were larger than `max_shift` (px) and so are interpolated from
    their neighbours in time instead.
    """
    shifts, n_failed = np.zeros((movie.shape[0], 2)), 0
    reference = mean_image(movie)
    with Progress(ROUNDS * len(shifts), "frames", f"motion of {movie.path.name}") as progress:
        for rounds_left in reversed(range(ROUNDS)):
            registration, total = Registration(reference), np.zeros(movie.shape[1:])
            for start, block in movie.blocks(block_size(movie)):
                here = shifts[start : start + len(block)]
                for by, frame in zip(here, shift_frames(block, here), strict=True):
                    by += registration.shift(frame)
                if rounds_left:
                    total += shift_frames(block, here).sum(axis=0, dtype=np.float64)
                progress.update(len(block))
            reference = total / len(shifts)
            n_failed = interpolate_failures(shifts, max_shift)
    return shifts, n_failed


def interpolate_failures(shifts: np.ndarray, max_shift: float) -> int:
    """Replace shifts (T, 2) above `max_shift` px by those around them; return how many."""
    failed = np.hypot(*shifts.T) > max_shift
    good = np.flatnonzero(~failed)
    for column in shifts.T:
        column[failed] = np.interp(np.flatnonzero(failed), good, column[good]) if len(good) else 0
    return int(failed.sum())


def shift_frames(block: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Return frames (n, H, W) float32, each shifted by (rows, columns) px, linearly interpolated.

    What comes in at an edge is the edge's own value.
    """
    moved = block.astype(np.float32)
    for i, by in enumerate(shifts):
        if by.any():
            moved[i] = shift_image(moved[i], by, order=1, mode="nearest")
    return moved
