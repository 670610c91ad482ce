"""Augmentation: training images moved, turned and made brighter or darker at random."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import affine_grid, grid_sample


@dataclass(frozen=True)
class Augment:
    """Change normalised images as mice and days differ; each amount 0 leaves it out.

    shift: largest move in x and in y, as a fraction of the image; rotation: largest angle in
    degrees, about the centre; intensity: SD of the factor about 1 that all pixels are multiplied
    with. Moves and angles are uniform. Pixels from outside the image are 0, the mean of a pixel.
    Draws come from torch's global generator on the CPU, which checkpoints keep.
    """

    shift: float = 0.0
    rotation: float = 0.0
    intensity: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.shift or self.rotation or self.intensity)

    def __call__(self, images: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
        """Return images (N, C, H, W) changed; images of one number in `groups` (N,) alike."""
        return self.apply(images, *self.draw(groups, images.shape[-2:]))

    def draw(self, groups: torch.Tensor, size: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw how to change images of `size` (H, W); those of one number in `groups` (N,) alike.

        Returns maps (N, 2, 3) as of `affine_grid`, and factors (N,), on the device of `groups`.
        """
        numbers, member = torch.unique(groups, return_inverse=True)
        angle, dx, dy = (torch.rand(3, len(numbers)) * 2 - 1).unbind()
        factor = 1 + self.intensity * torch.randn(len(numbers))
        angle = angle * math.radians(self.rotation)
        height, width = size
        cos, sin = angle.cos(), angle.sin()
        # affine_grid maps output to input in units of half the image: shifts count double,
        # and turning an oblong image must not shear it.
        rows = (
            torch.stack([cos, -sin * height / width, 2 * self.shift * dx], dim=1),
            torch.stack([sin * width / height, cos, 2 * self.shift * dy], dim=1),
        )
        theta = torch.stack(rows, dim=1).to(groups.device)[member]
        return theta, factor.to(groups.device)[member]

    def apply(
        self, images: torch.Tensor, theta: torch.Tensor, factor: torch.Tensor
    ) -> torch.Tensor:
        """Return images (N, C, H, W) changed as `draw` has drawn."""
        if self.shift or self.rotation:
            grid = affine_grid(theta, list(images.shape), align_corners=False)
            images = grid_sample(images, grid, align_corners=False)
        return images * factor[:, None, None, None]
