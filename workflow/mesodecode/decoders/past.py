"""Images of a new mouse: normalised by its first frames, turned and shifted onto known mice."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch.nn.functional import affine_grid, grid_sample

from mesodecode.base.files import UserError
from mesodecode.decoders.inputs import Images
from mesodecode.recordings.alignment import place
from mesodecode.recordings.baseline import BLOCK, Past
from mesodecode.recordings.recording import Recording


class AdaptedImages(Images):
    """Images of one recording, moved if asked for.

    `move` (2, 3) is the affine map from where a pixel goes to where it comes from, as of
    `affine_grid`.
    """

    def __init__(
        self, recording: Recording, device: torch.device | str, *, move: np.ndarray | None = None
    ) -> None:
        super().__init__([recording], device)
        self._move = move
        if move is not None:
            self._move = torch.as_tensor(move, dtype=torch.float32, device=self.device)

    def assemble(self, *fed: torch.Tensor) -> torch.Tensor:
        """Return images (N, 3, H, W) of what was fed."""
        images = super().assemble(*fed)
        if self._move is None:
            return images
        theta = self._move.expand(len(images), 2, 3)
        grid = affine_grid(theta, list(images.shape), align_corners=False)
        moved = grid_sample(images, grid, align_corners=False)
        return moved.to(memory_format=torch.channels_last)


def by_first(recording: Recording, n: int) -> Recording:
    """Return a recording whose mean image and SD are those of its first n frames."""
    length = max(1, round(BLOCK * recording.frame_rate))
    known = Past(length)
    for start in range(0, n, length):
        known.add(recording.read_frames(start, min(start + length, n)))
    return replace(recording, pixel_mean=known.mean, stack_sd=known.sd)


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
