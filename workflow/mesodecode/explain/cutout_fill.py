"""What a hidden area of an image shows in its place: the fills of a cut-out.

Which of them finds planted areas is in benchmarks/README.md.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from mesodecode.base.files import UserError
from mesodecode.explain import recording_noise
from mesodecode.explain.imputation import imputation

FILLS = ("zero", "blur", "mean", "road")
NOISE = 0.1  # SD of the noise of "road", as a share of that of the visible pixels


class Fill:
    """Hide areas of images on the device. Mask 0 hides nothing, the others are those given."""

    def __init__(self, areas: np.ndarray, fill: str, sigma: float, device: torch.device) -> None:
        areas = np.concatenate([np.zeros((1, *areas.shape[1:]), bool), areas])
        self._areas = torch.as_tensor(areas, device=device)[..., None]  # (M + 1, H, W, 1)
        self._fill = fill
        if fill == "blur":
            if not 0 < sigma < float("inf"):
                raise UserError(f"blur_sigma: {sigma}; needs px, or a share between 0 and 1")
            sigma = sigma * min(areas.shape[1:]) if sigma < 1 else sigma
            # A Gaussian filter along one axis as a matrix: exact at the edges, on any device.
            self._blur = [
                torch.as_tensor(
                    gaussian_filter1d(np.eye(n), sigma, axis=0), dtype=torch.float32, device=device
                )
                for n in areas.shape[1:]
            ]
        if fill in ("mean", "road"):
            visible = (~self._areas[..., 0]).flatten(1).float()
            self._weights = visible / visible.sum(1, keepdim=True)
        if fill == "road":
            self._imputations = [imputation(area) for area in areas[1:]]

    def __len__(self) -> int:
        return len(self._areas)

    def passes(self, images: Tensor, frames: Tensor, size: int) -> Iterator[Tensor]:
        """Yield images (n, 3, H, W) of `frames` (n,) under every mask, mask by mask.

        `size` images a time.
        """
        fills = self._road(images, frames) if self._fill == "road" else self._fills(images)
        rows = images.permute(0, 2, 3, 1)  # so that what is made lies channels last, uncopied
        everything = torch.arange(len(self) * len(images), device=images.device)
        for part in everything.split(size):
            mask, image = part // len(images), part % len(images)
            filled = torch.where(self._areas[mask], fills(mask, image), rows[image])
            yield filled.permute(0, 3, 1, 2)

    def _fills(self, images: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """Return a function of masks (P,) and images (P,) that gives what fills them."""
        if self._fill == "zero":
            zero = torch.zeros((), device=images.device)
            return lambda mask, image: zero
        if self._fill == "blur":
            vertical, horizontal = self._blur
            blurred = (vertical @ images @ horizontal.T).permute(0, 2, 3, 1)
            return lambda mask, image: blurred[image]
        means = images.flatten(2) @ self._weights.T  # (n, 3, M + 1)
        return lambda mask, image: means[image, :, mask][:, None, None]

    def _road(self, images: Tensor, frames: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """Return what `_fills` does, of images (n, 3, H, W) of `frames` (n,)."""
        pixels = images.flatten(2)
        variance = pixels.square() @ self._weights.T - (pixels @ self._weights.T).square()
        noise_sd = NOISE * variance.clamp(min=0).sqrt()  # (n, 3, M + 1)
        noise = recording_noise.white(frames, images, seed=0).flatten(2)

        def fills(mask: Tensor, image: Tensor) -> Tensor:
            filled = torch.zeros(len(mask), *images.shape[1:], device=images.device).flatten(2)
            for number in mask.unique().tolist():
                if number == 0:
                    continue
                of, chosen = self._imputations[number - 1], mask == number
                taken = image[chosen]
                hidden, around = (
                    torch.as_tensor(part, device=images.device) for part in (of.hidden, of.around)
                )
                visible = pixels[taken][..., around].flatten(0, 1).T.double().cpu().numpy()
                values = torch.as_tensor(of.values(visible).T, dtype=images.dtype)
                values = values.to(images.device).view(len(taken), 3, -1)
                values += noise_sd[taken, :, number, None] * noise[taken][..., hidden]
                filled[chosen.nonzero(), :, hidden] = values.transpose(1, 2)
            return filled.view(-1, *images.shape[1:]).permute(0, 2, 3, 1)

        return fills
