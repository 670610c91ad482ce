"""Gabor filters, and a pyramid of them as features of images."""

import numpy as np

WAVELENGTHS = (0.25, 0.375, 0.5625, 0.85)  # sides of the image
ORIENTATIONS = 4
WIDTH = 0.4  # SD of the envelope in wavelengths: a bandwidth of about 1.5 octaves


def gabor(
    size: int, y: float, x: float, angle: float, wavelength: float, phase: float
) -> np.ndarray:
    """Return a Gabor filter (size, size) around (y, x) px, of norm 1 and without response to grey.

    `wavelength` in px, `angle` of its normal and `phase` in radians; round envelope.
    """
    rows, columns = np.mgrid[:size, :size] + 0.5
    along = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
    envelope = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (WIDTH * wavelength) ** 2))
    wave = envelope * np.cos(2 * np.pi * along / wavelength + phase)
    wave -= envelope * wave.sum() / envelope.sum()
    return wave / np.linalg.norm(wave)


def gabor_pyramid(images: np.ndarray) -> np.ndarray:
    """Return features (I, F) of images (I, H, H): pairs of Gabor filters, and their energies.

    Filters stand on a grid a third of their wavelength apart, in `ORIENTATIONS` orientations of
    each of `WAVELENGTHS`; a pair differs by a quarter of a period, its energy is the root of the
    sum of their squares. What simple and complex cells compute, in the usual model.
    """
    size = images.shape[-1]
    flat = images.reshape(len(images), -1).astype(np.float64)
    linear, energy = [], []
    for wavelength in np.multiply(WAVELENGTHS, size):
        n = max(1, round(3 * size / wavelength))
        centres = (np.arange(n) + 0.5) * size / n
        for angle in np.arange(ORIENTATIONS) * np.pi / ORIENTATIONS:
            pairs = np.array(
                [
                    gabor(size, y, x, angle, wavelength, phase)
                    for phase in (0, np.pi / 2)
                    for y in centres
                    for x in centres
                ]
            )
            products = flat @ pairs.reshape(len(pairs), -1).T
            linear.append(products)
            energy.append(np.hypot(products[:, : n * n], products[:, n * n :]))
    return np.concatenate([*linear, *energy], axis=1)
