"""How the calcium indicator of simulated mice answers neural activity."""

import numpy as np


def calcium(time: np.ndarray, rise_s: float, decay_s: float) -> np.ndarray:
    """Return the answer at `time` (in s, any shape) after a unit of neural drive at 0, not scaled.

    Exponential rise and decay, as of GCaMP6 (Chen et al. 2013, Nature 499:295); 0 before the drive.
    """
    after = np.maximum(time, 0)
    return -np.expm1(-after / rise_s) * np.exp(-after / decay_s)
