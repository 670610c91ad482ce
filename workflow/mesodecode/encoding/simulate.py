"""A population of V1 neurons whose filters, noise and unresponsive share are known.

It tells a method that cannot find what is there from data in which nothing is there.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from scipy.signal import lfilter

from mesodecode.base.files import atomic_path
from mesodecode.encoding.gabor import gabor

BASELINE = 4.0  # mean event in SDs of a neuron's trials: hardly any event is cut at 0
TRACE_NOISE = 0.2  # SD of a sample of dff, in SDs of a neuron's trials


@dataclass(frozen=True)
class Population:
    """A simulated session and its truth.

    images (I, H, W) uint8; image, start, end (P,), in s; time (T,) in s; events, dff (N, T);
    speed in cm/s and pupil in px (T,). Truth: filters (N, H, W), 0 for unresponsive neurons;
    responsive (N,) bool; signal (I, N), each responsive neuron's expected response to each image
    in SDs of its trials.
    """

    images: np.ndarray
    image: np.ndarray
    start: np.ndarray
    end: np.ndarray
    time: np.ndarray
    events: np.ndarray
    dff: np.ndarray
    speed: np.ndarray
    pupil: np.ndarray
    filters: np.ndarray
    responsive: np.ndarray
    signal: np.ndarray


def simulate_population(
    *,
    seed: int,
    neurons: int,
    images: int,
    repeats: int,
    frame_rate: float,
    duration: float,
    image_size: int,
    responsive: float,
    wavelength: list[float],
    complex_share: float,
    explainable: float,
    delay: float,
    decay: float,
    speed_effect: float,
    number: int = 0,
) -> Population:
    """Simulate a session; settings: see encoding/simulate.yaml.

    Sessions of other `number` have the same neurons and images, and an order of images, noise and
    behaviour of their own.

    1. Images of dead leaves, whose statistics are those of natural images.
    2. A responsive neuron's drive is log(1 + exp(1.5 z + 1)), z the standardised product of image
       and Gabor filter, or the energy of a pair of filters (complex cells).
    3. An event follows each image: baseline + signal + noise + running, never below 0, all in SDs
       of the neuron's trials; signal has the share `explainable` of their variance.
    4. ΔF/F is the events filtered by an exponential decay, plus noise.
    """
    rng = np.random.default_rng(seed)
    pictures = np.stack([dead_leaves(rng, image_size) for _ in range(images)])
    is_responsive = np.zeros(neurons, bool)
    is_responsive[: round(responsive * neurons)] = True
    filters, signal = _tuning(rng, pictures, is_responsive, wavelength, complex_share)
    signal *= np.sqrt(explainable)
    rng = np.random.default_rng((seed, number))
    image = np.concatenate([rng.permutation(images) for _ in range(repeats)])
    start = np.arange(len(image)) * duration
    time = np.arange(int((start[-1] + 2 * duration) * frame_rate)) / frame_rate
    speed, pupil = _behaviour(rng, len(time), frame_rate)
    at = np.searchsorted(time, start + delay - 1e-9)
    running = (speed - speed.mean()) / speed.std()
    common = speed_effect * running[at, None] * np.abs(rng.normal(1, 0.3, neurons))
    noise = rng.standard_normal((len(image), neurons))
    noise *= np.sqrt(np.where(is_responsive, 1 - explainable, 1))
    amplitude = np.maximum(BASELINE + signal[image] + noise + common, 0)
    events = np.zeros((neurons, len(time)), np.float32)
    events[:, at] = amplitude.T
    dff = lfilter([1], [1, -np.exp(-1 / (frame_rate * decay))], events, axis=1)
    dff = (dff + TRACE_NOISE * rng.standard_normal(dff.shape)).astype(np.float32)
    return Population(
        pictures,
        image,
        start,
        start + duration,
        time,
        events,
        dff,
        speed,
        pupil,
        filters,
        is_responsive,
        signal,
    )


def _tuning(
    rng: np.random.Generator,
    pictures: np.ndarray,
    responsive: np.ndarray,
    wavelength: list[float],
    complex_share: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the filters (N, H, W) of neurons and their drive by each image (I, N), SD 1.

    Both are 0 for unresponsive neurons.
    """
    image_size = pictures.shape[1]
    filters = np.zeros((len(responsive), image_size, image_size), np.float32)
    signal = np.zeros((len(pictures), len(responsive)))
    contrast = pictures / 255 - np.mean(pictures / 255)
    n_complex = round(complex_share * responsive.sum())
    for n in np.flatnonzero(responsive):
        long = image_size * np.exp(rng.uniform(*np.log(wavelength)))
        where, angle = rng.uniform(0.2, 0.8, 2) * image_size, rng.uniform(0, np.pi)
        phase = rng.uniform(0, 2 * np.pi)
        pair = [gabor(image_size, *where, angle, long, p) for p in (phase, phase + np.pi / 2)]
        filters[n] = pair[0]
        products = np.einsum("ihw,phw->pi", contrast, pair)
        if n < n_complex:
            drive = np.hypot(*products)
        else:
            drive = np.logaddexp(0, 1.5 * products[0] / products[0].std() + 1)
        signal[:, n] = (drive - drive.mean()) / drive.std()
    return filters, signal


def dead_leaves(rng: np.random.Generator, size: int, leaves: int = 400) -> np.ndarray:
    """Return an image (size, size) uint8 of discs that hide each other, radii r with p ~ 1/r^3.

    Lee, Mumford and Huang 2001 (Int J Comput Vis 41: 35-59): such images have the power spectrum,
    the edges and the scale invariance of natural ones.
    """
    y, x = np.mgrid[:size, :size]
    image = np.full((size, size), 128, np.uint8)
    small, large = 2.0, size / 1.5
    radius = 1 / np.sqrt(1 / large**2 + rng.random(leaves) * (1 / small**2 - 1 / large**2))
    centre, grey = rng.uniform(-5, size + 5, (leaves, 2)), rng.integers(0, 256, leaves)
    for r, (cy, cx), value in zip(radius, centre, grey, strict=True):
        image[(x - cx) ** 2 + (y - cy) ** 2 < r**2] = value
    return image


def _behaviour(rng: np.random.Generator, n: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Return running speed (cm/s) and pupil size (px), both slow."""
    slow = lfilter([1], [1, -np.exp(-1 / (5 * rate))], rng.standard_normal((2, n + int(30 * rate))))
    slow = slow[:, -n:] / slow.std(1, keepdims=True)
    speed = 10 * np.logaddexp(0, 2 * slow[0]) / 2
    return speed.astype(np.float32), (60 + 8 * slow[0] + 6 * slow[1]).astype(np.float32)


def write_population(made: Population, path: str | Path) -> Path:
    """Write a session as plain HDF5, and its truth as `{stem}_truth.h5` beside it; return that."""
    truth = Path(path).with_name(f"{Path(path).stem}_truth.h5")
    known = ("filters", "responsive", "signal")
    for out, names in ((truth, known), (path, [k for k in vars(made) if k not in known])):
        with atomic_path(out) as part, h5py.File(part, "w") as file:
            for name in names:
                file.create_dataset(name, data=getattr(made, name), track_times=False)
    return truth
