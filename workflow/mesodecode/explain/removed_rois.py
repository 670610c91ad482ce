"""ROIs removed from the windows of a recurrent decoder: at every frame they have their mean.

(Zero would be their minimum, where signals are scaled from 0 to 1: an input that means something.)
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mesodecode.decoders.objectives import score_of
from mesodecode.explain import explained
from mesodecode.explain.deletion import descending, removals
from mesodecode.study.targets import RUN, Target

SHARES = tuple(share / 10 for share in range(1, 10))  # of the ROIs
ONE_BY_ONE = 50  # windows of which ROIs are removed one by one
BATCH = 4096  # windows passed at once


def evidence(signed: Tensor, windows: Tensor, mean: Tensor) -> Tensor:
    """Return how strongly ROIs speak for run in windows (N, F), below 0 for rest, by a signed map.

    signed (T, F), the map of other mice; windows (N, T, F); mean (F,), that of each ROI's signal:
    above it an ROI says what the map says, below it the contrary, summed over the window.
    """
    return (signed * torch.sign(windows - mean)).sum(1)


class Rois:
    """Windows (N, T, F) with labels (N,) of a target, of whose signals F are those of all ROIs.

    Units are the ROIs `columns` (U,) of them, which the decoder reads. A `deletion.Subject`, whose
    outputs are those that maps explain (`explained`).
    """

    shares = SHARES

    def __init__(
        self,
        model: nn.Module,
        windows: Tensor,
        labels: Tensor,
        few: np.ndarray,
        target: Target = RUN,
    ) -> None:
        """Take a model in evaluation mode; `few`: numbers of the windows for one by one."""
        self._model, self._windows, self._labels, self._target = model, windows, labels, target
        self._explained = explained.network_of(model, target), explained.outputs(target)
        self._few = windows[torch.as_tensor(few, device=windows.device)]
        self._mean = windows.mean((0, 1))
        self.columns = np.flatnonzero((windows != self._mean).any(1).any(0).cpu().numpy())

    def __len__(self) -> int:
        return len(self._windows)

    def intact(self) -> float:
        """Return the score of the windows as they are."""
        return self._score(np.zeros(len(self.columns), bool))

    def at_once(self, orders: Sequence[np.ndarray]) -> np.ndarray:
        """Return the score (O, S) without the first shares of ROIs in orders (U,)."""
        return np.array(
            [[self._score(step) for step in removals(scores, SHARES)] for scores in orders]
        )

    @torch.inference_mode()
    def _score(self, removed: np.ndarray) -> float:
        hidden = torch.zeros(self._windows.shape[2], dtype=torch.bool)
        hidden[self.columns[removed]] = True
        windows = torch.where(hidden.to(self._windows.device), self._mean, self._windows)
        return score_of(self._labels, self._model(windows), self._target)

    def one_by_one(self, orders: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return which share of the ROIs is gone (U + 1,), and outputs (Q, U + 1, n), by order."""
        made = []
        for scores in orders:
            steps = torch.zeros(len(scores) + 1, len(self._mean), dtype=torch.bool)
            for step, column in enumerate(self.columns[descending(scores)], start=1):
                steps[step:, int(column)] = True
            steps = steps.to(self._windows.device)[:, None].expand(-1, len(self._few), -1)
            made.append((np.arange(len(scores) + 1) / len(scores), self._outputs(steps)))
        return made

    def by_sign(self, maps: Sequence[np.ndarray], output: int = 0) -> np.ndarray:
        """Return one of the outputs (O, 2, S, n) without what speaks for rest, and for run.

        Maps (T, F), see `evidence`; for run, of other targets for a state, or for more of a trace.
        Of each window up to a share of its ROIs is removed, those that speak loudest first.
        """
        found = []
        columns = torch.as_tensor(self.columns, device=self._few.device)
        for one in maps:
            says = evidence(torch.as_tensor(one).to(self._few), self._few, self._mean)
            of = says[:, columns]
            removed = []
            for sign in (-1, 1):
                place = (-sign * of).argsort(dim=1, stable=True).argsort(dim=1)
                for share in SHARES:
                    hidden = torch.zeros_like(says, dtype=torch.bool)
                    loudest = place < round(share * len(self.columns))
                    hidden[:, columns] = loudest & (sign * of > 0)
                    removed.append(hidden)
            found.append(self._outputs(torch.stack(removed))[output].reshape(2, len(SHARES), -1))
        return np.array(found)

    @torch.inference_mode()
    def _outputs(self, hidden: Tensor) -> np.ndarray:
        """Return the outputs (Q, M, n) of the few windows under each of M removals (M, n, F)."""
        found, (network, outputs) = [], self._explained
        for part in hidden.split(max(1, BATCH // len(self._few))):
            inputs = torch.where(part[:, :, None], self._mean, self._few).flatten(0, 1)
            made = network(inputs)
            found.append(torch.stack([one.of(made).view(len(part), -1) for one in outputs]))
        return torch.cat(found, dim=1).double().cpu().numpy()
