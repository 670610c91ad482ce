"""As much noise as a recording can have: from the differences of its successive frames.

The root of half their mean square is the SD of white noise. What is fast in the recording counts as
noise too (heart beat, movements, fast neural activity), so that it is the most that noise can be.
"""

import numpy as np
import torch
from torch import Tensor

from mesodecode.decoders.inputs import Images


def with_noise(
    signals: np.ndarray, segment: np.ndarray | None, rng: np.random.Generator
) -> np.ndarray:
    """Return signals (T, R) and white noise, of each as much as it has itself.

    Frames of different segments (T,) do not follow each other.
    """
    steps = np.diff(signals, axis=0)
    if segment is not None:
        steps = steps[np.diff(segment) == 0]
    sd = np.sqrt(np.square(steps, dtype=np.float64).sum(axis=0) / max(1, 2 * len(steps)))
    return (signals + sd * rng.standard_normal(signals.shape)).astype(signals.dtype)


def pixel_sd(images: Images, at: Tensor, batch_size: int) -> Tensor:
    """Return the SD (H, W) of the noise of pixels, over images at `at` (N,).

    The first two channels of an image are frames that follow each other.
    """
    total = sum(
        (batch[:, 1] - batch[:, 0]).square().sum(0, dtype=torch.float64)
        for batch in images.batches(at.split(batch_size))
    )
    return (total / (2 * len(at))).sqrt().float()


def white(frames: Tensor, images: Tensor, seed: int) -> Tensor:
    """Return noise of SD 1 (n, 3, H, W) for images of `frames` (n,), on their device.

    A frame has the same in all images that it is a channel of, whatever else is asked for.
    """
    # channel c of image t is frame t + c, but for a constant
    numbers, channel = torch.unique(frames.cpu()[:, None] + torch.arange(3), return_inverse=True)
    size = images.shape[-2:]
    fields = [
        np.random.default_rng([seed, number]).standard_normal(size, np.float32)
        for number in numbers.tolist()
    ]
    return torch.as_tensor(np.array(fields)).to(images)[channel.to(images.device)]
