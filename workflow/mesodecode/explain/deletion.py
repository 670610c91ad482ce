"""Removing ROIs from a decoder's windows one by one: what each removal does to the output.

Where the top ones are removed at once, contributions of either sign cancel (Jang, Kim & Yang 2025,
arXiv:2506.05035). Here each removal counts by itself, and those that speak for run and for rest are
removed apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

BATCH = 4096  # windows passed at once


def evidence(signed: Tensor, windows: Tensor, mean: Tensor) -> Tensor:
    """Return how strongly ROIs speak for run in windows (N, F), below 0 for rest, by a signed map.

    signed (T, F), the map of other mice; windows (N, T, F); mean (F,), that of each ROI's signal.
    """
    return (signed * torch.sign(windows - mean)).sum(1)


Model = Callable[[Tensor], Tensor]  # windows (N, T, F) to outputs (N,)


def moved(
    model: Model, windows: Tensor, mean: Tensor, order: np.ndarray, shares: Sequence[float]
) -> np.ndarray:
    """Return how far the output of windows has moved when shares of the ROIs are removed (S,).

    One by one in an order (U,) of columns of windows (N, T, F); a removed ROI has its mean (F,). A
    mean over windows of the sum of the sizes of all changes, in units of the output.
    """
    steps = torch.zeros(len(order) + 1, windows.shape[2], dtype=torch.bool, device=windows.device)
    for step, column in enumerate(order, start=1):
        steps[step:, int(column)] = True
    found = _outputs(model, windows, mean, steps[:, None].expand(-1, len(windows), -1))
    changes = np.abs(np.diff(found, axis=0)).mean(axis=1).cumsum()
    return np.array([changes[max(0, round(share * len(order)) - 1)] for share in shares])


def apart(
    model: Model,
    windows: Tensor,
    mean: Tensor,
    says: Tensor,
    columns: np.ndarray,
    shares: Sequence[float],
) -> np.ndarray:
    """Return the output without what speaks for rest, less that without what speaks for run (S,).

    says (N, F), as of `evidence`; of each window up to a share of its ROIs `columns` (U,) is
    removed, those that speak loudest first. A mean over windows, in units of the output.
    """
    of = says[:, torch.as_tensor(columns, device=says.device)]
    removed = []
    for sign in (-1, 1):
        place = (-sign * of).argsort(dim=1, stable=True).argsort(dim=1)
        for share in shares:
            hidden = torch.zeros_like(says, dtype=torch.bool)
            hidden[:, torch.as_tensor(columns, device=says.device)] = (
                place < round(share * len(columns))
            ) & (sign * of > 0)
            removed.append(hidden)
    found = _outputs(model, windows, mean, torch.stack(removed)).mean(axis=1)
    without_rest, without_run = found.reshape(2, -1)
    return without_rest - without_run


@torch.inference_mode()
def _outputs(model: Model, windows: Tensor, mean: Tensor, hidden: Tensor) -> np.ndarray:
    """Return the outputs (M, N) of windows under each of M removals (M, N, F)."""
    found = []
    for part in hidden.split(max(1, BATCH // len(windows))):
        inputs = torch.where(part[:, :, None], mean, windows).flatten(0, 1)
        found.append(model(inputs).view(len(part), len(windows)))
    return torch.cat(found).double().cpu().numpy()
