"""Images of a new mouse: normalised by past or first frames, turned and shifted onto known mice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch.nn.functional import affine_grid, grid_sample

from mesodecode.base.files import UserError
from mesodecode.decoders.inputs import Images
from mesodecode.recordings.alignment import place
from mesodecode.recordings.baseline import fixed
from mesodecode.recordings.recording import Recording

BLOCK = 1.0  # s for which frames are normalised by the same frames before them


class AdaptedImages(Images):
    """Images of one recording, normalised by past frames and moved, if asked for.

    `past`: mean and SD are of all frames before the second that a frame lies in; `move` (2, 3) is
    the affine map from where a pixel goes to where it comes from, as of `affine_grid`.
    """

    def __init__(
        self,
        recording: Recording,
        device: torch.device | str,
        *,
        past: bool = False,
        move: np.ndarray | None = None,
    ) -> None:
        if past:
            of, means, sds = past_statistics(recording)
            recording = replace(recording, baseline=fixed(means, of))
        super().__init__([recording], device)
        self._move = move
        if move is not None:
            self._move = torch.as_tensor(move, dtype=torch.float32, device=self.device)
        if past:
            self._recording = torch.as_tensor(of, device=self.device)
            self._sd = torch.as_tensor(sds, dtype=torch.float32, device=self.device)

    def assemble(self, *fed: torch.Tensor) -> torch.Tensor:
        """Return images (N, 3, H, W) of what was fed."""
        images = super().assemble(*fed)
        if self._move is None:
            return images
        theta = self._move.expand(len(images), 2, 3)
        grid = affine_grid(theta, list(images.shape), align_corners=False)
        moved = grid_sample(images, grid, align_corners=False)
        return moved.to(memory_format=torch.channels_last)


def past_statistics(recording: Recording) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what normalises each frame: block (T,), mean (B, H, W) and SD (B,) of the blocks.

    A block is a second; its mean image and its SD (of the whole stack, about each pixel's mean over
    all of it) are those of the frames before the block. The first block, which has none, has those
    of its own frames and is to be left out by a warm-up.
    """
    length = max(1, round(BLOCK * recording.frame_rate))
    of = np.arange(len(recording)) // length
    known = list(_known_after(recording, length, len(recording)))
    means, sds = zip(known[0], *known[:-1], strict=True)
    return of, np.stack(means), np.array(sds, np.float32)


def by_first(recording: Recording, n: int) -> Recording:
    """Return a recording whose mean image and SD are those of its first n frames."""
    length = max(1, round(BLOCK * recording.frame_rate))
    for known in _known_after(recording, length, n):
        mean, sd = known
    return replace(recording, pixel_mean=mean, stack_sd=sd)


def _known_after(
    recording: Recording, length: int, stop: int
) -> Iterator[tuple[np.ndarray, float]]:
    """Yield mean image (H, W) and SD of the frames up to each multiple of `length`, and `stop`."""
    total = np.zeros(recording.shape[1:])
    count, first, second = 0, 0.0, 0.0
    for start in range(0, stop, length):
        frames = recording.read_frames(start, min(start + length, stop)).astype(np.float64)
        total += frames.sum(axis=0)
        first += frames.mean(axis=(1, 2)).sum()
        second += (frames**2).mean(axis=(1, 2)).sum()
        count += len(frames)
        sd = np.sqrt(max(second / count - (first / count) ** 2, 0.0))
        yield (total / count).astype(np.float32), max(float(sd), 1e-12)


def onto(recording: Recording, others: Sequence[Recording]) -> np.ndarray:
    """Return the map (2, 3) that moves a recording's frames onto the mean images of others.

    The mean turn and shift against the first session of each mouse of `others`.
    """
    first = {other.mouse: other for other in reversed(others)}
    image = recording.pixel_mean.astype(float)
    found = [place(image, other.pixel_mean.astype(float)) for other in first.values()]
    x, y, degrees = (np.mean([one[key] for one in found]) for key in ("x", "y", "rotation"))
    if not np.isfinite([x, y, degrees]).all():
        raise UserError(
            f"{recording.path}: its images have another size than those of the training mice, so "
            "that it cannot be registered to them; set image_size in the config"
        )
    height, width = image.shape
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    # in units of half the image, so that shifts count double, and turning does not shear
    return np.array([[cos, -sin * height / width, x / 50], [sin * width / height, cos, y / 50]])
