"""Where the brain lies in a session's images, and how bright, sharp and fast they are.

Nothing here knows of decoders or labels. Sessions are compared by these numbers: what differs is a
reason why a decoder may fail, not a proof that it does, since every frame is normalised by its own
recording.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.ndimage import laplace
from skimage.filters import threshold_otsu
from skimage.measure import block_reduce

from mesodecode.recordings.alignment import place
from mesodecode.recordings.recording import Recording
from mesodecode.recordings.sample import sample
from mesodecode.shift.columns import IMAGE_COLUMNS, IMAGES

RUNS, RUN_LENGTH = 6, 64  # stretches of so many frames of a session are looked at
BLOCKS = 8  # on each side: the signals whose spectrum over time is taken


def table(recordings: Sequence[Recording]) -> pd.DataFrame:
    """Return `IMAGE_COLUMNS`, a row a session; places are against the first recording.

    x and y in % of the image, to the right and down, rotation in degrees clockwise: the turn and
    shift that fit its mean image best (`alignment.register`; `match` is their correlation, low
    between mice, whose vessels differ). Only differences between sessions mean something.
    """
    reference = recordings[0].pixel_mean
    return pd.DataFrame([describe(each, reference) for each in recordings], columns=IMAGE_COLUMNS)


def describe(recording: Recording, reference: np.ndarray) -> dict[str, str | float]:
    """Return a row of `IMAGE_COLUMNS`; `reference` (H, W) is the image that it is placed against.

    extent: root of the area brighter than Otsu's threshold, in % of the image's side; left_right:
    log2 of the light in the left half over that in the right; brightness: log2 of the mean count;
    sharpness: log2 of the SD of the mean image's Laplacian over its mean; noise: share of the
    variance of single pixels that their two neighbours in time do not predict; spatial_slope:
    slope of log power over log spatial frequency of normalised frames; temporal_hz: log2 of the
    frequency below which half of the power of 8 x 8 mean signals lies.
    """
    image = recording.pixel_mean.astype(float)
    about = {"mouse": recording.mouse, "session": recording.session}
    return about | place(image, reference) | look(image) | dynamics(recording)


def look(image: np.ndarray) -> dict[str, float]:
    """Return extent, left_right, brightness and sharpness of a mean image (H, W)."""
    mean, half = image.mean(), image.shape[1] // 2
    bright = (image > threshold_otsu(image)).mean() if np.ptp(image) else np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "extent": 100 * np.sqrt(bright),
            "left_right": float(np.log2(image[:, :half].mean() / image[:, -half:].mean())),
            "brightness": float(np.log2(mean)),
            "sharpness": float(np.log2(laplace(image).std() / mean)),
        }


def dynamics(recording: Recording) -> dict[str, float]:
    """Return noise, spatial_slope and temporal_hz of stretches of a recording; NaN if too short."""
    found = sample(recording, RUNS * RUN_LENGTH, reach=1, run_length=RUN_LENGTH)
    frames = (found.frames.astype(np.float32) - recording.pixel_mean) / recording.stack_sd
    stretches = [frames[found.segment == run] for run in np.unique(found.segment)]
    longest = max(map(len, stretches), default=0)
    stretches = [s for s in stretches if len(s) == longest]  # of one length, for one spectrum
    if longest < 8:
        return dict.fromkeys(("noise", "spatial_slope", "temporal_hz"), np.nan)
    rest = np.concatenate([s[1:-1] - (s[:-2] + s[2:]) / 2 for s in stretches])
    size = -(-np.array(recording.shape[1:]) // BLOCKS)
    signals = np.stack([block_reduce(s, (1, *size), np.mean) for s in stretches])
    signals -= signals.mean(axis=1, keepdims=True)
    taper = np.hanning(longest + 2)[1:-1, None, None]
    power = (np.abs(np.fft.rfft(signals * taper, axis=1)) ** 2).mean(axis=(0, 2, 3))[1:]
    hz = np.fft.rfftfreq(longest, 1 / recording.frame_rate)[1:]
    middle = np.interp(0.5, np.cumsum(power) / power.sum(), hz)
    return {
        # of white noise of variance v the rest has 1.5 v
        "noise": float((rest**2).mean() / 1.5 / np.mean(frames**2)),
        "spatial_slope": spatial_slope(np.concatenate(stretches)[:: max(1, longest // 8)]),
        "temporal_hz": float(np.log2(middle)),
    }


def spatial_slope(frames: np.ndarray) -> float:
    """Return the slope of log power over log spatial frequency of frames (N, H, W)."""
    height, width = frames.shape[1:]
    power = (np.abs(np.fft.rfft2(frames)) ** 2).mean(axis=0)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    edges = np.geomspace(1.5 / min(height, width), 0.5, 9)
    ring = np.digitize(radius, edges)
    means = np.array(
        [
            [radius[ring == i].mean(), power[ring == i].mean()]
            for i in range(1, 9)
            if (ring == i).any()
        ]
    )
    return float(np.polyfit(*np.log(means).T, 1)[0])


def differences(images: pd.DataFrame, session: str, mice: Sequence[str]) -> Mapping[str, float]:
    """Return how much a session differs from the nearest of `mice`, by measure; rotation ±180°.

    A mouse is the mean of its sessions. Each measure has a nearest mouse of its own: a decoder that
    was trained on a turned and on a straight mouse knows both, and their mean is neither. `images`
    has `IMAGE_COLUMNS`.
    """
    known = images[images["mouse"].isin(mice)].groupby("mouse")[list(IMAGES)].mean()
    delta = images.set_index("session").loc[session, list(IMAGES)].astype(float) - known
    delta["rotation"] = (delta["rotation"] + 180) % 360 - 180
    known = {name: delta[name].dropna() for name in IMAGES}
    return {n: d[d.abs().idxmin()] if len(d) else np.nan for n, d in known.items()}
